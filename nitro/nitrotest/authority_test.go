package nitrotest_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/nitro"
	"github.com/sealring/sealring/nitro/nitrotest"
)

func newAuthority(t testing.TB) *nitrotest.Authority {
	t.Helper()
	a, err := nitrotest.NewAuthority()
	require.NoError(t, err)
	return a
}

func TestAttestFillsInWhatIsLeftOut(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	document, err := a.Attest(nitro.Document{})
	require.NoError(t, err)
	d, err := (&nitro.Verifier{Roots: a.Roots()}).Verify(document)
	require.NoError(t, err)
	require.WithinDuration(t, time.Now(), d.Timestamp, time.Minute)
	zero := make([]byte, 48)
	require.Equal(t, &nitro.Document{
		ModuleID:  "i-0123456789abcdef0-enc0123456789abcdef",
		Digest:    "SHA384",
		Timestamp: d.Timestamp,
		PCRs:      map[int][]byte{0: zero, 1: zero, 2: zero},
	}, d)
}

func TestAttestSaysWhatItIsTold(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	for _, year := range []int{1971, 2000, 2026, 2050, 2200} { // X.509 changes its form of dates in 2050
		now := time.Date(year, 5, 6, 7, 8, 9, 123e6, time.UTC)
		want := nitro.Document{
			ModuleID:  "i-1-enc2",
			Digest:    "SHA384",
			Timestamp: now,
			PCRs:      map[int][]byte{8: make([]byte, 64)},
			PublicKey: []byte("key"),
			UserData:  []byte("data"),
			Nonce:     []byte{},
		}
		document, err := a.Attest(want)
		require.NoError(t, err)
		v := &nitro.Verifier{Roots: a.Roots(), Now: func() time.Time { return now }}
		got, err := v.Verify(document)
		require.NoError(t, err, year)
		require.Equal(t, &want, got)
	}
}

func TestAttestSignsWhatIsWrong(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	v := &nitro.Verifier{Roots: a.Roots()}
	for reason, d := range map[string]nitro.Document{
		"digest is not SHA384":        {Digest: "SHA256"},
		"register 1 has 3 bytes":      {PCRs: map[int][]byte{1: {1, 2, 3}}},
		"pcrs has an index":           {PCRs: map[int][]byte{32: make([]byte, 48)}},
		"pcrs is missing or empty":    {PCRs: map[int][]byte{}},
		"public_key has not":          {PublicKey: make([]byte, 1025)},
		"user_data has more":          {UserData: make([]byte, 513)},
		"ago, more than 5m0s":         {Timestamp: time.Now().Add(-time.Hour)},
		"ahead of this clock":         {Timestamp: time.Now().Add(time.Hour)},
		"timestamp is not a positive": {Timestamp: time.UnixMilli(-1)},
	} {
		document, err := a.Attest(d)
		require.NoError(t, err, reason)
		_, err = v.Verify(document)
		var refused *nitro.DocumentError
		require.ErrorAs(t, err, &refused)
		require.Contains(t, refused.Reason, reason)
	}
}

func TestAuthoritiesAreStrangers(t *testing.T) {
	t.Parallel()
	a, b := newAuthority(t), newAuthority(t)
	document, err := a.Attest(nitro.Document{})
	require.NoError(t, err)
	_, err = (&nitro.Verifier{Roots: b.Roots()}).Verify(document)
	require.ErrorContains(t, err, "do not chain to a root")
	require.False(t, a.Roots().Equal(b.Roots()))
	require.NotSame(t, a.Roots(), a.Roots(), "the pool is the caller's")
}

func TestAuthorityIsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	var wg sync.WaitGroup
	errs := make(chan error, 8)
	for i := range 8 {
		wg.Go(func() {
			nonce := fmt.Sprint(i)
			document, err := a.Attest(nitro.Document{Nonce: []byte(nonce)})
			if err != nil {
				errs <- err
				return
			}
			d, err := (&nitro.Verifier{Roots: a.Roots()}).Verify(document)
			if err == nil && string(d.Nonce) != nonce {
				err = fmt.Errorf("nonce %q, want %q", d.Nonce, nonce)
			}
			errs <- err
		})
	}
	wg.Wait()
	for range 8 {
		require.NoError(t, <-errs)
	}
}
