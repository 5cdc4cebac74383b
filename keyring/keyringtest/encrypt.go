package keyringtest

import (
	"bytes"
	"context"
	"errors"

	"github.com/sealring/sealring/keyring"
)

func roundTrips(r reporter, s Subject) {
	for _, suite := range s.suites() {
		m := s.seal(r, suite)
		switch key, err := m.open(r, s.Decrypt, m.keys...); {
		case err != nil:
			r.Errorf("%v: OnDecrypt: %v", suite, err)
		case !bytes.Equal(key, m.dataKey):
			r.Errorf("%v: OnDecrypt gave another data key than OnEncrypt", suite)
		}
	}
}

func refusesSigned(r reporter, s Subject) {
	if !s.UnsignedOnly {
		return
	}
	sealed := s.seal(r, unsigned)
	for _, suite := range keyring.Suites() {
		if !suite.Signed() {
			continue
		}
		m := newMaterials(r, suite, s.WrapsOnly)
		before := take(m)
		if err := s.Encrypt.OnEncrypt(r.Context(), m); err == nil {
			r.Errorf("%v: OnEncrypt succeeded", suite)
		}
		if !take(m).equal(before) {
			r.Errorf("%v: OnEncrypt changed materials that it refused", suite)
		}
		sealed.suite, sealed.context = suite, m.Context()
		// No match would say that it has tried.
		if _, err := sealed.open(r, s.Decrypt, sealed.keys...); err == nil || errors.Is(err, keyring.ErrNoMatch) {
			r.Errorf("%v: OnDecrypt returned %v instead of refusing the suite", suite, err)
		}
	}
}

func generates(r reporter, s Subject) {
	if s.WrapsOnly {
		refusesToEncrypt(r, s.Encrypt, newMaterials(r, unsigned, false))
		return
	}
	for _, suite := range []keyring.Suite{
		keyring.AES128GCMHKDFSHA256, keyring.AES192GCMHKDFSHA256, keyring.AES256GCMHKDFSHA256,
	} {
		// seal reports a data key that is missing, and the materials take none of
		// another length.
		a, b := seal(r, s.Encrypt, suite, false), seal(r, s.Encrypt, suite, false)
		if bytes.Equal(a.dataKey, b.dataKey) {
			r.Errorf("%v: two messages got the same data key", suite)
		}
	}
}

func wraps(r reporter, s Subject) {
	if s.GeneratesOnly {
		refusesToEncrypt(r, s.Encrypt, newMaterials(r, unsigned, true))
		return
	}
	for _, suite := range s.suites() {
		m := newMaterials(r, suite, true)
		before := bytes.Clone(m.DataKey())
		if err := s.Encrypt.OnEncrypt(r.Context(), m); err != nil {
			r.Fatalf("%v: OnEncrypt: %v", suite, err)
		}
		if !bytes.Equal(m.DataKey(), before) {
			r.Errorf("%v: OnEncrypt changed the data key", suite)
		}
		sealed := message{suite, m.Context(), nil, m.EncryptedDataKeys()}
		if key, err := sealed.open(r, s.Decrypt, sealed.keys...); err != nil || !bytes.Equal(key, before) {
			r.Errorf("%v: the data key did not come back (error %v)", suite, err)
		}
	}
}

// refusesToEncrypt reports unless ring refuses m with ErrMaterials and leaves it alone.
func refusesToEncrypt(r reporter, ring keyring.Keyring, m *keyring.EncryptionMaterials) {
	r.Helper()
	before := take(m)
	if err := ring.OnEncrypt(r.Context(), m); !errors.Is(err, keyring.ErrMaterials) {
		r.Errorf("OnEncrypt returned %v instead of ErrMaterials", err)
	}
	if !take(m).equal(before) {
		r.Errorf("OnEncrypt changed materials that it refused")
	}
}

func appends(r reporter, s Subject) {
	if s.GeneratesOnly {
		return // such a keyring is always the first
	}
	m := newMaterials(r, unsigned, true)
	for i := range 3 {
		k := stranger()
		k.Info = append(k.Info, byte('0'+i))
		if err := m.AddEncryptedDataKey(k); err != nil {
			r.Fatalf("adding an encrypted data key: %v", err)
		}
	}
	for range 2 {
		before := take(m).keys
		if err := s.Encrypt.OnEncrypt(r.Context(), m); err != nil {
			r.Fatalf("OnEncrypt: %v", err)
		}
		after := m.EncryptedDataKeys()
		if len(after) <= len(before) {
			r.Fatalf("OnEncrypt added no encrypted data key")
		}
		if !equalAll(after[:len(before)], before) {
			r.Errorf("OnEncrypt changed the encrypted data keys that were there")
		}
	}
}

func endsOnCancel(r reporter, s Subject) {
	if s.IgnoresCancellation {
		return
	}
	m := newMaterials(r, unsigned, s.WrapsOnly)
	before := take(m)
	if err := s.Encrypt.OnEncrypt(cancelled(r), m); !errors.Is(err, context.Canceled) {
		r.Errorf("OnEncrypt with a cancelled context returned %v", err)
	}
	if !take(m).equal(before) {
		r.Errorf("OnEncrypt with a cancelled context changed the materials")
	}
	sealed := s.seal(r, unsigned)
	d := sealed.materials(r)
	if err := s.Decrypt.OnDecrypt(cancelled(r), d, sealed.keys); !errors.Is(err, context.Canceled) {
		r.Errorf("OnDecrypt with a cancelled context returned %v", err)
	}
	if d.HasDataKey() {
		r.Errorf("OnDecrypt with a cancelled context set the data key")
	}
}

func failsCleanly(r reporter, s Subject) {
	sealed := s.seal(r, unsigned)
	// open reports a data key that comes with an error.
	if _, err := sealed.open(r, s.Decrypt, alteredAll(sealed.keys)...); err == nil && !s.TamperYieldsKey {
		r.Errorf("OnDecrypt opened altered encrypted data keys")
	}
	if s.Failing == nil {
		return
	}
	for _, withKey := range []bool{false, true} {
		m := newMaterials(r, unsigned, withKey)
		if withKey {
			if err := m.AddEncryptedDataKey(stranger()); err != nil {
				r.Fatalf("adding an encrypted data key: %v", err)
			}
		}
		before := take(m)
		if err := s.Failing.OnEncrypt(r.Context(), m); err == nil {
			r.Errorf("OnEncrypt of the failing keyring succeeded")
		}
		if !take(m).equal(before) {
			r.Errorf("OnEncrypt failed and changed the materials")
		}
	}
}
