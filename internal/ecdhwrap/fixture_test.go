package ecdhwrap

import (
	"crypto/ecdh"
	"crypto/rand"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	require.NoError(t, err)
	return b
}

func newKey(t testing.TB, c *Curve) *ecdh.PrivateKey {
	t.Helper()
	k, err := c.keys.GenerateKey(rand.Reader)
	require.NoError(t, err)
	return k
}

// eachCurve runs f as a parallel subtest for each curve.
func eachCurve(t *testing.T, f func(*testing.T, *Curve)) {
	t.Parallel()
	for i := range curves {
		c := &curves[i]
		t.Run(c.String(), func(t *testing.T) {
			t.Parallel()
			f(t, c)
		})
	}
}

// agreed returns the info of two new parties and their secret.
func agreed(t testing.TB, c *Curve) (Info, []byte) {
	t.Helper()
	sender, recipient := newKey(t, c), newKey(t, c)
	secret, err := sender.ECDH(recipient.PublicKey())
	require.NoError(t, err)
	return Info{Recipient: Compress(recipient.PublicKey()), Sender: Compress(sender.PublicKey())}, secret
}
