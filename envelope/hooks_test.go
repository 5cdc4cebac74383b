package envelope

import (
	"bytes"
	"context"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/keyring"
)

// dataEvent is one piece of work that the Data hook has seen from begin to end.
type dataEvent struct {
	work  keyring.DataWork
	n     int64
	err   error
	inner int // pieces of work on data keys that were done under its context
}

// observed returns a context whose hooks add to events.
func observed(t *testing.T, events *[]dataEvent) context.Context {
	type workKey struct{}
	return keyring.WithHooks(t.Context(), &keyring.Hooks{
		Data: func(ctx context.Context, w keyring.DataWork) (context.Context, keyring.DataWorkEnd) {
			e := &dataEvent{work: w}
			return context.WithValue(ctx, workKey{}, e), func(n int64, err error) {
				e.n, e.err = n, err
				*events = append(*events, *e)
			}
		},
		KeyWrapping: func(ctx context.Context, _ keyring.KeyWrapping) (context.Context, keyring.KeyWrappingEnd) {
			if e, ok := ctx.Value(workKey{}).(*dataEvent); ok {
				e.inner++
			}
			return ctx, func(keyring.EncryptedDataKey, error) {}
		},
	})
}

func TestDataHook(t *testing.T) {
	t.Parallel()
	var events []dataEvent
	seen := func(want dataEvent, what string) {
		t.Helper()
		require.Len(t, events, 1, what)
		require.Equal(t, want, events[0], what)
		events = nil
	}
	ctx, m := observed(t, &events), aesManager(t)
	encryption := keyring.DataWork{Operation: keyring.OpEncrypt, Length: 5000}
	unknown := keyring.DataWork{Operation: keyring.OpEncrypt, Length: -1}
	decryption := keyring.DataWork{Operation: keyring.OpDecrypt, Length: -1}
	plaintext := counted(5000)

	message, err := Encrypt(ctx, m, plaintext, nil)
	require.NoError(t, err)
	seen(dataEvent{encryption, 5000, nil, 1}, "Encrypt")
	_, _, err = Decrypt(ctx, m, message, nil)
	require.NoError(t, err)
	seen(dataEvent{decryption, 5000, nil, 1}, "Decrypt")
	_, err = Encrypt(ctx, noManager{}, nil, nil)
	require.Error(t, err)
	seen(dataEvent{keyring.DataWork{Operation: keyring.OpEncrypt}, 0, err, 0}, "Encrypt that fails")
	_, _, err = Decrypt(ctx, m, message[:len(message)-1], nil)
	seen(dataEvent{decryption, 0, err, 1}, "Decrypt that fails")

	for _, length := range []int64{0, 5000} {
		w, err := NewWriter(ctx, io.Discard, m, &EncryptOptions{PlaintextLength: length})
		require.NoError(t, err)
		_, err = w.Write(plaintext)
		require.NoError(t, err)
		require.Empty(t, events)
		require.NoError(t, w.Close())
		require.NoError(t, w.Close())
		if length == 0 {
			seen(dataEvent{unknown, 5000, nil, 1}, "Writer")
		} else {
			seen(dataEvent{encryption, 5000, nil, 1}, "Writer of a declared length")
		}
	}
	w, err := NewWriter(ctx, &limitedDst{err: errDisk}, m, nil)
	require.NoError(t, err)
	_, err = w.Write(plaintext)
	require.ErrorIs(t, err, errDisk)
	require.Equal(t, err, w.Close())
	seen(dataEvent{unknown, 0, err, 1}, "Writer that fails")
	_, err = NewWriter(ctx, io.Discard, noManager{}, nil)
	seen(dataEvent{unknown, 0, err, 0}, "NewWriter that fails")

	for cut := range 2 {
		r, err := NewReader(ctx, bytes.NewReader(message[:len(message)-cut]), m, nil)
		require.NoError(t, err)
		_, err = r.Read(make([]byte, 100))
		require.NoError(t, err)
		require.Empty(t, events)
		n, err := io.Copy(io.Discard, r)
		r.Read(make([]byte, 1))
		require.Len(t, events, 1)
		seen(dataEvent{decryption, n + 100, err, 1}, "Reader")
	}
	for _, first := range []bool{false, true} {
		o := &DecryptOptions{VerifyFirst: first}
		unsigned, err := Encrypt(t.Context(), m, plaintext, write(0x0478, 0))
		require.NoError(t, err)
		_, err = NewReaderAt(ctx, bytes.NewReader(unsigned), int64(len(unsigned)), m, o)
		require.NoError(t, err)
		seen(dataEvent{decryption, map[bool]int64{true: 5000}[first], nil, 1}, "NewReaderAt")
		_, err = NewReaderAt(ctx, bytes.NewReader(unsigned), int64(len(unsigned)-1), m, o)
		require.Error(t, err)
		require.Len(t, events, 1)
		require.Equal(t, err, events[0].err, "NewReaderAt that fails")
		events = nil
	}
	_, err = NewReader(ctx, bytes.NewReader(message), noManager{}, nil)
	seen(dataEvent{decryption, 0, err, 0}, "NewReader that fails")
}

// TestEmptyIsTold: only who has the whole plaintext knows that there is none.
func TestEmptyIsTold(t *testing.T) {
	t.Parallel()
	m := &asking{Manager: openManager}
	_, err := Encrypt(t.Context(), m, nil, nil)
	require.NoError(t, err)
	require.True(t, m.asked.Empty)
	_, err = Encrypt(t.Context(), m, []byte("x"), nil)
	require.NoError(t, err)
	require.False(t, m.asked.Empty)
	_, err = NewWriter(t.Context(), io.Discard, m, nil)
	require.NoError(t, err)
	require.False(t, m.asked.Empty)
	require.Zero(t, m.asked.PlaintextLength)
}
