package keyringtest

import (
	"bytes"
	"context"
	"crypto/rand"
	"slices"

	"github.com/sealring/sealring/keyring"
)

// unsigned is the suite of the cases that need no particular one: without a public
// key in the context, so that the context is the cases' own.
const unsigned = keyring.AES256GCMHKDFSHA256

// suites returns the suites that the subject takes.
func (s Subject) suites() []keyring.Suite {
	all := keyring.Suites()
	if s.UnsignedOnly {
		all = slices.DeleteFunc(all, keyring.Suite.Signed)
	}
	return all
}

// testContext is the encryption context of every message.
func testContext() keyring.EncryptionContext {
	return keyring.EncryptionContext{"purpose": "keyringtest", "tenant": "42"}
}

// stranger is an encrypted data key of no known kind of keyring.
func stranger() keyring.EncryptedDataKey {
	return keyring.EncryptedDataKey{Provider: "keyringtest", Info: []byte("stranger"), Ciphertext: make([]byte, 48)}
}

// policy returns a commitment policy under which s encrypts and decrypts.
func policy(s keyring.Suite) keyring.CommitmentPolicy {
	if s.Committing() {
		return keyring.RequireEncryptAllowDecrypt
	}
	return keyring.ForbidEncryptAllowDecrypt
}

// newMaterials returns materials for encryption, with a random data key if so asked.
func newMaterials(r reporter, s keyring.Suite, withKey bool) *keyring.EncryptionMaterials {
	r.Helper()
	m, err := keyring.NewEncryptionMaterials(keyring.EncryptionRequest{
		Context: testContext(), Suite: s, CommitmentPolicy: policy(s),
	})
	if err == nil && withKey {
		key := make([]byte, s.DataKeyLen())
		rand.Read(key)
		err = m.SetDataKey(key)
	}
	if err != nil {
		r.Fatalf("making the materials: %v", err)
	}
	return m
}

// message is what a message's writer and header would hold.
type message struct {
	suite   keyring.Suite
	context keyring.EncryptionContext
	dataKey []byte
	keys    []keyring.EncryptedDataKey
}

// seal returns the data key of a new message and what ring makes of it.
func seal(r reporter, ring keyring.Keyring, s keyring.Suite, withKey bool) message {
	r.Helper()
	m := newMaterials(r, s, withKey)
	if err := ring.OnEncrypt(r.Context(), m); err != nil {
		r.Fatalf("%v: OnEncrypt: %v", s, err)
	}
	if err := m.Complete(); err != nil {
		r.Fatalf("%v: OnEncrypt left the materials incomplete: %v", s, err)
	}
	return message{s, m.Context(), bytes.Clone(m.DataKey()), m.EncryptedDataKeys()}
}

// seal is [seal] with the subject's own keyring.
func (s Subject) seal(r reporter, suite keyring.Suite) message {
	r.Helper()
	return seal(r, s.Encrypt, suite, s.WrapsOnly)
}

// materials returns materials for the decryption of m.
func (m message) materials(r reporter) *keyring.DecryptionMaterials {
	r.Helper()
	d, err := keyring.NewDecryptionMaterials(keyring.DecryptionRequest{
		Suite: m.suite, CommitmentPolicy: policy(m.suite), Context: m.context,
	})
	if err != nil {
		r.Fatalf("making the materials: %v", err)
	}
	return d
}

// open returns the data key that ring finds in keys under m's suite and context,
// and reports if ring does not either set one or fail.
func (m message) open(r reporter, ring keyring.Keyring, keys ...keyring.EncryptedDataKey) ([]byte, error) {
	r.Helper()
	d := m.materials(r)
	err := ring.OnDecrypt(r.Context(), d, keys)
	switch {
	case err != nil && d.HasDataKey():
		r.Errorf("OnDecrypt failed (%v) and left a data key in the materials", err)
	case err == nil && !d.HasDataKey():
		r.Fatalf("OnDecrypt succeeded without setting a data key")
	}
	return d.DataKey(), err
}

// altered returns a copy of k with one bit of its ciphertext flipped.
func altered(k keyring.EncryptedDataKey) keyring.EncryptedDataKey {
	k = k.Clone()
	if len(k.Ciphertext) > 0 {
		k.Ciphertext[len(k.Ciphertext)/2] ^= 1
	}
	return k
}

// alteredAll returns copies of all keys as [altered] makes them.
func alteredAll(keys []keyring.EncryptedDataKey) []keyring.EncryptedDataKey {
	bad := make([]keyring.EncryptedDataKey, len(keys))
	for i, k := range keys {
		bad[i] = altered(k)
	}
	return bad
}

// snapshot is a deep copy of all that a keyring could have changed in materials.
type snapshot struct {
	dataKey, context []byte
	keys             []keyring.EncryptedDataKey
}

func take(m *keyring.EncryptionMaterials) snapshot {
	s := snapshot{bytes.Clone(m.DataKey()), bytes.Clone(m.SerializedContext()), nil}
	for _, k := range m.EncryptedDataKeys() {
		s.keys = append(s.keys, k.Clone())
	}
	return s
}

func (s snapshot) equal(t snapshot) bool {
	return bytes.Equal(s.dataKey, t.dataKey) && bytes.Equal(s.context, t.context) &&
		slices.EqualFunc(s.keys, t.keys, equalKeys)
}

func equalKeys(a, b keyring.EncryptedDataKey) bool {
	return a.Provider == b.Provider && bytes.Equal(a.Info, b.Info) && bytes.Equal(a.Ciphertext, b.Ciphertext)
}

// cancelled returns a context that is done.
func cancelled(r reporter) context.Context {
	ctx, cancel := context.WithCancel(r.Context())
	cancel()
	return ctx
}
