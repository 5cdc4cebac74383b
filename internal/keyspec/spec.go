// Package keyspec is the cryptography of the key specs of AWS KMS.
package keyspec

import (
	"crypto/rand"
	"errors"
	"fmt"
)

// Spec is one key spec.
type Spec struct{ name string }

var symmetric = &Spec{"SYMMETRIC_DEFAULT"}

// ErrMaterial is matched by errors about material that is no key of the spec.
var ErrMaterial = errors.New("keyspec: not material of this key spec")

// Lookup returns the spec with the API's name.
func Lookup(name string) (*Spec, bool) {
	if name == symmetric.name {
		return symmetric, true
	}
	return nil, false
}

// Name returns the API's name.
func (s *Spec) Name() string { return s.name }

// Usages returns the key usages that the spec allows.
func (s *Spec) Usages() []string { return []string{"ENCRYPT_DECRYPT"} }

// Algorithms returns those of one usage.
func (s *Spec) Algorithms(string) []string { return []string{s.name} }

// Symmetric reports whether the spec is SYMMETRIC_DEFAULT.
func (s *Spec) Symmetric() bool { return true }

// Generate returns new material.
func (s *Spec) Generate() ([]byte, error) {
	b := make([]byte, 32)
	rand.Read(b)
	return b, nil
}

// Parse returns the usable form of material.
func (s *Spec) Parse(material []byte) (*Key, error) {
	if len(material) != 32 {
		return nil, ErrMaterial
	}
	return &Key{s}, nil
}

// Key is a usable key.
type Key struct{ spec *Spec }

// Format prints the spec only.
func (k *Key) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "keyspec.Key{%s}", k.spec.name) }
