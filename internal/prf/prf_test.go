package prf_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/internal/prf"
)

func bare(key, message string) []byte {
	h := hmac.New(sha256.New, []byte(key))
	h.Write([]byte(message))
	return h.Sum(nil)
}

func TestAppend(t *testing.T) {
	t.Parallel()
	p := prf.New([]byte("key"))
	for range 3 { // the second time with a state that was used
		require.Equal(t, bare("key", "message"), p.Append(nil, []byte("message")))
		require.Equal(t, bare("key", "message"), p.Append(nil, []byte("mes"), nil, []byte("sage")))
		require.Equal(t, bare("key", ""), p.Append(nil))
		require.Equal(t, append([]byte("dst"), bare("key", "m")...), p.Append([]byte("dst"), []byte("m")))
		own := []byte("message")
		require.Equal(t, bare("key", "message"), p.Append(own[:0], own), "in the message's own memory")
	}
}

func TestAppendConcurrently(t *testing.T) {
	t.Parallel()
	p, want := prf.New([]byte("key")), bare("key", "message")
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				if string(p.Append(nil, []byte("message"))) != string(want) {
					t.Error("two computations got mixed up")
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestWipe(t *testing.T) {
	t.Parallel()
	key := []byte("key")
	p := prf.New(key)
	p.Append(nil, []byte("message"))
	p.Wipe()
	require.Equal(t, make([]byte, 3), key)
	require.Equal(t, bare("\x00\x00\x00", "message"), p.Append(nil, []byte("message")), "no state of the old key is left")
}
