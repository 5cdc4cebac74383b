package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
)

// tlsFlags name the files of one side of a TLS connection.
type tlsFlags struct {
	cert, key, ca string
}

// server returns the settings of a server: nil if there is no certificate. With a CA,
// clients have to have a certificate of it.
func (t tlsFlags) server() (*tls.Config, error) {
	if t.cert == "" && t.key == "" {
		if t.ca != "" {
			return nil, usagef("-tls-client-ca wants -tls-cert and -tls-key")
		}
		return nil, nil
	}
	c, err := t.certificate("-tls-cert", "-tls-key")
	if err != nil {
		return nil, err
	}
	if t.ca != "" {
		if c.ClientCAs, err = readCertificates(t.ca); err != nil {
			return nil, err
		}
		c.ClientAuth = tls.RequireAndVerifyClientCert
	}
	return c, nil
}

// client returns the settings of a client of etcd: nil if nothing is named.
func (t tlsFlags) client() (*tls.Config, error) {
	if t == (tlsFlags{}) {
		return nil, nil
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	var err error
	if t.cert != "" || t.key != "" {
		if c, err = t.certificate("-etcd-cert", "-etcd-key"); err != nil {
			return nil, err
		}
	}
	if t.ca != "" {
		if c.RootCAs, err = readCertificates(t.ca); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// certificate returns settings with the certificate; the names are those of the flags.
func (t tlsFlags) certificate(certFlag, keyFlag string) (*tls.Config, error) {
	if t.cert == "" || t.key == "" {
		return nil, usagef("%s and %s go together", certFlag, keyFlag)
	}
	key, err := readSecretFile(t.key)
	if err != nil {
		return nil, err
	}
	defer clear(key)
	chain, err := os.ReadFile(t.cert)
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(chain, key)
	if err != nil {
		return nil, fmt.Errorf("%s: %v", t.cert, err)
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}}, nil
}

func readCertificates(path string) (*x509.CertPool, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(b) {
		return nil, fmt.Errorf("%s: no certificate in PEM", path)
	}
	return pool, nil
}
