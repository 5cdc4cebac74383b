package keyring

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rand"
	"fmt"
	"maps"
	"math"
	"slices"
	"unicode/utf8"

	"github.com/sealring/sealring/internal/suite"
)

// common is what materials for encryption and for decryption share.
type common struct {
	suite      *suite.Suite
	context    EncryptionContext
	required   []string // sorted keys of context that the header does not hold
	serialized []byte   // of context, cached: every keyring binds it
	dataKey    []byte
	destroyed  bool
}

// Suite returns the algorithm suite, 0 for materials that no constructor has made.
func (m *common) Suite() Suite {
	if m.suite == nil {
		return 0
	}
	return Suite(m.suite.ID)
}

// Context returns a copy of the whole encryption context, the public key of a
// signed suite included.
func (m *common) Context() EncryptionContext { return maps.Clone(m.context) }

// SerializedContext returns the serialisation of the whole context that keyrings
// bind to an encrypted data key. The bytes are shared and must not be changed.
func (m *common) SerializedContext() []byte { return m.serialized }

// StoredContext returns the pairs that stand in the message's header.
func (m *common) StoredContext() EncryptionContext { return m.context.without(m.required) }

// RequiredContext returns the pairs that are authenticated with the header
// without standing in it, so that a reader has to know them.
func (m *common) RequiredContext() EncryptionContext { return m.context.only(m.required) }

// HasDataKey reports whether the data key is set.
func (m *common) HasDataKey() bool { return m.dataKey != nil }

// DataKey returns the data key in the clear, nil if it is not set. The bytes are
// shared: they must neither be changed nor kept longer than m, and
// Destroy wipes them.
func (m *common) DataKey() []byte { return m.dataKey }

// SetDataKey sets the data key to a copy of key. The error is [ErrMaterials] if
// one is set already or if the length is not the suite's.
func (m *common) SetDataKey(key []byte) error {
	if m.HasDataKey() {
		return fmt.Errorf("%w: the data key is already set", ErrMaterials)
	}
	if m.destroyed {
		return fmt.Errorf("%w: the data key has been destroyed", ErrMaterials)
	}
	if n := m.Suite().DataKeyLen(); n == 0 || len(key) != n {
		return fmt.Errorf("%w: data key of %d bytes, the suite takes %d", ErrMaterials, len(key), n)
	}
	m.dataKey = bytes.Clone(key)
	return nil
}

// Destroy overwrites the data key. Afterwards the materials have none, are not
// complete and cannot be given another.
func (m *common) Destroy() {
	clear(m.dataKey)
	m.dataKey, m.destroyed = nil, true
}

func newCommon(s Suite, context EncryptionContext, required []string) (common, error) {
	c := common{suite: suite.Lookup(uint16(s)), context: context, required: slices.Clone(required)}
	slices.Sort(c.required)
	for i, k := range c.required {
		if _, ok := context[k]; !ok || k == publicKeyName || i > 0 && k == c.required[i-1] {
			return common{}, fmt.Errorf("%w: required key %q", ErrEncryptionContext, k)
		}
	}
	var err error
	c.serialized, err = context.AppendBinary(nil)
	return c, err
}

// EncryptionRequest asks a [Manager] for the materials of one message.
type EncryptionRequest struct {
	// Context is the caller's encryption context. It is copied.
	Context EncryptionContext
	// Suite is the algorithm suite; zero means the policy's default.
	Suite Suite
	// CommitmentPolicy says which suites may be used.
	CommitmentPolicy CommitmentPolicy
	// RequiredContextKeys name the pairs of Context that are authenticated but not
	// stored in the message.
	RequiredContextKeys []string
	// PlaintextLength is the message's length in bytes, or 0 if it is not known.
	PlaintextLength int64
	// Empty says that the message's length is known and 0, which PlaintextLength
	// cannot say.
	Empty bool
}

