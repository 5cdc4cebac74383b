package s3crypto_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/s3crypto"
)

// TestCloseDoesNotWaitForTheWriter stops a copy whose writer takes no more: where both ends
// are closed in turn, neither may wait for the other.
func TestCloseDoesNotWaitForTheWriter(t *testing.T) {
	t.Parallel()
	for _, way := range readers {
		t.Run(way.name, func(t *testing.T) {
			t.Parallel()
			s := newShelf()
			sealedAs("V3", numbered(1_000_000)).store(s, "key")
			out, err := way.get(lenientClient(t, s, way.set), t.Context(), getInput("key"), nil)
			require.NoError(t, err)
			r, w := io.Pipe()
			copied := make(chan error)
			go func() {
				_, err := io.Copy(w, out.Body)
				copied <- err
			}()
			got := make([]byte, 1000)
			_, err = io.ReadFull(r, got)
			require.NoError(t, err)
			require.Equal(t, numbered(1000), got)
			require.NoError(t, out.Body.Close())

			// What the writer was given stays what it is until it returns.
			got = make([]byte, 1000)
			_, err = io.ReadFull(r, got)
			require.NoError(t, err)
			require.Equal(t, numbered(2000)[1000:], got)
			go io.Copy(io.Discard, r)
			require.ErrorIs(t, <-copied, fs.ErrClosed)
			require.NoError(t, r.Close())
		})
	}
}

// writerFunc is an io.Writer.
type writerFunc func([]byte) (int, error)

func (w writerFunc) Write(p []byte) (int, error) { return w(p) }

// TestWriterUsesTheBody has the writer that a body is copied to close it, ask it, and panic.
func TestWriterUsesTheBody(t *testing.T) {
	t.Parallel()
	for _, way := range readers {
		s, plaintext := newShelf(), numbered(600_000)
		sealedAs("V3", plaintext).store(s, "key")
		c := lenientClient(t, s, way.set)
		out, err := way.get(c, t.Context(), getInput("key"), nil)
		require.NoError(t, err)
		n, err := io.Copy(writerFunc(func(p []byte) (int, error) { return len(p), out.Body.Close() }), out.Body)
		require.ErrorIs(t, err, fs.ErrClosed)
		require.EqualValues(t, 256<<10, n)

		out, err = way.get(c, t.Context(), getInput("key"), nil)
		require.NoError(t, err)
		require.PanicsWithValue(t, "full", func() {
			io.Copy(writerFunc(func([]byte) (int, error) {
				if b, is := out.Body.(*s3crypto.UnverifiedBody); is {
					require.False(t, b.Verified())
				}
				panic("full")
			}), out.Body)
		})
		// Nothing was taken, and all can still be read.
		got, err := io.ReadAll(out.Body)
		require.NoError(t, err)
		require.Equal(t, plaintext, got)
		require.NoError(t, out.Body.Close())
	}
}

// TestShortWrites has a writer take a part of what it is given: the rest is still there.
func TestShortWrites(t *testing.T) {
	t.Parallel()
	s, plaintext := newShelf(), numbered(300_000)
	sealedAs("V3", plaintext).store(s, "key")
	out, err := lenientClient(t, s, nil).Get(t.Context(), getInput("key"), nil)
	require.NoError(t, err)
	var got []byte
	errFull := errors.New("full")
	for _, err := range []error{errFull, nil} {
		n, copyErr := out.Body.(io.WriterTo).WriteTo(writerFunc(func(p []byte) (int, error) {
			got = append(got, p[:1000]...)
			return 1000, err
		}))
		require.EqualValues(t, 1000, n)
		if err == nil {
			err = io.ErrShortWrite
		}
		require.ErrorIs(t, copyErr, err)
	}
	rest, err := io.ReadAll(out.Body)
	require.NoError(t, err)
	require.Equal(t, plaintext, append(got, rest...))
}

// TestBodiesAreNotPrinted looks for plaintext in what is printed of bodies that are being
// read.
func TestBodiesAreNotPrinted(t *testing.T) {
	t.Parallel()
	for _, way := range readers {
		s := newShelf()
		sealedAs("V3", []byte("abcdefghijklmnop")).store(s, "key")
		out, err := way.get(lenientClient(t, s, way.set), t.Context(), getInput("key"), nil)
		require.NoError(t, err)
		_, err = out.Body.Read(make([]byte, 1))
		require.NoError(t, err)
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			text := fmt.Sprintf(verb, out.Body)
			for _, secret := range []string{"bcdef", "626364", "98 99 100", "0x62, 0x63"} {
				require.NotContains(t, text, secret)
			}
		}
	}
}
