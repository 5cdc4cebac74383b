package envelope

import (
	"bytes"
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/keyring"
)

// TestReadAtEveryBitFlip flips every bit of unsigned messages. In the header or the
// final frame the message is not opened, in another frame that frame alone is
// refused.
func TestReadAtEveryBitFlip(t *testing.T) {
	t.Parallel()
	eachSample(t, func(t *testing.T, s sample) {
		damaged := bytes.Clone(s.message)
		h, err := ReadHeader(bytes.NewReader(s.message), nil)
		require.NoError(t, err)
		if s.signed || h.FrameLength == 0 {
			return
		}
		length, frame := h.Length(), int(h.FrameLength)
		frames := len(s.plaintext) / frame * (frame + frameOverhead)
		for i := range damaged {
			for bit := range 8 {
				damaged[i] ^= 1 << bit
				r, err := at(t, damaged, readAll())
				switch {
				case i < length || i >= length+frames:
					requireRefusal(t, err, "byte %d, bit %d", i, bit)
				case err != nil:
					t.Fatalf("byte %d, bit %d: not opened: %v", i, bit, err)
				default:
					requireOneRefused(t, r, s.plaintext, (i-length)/(frame+frameOverhead), frame)
				}
				damaged[i] ^= 1 << bit
			}
		}
	})
}

func requireRefusal(t *testing.T, err error, where string, at ...any) {
	t.Helper()
	if !errors.Is(err, ErrSigned) && !slices.ContainsFunc(refusals, func(r error) bool { return errors.Is(err, r) }) {
		t.Fatalf(where+": not a refusal: %v", append(at, err)...)
	}
}

// requireOneRefused checks that all frames can be read but the one with the given
// index, of which nothing is released.
func requireOneRefused(t *testing.T, r *ReaderAt, plaintext []byte, bad, frame int) {
	t.Helper()
	for i := 0; i*frame < len(plaintext); i++ {
		end := min(len(plaintext), (i+1)*frame)
		p := make([]byte, end-i*frame)
		for _, p := range [][]byte{p, p[:1]} { // into place, and by way of the window
			clear(p)
			n, err := r.ReadAt(p, int64(i*frame))
			if i == bad {
				require.Equal(t, ErrAuth, err)
				require.Zero(t, n)
				require.Equal(t, make([]byte, len(p)), p)
				continue
			}
			require.NoError(t, err)
			require.Equal(t, plaintext[i*frame:i*frame+len(p)], p)
		}
	}
	p := make([]byte, len(plaintext))
	n, err := r.ReadAt(p, 0)
	require.Equal(t, ErrAuth, err)
	require.Equal(t, bad*frame, n)
	require.Equal(t, plaintext[:n], p[:n])
	require.Zero(t, bytes.Trim(p[n:n+frame], "\x00"))
}

// TestReadAtVerifyFirstBitFlip flips a bit of each byte, of signed messages too:
// none of them is opened.
func TestReadAtVerifyFirstBitFlip(t *testing.T) {
	t.Parallel()
	eachSample(t, func(t *testing.T, s sample) {
		if s.last == len(s.plaintext) { // unframed
			return
		}
		for i := range s.message {
			damaged := bytes.Clone(s.message)
			damaged[i] ^= 1 << (i % 8)
			r, err := at(t, damaged, verifyFirst())
			require.Nil(t, r)
			if !errors.Is(err, ErrUnframed) { // as the header says now
				requireRefusal(t, err, "byte %d", i)
			}
		}
	})
}

// TestReadAtEveryLength cuts and prolongs messages.
func TestReadAtEveryLength(t *testing.T) {
	t.Parallel()
	eachSample(t, func(t *testing.T, s sample) {
		if s.last == len(s.plaintext) { // unframed
			return
		}
		for _, o := range []*DecryptOptions{readAll(), verifyFirst()} {
			if s.signed && !o.VerifyFirst {
				continue
			}
			for n := range s.message {
				_, err := at(t, s.message[:n], o)
				require.ErrorIs(t, err, ErrTruncated, "%d of %d bytes", n, len(s.message))
			}
			step := 1
			if s.signed { // slow to refuse
				step = 23
			}
			for _, more := range [][]byte{make([]byte, 200), s.message, s.message[len(s.message)-finalOverhead-s.last:]} {
				for n := 1; n <= len(more); n += step {
					_, err := at(t, append(bytes.Clone(s.message), more[:n]...), o)
					requireRefusal(t, err, "%d bytes more", n)
				}
			}
			_, err := at(t, append(bytes.Clone(s.message), 0), o)
			require.ErrorIs(t, err, ErrTrailingData)
		}
	})
}

