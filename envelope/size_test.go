package envelope

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/internal/suite"
	"github.com/sealring/sealring/keyring"
)

func TestEncryptedSize(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		header int
		suite  Suite
		frame  int
		n      int64
		want   int64
	}{
		{166, 0x0478, 4096, 0, 166 + 40},
		{166, 0x0478, 4096, 1, 166 + 1 + 40},
		{166, 0x0478, 4096, 4096, 166 + 4096 + 40},
		{166, 0x0478, 4096, 4097, 166 + 4097 + 72},
		{0, 0x0578, 4096, 0, 40 + 105},
		{0, 0x0214, 4096, 0, 40 + 73},
		{0, 0x0178, 1, 1 << 32, -1},
		{0, 0x0178, 1, 1<<32 - 1, 33*(1<<32-1) + 8},
		{0, 0x0178, 2, 1 << 32, 1<<32 + 32*(1<<31) + 8},
		{0, 0x0178, math.MaxUint32, math.MaxInt64, -1},
		{0, 0x0178, math.MaxUint32, math.MaxInt64 - 1<<37, math.MaxInt64 - 1<<37 + 32*(1<<31-31) + 8},
		{math.MaxInt, 0x0178, 4096, 1, -1},
		{-1, 0x0478, 4096, 0, -1},
		{0, 0x0478, 0, 0, -1},
		{0, 0x0478, -1, 0, -1},
		{0, 0x0478, math.MaxUint32 + 1, 0, -1},
		{0, 0x0478, 4096, -1, -1},
	} {
		got, err := EncryptedSize(c.header, c.suite, c.frame, c.n)
		if c.want < 0 {
			require.ErrorIs(t, err, ErrLimit, "%+v", c)
			continue
		}
		require.NoError(t, err, "%+v", c)
		require.Equal(t, c.want, got, "%+v", c)
	}
	_, err := EncryptedSize(0, 0x0072, 1, 0)
	require.ErrorIs(t, err, keyring.ErrUnknownSuite)
}

// TestPlaintextBound: the bound never falls short, of bodies of regular frames
// without an end neither, and exceeds the bodies that we write by 8 bytes at most.
func TestPlaintextBound(t *testing.T) {
	t.Parallel()
	for _, frame := range []int{1, 7, 16, 4096} {
		for n := range 5*frame + 3 {
			frames := max(1, (n+frame-1)/frame)
			bound := plaintextBound(n+32*frames+8, frame)
			require.GreaterOrEqual(t, bound, n, "%d bytes in frames of %d", n, frame)
			require.LessOrEqual(t, bound, n+8, "%d bytes in frames of %d", n, frame)
			require.Equal(t, frames*frame, plaintextBound(frames*(frame+32), frame))
		}
		for size := range min(40, frame+32) {
			require.Zero(t, plaintextBound(size, frame))
		}
	}
	require.Equal(t, 0, plaintextBound(35, 0))
	require.Equal(t, 10, plaintextBound(46, 0))
}

// TestSignatureLength makes many signatures of each length that a suite asks for
// and counts how often one signing did not do.
func TestSignatureLength(t *testing.T) {
	t.Parallel()
	for _, s := range suite.All() {
		if !s.Signed() {
			continue
		}
		key, err := ecdsa.GenerateKey(s.Curve, rand.Reader)
		require.NoError(t, err)
		digest := make([]byte, s.Signature.Size())
		rounds := 128
		if s.Curve == elliptic.P256() { // many times faster
			rounds = 2048
		}
		direct, negated := 0, 0
		for i := range rounds {
			rand.Read(digest)
			once, err := ecdsa.SignASN1(rand.Reader, key, digest)
			require.NoError(t, err)
			other, err := negate(once, key.Params().N)
			require.NoError(t, err)
			back, err := negate(other, key.Params().N)
			require.NoError(t, err)
			require.Equal(t, once, back)
			switch s.SigLen {
			case len(once):
				direct++
			case len(other):
				negated++
			}
			if i%8 == 0 {
				signature, err := sign(key, digest, s.SigLen)
				require.NoError(t, err)
				require.Len(t, signature, s.SigLen)
				require.True(t, ecdsa.VerifyASN1(&key.PublicKey, digest, signature))
				require.True(t, ecdsa.VerifyASN1(&key.PublicKey, digest, other), "(r, N-s) does not verify")
			}
		}
		// Half of the signatures have the length at once and nearly all others after
		// the negation: 1 in 256 has neither. The bounds are eight standard deviations
		// wide.
		deviation := 8 * math.Sqrt(float64(rounds)) / 2
		require.InDelta(t, rounds/2, direct, deviation, s.Name)
		require.InDelta(t, rounds/2, negated, deviation, s.Name)
		require.Less(t, rounds-direct-negated, 6+rounds/64, s.Name)
	}
}

func TestNegateRefusesGarbage(t *testing.T) {
	t.Parallel()
	_, err := negate([]byte("garbage"), suite.Lookup(0x0578).Curve.Params().N)
	require.Error(t, err)
}

// TestDerivation: every message and every suite has keys of its own, and suites
// without derivation use the data key.
func TestDerivation(t *testing.T) {
	t.Parallel()
	seen := make(map[string]string)
	for _, s := range suite.All() {
		for _, id := range [][]byte{counted(messageIDLen(s.Version)), make([]byte, messageIDLen(s.Version))} {
			key, commitment, err := expand(s, knownKey(s.KeyLen), id)
			require.NoError(t, err)
			require.Len(t, key, s.KeyLen)
			if s.KDF == 0 {
				require.Equal(t, knownKey(s.KeyLen), key)
				continue
			}
			require.Empty(t, seen[string(key)], "the key of %s", s.Name)
			seen[string(key)] = s.Name
			require.Equal(t, s.Committing, len(commitment) == suite.CommitLen)
			require.NotContains(t, string(commitment), string(key[:16]))
		}
	}
	require.Len(t, seen, 16)
}
