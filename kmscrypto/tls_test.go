package kmscrypto_test

import (
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"math/big"
	"net"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/kmscrypto"
)

// certify issues a certificate for s that s has signed itself.
func certify(t testing.TB, s crypto.Signer, algorithm x509.SignatureAlgorithm) *x509.Certificate {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "kms"}, DNSNames: []string{"kms.test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, IsCA: true, BasicConstraintsValid: true,
		SignatureAlgorithm: algorithm,
	}
	der, err := x509.CreateCertificate(nil, template, template, s.Public(), s)
	require.NoError(t, err)
	c, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return c
}

func TestCertificates(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		spec types.KeySpec
		with []x509.SignatureAlgorithm
	}{
		{types.KeySpecRsa2048, []x509.SignatureAlgorithm{
			x509.UnknownSignatureAlgorithm, x509.SHA256WithRSA, x509.SHA384WithRSA, x509.SHA512WithRSA,
			x509.SHA256WithRSAPSS, x509.SHA384WithRSAPSS, x509.SHA512WithRSAPSS,
		}},
		{types.KeySpecEccNistP256, []x509.SignatureAlgorithm{x509.UnknownSignatureAlgorithm, x509.ECDSAWithSHA256}},
		{types.KeySpecEccNistP384, []x509.SignatureAlgorithm{x509.UnknownSignatureAlgorithm, x509.ECDSAWithSHA384}},
		{types.KeySpecEccNistP521, []x509.SignatureAlgorithm{x509.UnknownSignatureAlgorithm, x509.ECDSAWithSHA512}},
		{types.KeySpecEccNistEdwards25519, []x509.SignatureAlgorithm{x509.UnknownSignatureAlgorithm, x509.PureEd25519}},
	} {
		_, s := signing(t, c.spec)
		for _, algorithm := range c.with {
			certificate := certify(t, s, algorithm)
			require.NoError(t, certificate.CheckSignatureFrom(certificate), "%s %s", c.spec, algorithm)

			der, err := x509.CreateCertificateRequest(nil, &x509.CertificateRequest{
				Subject: pkix.Name{CommonName: "kms"}, SignatureAlgorithm: algorithm,
			}, s)
			require.NoError(t, err)
			request, err := x509.ParseCertificateRequest(der)
			require.NoError(t, err)
			require.NoError(t, request.CheckSignature(), "%s %s", c.spec, algorithm)

			der, err = x509.CreateRevocationList(nil, &x509.RevocationList{Number: big.NewInt(1)}, authority(certificate), s)
			require.NoError(t, err)
			list, err := x509.ParseRevocationList(der)
			require.NoError(t, err)
			require.NoError(t, list.CheckSignatureFrom(authority(certificate)), "%s %s", c.spec, algorithm)
		}
	}
}

// authority returns c as one that may sign revocation lists.
func authority(c *x509.Certificate) *x509.Certificate {
	issuer := *c
	issuer.KeyUsage |= x509.KeyUsageCRLSign
	return &issuer
}

// x509 has no certificates for keys that it does not know.
func TestNoCertificatesForOpaqueKeys(t *testing.T) {
	t.Parallel()
	for _, spec := range []types.KeySpec{types.KeySpecEccSecgP256k1, types.KeySpecMlDsa44} {
		_, s := signing(t, spec)
		_, err := x509.CreateCertificateRequest(nil, &x509.CertificateRequest{}, s)
		require.Error(t, err, spec)
	}
}

// handshake connects a client and a server, who have certificates of the same
// signer, and sends a line through.
func handshake(t testing.TB, version uint16, c tls.Certificate) error {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AddCert(c.Leaf)
	serverEnd, clientEnd := net.Pipe()
	server := tls.Server(serverEnd, &tls.Config{
		Certificates: []tls.Certificate{c}, ClientAuth: tls.RequireAnyClientCert,
		MinVersion: version, MaxVersion: version,
	})
	client := tls.Client(clientEnd, &tls.Config{
		Certificates: []tls.Certificate{c}, RootCAs: roots, ServerName: "kms.test",
		MinVersion: version, MaxVersion: version,
	})
	sent := make(chan error, 1)
	go func() {
		_, err := server.Write([]byte("hello"))
		sent <- errors.Join(err, serverEnd.Close())
	}()
	got, err := io.ReadAll(io.LimitReader(client, 5))
	err = errors.Join(err, clientEnd.Close(), <-sent)
	if err == nil {
		require.Equal(t, "hello", string(got))
		require.Equal(t, version, client.ConnectionState().Version)
	}
	return err
}

