package main

import (
	"bytes"
	"context"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsarn "github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/sealring/sealring/keyring"
	"github.com/sealring/sealring/keyring/awskms"
	"github.com/sealring/sealring/local"
)

// The names that wrapped data keys carry unless flags say otherwise, and those of
// passphrases.
const (
	defaultNamespace = "sealring"
	defaultKeyName   = "root" // that of key files
	passphraseName   = "passphrase"

	passphraseVariable = "SEALRING_PASSPHRASE"
)

// ringFlags are the flags that say which keys a message is for.
type ringFlags struct {
	namespace, name string
	keyFile         string
	passphrase      bool
	passphraseFile  string
	kmsKeys         listFlag
	kmsEndpoint     string
	insecureHTTP    bool
	keyPairs        listFlag
}

func (r *ringFlags) add(f *flagSet, encrypt bool) {
	f.StringVar(&r.keyFile, "key-file", "", "`FILE` with a 256-bit key: one of sealring new key, or 32 bytes, raw, hexadecimal or base64")
	f.StringVar(&r.namespace, "key-namespace", defaultNamespace, "the key `namespace` of raw and RSA keys")
	f.StringVar(&r.name, "key-name", defaultKeyName, "the key `name` of raw and RSA keys")
	f.BoolVar(&r.passphrase, "passphrase", false, "a passphrase: of -passphrase-file, "+passphraseVariable+" or the terminal")
	f.StringVar(&r.passphraseFile, "passphrase-file", "", "`FILE` with the passphrase")
	f.Var(&r.kmsKeys, "kms-key", "`ARN` of a KMS key, with the credentials that the AWS CLI would use; may be repeated")
	f.StringVar(&r.kmsEndpoint, "kms-endpoint", "", "`URL` of a KMS other than AWS's")
	f.BoolVar(&r.insecureHTTP, "insecure-http", false, "allow plain HTTP to a KMS on another machine: data keys can be read on the way")
	if encrypt {
		f.Var(&r.keyPairs, "recipient", "PEM `FILE` with an RSA or ECDH (P-256, P-384, P-521) public key; may be repeated")
	} else {
		f.Var(&r.keyPairs, "identity", "PEM `FILE` with an RSA or ECDH private key (PKCS #8); may be repeated")
	}
}

// open returns the manager for the keys that the flags name. With several, each of them
// alone opens a message.
func (r *ringFlags) open(ctx context.Context, p *process, encrypt bool) (keyring.Manager, error) {
	var rings []keyring.Keyring
	add := func(k keyring.Keyring, err error) error {
		rings = append(rings, k)
		return err
	}
	// A key that can make data keys itself comes first.
	for _, key := range r.kmsKeys {
		if err := add(r.kms(ctx, p, key)); err != nil {
			return nil, err
		}
	}
	if r.keyFile != "" {
		if err := add(r.file()); err != nil {
			return nil, err
		}
	}
	if r.passphrase || r.passphraseFile != "" {
		secret, err := p.passphrase(ctx, r.passphraseFile, passphraseVariable, encrypt)
		if err != nil {
			return nil, err
		}
		defer clear(secret)
		if err := add(keyring.NewPassphrase(defaultNamespace, passphraseName, secret)); err != nil {
			return nil, err
		}
	}
	for _, path := range r.keyPairs {
		pair := r.recipient
		if !encrypt {
			pair = r.identity
		}
		if err := add(pair(path)); err != nil {
			return nil, err
		}
	}
	switch {
	case len(rings) == 0:
		return nil, usagef("no key is named: -key-file, -passphrase, -kms-key and others do")
	case len(rings) == 1:
		return keyring.NewManager(rings[0]), nil
	}
	all, err := keyring.NewMulti(rings[0], rings[1:]...)
	if err != nil {
		return nil, err
	}
	return keyring.NewManager(all), nil
}

// file returns the keyring of the key file.
func (r *ringFlags) file() (keyring.Keyring, error) {
	if made, err := madeBySealring(r.keyFile); err != nil {
		return nil, err
	} else if made {
		return local.ReadKeyFile(r.keyFile)
	}
	key, err := readKeyFile(r.keyFile)
	if err != nil {
		return nil, err
	}
	defer clear(key)
	return keyring.NewRawAES(r.namespace, r.name, key)
}

