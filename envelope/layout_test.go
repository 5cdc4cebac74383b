package envelope

import (
	"bytes"
	"io"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestLayoutOfEverySize: a message's length determines where its frames are.
func TestLayoutOfEverySize(t *testing.T) {
	t.Parallel()
	for _, length := range []int{1, 2, 31, 32, 33, 100} {
		seen := make(map[int64]bool)
		for count := range int64(4) {
			for last := range length + 1 {
				want := layout{start: 150, length: length, count: count + 1, last: last}
				end := want.end(count)
				require.False(t, seen[end])
				seen[end] = true
				got, err := newLayout(150, end, length)
				require.NoError(t, err)
				require.Equal(t, want, got)
				require.Equal(t, count*int64(length)+int64(last), got.size())
				require.Equal(t, end-150, got.size()+32*(count+1)+8, "the size formula")
			}
		}
	}
}

func TestLayoutOfImpossibleSizes(t *testing.T) {
	t.Parallel()
	for _, end := range []int64{0, 100, 139} {
		_, err := newLayout(100, end, 4)
		require.Equal(t, ErrTruncated, err)
	}
	const stride = 1 + frameOverhead
	most := 100 + (math.MaxUint32-1)*int64(stride) + finalOverhead + 1
	l, err := newLayout(100, most, 1)
	require.NoError(t, err)
	require.EqualValues(t, math.MaxUint32, l.count)
	require.EqualValues(t, math.MaxUint32, l.size())
	_, err = newLayout(100, most+stride, 1)
	require.Equal(t, ErrTrailingData, err)
	_, err = newLayout(100, math.MaxInt64, 1)
	require.Equal(t, ErrTrailingData, err)
	l, err = newLayout(0, math.MaxInt64, math.MaxUint32)
	require.NoError(t, err)
	require.LessOrEqual(t, l.size(), int64(math.MaxInt64))
	require.Positive(t, l.size())
}

// sparse is a long source of which only the beginning and the end exist.
type sparse struct {
	head, tail []byte
	size       int64
}

func (s sparse) ReadAt(p []byte, off int64) (int, error) {
	if off < int64(len(s.head)) {
		return copy(p, s.head[off:]), io.EOF
	}
	return bytes.NewReader(s.tail).ReadAt(p, off-(s.size-int64(len(s.tail))))
}

// TestReadAtSequenceNumbersEnd reads the last frames of a message with as many as
// the format has. Its last regular frame has number 2^32-2, the final 2^32-1.
func TestReadAtSequenceNumbersEnd(t *testing.T) {
	t.Parallel()
	f := newForge(t, 0x0478, 1, nil)
	head := f.out
	f.out = nil
	f.regular(math.MaxUint32-2, []byte("a")).regular(math.MaxUint32-1, []byte("b")).final(math.MaxUint32, []byte("c"))
	src := sparse{head, f.out, int64(len(head)) + (math.MaxUint32-1)*(1+frameOverhead) + finalOverhead + 1}
	r, err := NewReaderAt(t.Context(), src, src.size, openManager, nil)
	require.NoError(t, err)
	require.EqualValues(t, math.MaxUint32, r.Size())
	p := make([]byte, 4)
	n, err := r.ReadAt(p, math.MaxUint32-3)
	require.Equal(t, io.EOF, err)
	require.Equal(t, "abc", string(p[:n]))
}
