package mldsamu_test

import (
	"bytes"
	"crypto/sha3"
	"fmt"
	"math/rand/v2"
	"testing"

	"filippo.io/mldsa"
	"github.com/sealring/sealring/internal/mldsamu"
	"github.com/stretchr/testify/require"
)

var sets = []mldsa.Parameters{mldsa.MLDSA44(), mldsa.MLDSA65(), mldsa.MLDSA87()}

// key returns a key that is the same in every run.
func key(t testing.TB, p mldsa.Parameters) *mldsa.PrivateKey {
	t.Helper()
	k, err := mldsa.NewPrivateKey(p, bytes.Repeat([]byte{42}, mldsa.PrivateKeySize))
	require.NoError(t, err)
	return k
}

// represent returns the representative of a message with an empty context (FIPS 204,
// algorithm 2, line 10, and algorithm 7, line 6).
func represent(publicKey, message []byte) []byte {
	tr := sha3.SumSHAKE256(publicKey, 64)
	return sha3.SumSHAKE256(append(append(tr, 0, 0), message...), 64)
}

func TestSignedMessages(t *testing.T) {
	t.Parallel()
	for _, p := range sets {
		t.Run(p.String(), func(t *testing.T) {
			t.Parallel()
			k := key(t, p)
			public := k.PublicKey().Bytes()
			for i := range 50 {
				message := fmt.Appendf(nil, "message %d", i)
				signature, err := k.Sign(nil, message, nil)
				require.NoError(t, err)
				mu := represent(public, message)
				require.True(t, mldsamu.Verify(public, mu, signature))
				mu[i] ^= 1
				require.False(t, mldsamu.Verify(public, mu, signature))
			}
		})
	}
}

func TestEveryByteMatters(t *testing.T) {
	t.Parallel()
	for _, p := range sets {
		t.Run(p.String(), func(t *testing.T) {
			t.Parallel()
			k := key(t, p)
			public := k.PublicKey().Bytes()
			message := []byte("message")
			mu := represent(public, message)
			signature, err := k.SignDeterministic(message, nil)
			require.NoError(t, err)
			altered := bytes.Clone(signature)
			step := 1
			if p != mldsa.MLDSA44() {
				step = 23 // the code is the same, and slower
			}
			for i := 0; i < len(altered); i += step {
				altered[i] ^= 1 << (i % 8)
				require.False(t, mldsamu.Verify(public, mu, altered), "byte %d", i)
				altered[i] = signature[i]
			}
			for i := 0; i < len(public); i += 41 {
				public[i] ^= 1 << (i % 8)
				require.False(t, mldsamu.Verify(public, represent(public, message), signature), "byte %d of the key", i)
				public[i] ^= 1 << (i % 8)
			}
			require.True(t, mldsamu.Verify(public, mu, altered))
		})
	}
}

func TestLengths(t *testing.T) {
	t.Parallel()
	for _, p := range sets {
		k := key(t, p)
		public := k.PublicKey().Bytes()
		mu := represent(public, nil)
		signature, err := k.SignDeterministic(nil, nil)
		require.NoError(t, err)
		require.True(t, mldsamu.Verify(public, mu, signature))
		for _, n := range []int{0, 1, 32, 63} {
			require.False(t, mldsamu.Verify(public, mu[:n], signature))
		}
		require.False(t, mldsamu.Verify(public, append(mu, 0), signature))
		require.False(t, mldsamu.Verify(public, mu, nil))
		require.False(t, mldsamu.Verify(public, mu, signature[:len(signature)-1]))
		require.False(t, mldsamu.Verify(public, mu, append(signature, 0)))
		require.False(t, mldsamu.Verify(nil, mu, signature))
		require.False(t, mldsamu.Verify(public[:len(public)-1], mu, signature))
		require.False(t, mldsamu.Verify(append(public, 0), mu, signature))
	}
}

