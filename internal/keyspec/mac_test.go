package keyspec_test

import (
	"bytes"
	"crypto"
	"testing"

	"github.com/stretchr/testify/require"
)

var macs = []struct {
	spec, algorithm string
	hash            crypto.Hash
	least, most     int // length of a key
}{
	{"HMAC_224", "HMAC_SHA_224", crypto.SHA224, 28, 64},
	{"HMAC_256", "HMAC_SHA_256", crypto.SHA256, 32, 64},
	{"HMAC_384", "HMAC_SHA_384", crypto.SHA384, 48, 128},
	{"HMAC_512", "HMAC_SHA_512", crypto.SHA512, 64, 128},
}

// hmacOf is HMAC as RFC 2104, section 2, puts it, for keys of at most a block.
func hmacOf(h crypto.Hash, key, message []byte) []byte {
	inner := make([]byte, h.New().BlockSize())
	copy(inner, key)
	outer := bytes.Clone(inner)
	for i := range inner {
		inner[i] ^= 0x36
		outer[i] ^= 0x5c
	}
	return sum(h, append(outer, sum(h, append(inner, message...))...))
}

func TestMAC(t *testing.T) {
	t.Parallel()
	for _, c := range macs {
		t.Run(c.spec, func(t *testing.T) {
			t.Parallel()
			require.Len(t, material(c.spec), c.hash.Size())
			for size := c.least; size <= c.most; size++ {
				raw := bytes.Repeat([]byte{byte(size)}, size)
				k := parse(t, c.spec, raw)
				mac := k.MAC(c.algorithm, []byte("message"))
				require.Equal(t, hmacOf(c.hash, raw, []byte("message")), mac)
				require.True(t, k.VerifyMAC(c.algorithm, []byte("message"), mac))
			}
			k := key(t, c.spec)
			mac := k.MAC(c.algorithm, []byte("message"))
			require.Len(t, mac, c.hash.Size())
			require.False(t, k.VerifyMAC(c.algorithm, []byte("other"), mac))
			require.False(t, newKey(t, c.spec).VerifyMAC(c.algorithm, []byte("message"), mac))
			for i, altered := range flips(mac, 1) {
				require.False(t, k.VerifyMAC(c.algorithm, []byte("message"), altered), "%d", i)
			}
			for n := range mac {
				require.False(t, k.VerifyMAC(c.algorithm, []byte("message"), mac[:n]), "%d", n)
			}
			require.False(t, k.VerifyMAC(c.algorithm, []byte("message"), append(mac, 0)))
			require.False(t, k.VerifyMAC(c.algorithm, []byte("message"), nil))
		})
	}
}

func TestLengthsOfRawKeys(t *testing.T) {
	t.Parallel()
	for _, c := range macs {
		for size := range 200 {
			raw := make([]byte, size)
			if size < c.least || size > c.most {
				requireRefused(t, c.spec, raw, "%d", size)
			} else {
				parse(t, c.spec, raw)
			}
		}
	}
	for size := range 200 {
		if size != 32 {
			requireRefused(t, "SYMMETRIC_DEFAULT", make([]byte, size), "%d", size)
		}
	}
	k := key(t, "SYMMETRIC_DEFAULT")
	require.Len(t, material("SYMMETRIC_DEFAULT"), 32)
	require.Nil(t, k.PublicKey())
	require.Nil(t, key(t, "HMAC_256").PublicKey())
}
