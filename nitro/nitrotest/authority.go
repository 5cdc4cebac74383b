// Package nitrotest signs attestation documents as the Nitro hypervisor does, under a
// root of its own, so that code which sends KMS the parameter Recipient can be tested
// without an enclave.
//
// Only a [nitro.Verifier] that has been given [Authority.Roots] accepts the documents.
// Never give these roots to a verifier outside of tests: whoever has the Authority can
// attest anything.
package nitrotest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha512"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"time"

	"github.com/fxamacker/cbor/v2"

	"github.com/sealring/sealring/nitro"
)

// algorithmES384 is the protected header of every document: {1: -35} in CBOR.
const algorithmES384 = "\xa1\x01\x38\x22"

// The certificates are valid for as long as X.509 can say, so that tests can set
// their clocks as they please.
var (
	notBefore = time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC)
	notAfter  = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
)

// Authority stands in for AWS's Nitro attestation PKI: a root, an intermediate
// authority and the certificate that signs documents, each with a P-384 key that only
// exists in memory. It is safe for concurrent use.
type Authority struct {
	root, intermediate, signer *identity
}

// identity is a certificate and its key.
type identity struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

// NewAuthority returns an authority with new keys.
func NewAuthority() (*Authority, error) {
	root, err := issue("nitrotest root", true, nil)
	if err != nil {
		return nil, err
	}
	intermediate, err := issue("nitrotest intermediate", true, root)
	if err != nil {
		return nil, err
	}
	signer, err := issue("nitrotest enclave", false, intermediate)
	if err != nil {
		return nil, err
	}
	return &Authority{root: root, intermediate: intermediate, signer: signer}, nil
}

// issue returns a new identity, vouched for by an issuer or, without one, by itself.
func issue(name string, authority bool, issuer *identity) (*identity, error) {
	key, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("nitrotest: %v", err)
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: name},
		NotBefore:             notBefore,
		NotAfter:              notAfter,
		IsCA:                  authority,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageDigitalSignature,
		SignatureAlgorithm:    x509.ECDSAWithSHA384,
	}
	if authority {
		template.KeyUsage = x509.KeyUsageCertSign
	}
	if issuer == nil {
		issuer = &identity{template, key}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, issuer.certificate, &key.PublicKey, issuer.key)
	if err != nil {
		return nil, fmt.Errorf("nitrotest: %v", err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("nitrotest: %v", err)
	}
	return &identity{c, key}, nil
}

// Roots returns a pool of the authority's root alone, for [nitro.Verifier].
func (a *Authority) Roots() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.root.certificate)
	return pool
}

// Attest returns a signed document that says d. What d leaves out is filled in: a
// ModuleID, the Digest SHA384, a Timestamp of now, and PCRs 0, 1 and 2 as 48 zero
// bytes, which is how an enclave in debug mode is attested. PublicKey, UserData and
// Nonce are null in the document if they are nil here.
//
// What d does say is signed as it stands, though no hypervisor would: tests need
// documents that are refused, too. The document belongs to the caller.
func (a *Authority) Attest(d nitro.Document) ([]byte, error) {
	if d.ModuleID == "" {
		d.ModuleID = "i-0123456789abcdef0-enc0123456789abcdef"
	}
	if d.Digest == "" {
		d.Digest = "SHA384"
	}
	if d.Timestamp.IsZero() {
		d.Timestamp = time.Now()
	}
	if d.PCRs == nil {
		d.PCRs = map[int][]byte{0: make([]byte, 48), 1: make([]byte, 48), 2: make([]byte, 48)}
	}
	payload, err := cbor.Marshal(map[string]any{
		"module_id":   d.ModuleID,
		"digest":      d.Digest,
		"timestamp":   d.Timestamp.UnixMilli(),
		"pcrs":        d.PCRs,
		"certificate": a.signer.certificate.Raw,
		"cabundle":    [][]byte{a.root.certificate.Raw, a.intermediate.certificate.Raw},
		"public_key":  d.PublicKey, // nil is null, as hypervisors write it
		"user_data":   d.UserData,
		"nonce":       d.Nonce,
	})
	if err != nil {
		return nil, fmt.Errorf("nitrotest: %v", err)
	}
	return a.sign(payload)
}

// sign returns a COSE_Sign1 structure, without a tag (RFC 9052 §4.2 and §4.4).
func (a *Authority) sign(payload []byte) ([]byte, error) {
	signed, err := cbor.Marshal([]any{"Signature1", []byte(algorithmES384), []byte{}, payload})
	if err != nil {
		return nil, fmt.Errorf("nitrotest: %v", err)
	}
	digest := sha512.Sum384(signed)
	r, s, err := ecdsa.Sign(rand.Reader, a.signer.key, digest[:])
	if err != nil {
		return nil, fmt.Errorf("nitrotest: %v", err)
	}
	signature := make([]byte, 96)
	r.FillBytes(signature[:48])
	s.FillBytes(signature[48:])
	document, err := cbor.Marshal([]any{[]byte(algorithmES384), map[int]any{}, payload, signature})
	if err != nil {
		return nil, fmt.Errorf("nitrotest: %v", err)
	}
	return document, nil
}