// madeBySealring reports whether a key file begins with a line of text, as those of
// local.CreateKeyFile do.
func madeBySealring(path string) (bool, error) {
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	start := make([]byte, len("sealring "))
	n, err := io.ReadFull(f, start)
	if err != nil && n == 0 {
		return false, nil // an empty file is not a key of any kind
	}
	return bytes.Equal(start, []byte("sealring ")), nil
}

func (r *ringFlags) kms(ctx context.Context, p *process, key string) (keyring.Keyring, error) {
	api, err := kmsClient(ctx, p, key, r.kmsEndpoint)
	if err != nil {
		return nil, err
	}
	if readableEndpoint(api) && !r.insecureHTTP {
		return nil, usagef("plain HTTP to a KMS on another machine: data keys could be read on the way: name an https URL, or -insecure-http")
	}
	return awskms.NewMRK(api, key, nil)
}

// kmsClient returns a client for the Region of a key, which is named by its ARN.
func kmsClient(ctx context.Context, p *process, key, endpoint string) (*kms.Client, error) {
	name, err := awsarn.Parse(key)
	if err != nil || name.Service != "kms" || !strings.HasPrefix(name.Resource, "key/") {
		return nil, usagef("a KMS key is named by its ARN, arn:aws:kms:REGION:ACCOUNT:key/ID: %q", key)
	}
	c, err := p.awsConfig(ctx, name.Region)
	if err != nil {
		return nil, err
	}
	return kms.NewFromConfig(c, func(o *kms.Options) {
		if endpoint != "" {
			o.BaseEndpoint = aws.String(endpoint)
		}
	}), nil
}

// readableEndpoint reports whether requests of the client can be read on their way. What
// AWS's own settings say of endpoints counts too.
func readableEndpoint(c *kms.Client) bool { return isReadable(aws.ToString(c.Options().BaseEndpoint)) }

// sharedAWSConfig reads the environment and the files that the AWS CLI reads.
func sharedAWSConfig(ctx context.Context, region string) (aws.Config, error) {
	return config.LoadDefaultConfig(ctx, config.WithRegion(region))
}

// recipient returns the keyring that encrypts for a public key.
func (r *ringFlags) recipient(path string) (keyring.Keyring, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(b)
	if block == nil || block.Type != "PUBLIC KEY" {
		return nil, fmt.Errorf("%s: no PEM block PUBLIC KEY", path)
	}
	public, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%s: %v", path, err)
	}
	switch k := public.(type) {
	case *rsa.PublicKey:
		return keyring.NewRawRSA(r.namespace, r.name, keyring.OAEPSHA256, k, nil)
	case *ecdsa.PublicKey: // how x509 reads a key on a NIST curve, whatever it is for
		converted, err := k.ECDH()
		if err != nil {
			return nil, fmt.Errorf("%s: %v", path, err)
		}
		return keyring.NewRawECDHEphemeral(converted)
	}
	return nil, fmt.Errorf("%s: a public key of type %T cannot be encrypted for", path, public)
}

// identity returns the keyring that decrypts with a private key.
func (r *ringFlags) identity(path string) (keyring.Keyring, error) {
	b, err := readSecretFile(path)
	if err != nil {
		return nil, err
	}
	defer clear(b)
	block, _ := pem.Decode(b)
	if block == nil || block.Type != "PRIVATE KEY" {
		return nil, fmt.Errorf("%s: no PEM block PRIVATE KEY", path)
	}
	defer clear(block.Bytes)
	private, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%s: not a private key in PKCS #8", path)
	}
	var agreement *ecdh.PrivateKey
	switch k := private.(type) {
	case *rsa.PrivateKey:
		return keyring.NewRawRSA(r.namespace, r.name, keyring.OAEPSHA256, nil, k)
	case *ecdsa.PrivateKey:
		if agreement, err = k.ECDH(); err != nil {
			return nil, fmt.Errorf("%s: %v", path, err)
		}
		return keyring.NewRawECDHDiscovery(agreement)
	}
	return nil, fmt.Errorf("%s: a private key of type %T cannot decrypt", path, private)
}
