package keyring_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/keyring"
)

// journal keeps what hooks were told, in order.
type journal struct{ lines []string }

func (j *journal) add(format string, args ...any) {
	j.lines = append(j.lines, fmt.Sprintf(format, args...))
}

type depth struct{}

// hooks returns hooks that write to j and count how deep they are nested.
func (j *journal) hooks() *keyring.Hooks {
	deeper := func(ctx context.Context) (context.Context, int) {
		n, _ := ctx.Value(depth{}).(int)
		return context.WithValue(ctx, depth{}, n+1), n
	}
	return &keyring.Hooks{
		KeyWrapping: func(ctx context.Context, w keyring.KeyWrapping) (context.Context, keyring.KeyWrappingEnd) {
			ctx, n := deeper(ctx)
			j.add("%d %s %q", n, w.Operation, w.Key.Provider)
			return ctx, func(k keyring.EncryptedDataKey, err error) { j.add("%d end %q %v", n, k.Provider, err) }
		},
		Data: func(ctx context.Context, w keyring.DataWork) (context.Context, keyring.DataWorkEnd) {
			ctx, n := deeper(ctx)
			j.add("%d %s of %d", n, w.Operation, w.Length)
			return ctx, func(size int64, err error) { j.add("%d end of %d %v", n, size, err) }
		},
		Cache: func(_ context.Context, l keyring.CacheLookup) { j.add("%s: %s %s", l.Cache, l.Operation, l.Outcome) },
	}
}

func TestHooksSeeEachKey(t *testing.T) {
	t.Parallel()
	var j journal
	ctx := keyring.WithHooks(t.Context(), j.hooks())
	other, err := keyring.NewRawAES("escrow", "k", make([]byte, 32))
	require.NoError(t, err)
	m := encryption(t, unsigned)
	require.NoError(t, newMulti(t, newAES(t, "key"), other).OnEncrypt(ctx, m))
	require.Equal(t, []string{
		`0 wrap ""`, `0 end "fleet" <nil>`,
		`0 wrap ""`, `0 end "escrow" <nil>`,
	}, j.lines)

	j.lines = nil
	stranger, err := keyring.NewRawAES("fleet", "key", make([]byte, 32))
	require.NoError(t, err)
	require.NoError(t, newMulti(t, stranger, other).OnDecrypt(ctx, decryption(t, m), m.EncryptedDataKeys()))
	require.Equal(t, []string{
		`0 unwrap "fleet"`, `0 end "fleet" ` + keyring.ErrUnwrap.Error(),
		`0 unwrap "escrow"`, `0 end "escrow" <nil>`,
	}, j.lines)
}

// The work is done under the hook's context, and its end tells what the keyring made
// of it, also what Wrap and Unwrap refuse.
func TestHooksNestAndSeeFailures(t *testing.T) {
	t.Parallel()
	var j journal
	ctx := keyring.WithHooks(t.Context(), j.hooks())
	ctx, end := keyring.BeginData(ctx, keyring.DataWork{Operation: keyring.OpEncrypt, Length: -1})
	wrapped := keyring.EncryptedDataKey{Provider: "p", Info: []byte("i")}
	tooShort := func(ctx context.Context, n int) ([]byte, keyring.EncryptedDataKey, error) {
		require.Equal(t, 2, ctx.Value(depth{}), "the work's context is the hook's")
		return make([]byte, n-1), wrapped, nil
	}
	err := keyring.Wrap(ctx, encryption(t, unsigned), nil, tooShort)
	require.ErrorIs(t, err, keyring.ErrMaterials)

	want := errors.New("out of order")
	m := encryption(t, unsigned)
	require.NoError(t, m.SetDataKey(make([]byte, 32)))
	err2 := keyring.Wrap(ctx, m, func(context.Context, []byte) (keyring.EncryptedDataKey, error) {
		return keyring.EncryptedDataKey{}, want
	}, nil)
	require.Equal(t, want, err2)
	end(7, want)
	require.Equal(t, []string{
		"0 encrypt of -1",
		`1 generate ""`, fmt.Sprintf(`1 end "p" %v`, err),
		`1 wrap ""`, `1 end "" out of order`,
		"0 end of 7 out of order",
	}, j.lines)
}

func TestHooksAreOptional(t *testing.T) {
	t.Parallel()
	for name, ctx := range map[string]context.Context{
		"none":    t.Context(),
		"nil":     keyring.WithHooks(t.Context(), nil),
		"no func": keyring.WithHooks(t.Context(), &keyring.Hooks{}),
	} {
		work, dataEnd := keyring.BeginData(ctx, keyring.DataWork{})
		require.Equal(t, ctx, work, name)
		dataEnd(0, nil)
		work, keyEnd := keyring.BeginKeyWrapping(ctx, keyring.KeyWrapping{})
		require.Equal(t, ctx, work, name)
		keyEnd(keyring.EncryptedDataKey{}, nil)
		keyring.ReportCache(ctx, keyring.CacheLookup{})
	}
	require.Nil(t, keyring.HooksFrom(t.Context()))
	h := &keyring.Hooks{}
	require.Same(t, h, keyring.HooksFrom(keyring.WithHooks(keyring.WithHooks(t.Context(), nil), h)))
}

func TestNoHooksNoAllocation(t *testing.T) {
	ctx := context.WithValue(t.Context(), depth{}, 1)
	require.Zero(t, testing.AllocsPerRun(100, func() {
		_, dataEnd := keyring.BeginData(ctx, keyring.DataWork{Operation: keyring.OpEncrypt})
		dataEnd(1, nil)
		_, keyEnd := keyring.BeginKeyWrapping(ctx, keyring.KeyWrapping{Operation: keyring.OpWrap})
		keyEnd(keyring.EncryptedDataKey{}, nil)
		keyring.ReportCache(ctx, keyring.CacheLookup{})
	}))
}

func ExampleWithHooks() {
	ring, err := keyring.NewRawAES("fleet", "2026-01", make([]byte, 32))
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := keyring.WithHooks(context.Background(), &keyring.Hooks{
		KeyWrapping: func(ctx context.Context, w keyring.KeyWrapping) (context.Context, keyring.KeyWrappingEnd) {
			return ctx, func(k keyring.EncryptedDataKey, err error) { fmt.Println(w.Operation, k.Provider, err) }
		},
	})
	m, err := keyring.NewManager(ring).EncryptionMaterials(ctx, keyring.EncryptionRequest{})
	if err != nil {
		fmt.Println(err)
		return
	}
	m.Destroy()
	// Output: wrap fleet <nil>
}
