package keyrecord_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/internal/keyrecord"
)

func TestPRFIsHMAC(t *testing.T) {
	t.Parallel()
	k := &keyrecord.Key{Materials: []keyrecord.Material{
		keyrecord.NewMaterial("a", bytes.Repeat([]byte{1}, keyrecord.MaterialLen), time.Time{}),
		keyrecord.NewMaterial("a", bytes.Repeat([]byte{2}, keyrecord.MaterialLen), time.Time{}),
	}}
	check := func(when string) {
		for i := range 20 { // states are used again
			m := &k.Materials[i%2]
			message := fmt.Appendf(nil, "message %d", i)
			h := hmac.New(sha256.New, m.Bytes)
			h.Write(message)
			want := h.Sum([]byte("before"))
			require.Equal(t, want, m.AppendPRF([]byte("before"), message), when)
			require.Equal(t, want, m.AppendPRF([]byte("before"), message[:3], nil, message[3:]), when)
		}
	}
	check("by itself")
	k.KeepPRFs()
	check("kept")
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() { check("at the same time") })
	}
	wg.Wait()
}
