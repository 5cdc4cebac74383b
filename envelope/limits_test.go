package envelope

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"math"
	"runtime"
	"slices"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/keyring"
)

func TestEncryptedDataKeyLimit(t *testing.T) {
	t.Parallel()
	encrypt := func(keys, limit int) ([]byte, error) {
		o := write(0x0478, 0)
		o.MaxEncryptedDataKeys = limit
		return Encrypt(t.Context(), keyring.NewManager(openRing{keys}), []byte("x"), o)
	}
	for _, c := range []struct {
		keys, limit int
		ok          bool
	}{{100, 0, true}, {101, 0, false}, {101, 101, true}, {2, 1, false}, {1, 1, true}, {300, -1, true}, {65536, -1, false}} {
		message, err := encrypt(c.keys, c.limit)
		if !c.ok {
			require.ErrorIs(t, err, ErrLimit, "%+v", c)
			require.Nil(t, message)
			message, err = encrypt(min(c.keys, 65535), -1)
		}
		require.NoError(t, err)
		_, _, err = Decrypt(t.Context(), openManager, message, &DecryptOptions{MaxEncryptedDataKeys: c.limit, MaxHeaderLength: -1})
		if c.keys == 65536 {
			require.NoError(t, err, "65535 keys are the most that the format has")
			continue
		}
		require.Equal(t, c.ok, err == nil, "%+v: %v", c, err)
		if !c.ok {
			require.ErrorIs(t, err, ErrLimit)
		}
	}
}

// TestDataKeyCountAlone: the number is refused before any of the keys is read.
func TestDataKeyCountAlone(t *testing.T) {
	t.Parallel()
	start := append([]byte{2, 0x04, 0x78}, make([]byte, 32+2)...)
	src := io.MultiReader(bytes.NewReader(append(start, 0, 101)), iotest.ErrReader(io.ErrClosedPipe))
	_, err := ReadHeader(src, nil)
	require.ErrorIs(t, err, ErrLimit)
}

func TestHeaderLimit(t *testing.T) {
	t.Parallel()
	message, err := Encrypt(t.Context(), openManager, []byte("x"), write(0x0178, 0))
	require.NoError(t, err)
	h, err := ReadHeader(bytes.NewReader(message), nil)
	require.NoError(t, err)
	for limit, ok := range map[int]bool{h.Length(): true, h.Length() - 1: false, 30: false, -1: true, 0: true, 1 << 30: true} {
		o := readAll()
		o.MaxHeaderLength = limit
		_, _, err = Decrypt(t.Context(), openManager, message, o)
		require.Equal(t, ok, err == nil, "limit %d: %v", limit, err)
		_, err = ReadHeader(bytes.NewReader(message), o)
		if !ok {
			require.ErrorIs(t, err, ErrLimit)
		}
	}

	// A hundred keys with fields of 64 KiB exceed the default.
	big := newForge(t, 0x0478, 8, func(h *Header) {
		k := keyring.EncryptedDataKey{Provider: "p", Info: make([]byte, 65535), Ciphertext: make([]byte, 65535)}
		h.EncryptedDataKeys = slices.Repeat([]keyring.EncryptedDataKey{k}, 100)
	}).final(1, nil).message()
	_, _, err = Decrypt(t.Context(), openManager, big, nil)
	require.ErrorIs(t, err, ErrLimit)
	_, _, err = Decrypt(t.Context(), openManager, big, &DecryptOptions{MaxHeaderLength: -1})
	require.NoError(t, err)
}

func TestBodyLimits(t *testing.T) {
	t.Parallel()
	framed := newForge(t, 0x0178, 1000, nil).final(1, counted(10)).message()
	unframed := newForge(t, 0x0178, 0, nil).unframed(counted(1000)).message()
	for _, c := range []struct {
		message         []byte
		frame, unframed int64
		ok              bool
	}{
		{framed, 999, 0, false}, {framed, 1000, 1, true}, {framed, -1, 1, true},
		{unframed, 0, 999, false}, {unframed, 1, 1000, true}, {unframed, 1, -1, true},
	} {
		o := readAll()
		o.MaxFrameLength, o.MaxUnframedLength = c.frame, c.unframed
		_, _, err := Decrypt(t.Context(), openManager, c.message, o)
		_, streamErr := readBytes(t, openManager, c.message, o)
		if c.ok {
			require.NoError(t, err)
			require.NoError(t, streamErr)
		} else {
			require.ErrorIs(t, err, ErrLimit)
			require.ErrorIs(t, streamErr, ErrLimit)
		}
	}

	// The default limits are exact.
	for length, ok := range map[uint32]bool{64 << 20: true, 64<<20 + 1: false} {
		_, _, err := Decrypt(t.Context(), openManager, newForge(t, 0x0478, length, nil).final(1, nil).message(), nil)
		require.Equal(t, ok, err == nil, "frames of %d bytes: %v", length, err)
		f := newForge(t, 0x0478, 0, nil)
		f.out = append(f.out, make([]byte, 16)...)
		f.out = binary.BigEndian.AppendUint32(f.out, length)
		_, _, err = Decrypt(t.Context(), openManager, f.out, nil)
		if ok {
			require.ErrorIs(t, err, ErrTruncated)
		} else {
			require.ErrorIs(t, err, ErrLimit)
		}
	}
}