// TestReadAtForged opens authentic frames in the wrong places.
func TestReadAtForged(t *testing.T) {
	t.Parallel()
	a, b, c := []byte("aaaa"), []byte("bbbb"), []byte("cc")
	forged := func() *forge { return newForge(t, 0x0478, 4, nil) }
	for name, m := range map[string]struct {
		message []byte
		opens   error // nil if only reading fails
	}{
		"order":            {forged().regular(2, b).regular(1, a).final(3, c).message(), nil},
		"twice":            {forged().regular(1, a).regular(1, a).final(3, c).message(), nil},
		"starts late":      {forged().regular(2, b).regular(3, b).final(4, c).message(), ErrAuth},
		"final number":     {forged().regular(1, a).final(3, c).message(), ErrAuth},
		"final missing":    {forged().regular(1, a).regular(2, b).message(), ErrTruncated},
		"only regular":     {forged().regular(1, a).message(), ErrTruncated},
		"no frame":         {forged().message(), ErrTruncated},
		"two final":        {forged().final(1, a).final(2, c).message(), ErrAuth},
		"final in between": {forged().final(1, a).regular(2, b).final(3, c).message(), ErrAuth},
		"final too long":   {forged().regular(1, a).final(2, []byte("ccccc")).message(), ErrMalformed},
		"short regular":    {forged().regular(1, c).final(2, c).message(), ErrAuth},
	} {
		r, err := at(t, m.message, nil)
		if m.opens != nil {
			require.ErrorIs(t, err, m.opens, name)
			continue
		}
		require.NoError(t, err, name)
		_, err = readAllAt(r, 100)
		require.Equal(t, ErrAuth, err, name)
	}
}

func TestReadAtUnframed(t *testing.T) {
	t.Parallel()
	for _, s := range []Suite{0x0478, 0x0578} {
		message := newForge(t, s, 0, nil).unframed(counted(10)).message()
		_, err := at(t, message, verifyFirst())
		require.Equal(t, ErrUnframed, err)
	}
}

// TestReadAtRefusesEarly: what is refused by the options costs no key request.
func TestReadAtRefusesEarly(t *testing.T) {
	t.Parallel()
	signed := newForge(t, 0x0578, 4, nil).final(1, nil).message()
	old := newForge(t, 0x0178, 4, nil).final(1, nil).message()
	for _, c := range []struct {
		message []byte
		o       *DecryptOptions
		want    error
	}{
		{signed, nil, ErrSigned},
		{signed, &DecryptOptions{VerifyFirst: true, RefuseSigned: true}, ErrSigned},
		{old, nil, keyring.ErrCommitmentPolicy},
		{old, &DecryptOptions{CommitmentPolicy: keyring.RequireEncryptAllowDecrypt, MaxFrameLength: 3}, ErrLimit},
		{old, &DecryptOptions{CommitmentPolicy: keyring.RequireEncryptAllowDecrypt, MaxHeaderLength: 30}, ErrLimit},
		{encodeBase64(signed), nil, ErrBase64},
	} {
		_, err := NewReaderAt(t.Context(), bytes.NewReader(c.message), int64(len(c.message)), noManager{}, c.o)
		require.ErrorIs(t, err, c.want)
	}
	_, err := at(t, unsigned(t, nil, 4, false), &DecryptOptions{Context: keyring.EncryptionContext{"a": "2"}})
	require.ErrorIs(t, err, keyring.ErrEncryptionContext)
	o := &DecryptOptions{}
	_, err = at(t, unsigned(t, nil, 4, false), o)
	require.NoError(t, err)
	require.Equal(t, &DecryptOptions{}, o, "the options are the caller's")
}

// TestReadAtClaimedSizes gives sizes that are not the source's.
func TestReadAtClaimedSizes(t *testing.T) {
	t.Parallel()
	message := unsigned(t, counted(10), 4, false)
	for _, size := range []int64{math.MinInt64, -1, 0, 1, 100, int64(len(message)) - 1} {
		for _, o := range []*DecryptOptions{nil, {VerifyFirst: true}} {
			_, err := NewReaderAt(t.Context(), bytes.NewReader(message), size, openManager, o)
			require.ErrorIs(t, err, ErrTruncated, "%d", size)
		}
	}
	for _, size := range []int64{int64(len(message)) + 1, 1 << 20, 1 << 32} {
		_, err := NewReaderAt(t.Context(), bytes.NewReader(message), size, openManager, nil)
		require.ErrorIs(t, err, ErrTruncated, "the source ends before %d", size)
	}
	_, err := NewReaderAt(t.Context(), bytes.NewReader(message), math.MaxInt64, openManager, nil)
	require.Equal(t, ErrTrailingData, err, "more frames than the format has")
	longer := append(bytes.Clone(message), "something else"...)
	r, err := NewReaderAt(t.Context(), bytes.NewReader(longer), int64(len(message)), openManager, nil)
	require.NoError(t, err)
	requireSame(t, counted(10), r, "inside a longer source")
}

// TestReadAtClaimedLengthsAllocateNothing claims long frames of small messages. It
// runs alone, because it measures the heap.
func TestReadAtClaimedLengthsAllocateNothing(t *testing.T) {
	for _, frame := range []int{64 << 20, math.MaxUint32} {
		message := unsigned(t, counted(10), frame, false)
		var r *ReaderAt
		var err error
		n := allocated(func() { r, err = at(t, message, &DecryptOptions{MaxFrameLength: -1}) })
		require.NoError(t, err)
		require.Less(t, n, uint64(64<<10))
		requireSame(t, counted(10), r, "one frame")
	}
	message := unsigned(t, counted(10), 64<<20+1, false)
	var err error
	n := allocated(func() { _, err = NewReaderAt(t.Context(), bytes.NewReader(message), 1<<40, openManager, nil) })
	require.ErrorIs(t, err, ErrLimit)
	require.Less(t, n, uint64(64<<10))
}