func TestTLS(t *testing.T) {
	t.Parallel()
	for spec, schemes := range map[types.KeySpec][]tls.SignatureScheme{
		types.KeySpecRsa2048:             {tls.PSSWithSHA256, tls.PSSWithSHA384, tls.PSSWithSHA512},
		types.KeySpecEccNistP256:         {tls.ECDSAWithP256AndSHA256},
		types.KeySpecEccNistP384:         {tls.ECDSAWithP384AndSHA384},
		types.KeySpecEccNistP521:         {tls.ECDSAWithP521AndSHA512},
		types.KeySpecEccNistEdwards25519: {tls.Ed25519},
	} {
		_, s := signing(t, spec)
		leaf := certify(t, s, 0)
		c := tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: s, Leaf: leaf}
		require.NoError(t, handshake(t, tls.VersionTLS13, c), spec)
		for _, scheme := range schemes {
			c.SupportedSignatureAlgorithms = []tls.SignatureScheme{scheme}
			require.NoError(t, handshake(t, tls.VersionTLS13, c), "%s %s", spec, scheme)
			require.NoError(t, handshake(t, tls.VersionTLS12, c), "%s %s", spec, scheme)
		}
	}
}

// TLS 1.2 pairs P-384 with SHA-256, unless the certificate says that it must not.
func TestTLS12PairsCurvesWithAnyHash(t *testing.T) {
	t.Parallel()
	_, s := signing(t, types.KeySpecEccNistP384)
	leaf := certify(t, s, 0)
	c := tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: s, Leaf: leaf}
	require.ErrorContains(t, handshake(t, tls.VersionTLS12, c), kmscrypto.ErrRequest.Error())
	c.SupportedSignatureAlgorithms = []tls.SignatureScheme{tls.ECDSAWithP384AndSHA384}
	require.NoError(t, handshake(t, tls.VersionTLS12, c))
}

// A handshake that is given up gives up its signature, if it is asked for with the
// handshake's context.
func TestTLSHandshakeContext(t *testing.T) {
	t.Parallel()
	f, s := signing(t, types.KeySpecEccNistP256)
	leaf := certify(t, s, 0)
	ctx, cancel := context.WithCancel(t.Context())
	f.answer = func(out any) error {
		if _, ok := out.(*kms.SignOutput); ok {
			cancel() // while KMS signs
			return ctx.Err()
		}
		return nil
	}
	serverEnd, clientEnd := net.Pipe()
	client := tls.Client(clientEnd, &tls.Config{InsecureSkipVerify: true})
	go client.Handshake()
	var asked context.Context
	server := tls.Server(serverEnd, &tls.Config{GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		asked = hello.Context()
		return &tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: s.WithContext(asked), Leaf: leaf}, nil
	}})
	require.ErrorIs(t, server.HandshakeContext(ctx), context.Canceled)
	require.ErrorIs(t, asked.Err(), context.Canceled)
	require.NoError(t, clientEnd.Close())
}

// A signature that is wrong ends the handshake on the side that made it.
func TestTLSWithAWrongSignature(t *testing.T) {
	t.Parallel()
	f, s := signing(t, types.KeySpecEccNistP256)
	leaf := certify(t, s, 0)
	f.answer = func(out any) error {
		if o, ok := out.(*kms.SignOutput); ok {
			o.Signature[len(o.Signature)-1] ^= 1
		}
		return nil
	}
	serverEnd, clientEnd := net.Pipe()
	client := tls.Client(clientEnd, &tls.Config{InsecureSkipVerify: true})
	go client.Handshake()
	server := tls.Server(serverEnd, &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{leaf.Raw}, PrivateKey: s}}})
	require.ErrorContains(t, server.Handshake(), kmscrypto.ErrResponse.Error()) // which TLS does not wrap
	require.NoError(t, clientEnd.Close())
}
