package keyring_test

import (
	"context"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/sealring/sealring/envelope"
	"github.com/sealring/sealring/keyring"
)

// The recipient's key pair, as openssl genpkey and openssl pkey -pubout write it.
const (
	recipientPrivate = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgmDCzVfrn71UKc02Y
I/b90Fefe8QjETHglRVXMVUA7QahRANCAARcv3E0IYYSQEPpLXx8mzCI9sP4NMk5
nZ1HDX7tDrkBn0bRT3TvCtuvp4jUFxBDQXr2QmxAFL6BGZmRSO9qIr+F
-----END PRIVATE KEY-----`
	recipientPublic = `-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEXL9xNCGGEkBD6S18fJswiPbD+DTJ
OZ2dRw1+7Q65AZ9G0U907wrbr6eI1BcQQ0F69kJsQBS+gRmZkUjvaiK/hQ==
-----END PUBLIC KEY-----`
)

// parsePrivate reads an elliptic curve private key, PKCS #8 in PEM.
func parsePrivate(text string) (*ecdh.PrivateKey, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, errors.New("no PEM")
	}
	k, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	ec, ok := k.(*ecdsa.PrivateKey)
	if !ok {
		return nil, errors.New("not an elliptic curve key")
	}
	return ec.ECDH()
}

// parsePublic reads an elliptic curve public key, SubjectPublicKeyInfo in PEM.
func parsePublic(text string) (*ecdh.PublicKey, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, errors.New("no PEM")
	}
	k, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	ec, ok := k.(*ecdsa.PublicKey)
	if !ok {
		return nil, errors.New("not an elliptic curve key")
	}
	return ec.ECDH()
}

// Anyone who has the public key can write, its owner alone can read.
func ExampleNewRawECDHEphemeral() {
	ctx := context.Background()
	public, err := parsePublic(recipientPublic)
	if err != nil {
		fmt.Println(err)
		return
	}
	writer, err := keyring.NewRawECDHEphemeral(public)
	if err != nil {
		fmt.Println(err)
		return
	}
	message, err := envelope.Encrypt(ctx, keyring.NewManager(writer), []byte("hello"), nil)
	if err != nil {
		fmt.Println(err)
		return
	}

	private, err := parsePrivate(recipientPrivate)
	if err != nil {
		fmt.Println(err)
		return
	}
	reader, err := keyring.NewRawECDHDiscovery(private)
	if err != nil {
		fmt.Println(err)
		return
	}
	plaintext, _, err := envelope.Decrypt(ctx, keyring.NewManager(reader), message, nil)
	fmt.Printf("%s %v\n", plaintext, err)
	fmt.Println(reader)
	// Output:
	// hello <nil>
	// keyring.RawECDHDiscovery{P-256, 035cbf71342186124043e92d7c7c9b3088f6c3f834c9399d9d470d7eed0eb9019f}
}

// Two parties exchange messages. Each has its own private key and the public key of
// the other.
func ExampleNewRawECDHStatic() {
	alice, err := ecdh.P384().GenerateKey(rand.Reader)
	if err != nil {
		fmt.Println(err)
		return
	}
	bob, err := ecdh.P384().GenerateKey(rand.Reader)
	if err != nil {
		fmt.Println(err)
		return
	}
	ofAlice, err := keyring.NewRawECDHStatic(alice, bob.PublicKey())
	if err != nil {
		fmt.Println(err)
		return
	}
	ofBob, err := keyring.NewRawECDHStatic(bob, alice.PublicKey())
	if err != nil {
		fmt.Println(err)
		return
	}

	ctx := context.Background()
	message, err := envelope.Encrypt(ctx, keyring.NewManager(ofAlice), []byte("hello, Bob"), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	plaintext, _, err := envelope.Decrypt(ctx, keyring.NewManager(ofBob), message, nil)
	fmt.Printf("%s %v\n", plaintext, err)
	answer, err := envelope.Encrypt(ctx, keyring.NewManager(ofBob), []byte("hello, Alice"), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	plaintext, _, err = envelope.Decrypt(ctx, keyring.NewManager(ofAlice), answer, nil)
	fmt.Printf("%s %v\n", plaintext, err)
	// Output:
	// hello, Bob <nil>
	// hello, Alice <nil>
}
