// Package keyringtest is a conformance test for implementations of
// [keyring.Keyring]:
//
//	func TestConformance(t *testing.T) {
//		keyringtest.Run(t, func(t *testing.T) keyringtest.Subject {
//			return keyringtest.Subject{Encrypt: ring, Decrypt: ring, Foreign: other}
//		})
//	}
//
// The zero value of every further field of [Subject] asks for the most.
//
// It is deliberately not asserted that encrypted data keys have the bytes that
// another implementation would write, that data keys are random beyond being
// different, that secrets are wiped from memory, that work takes the same time
// whatever the secrets are, which remote calls are made, or in which class an
// error is where [keyring.Keyring] does not say so. Faulty locking shows only when
// the test runs under the race detector.
package keyringtest

import (
	"context"
	"testing"

	"github.com/sealring/sealring/keyring"
)

// Subject is a keyring under test, and what the cases have to know of it.
type Subject struct {
	// Encrypt wraps data keys and Decrypt unwraps them. They are the same keyring
	// unless one keyring cannot do both.
	Encrypt, Decrypt keyring.Keyring

	// Foreign is a keyring whose encrypted data keys Decrypt takes for those of
	// another: best of the same kind with another wrapping key. It has to be able
	// to generate data keys.
	Foreign keyring.Keyring

	// Failing is a keyring of the same kind whose OnEncrypt fails, as late as
	// possible; nil if there is no way to have one fail.
	Failing keyring.Keyring

	// WrapsOnly says that OnEncrypt refuses materials without a data key, with
	// [keyring.ErrMaterials].
	WrapsOnly bool

	// GeneratesOnly says that OnEncrypt refuses materials with a data key, with
	// [keyring.ErrMaterials].
	GeneratesOnly bool

	// ContextUnbound says that an encrypted data key opens under any encryption
	// context.
	ContextUnbound bool

	// UnsignedOnly says that OnEncrypt and OnDecrypt refuse algorithm suites that
	// sign.
	UnsignedOnly bool

	// InfoUnbound says that an encrypted data key may open although its info is
	// altered, because the keyring does not compare all of it. It must then give the
	// same data key.
	InfoUnbound bool

	// IgnoresCancellation says that the keyring makes no calls that take long, and
	// does not look at its context.
	IgnoresCancellation bool

	// TamperYieldsKey says that an altered encrypted data key may give another
	// data key instead of an error.
	TamperYieldsKey bool

	// Secrets are byte strings of at least 8 bytes, such as wrapping keys and
	// tokens, that must appear neither in the printed keyring nor in its errors.
	Secrets [][]byte
}

// Run runs every case as a parallel subtest of t. It calls newSubject once for
// each, with the subtest.
func Run(t *testing.T, newSubject func(t *testing.T) Subject) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newSubject(t)
			s.check(t)
			c.run(t, s)
		})
	}
}

// reporter is the part of testing.TB that the cases use, so that the package's
// own tests can watch them fail.
type reporter interface {
	Helper()
	Context() context.Context
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

var cases = []struct {
	name string
	run  func(reporter, Subject)
}{
	{"every suite's data key comes back", roundTrips},
	{"a suite that signs is refused if the keyring takes none", refusesSigned},
	{"a missing data key is made anew with the suite's length", generates},
	{"a data key that is there is wrapped and kept", wraps},
	{"encrypted data keys go behind those already there", appends},
	{"the keyring finds its own among foreign encrypted data keys", findsOwn},
	{"an encrypted data key that does not open is passed over", passesOver},
	{"materials with a data key are not decrypted again", decryptsOnce},
	{"without an encrypted data key of its own the keyring reports no match", reportsNoMatch},
	{"an altered encrypted data key is refused", refusesAltered},
	{"another encryption context is refused", bindsContext},
	{"a data key of another suite's length is refused", refusesLength},
	{"a cancelled context ends the call", endsOnCancel},
	{"many goroutines share one keyring", sharedByMany},
	{"what a call is given stays as it was", keepsInputs},
	{"a failed call leaves the materials as they were", failsCleanly},
	{"no printed value and no error shows a secret", keepsSecrets},
}

// check ends the test if s is not a usable subject.
func (s Subject) check(r reporter) {
	r.Helper()
	if s.Encrypt == nil || s.Decrypt == nil || s.Foreign == nil {
		r.Fatalf("the subject needs Encrypt, Decrypt and Foreign")
	}
	if s.WrapsOnly && s.GeneratesOnly {
		r.Fatalf("the subject can neither generate nor wrap")
	}
	for i, secret := range s.Secrets {
		if len(secret) < 8 {
			r.Fatalf("secret %d has %d bytes and could be found by chance", i, len(secret))
		}
	}
}