// EncryptionMaterials are what one message is encrypted with. Only legal
// transitions are possible: the data key is set once and encrypted data keys are
// only added. They are not safe for concurrent use and print without secrets.
type EncryptionMaterials struct {
	common
	signingKey *ecdsa.PrivateKey
	keys       []EncryptedDataKey
}

// NewEncryptionMaterials returns materials without a data key, ready for a
// keyring: the suite is resolved and checked against the commitment policy, and
// for a signed suite a new key pair is made, its public half in the context. The
// errors are [ErrCommitmentPolicy], [ErrUnknownSuite] and [ErrEncryptionContext].
func NewEncryptionMaterials(r EncryptionRequest) (*EncryptionMaterials, error) {
	id, err := r.CommitmentPolicy.EncryptionSuite(r.Suite)
	if err != nil {
		return nil, err
	}
	if err := r.Context.checkReserved(); err != nil {
		return nil, err
	}
	context := maps.Clone(r.Context)
	m := &EncryptionMaterials{}
	if s := suite.Lookup(uint16(id)); s.Signed() {
		if m.signingKey, err = ecdsa.GenerateKey(s.Curve, rand.Reader); err != nil {
			return nil, fmt.Errorf("keyring: generating the signing key: %w", err)
		}
		if context == nil {
			context = make(EncryptionContext, 1)
		}
		if context[publicKeyName], err = encodePublicKey(&m.signingKey.PublicKey); err != nil {
			return nil, err
		}
	}
	if m.common, err = newCommon(id, context, r.RequiredContextKeys); err != nil {
		return nil, err
	}
	return m, nil
}

// SigningKey returns the message's private signing key, nil for an unsigned suite.
func (m *EncryptionMaterials) SigningKey() *ecdsa.PrivateKey { return m.signingKey }

// EncryptedDataKeys returns the encrypted data keys in the order in which they
// were added. The bytes of their fields are shared and must not be changed.
func (m *EncryptionMaterials) EncryptedDataKeys() []EncryptedDataKey { return slices.Clone(m.keys) }

// AddEncryptedDataKey appends a copy of k. The error is [ErrMaterials] if the data
// key is not set yet or a field of k does not fit a message.
func (m *EncryptionMaterials) AddEncryptedDataKey(k EncryptedDataKey) error {
	if !m.HasDataKey() {
		return fmt.Errorf("%w: an encrypted data key without a data key", ErrMaterials)
	}
	if err := k.check(); err != nil {
		return err
	}
	m.keys = append(m.keys, k.Clone())
	return nil
}

// setWrapped sets the data key and adds its encryption, or changes nothing.
func (m *EncryptionMaterials) setWrapped(key []byte, wrapped EncryptedDataKey) error {
	if err := wrapped.check(); err != nil {
		return err
	}
	if err := m.SetDataKey(key); err != nil {
		return err
	}
	return m.AddEncryptedDataKey(wrapped)
}

// Complete returns [ErrMaterials] unless m has all that a message needs: a data
// key and at least one encrypted data key.
func (m *EncryptionMaterials) Complete() error {
	switch {
	case !m.HasDataKey():
		return fmt.Errorf("%w: no data key", ErrMaterials)
	case len(m.keys) == 0:
		return fmt.Errorf("%w: no encrypted data key", ErrMaterials)
	}
	return nil
}

// draft returns a copy that a keyring can change without changing m, and adopt
// takes a draft's changes over.
func (m *EncryptionMaterials) draft() *EncryptionMaterials {
	d := *m
	d.keys = slices.Clip(slices.Clone(m.keys))
	return &d
}

func (m *EncryptionMaterials) adopt(draft *EncryptionMaterials) {
	m.dataKey, m.keys = draft.dataKey, draft.keys
}

// Format prints the materials without any secret, whatever the verb.
func (m EncryptionMaterials) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "keyring.EncryptionMaterials{%v, %d encrypted data keys}", m.Suite(), len(m.keys))
}

