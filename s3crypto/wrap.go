package s3crypto

import (
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"slices"
)

// Wrapper encrypts the data keys of objects. [KMS], [AES] and [RSA] are all there are.
// They are safe for concurrent use.
type Wrapper interface {
	// wrap wraps key, or a new data key if key is nil, for an object of h's suite, and
	// sets h's wrap, edk and description. It returns key or the new one, which the
	// caller wipes. c is the caller's encryption context.
	wrap(ctx context.Context, h *header, key dataKey, c map[string]string) (dataKey, error)

	// admits returns ErrLegacy or ErrWrapper for a wrap that unwrap would refuse. It
	// depends on a and the wrapper's options only.
	admits(a wrapAlgorithm) error

	// wraps reports whether a data key that unwrap has returned is wrapped as wrap does it,
	// with the same key: not with one that is there to read with.
	wraps(h *header) bool

	// unwrap returns the data key of an object whose wrap is admitted. The caller
	// wipes it.
	unwrap(ctx context.Context, h *header) (dataKey, error)
}

// wrapAlgorithm is a way to encrypt data keys.
type wrapAlgorithm int

const (
	wrapKMSContext wrapAlgorithm = iota + 1
	wrapAESGCM
	wrapRSAOAEP

	// The legacy ones, which do not bind the content algorithm.

	wrapKMS
	wrapAESKW
	wrapRSAOAEPSHA256
	wrapAESECB
	wrapRSAPKCS1
)

// wraps describes the algorithms (S3 Encryption Client specification, "Content metadata").
var wraps = [...]struct {
	name   string // in format V2
	code   string // in format V3
	v1     bool   // format V1's, where it is not named
	edkLen int    // of the wrapped data key; 0 if it depends on the wrapping key
	option string // what admits it, if it is a legacy one
}{
	wrapKMSContext:    {name: "kms+context", code: "12"},
	wrapAESGCM:        {name: "AES/GCM", code: "02", edkLen: gcmNonceSize + dataKeySize + gcmTagSize},
	wrapRSAOAEP:       {name: "RSA-OAEP-SHA1", code: "22"},
	wrapKMS:           {name: "kms", option: "KMSOptions.AllowWithoutContext"},
	wrapAESKW:         {name: "AESWrap", edkLen: dataKeySize + 8, option: "AESOptions.AllowKeyWrap"},
	wrapRSAOAEPSHA256: {name: "RSA/ECB/OAEPWithSHA-256AndMGF1Padding", option: "RSAOptions.AllowOAEPSHA256"},
	wrapAESECB:        {name: "AES", v1: true, edkLen: ecbSize, option: "AESOptions.AllowECB"},
	wrapRSAPKCS1:      {name: "RSA", v1: true, option: "RSAOptions.AllowPKCS1v15"},
}

// wrapNamed returns the wrap with the given name of format V2 or code of format V3, or 0.
func wrapNamed(f format, name string) wrapAlgorithm {
	for a, w := range wraps {
		if name != "" && !w.v1 && (f == formatV2 && name == w.name || f == formatV3 && name == w.code) {
			return wrapAlgorithm(a)
		}
	}
	return 0
}

// String returns the algorithm's name in format V2.
func (a wrapAlgorithm) String() string {
	if a <= 0 || int(a) >= len(wraps) {
		return fmt.Sprintf("wrap %d", int(a))
	}
	return wraps[a].name
}

// byKMS reports whether AWS KMS unwraps it, and authenticates an encryption context.
func (a wrapAlgorithm) byKMS() bool { return a == wrapKMSContext || a == wrapKMS }

// admits is Wrapper.admits for a wrapper that wraps with own, and reads the legacy
// algorithms whose value is true.
func admits(a, own wrapAlgorithm, legacy map[wrapAlgorithm]bool) error {
	allowed, known := legacy[a]
	switch {
	case a == own || allowed:
		return nil
	case known:
		return fmt.Errorf("%w: the data key is wrapped with %v, which takes %s", ErrLegacy, a, wraps[a].option)
	}
	return fmt.Errorf("%w: the data key is wrapped with %v, and this wrapper is for %v", ErrWrapper, a, own)
}

// dataKeySize is the length of all data keys.
const dataKeySize = 32

// dataKey is the data key of one object.
type dataKey []byte

func newDataKey() dataKey {
	key := make(dataKey, dataKeySize)
	rand.Read(key)
	return key
}

// Format prints nothing of the key, whatever the verb.
func (dataKey) Format(f fmt.State, _ rune) { fmt.Fprint(f, "s3crypto.dataKey") }

// described is one of several wrapping keys, and the material description of the objects
// that it is for.
type described[K any] struct {
	description map[string]string
	key         K
}

// pick returns the key for objects with the given description: the one that has it, or
// the first.
func pick[K any](keys []described[K], description map[string]string) K {
	return keys[index(keys, description)].key
}

// index returns which key pick returns.
func index[K any](keys []described[K], description map[string]string) int {
	has := func(k described[K]) bool { return maps.Equal(k.description, description) }
	return max(0, slices.IndexFunc(keys, has))
}

// add appends a key. The error says that its description is another one's too, or not text.
func add[K any](keys []described[K], description map[string]string, key K) ([]described[K], error) {
	for _, k := range keys {
		if maps.Equal(k.description, description) {
			return nil, fmt.Errorf("s3crypto: two wrapping keys with the material description %q", description)
		}
	}
	if !isText(description) {
		return nil, fmt.Errorf("s3crypto: material description %q is not UTF-8", description)
	}
	return append(keys, described[K]{maps.Clone(description), key}), nil
}

// noContext returns ErrContext if c has an entry: raw wraps bind no context.
func noContext(a wrapAlgorithm, c map[string]string) error {
	if len(c) > 0 {
		return fmt.Errorf("%w: %v binds no encryption context", ErrContext, a)
	}
	return nil
}
