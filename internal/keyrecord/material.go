package keyrecord

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"time"

	"github.com/sealring/sealring/internal/prf"
)

// MaterialLen is the length of symmetric key material, bytes.
const MaterialLen = 32

// Material is one version of a key's material.
type Material struct {
	ID      string    `json:"id"`              // 64 hexadecimal digits
	Bytes   []byte    `json:"bytes,omitempty"` // empty if it was imported and is deleted; never changed
	Created time.Time `json:"created"`         // or first imported

	// Rotated is when the material became current, and RotationType, AUTOMATIC or
	// ON_DEMAND, how. The first material of a key has neither.
	Rotated      *time.Time `json:"rotated,omitempty"`
	RotationType string     `json:"rotationType,omitempty"`

	// Pending material waits for a rotation and is not yet the key's for good.
	Pending bool `json:"pending,omitempty"`

	// ValidTo is when imported material expires.
	ValidTo *time.Time `json:"validTo,omitempty"`

	prf *prf.PRF // of Bytes, shared by copies; nil unless the key is kept
}

// MaterialID returns the id of a key's material: a function of both that says
// nothing of the material, which serves as the key of a pseudo-random function
// here. Copies of a multi-Region key have the same id.
func MaterialID(keyID string, material []byte) string {
	h := hmac.New(sha256.New, material)
	h.Write([]byte("sealring/kms/material-id\x00"))
	h.Write([]byte(keyID))
	return hex.EncodeToString(h.Sum(nil))
}

// NewMaterial returns the material with its id. It keeps b.
func NewMaterial(keyID string, b []byte, created time.Time) Material {
	return Material{ID: MaterialID(keyID, b), Bytes: b, Created: created}
}

// Format prints the material's id only, whatever the verb.
func (m Material) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "material %s", m.ID) }

// Present reports whether the material is there: not deleted and not expired.
func (m *Material) Present(now time.Time) bool {
	return len(m.Bytes) > 0 && (m.ValidTo == nil || now.Before(*m.ValidTo))
}

// checkMaterials refuses material that cannot be k's, and its absence.
func (k *Key) checkMaterials() error {
	if k.Origin != OriginExternal && len(k.Materials) == 0 {
		return fmt.Errorf("keyrecord: key %s has no material", k.ID)
	}
	for i := range k.Materials {
		if err := k.Materials[i].check(k); err != nil {
			return err
		}
	}
	return nil
}

// check refuses material that cannot be k's.
func (m *Material) check(k *Key) error {
	switch n := len(m.Bytes); {
	case n == 0 && k.Origin != OriginExternal:
		return fmt.Errorf("keyrecord: key %s has lost its material %s", k.ID, m.ID)
	case n > 0 && n != MaterialLen && k.Spec == SpecSymmetric:
		return fmt.Errorf("keyrecord: key %s has material of %d bytes", k.ID, n)
	}
	return nil
}

// Current returns the material that encrypts and signs, nil before the first import.
func (k *Key) Current() *Material {
	for i := len(k.Materials) - 1; i >= 0; i-- {
		if !k.Materials[i].Pending {
			return &k.Materials[i]
		}
	}
	return nil
}

// PendingMaterial returns the imported material that waits for a rotation, of which
// there is at most one, or nil.
func (k *Key) PendingMaterial() *Material {
	for i := range k.Materials {
		if k.Materials[i].Pending {
			return &k.Materials[i]
		}
	}
	return nil
}

// Forget deletes m. Its place in the key's list remains, for the same material to be
// imported again.
func (m *Material) Forget() { m.Bytes, m.ValidTo = nil, nil }

// ForgetExpired deletes the materials that have expired.
func (k *Key) ForgetExpired(now time.Time) {
	for i := range k.Materials {
		if m := &k.Materials[i]; !m.Present(now) {
			m.Forget()
		}
	}
}

// Material returns the material with the given id, or nil.
func (k *Key) Material(id string) *Material {
	for i := range k.Materials {
		if k.Materials[i].ID == id {
			return &k.Materials[i]
		}
	}
	return nil
}

// Has reports whether k has the bytes of the material with the given id, expired or not.
func (k *Key) Has(id string) bool {
	m := k.Material(id)
	return m != nil && len(m.Bytes) > 0
}

// Note keeps what the importer of a material has said of it, and nothing of materials that
// k does not have any more.
func (k *Key) Note(id, text string) {
	maps.DeleteFunc(k.Notes, func(id, _ string) bool { return k.Material(id) == nil })
	if k.Notes == nil {
		k.Notes = make(map[string]string)
	}
	k.Notes[id] = text
}

// Complete reports whether every material is there that is the key's for good. A key
// that lacks one cannot be used.
func (k *Key) Complete(now time.Time) bool {
	if k.Origin != OriginExternal {
		return true
	}
	complete := false
	for i := range k.Materials {
		if m := &k.Materials[i]; !m.Pending {
			if !m.Present(now) {
				return false
			}
			complete = true
		}
	}
	return complete
}
