package envelope

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/keyring"
)

// addSeeds adds a framed and an unframed message of every suite.
func addSeeds(f *testing.F) {
	for _, s := range keyring.Suites() {
		f.Add(newForge(f, s, 8, nil).regular(1, []byte("01234567")).final(2, []byte("89")).message())
		f.Add(newForge(f, s, 0, nil).unframed([]byte("0123456789")).message())
	}
	for _, fields := range [][]string{headerV1(), headerV2()} {
		b, _ := hex.DecodeString(strings.Join(fields, ""))
		f.Add(b)
	}
	f.Add([]byte("AYABeA"))
}

// FuzzReadHeader: what is accepted is what would be written again, except for the
// order and the empty form of the context, which are kept as they were.
func FuzzReadHeader(f *testing.F) {
	addSeeds(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		src := bytes.NewReader(b)
		h, err := ReadHeader(src, nil)
		if err != nil {
			require.Nil(t, h)
			require.True(t, strings.HasPrefix(err.Error(), "envelope: "), "%v", err)
			return
		}
		require.Equal(t, len(b)-src.Len(), h.Length())
		require.Equal(t, b[:h.Length()], reencode(h))
		section, err := h.Context.AppendBinary(nil)
		require.NoError(t, err)
		require.True(t, len(section) == len(h.context) || len(h.context) == 2)
		require.LessOrEqual(t, len(h.EncryptedDataKeys), 100)
	})
}

// FuzzDecrypt: Decrypt and a Reader agree on every input.
func FuzzDecrypt(f *testing.F) {
	addSeeds(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		before := bytes.Clone(b)
		plaintext, h, err := Decrypt(t.Context(), openManager, b, readAll())
		require.Equal(t, before, b)
		for _, size := range []int{1, 5, 100} {
			streamed, streamErr := readBy(t.Context(), openManager, bytes.NewReader(b), readAll(), size)
			if err == nil {
				require.NoError(t, streamErr)
				require.True(t, bytes.Equal(plaintext, streamed))
				continue
			}
			require.Nil(t, plaintext)
			require.Nil(t, h)
			require.Error(t, streamErr)
			require.Equal(t, err.Error(), streamErr.Error())
		}
	})
}

// FuzzFrames lets the fuzzer choose an authentic message: suite, plaintext, frame
// length, and the number of the first frame, which has to be 1.
func FuzzFrames(f *testing.F) {
	f.Add(uint8(0), uint32(4), []byte("aaaabbbbcc"), uint32(1))
	f.Add(uint8(9), uint32(4), []byte("aaaabbbb"), uint32(1))
	f.Add(uint8(10), uint32(1), []byte("a"), uint32(2))
	f.Fuzz(func(t *testing.T, which uint8, frame uint32, plaintext []byte, first uint32) {
		suites := keyring.Suites()
		frame = 1 + frame%64
		m := newForge(t, suites[int(which)%len(suites)], frame, nil)
		seq := first
		rest := plaintext
		for ; len(rest) > int(frame); seq++ {
			if seq == finalMarker {
				return
			}
			m.regular(seq, rest[:frame])
			rest = rest[frame:]
		}
		message := m.final(seq, rest).message()
		got, _, err := Decrypt(t.Context(), openManager, message, readAll())
		if first == 1 {
			require.NoError(t, err)
			require.True(t, bytes.Equal(plaintext, got))
		} else {
			require.True(t, errors.Is(err, ErrAuth), "%v", err)
			require.Nil(t, got)
		}
	})
}
