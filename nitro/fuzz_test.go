package nitro_test

import (
	"errors"
	"testing"
	"time"

	"github.com/sealring/sealring/nitro"
)

// A document that has been changed never verifies, and nothing panics.
func FuzzVerify(f *testing.F) {
	h := shared()
	good := h.document(f, h.fields())
	f.Add(good)
	f.Add(append([]byte{0xd2}, good...))
	f.Add(h.sign(f, es384, indefinite(f, h.fields())))
	f.Add([]byte{0x84, 0x40, 0xa0, 0x40, 0x40})
	v := h.verifier()
	f.Fuzz(func(t *testing.T, document []byte) {
		d, err := v.Verify(document)
		var refused *nitro.DocumentError
		switch {
		case err == nil && (d.ModuleID == "" || d.Digest != "SHA384" || len(d.PCRs) == 0 || !d.Timestamp.Equal(now)):
			t.Errorf("verified %+v", d)
		case err != nil && !errors.As(err, &refused):
			t.Errorf("not a DocumentError: %v", err)
		case err != nil && d != nil:
			t.Error("a refused document is returned")
		}
	})
}

// Payloads that are signed get further than documents that are not.
func FuzzPayload(f *testing.F) {
	h := shared()
	f.Add(encode(f, h.fields()))
	f.Add(indefinite(f, h.fields()))
	f.Add([]byte{0xbf, 0xff})
	v := h.verifier()
	v.MaxAge = 200 * 365 * 24 * time.Hour
	f.Fuzz(func(t *testing.T, payload []byte) {
		d, err := v.Verify(h.sign(t, es384, payload))
		if err != nil {
			var refused *nitro.DocumentError
			if !errors.As(err, &refused) || d != nil {
				t.Errorf("%v, %v", d, err)
			}
			return
		}
		for i, register := range d.PCRs {
			if n := len(register); i < 0 || i > 31 || n != 32 && n != 48 && n != 64 {
				t.Errorf("register %d has %d bytes", i, n)
			}
		}
		if len(d.PCRs) == 0 || d.ModuleID == "" || d.Digest != "SHA384" || !d.Timestamp.After(time.UnixMilli(0)) ||
			d.PublicKey != nil && (len(d.PublicKey) == 0 || len(d.PublicKey) > 1024) || len(d.UserData) > 512 || len(d.Nonce) > 512 {
			t.Errorf("verified %+v", d)
		}
	})
}

func FuzzOpen(f *testing.F) {
	key := rsaKey()
	envelope, err := nitro.Seal(spki(f, &key.PublicKey), []byte("plaintext"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(envelope)
	f.Add(asKMS(f, envelope, 7))
	f.Add(newForge(f, "plain").envelope(f))
	f.Add([]byte{0x30, 0x80, 0x30, 0x80, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, envelope []byte) {
		plaintext, err := nitro.Open(key, envelope)
		if err != nil && (err != nitro.ErrOpen || plaintext != nil) {
			t.Errorf("%v, with %d bytes", err, len(plaintext))
		}
		if err == nil && len(plaintext) >= len(envelope) {
			t.Errorf("%d bytes from %d", len(plaintext), len(envelope))
		}
	})
}
