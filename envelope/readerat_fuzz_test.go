package envelope

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzReaderAt: of framed messages, a ReaderAt that verifies first opens what
// Decrypt accepts and says the same of the rest; and what one that does not verify
// first can read to the end is what Decrypt accepts, unless it is signed.
func FuzzReaderAt(f *testing.F) {
	addSeeds(f)
	f.Add(unsigned(f, counted(24), 8, true))
	f.Add(append(unsigned(f, counted(20), 8, false), 0))
	f.Add(newForge(f, 0x0478, 8, nil).regular(2, counted(8)).final(2, counted(3)).message())
	f.Fuzz(func(t *testing.T, b []byte) {
		plaintext, h, err := Decrypt(t.Context(), openManager, b, readAll())
		verified, verifyErr := at(t, b, verifyFirst())
		switch {
		case errors.Is(verifyErr, ErrUnframed):
			require.True(t, err != nil || h.FrameLength == 0)
		case err != nil:
			require.Nil(t, verified)
			require.Equal(t, err.Error(), verifyErr.Error())
		default:
			require.NoError(t, verifyErr)
			requireParts(t, plaintext, verified)
		}
		r, openErr := at(t, b, readAll())
		if openErr != nil {
			require.Nil(t, r)
			require.True(t, err != nil || h.FrameLength == 0 || h.Suite.Signed(), "%v", openErr)
			return
		}
		for _, n := range []int{1, 5, 100, int(r.Size()) + 1} {
			got, readErr := readAllAt(r, n)
			require.Equal(t, err == nil, readErr == nil, "%v, %v", err, readErr)
			if err == nil {
				require.True(t, bytes.Equal(plaintext, got))
			}
		}
	})
}

// FuzzReadAt lets the fuzzer choose an authentic message, a part of it and a byte to
// change. What is read is right as far as it goes, and all of it if no byte has been
// changed.
func FuzzReadAt(f *testing.F) {
	f.Add(uint8(4), []byte("aaaabbbbcc"), false, uint16(3), uint16(5), uint16(300), uint8(0))
	f.Add(uint8(4), []byte("aaaabbbb"), true, uint16(0), uint16(8), uint16(200), uint8(1))
	f.Add(uint8(1), []byte("ab"), false, uint16(1), uint16(9), uint16(150), uint8(128))
	f.Fuzz(func(t *testing.T, frame uint8, plaintext []byte, emptyEnd bool, off, n, place uint16, mask uint8) {
		message := unsigned(t, plaintext, 1+int(frame), emptyEnd)
		message[int(place)%len(message)] ^= mask
		r, err := at(t, message, nil)
		if err != nil {
			require.NotZero(t, mask)
			return
		}
		require.EqualValues(t, len(plaintext), r.Size())
		p := make([]byte, int(n)%(len(plaintext)+10))
		got, err := r.ReadAt(p, int64(off))
		require.True(t, got == len(p) || err != nil)
		require.True(t, err == nil || err == io.EOF || err == ErrAuth && mask != 0, "%v", err)
		if got > 0 {
			require.Equal(t, plaintext[int(off):int(off)+got], p[:got])
		}
		if err == io.EOF {
			require.Equal(t, max(0, len(plaintext)-int(off)), got)
		}
	})
}

// requireParts compares some parts of the plaintext.
func requireParts(t *testing.T, want []byte, r *ReaderAt) {
	t.Helper()
	require.EqualValues(t, len(want), r.Size())
	for _, n := range []int{1, 9, len(want) + 1} {
		got, err := readAllAt(r, n)
		require.NoError(t, err)
		require.True(t, bytes.Equal(want, got))
	}
}
