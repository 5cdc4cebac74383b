package wire_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/internal/wire"
)

func TestReaderTakesFieldsInOrder(t *testing.T) {
	t.Parallel()
	r := wire.NewReader([]byte{1, 2, 3, 0, 2, 'h', 'i', 0, 0, 'x'})
	require.Equal(t, uint8(1), r.Uint8())
	require.Equal(t, uint16(0x0203), r.Uint16())
	require.Equal(t, "hi", string(r.Field16()))
	require.Empty(t, r.Field16())
	require.Equal(t, 1, r.Len())
	require.Equal(t, "x", string(r.Bytes(1)))
	require.NoError(t, r.Err())
	require.Zero(t, r.Len())
}

func TestReaderStaysShort(t *testing.T) {
	t.Parallel()
	for name, read := range map[string]func(*wire.Reader){
		"Uint8":    func(r *wire.Reader) { r.Bytes(3); r.Uint8() },
		"Uint16":   func(r *wire.Reader) { r.Bytes(2); r.Uint16() },
		"Bytes":    func(r *wire.Reader) { r.Bytes(4) },
		"negative": func(r *wire.Reader) { r.Bytes(-1) },
		"Field16":  func(r *wire.Reader) { r.Field16() }, // claims 0xffff bytes
	} {
		t.Run(name, func(t *testing.T) {
			r := wire.NewReader([]byte{0xff, 0xff, 0xff})
			read(r)
			require.ErrorIs(t, r.Err(), wire.ErrShort)
			require.Zero(t, r.Len())
			require.Nil(t, r.Bytes(0), "nothing can be read after a field that did not fit")
			require.Zero(t, r.Uint8())
			require.Zero(t, r.Uint16())
			require.ErrorIs(t, r.Err(), wire.ErrShort)
		})
	}
}

func TestReaderSlicesCannotGrowIntoTheRest(t *testing.T) {
	t.Parallel()
	b := []byte{1, 2, 3, 4}
	first := wire.NewReader(b).Bytes(2)
	_ = append(first, 99)
	require.Equal(t, []byte{1, 2, 3, 4}, b)
}

func TestAppendField16(t *testing.T) {
	t.Parallel()
	b, ok := wire.AppendField16([]byte{9}, "abc")
	require.True(t, ok)
	require.Equal(t, []byte{9, 0, 3, 'a', 'b', 'c'}, b)

	longest := strings.Repeat("x", 1<<16-1)
	b, ok = wire.AppendField16(nil, longest)
	require.True(t, ok)
	require.Equal(t, longest, string(wire.NewReader(b).Field16()))

	b, ok = wire.AppendField16([]byte{9}, bytes.Repeat([]byte{1}, 1<<16))
	require.False(t, ok)
	require.Equal(t, []byte{9}, b)
}
