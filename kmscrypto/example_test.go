package kmscrypto_test

import (
	"context"
	"crypto"
	"crypto/ecdh"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"

	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/sealring/sealring/kmscrypto"
)

// In a program, the client of these examples is a *kms.Client of aws-sdk-go-v2.

// A certificate authority whose key never leaves KMS.
func ExampleNewSigner() {
	client := newFake(types.KeySpecEccNistP384, types.KeyUsageTypeSignVerify)
	signer, err := kmscrypto.NewSigner(context.Background(), client, "alias/web", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	root := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Example Root"},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(nil, root, root, signer.Public(), signer)
	if err != nil {
		fmt.Println(err)
		return
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(signer.KeySpec(), certificate.SignatureAlgorithm, certificate.CheckSignatureFrom(certificate))
	// Output: ECC_NIST_P384 ECDSA-SHA384 <nil>
}

// A TLS server signs under the context of each handshake, so that a client that has
// gone takes its request to KMS along.
func ExampleSigner_WithContext() {
	client := newFake(types.KeySpecEccNistP256, types.KeyUsageTypeSignVerify)
	signer, err := kmscrypto.NewSigner(context.Background(), client, "alias/web", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	var chain [][]byte // the certificate of signer.Public(), and those above it
	config := &tls.Config{
		GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			return &tls.Certificate{Certificate: chain, PrivateKey: signer.WithContext(hello.Context())}, nil
		},
	}
	_ = config

	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = signer.WithContext(ctx).SignMessage(nil, []byte("message"), crypto.SHA256)
	fmt.Println(err)
	// Output: kmscrypto: Sign: context canceled
}

func ExampleNewDecrypter() {
	client := newFake(types.KeySpecRsa2048, types.KeyUsageTypeEncryptDecrypt)
	decrypter, err := kmscrypto.NewDecrypter(context.Background(), client, "alias/web", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	// Anybody who has the public key can encrypt.
	public := decrypter.Public().(*rsa.PublicKey)
	ciphertext, err := rsa.EncryptOAEP(sha256.New(), rand.Reader, public, []byte("secret"), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	plaintext, err := decrypter.Decrypt(nil, ciphertext, &rsa.OAEPOptions{Hash: crypto.SHA256})
	fmt.Printf("%s %v\n", plaintext, err)
	// Output: secret <nil>
}

func ExampleNewECDH() {
	client := newFake(types.KeySpecEccNistP256, types.KeyUsageTypeKeyAgreement)
	ours, err := kmscrypto.NewECDH(context.Background(), client, "alias/web", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	theirs, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		fmt.Println(err)
		return
	}
	a, err := ours.ECDH(theirs.PublicKey())
	if err != nil {
		fmt.Println(err)
		return
	}
	b, err := theirs.ECDH(ours.PublicKey())
	fmt.Println(len(a), string(a) == string(b), err)
	// Output: 32 true <nil>
}

func ExampleNewKEM() {
	client := newFake(types.KeySpecMlKem768, types.KeyUsageTypeEncapsulateDecapsulate)
	kem, err := kmscrypto.NewKEM(context.Background(), client, "alias/web", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	key, ciphertext, err := kem.Encapsulate() // with the public key, not in KMS
	if err != nil {
		fmt.Println(err)
		return
	}
	same, err := kem.Decapsulate(ciphertext) // in KMS
	fmt.Println(len(key), string(key) == string(same), err)
	// Output: 32 true <nil>
}