// TestHints alters the part of a signature that has more than one encoding for a value
// if nobody looks.
func TestHints(t *testing.T) {
	t.Parallel()
	const omega, k = 80, 4 // ML-DSA-44
	private := key(t, mldsa.MLDSA44())
	public := private.PublicKey().Bytes()
	for i, tried := byte(0), 0; i < 20; tried++ {
		require.Less(t, tried, 40, "few signatures have as many hints as there can be, or hardly one")
		message := []byte{byte(tried)}
		signature, err := private.Sign(nil, message, nil)
		require.NoError(t, err)
		mu := represent(public, message)
		hints := signature[len(signature)-omega-k:]
		ends := hints[omega:]
		if ends[0] < 2 || ends[k-1] == omega {
			continue
		}
		i++
		for name, alter := range map[string]func(){
			"order":            func() { hints[0], hints[1] = hints[1], hints[0] },
			"a position twice": func() { hints[0] = hints[1] },
			"padding":          func() { hints[ends[k-1]] = 1 },
			"last padding":     func() { hints[omega-1] = 1 },
			"decreasing ends":  func() { ends[1] = ends[0] - 1 },
			"end too large":    func() { ends[k-1] = omega + 1 },
			"largest end":      func() { ends[0] = 255 },
			"one hint less":    func() { ends[k-1]-- },
		} {
			before := bytes.Clone(signature)
			alter()
			require.NotEqual(t, before, signature, name)
			require.False(t, mldsamu.Verify(public, mu, signature), name)
			copy(signature, before)
		}
		require.True(t, mldsamu.Verify(public, mu, signature))
	}
}

// TestSameAnswer alters signatures at random and wants the answer of filippo.io/mldsa.
// Hints are altered most, where a change can go without effect on the response.
func TestSameAnswer(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for _, p := range sets {
		k := key(t, p)
		public := k.PublicKey().Bytes()
		for i := range 60 {
			message := fmt.Appendf(nil, "message %d", i)
			signature, err := k.Sign(nil, message, nil)
			require.NoError(t, err)
			signature[len(signature)-1-random.IntN(90)] = byte(random.IntN(256))
			requireSameAnswer(t, public, k.PublicKey(), message, signature)
		}
	}
}

func requireSameAnswer(t *testing.T, public []byte, pk *mldsa.PublicKey, message, signature []byte) {
	t.Helper()
	want := mldsa.Verify(pk, message, signature, nil) == nil
	require.Equal(t, want, mldsamu.Verify(public, represent(public, message), signature))
}

func FuzzVerify(f *testing.F) {
	for i, p := range sets {
		k := key(f, p)
		signature, err := k.SignDeterministic([]byte("message"), nil)
		require.NoError(f, err)
		f.Add(i, k.PublicKey().Bytes(), []byte("message"), signature)
	}
	f.Fuzz(func(t *testing.T, set int, public, message, signature []byte) {
		pk, err := mldsa.NewPublicKey(sets[uint(set)%3], public)
		if err != nil {
			mldsamu.Verify(public, make([]byte, mldsamu.MuSize), signature)
			return
		}
		requireSameAnswer(t, public, pk, message, signature)
	})
}

func ExampleVerify() {
	key, err := mldsa.GenerateKey(mldsa.MLDSA65())
	if err != nil {
		fmt.Println(err)
		return
	}
	signature, err := key.Sign(nil, []byte("a large file"), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	public := key.PublicKey().Bytes()
	fmt.Println(mldsamu.Verify(public, represent(public, []byte("a large file")), signature))
	fmt.Println(mldsamu.Verify(public, represent(public, []byte("another file")), signature))
	// Output:
	// true
	// false
}

func BenchmarkVerify(b *testing.B) {
	for _, p := range sets {
		b.Run(p.String(), func(b *testing.B) {
			k := key(b, p)
			public := k.PublicKey().Bytes()
			mu := represent(public, nil)
			signature, err := k.SignDeterministic(nil, nil)
			require.NoError(b, err)
			for b.Loop() {
				mldsamu.Verify(public, mu, signature)
			}
		})
	}
}
