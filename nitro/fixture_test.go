package nitro_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha512"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"sync"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/nitro"
)

// now is the time of every verifier here.
var now = time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC)

// es384 is the protected header {1: -35}.
var es384 = []byte{0xa1, 0x01, 0x38, 0x22}

// plan changes the certificates of a hypervisor before they are signed.
type plan struct {
	curve                elliptic.Curve // of the signer; P-384 unless set
	root, middle, signer func(*x509.Certificate)
}

// hypervisor signs whatever it is told to.
type hypervisor struct {
	root, middle, signer *x509.Certificate
	key                  *ecdsa.PrivateKey
}

// issue makes a certificate for a new key; nil parents sign themselves.
func issue(t testing.TB, template *x509.Certificate, curve elliptic.Curve, parent *x509.Certificate, parentKey *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	require.NoError(t, err)
	if parent == nil {
		parent, parentKey = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, parentKey)
	require.NoError(t, err)
	c, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return c, key
}

// template returns what all certificates have in common, with an edit applied.
func template(name string, authority bool, edit func(*x509.Certificate)) *x509.Certificate {
	c := &x509.Certificate{
		SerialNumber:          big.NewInt(7),
		Subject:               pkix.Name{CommonName: name},
		NotBefore:             now.Add(-time.Hour),
		NotAfter:              now.Add(time.Hour),
		BasicConstraintsValid: true,
		IsCA:                  authority,
		KeyUsage:              x509.KeyUsageDigitalSignature,
	}
	if authority {
		c.KeyUsage = x509.KeyUsageCertSign
	}
	if edit != nil {
		edit(c)
	}
	return c
}

func newHypervisor(t testing.TB, p plan) *hypervisor {
	t.Helper()
	if p.curve == nil {
		p.curve = elliptic.P384()
	}
	var h hypervisor
	root, rootKey := issue(t, template("root", true, p.root), elliptic.P384(), nil, nil)
	middle, middleKey := issue(t, template("middle", true, p.middle), elliptic.P384(), root, rootKey)
	h.root, h.middle = root, middle
	h.signer, h.key = issue(t, template("signer", false, p.signer), p.curve, middle, middleKey)
	return &h
}

// verifier returns one that trusts h alone.
func (h *hypervisor) verifier() *nitro.Verifier {
	pool := x509.NewCertPool()
	pool.AddCert(h.root)
	return &nitro.Verifier{Roots: pool, Now: func() time.Time { return now }}
}

// fields returns those of a document that is in order.
func (h *hypervisor) fields() map[string]any {
	return map[string]any{
		"module_id":   "i-0123456789abcdef0-enc0123456789abcdef",
		"digest":      "SHA384",
		"timestamp":   uint64(now.UnixMilli()),
		"pcrs":        map[int][]byte{0: make([]byte, 48), 4: {31: 4}, 31: {63: 31}},
		"certificate": h.signer.Raw,
		"cabundle":    [][]byte{h.root.Raw, h.middle.Raw},
		"public_key":  []byte("a public key"),
		"user_data":   []byte("user data"),
		"nonce":       []byte("nonce"),
	}
}

// document returns a signed document of the fields.
func (h *hypervisor) document(t testing.TB, fields map[string]any) []byte {
	t.Helper()
	return h.sign(t, es384, encode(t, fields))
}

// sign returns a COSE_Sign1 structure without a tag.
func (h *hypervisor) sign(t testing.TB, protected, payload []byte) []byte {
	t.Helper()
	return encode(t, []any{protected, map[int]int{}, payload, h.signature(t, protected, payload)})
}

// signature returns r and s of the key's size.
func (h *hypervisor) signature(t testing.TB, protected, payload []byte) []byte {
	t.Helper()
	digest := sha512.Sum384(encode(t, []any{"Signature1", protected, []byte{}, payload}))
	r, s, err := ecdsa.Sign(rand.Reader, h.key, digest[:])
	require.NoError(t, err)
	out := make([]byte, 96)
	r.FillBytes(out[:48])
	s.FillBytes(out[48:])
	return out
}

// encode returns v in CBOR; cbor.RawMessage stands for itself.
func encode(t testing.TB, v any) []byte {
	t.Helper()
	b, err := cbor.Marshal(v)
	require.NoError(t, err)
	return b
}

// refused checks that a document is refused for the reason.
func refused(t *testing.T, v *nitro.Verifier, document []byte, reason string) {
	t.Helper()
	d, err := v.Verify(document)
	require.Nil(t, d)
	var e *nitro.DocumentError
	require.ErrorAs(t, err, &e)
	require.Contains(t, e.Reason, reason)
	require.Equal(t, "nitro: attestation document refused: "+e.Reason, err.Error())
}

// shared is the pinned hypervisor, for the tests that leave its certificates as they
// are. It is the same in every process, so that what a fuzzer keeps stays of use.
var shared = sync.OnceValue(func() *hypervisor {
	p := pins()
	return &hypervisor{
		root: certificate(p.Root), middle: certificate(p.Middle), signer: certificate(p.Signer),
		key: pkcs8[*ecdsa.PrivateKey](p.Key),
	}
})

// rsaKey returns the pinned key of an enclave, of 2,048 bits.
var rsaKey = sync.OnceValue(func() *rsa.PrivateKey { return pkcs8[*rsa.PrivateKey](pins().Enclave) })

func certificate(der []byte) *x509.Certificate {
	c, err := x509.ParseCertificate(der)
	if err != nil {
		panic(err)
	}
	return c
}

// pkcs8 parses a private key.
func pkcs8[K any](der []byte) K {
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		panic(err)
	}
	return key.(K)
}

// spki returns the public half in the form that an enclave sends.
func spki(t testing.TB, key *rsa.PublicKey) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key)
	require.NoError(t, err)
	return der
}