// DecryptionRequest asks a [Manager] for the materials that open one message.
type DecryptionRequest struct {
	// Suite is the algorithm suite in the message's header.
	Suite Suite
	// CommitmentPolicy says which suites may be read.
	CommitmentPolicy CommitmentPolicy
	// EncryptedDataKeys are those of the header, in order.
	EncryptedDataKeys []EncryptedDataKey
	// Context is the encryption context stored in the header.
	Context EncryptionContext
	// Reproduced is the context that the caller requires. A pair that is in the
	// header too must have the same value there; any other is taken as
	// authenticated but not stored, and the header's tag decides.
	Reproduced EncryptionContext
}

// DecryptionMaterials are what one message is decrypted with. The data key is set
// once. They are not safe for concurrent use and print without secrets.
type DecryptionMaterials struct {
	common
	verificationKey *ecdsa.PublicKey
}

// NewDecryptionMaterials returns materials without a data key, ready for a
// keyring: the suite is checked against the commitment policy, the reproduced
// context is compared with the stored one and merged, and the verification key of
// a signed suite is read from it. The errors are [ErrCommitmentPolicy],
// [ErrUnknownSuite] and [ErrEncryptionContext].
func NewDecryptionMaterials(r DecryptionRequest) (*DecryptionMaterials, error) {
	if err := r.CommitmentPolicy.CheckDecryption(r.Suite); err != nil {
		return nil, err
	}
	context := maps.Clone(r.Context)
	var required []string
	for k, want := range r.Reproduced {
		switch have, stored := r.Context[k]; {
		case !stored && k != publicKeyName:
			required = append(required, k)
		case have != want:
			return nil, fmt.Errorf("%w: the message's value for key %q is not the required one", ErrEncryptionContext, k)
		}
		if context == nil {
			context = make(EncryptionContext, len(r.Reproduced))
		}
		context[k] = want
	}
	m := &DecryptionMaterials{}
	s := suite.Lookup(uint16(r.Suite))
	encoded, ok := context[publicKeyName]
	switch {
	case ok && !s.Signed():
		return nil, fmt.Errorf("%w: a public key in a message of the unsigned %v", ErrEncryptionContext, r.Suite)
	case !ok && s.Signed():
		return nil, fmt.Errorf("%w: no public key in a message of the signed %v", ErrEncryptionContext, r.Suite)
	}
	var err error
	if s.Signed() {
		if m.verificationKey, err = decodePublicKey(s.Curve, encoded); err != nil {
			return nil, err
		}
	}
	if m.common, err = newCommon(r.Suite, context, required); err != nil {
		return nil, err
	}
	return m, nil
}

// VerificationKey returns the public key that the message's signature has to
// verify with, nil for an unsigned suite.
func (m *DecryptionMaterials) VerificationKey() *ecdsa.PublicKey { return m.verificationKey }

// Complete returns [ErrMaterials] unless the data key is set.
func (m *DecryptionMaterials) Complete() error {
	if !m.HasDataKey() {
		return fmt.Errorf("%w: no data key", ErrMaterials)
	}
	return nil
}

// Format prints the materials without any secret, whatever the verb.
func (m DecryptionMaterials) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "keyring.DecryptionMaterials{%v}", m.Suite())
}

// check returns ErrMaterials if k does not fit a message header.
func (k EncryptedDataKey) check() error {
	if len(k.Provider) > math.MaxUint16 || len(k.Info) > math.MaxUint16 || len(k.Ciphertext) > math.MaxUint16 {
		return fmt.Errorf("%w: a field of an encrypted data key exceeds %d bytes", ErrMaterials, math.MaxUint16)
	}
	if !utf8.ValidString(k.Provider) {
		return fmt.Errorf("%w: the provider of an encrypted data key is not UTF-8", ErrMaterials)
	}
	return nil
}