// allocated returns how many bytes fn allocates.
func allocated(fn func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	fn()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// TestClaimedLengthsAllocateNothing feeds headers, frames and bodies that claim
// to be huge and have few bytes. It runs alone, because it measures the heap.
func TestClaimedLengthsAllocateNothing(t *testing.T) {
	o := &DecryptOptions{CommitmentPolicy: keyring.RequireEncryptAllowDecrypt,
		MaxEncryptedDataKeys: -1, MaxHeaderLength: -1, MaxFrameLength: -1, MaxUnframedLength: -1}
	frame := newForge(t, 0x0478, math.MaxUint32, nil).regular(1, counted(100)).out
	unframed := newForge(t, 0x0478, 0, nil)
	unframed.out = append(unframed.out, make([]byte, 12)...)
	unframed.out = append(binary.BigEndian.AppendUint64(unframed.out, 1<<36-32), 1, 2, 3)
	final := newForge(t, 0x0478, math.MaxUint32, nil)
	final.out = append(final.out, "\xff\xff\xff\xff\x00\x00\x00\x01............\xff\xff\xff\xff..."...)
	for name, message := range map[string][]byte{
		"frame":     frame,
		"unframed":  unframed.out,
		"final":     final.out,
		"data keys": append(append([]byte{2, 0x04, 0x78}, make([]byte, 32+2)...), 0xFF, 0xFF, 0, 1, 'p'),
		"data key":  append(append([]byte{2, 0x04, 0x78}, make([]byte, 32+2)...), 0, 1, 0xFF, 0xFF, 'p'),
		"context":   append(append([]byte{2, 0x04, 0x78}, make([]byte, 32)...), 0xFF, 0xFF, 0xFF, 0xFF),
	} {
		var err error
		n := allocated(func() { _, _, err = Decrypt(context.Background(), openManager, message, o) })
		require.ErrorIs(t, err, ErrTruncated, name)
		require.Less(t, n, uint64(256<<10), "%s: Decrypt", name)
		n = allocated(func() { _, err = readBy(context.Background(), openManager, bytes.NewReader(message), o, 512) })
		require.ErrorIs(t, err, ErrTruncated, name)
		require.Less(t, n, uint64(512<<10), "%s: Reader", name)
	}
}

// TestSequenceNumbersEnd brings a writer and a reader to the last of the numbers.
func TestSequenceNumbersEnd(t *testing.T) {
	t.Parallel()
	for _, s := range []Suite{0x0178, 0x0478} {
		var dst bytes.Buffer
		w, err := NewWriter(t.Context(), &dst, openManager, write(s, 1))
		require.NoError(t, err)
		w.s.seq = math.MaxUint32 - 2
		_, err = w.Write([]byte("abc"))
		require.NoError(t, err)
		require.NoError(t, w.Close())

		r, err := NewReader(t.Context(), &dst, openManager, readAll())
		require.NoError(t, err)
		r.op.seq = math.MaxUint32 - 2
		p, err := io.ReadAll(r)
		require.NoError(t, err)
		require.Equal(t, "abc", string(p))

		w, err = NewWriter(t.Context(), io.Discard, openManager, write(s, 1))
		require.NoError(t, err)
		w.s.seq = math.MaxUint32 - 2
		_, err = w.Write([]byte("abcd"))
		require.ErrorIs(t, err, ErrLimit)
		require.Equal(t, err, w.Close())
	}
}

func TestFrameLengths(t *testing.T) {
	t.Parallel()
	for _, n := range []int{-1, math.MaxInt32*2 + 2, math.MaxInt} {
		_, err := Encrypt(t.Context(), noManager{}, nil, &EncryptOptions{FrameLength: n})
		require.ErrorIs(t, err, ErrLimit, "%d", n)
		_, err = NewWriter(t.Context(), io.Discard, noManager{}, &EncryptOptions{FrameLength: n})
		require.ErrorIs(t, err, ErrLimit, "%d", n)
	}
	message, err := Encrypt(t.Context(), openManager, []byte("x"), &EncryptOptions{FrameLength: math.MaxUint32})
	require.NoError(t, err)
	_, _, err = Decrypt(t.Context(), openManager, message, nil)
	require.ErrorIs(t, err, ErrLimit)
	p, h, err := Decrypt(t.Context(), openManager, message, &DecryptOptions{MaxFrameLength: -1})
	require.NoError(t, err)
	require.Equal(t, "x", string(p))
	require.Equal(t, uint32(math.MaxUint32), h.FrameLength)
}
