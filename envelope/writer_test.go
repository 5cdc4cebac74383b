package envelope

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/keyring"
)

var errDisk = errors.New("disk full")

// limitedDst takes n bytes and then fails: with err, or with a short count.
type limitedDst struct {
	bytes.Buffer
	n     int
	err   error
	calls int
}

func (d *limitedDst) Write(p []byte) (int, error) {
	d.calls++
	if d.Len()+len(p) <= d.n {
		return d.Buffer.Write(p)
	}
	n, _ := d.Buffer.Write(p[:d.n-d.Len()])
	return n, d.err
}

// TestDestinationFails lets the destination fail after every number of bytes.
func TestDestinationFails(t *testing.T) {
	t.Parallel()
	for _, s := range []Suite{0x0178, 0x0214, 0x0478} {
		for _, fault := range []error{errDisk, nil} {
			want := fault
			if want == nil {
				want = io.ErrShortWrite
			}
			o := write(s, 16)
			whole := len(writeBy(t, openManager, counted(100), o, 7))
			for n := range whole {
				dst := &limitedDst{n: n, err: fault}
				w, err := NewWriter(t.Context(), dst, openManager, o)
				require.NoError(t, err)
				var failed error
				for range 100 / 5 {
					_, err := w.Write(counted(5))
					if failed != nil {
						require.Equal(t, failed, err, "not sticky")
					}
					failed = err
				}
				calls := dst.calls
				err = w.Close()
				require.ErrorIs(t, err, want, "after %d bytes", n)
				if failed != nil {
					require.Equal(t, failed, err)
					require.Equal(t, calls, dst.calls, "Close wrote after an error")
				}
				require.Equal(t, err, w.Close())
				require.Equal(t, n, dst.Len())
				_, _, err = Decrypt(t.Context(), openManager, dst.Bytes(), readAll())
				require.ErrorIs(t, err, ErrTruncated)
			}
		}
	}
}

func TestWriterLife(t *testing.T) {
	t.Parallel()
	dst := &limitedDst{n: 1 << 20}
	w, err := NewWriter(t.Context(), dst, openManager, write(0x0478, 16))
	require.NoError(t, err)
	require.Zero(t, dst.calls, "NewWriter wrote")
	_, err = w.Write(counted(16))
	require.NoError(t, err)
	require.Zero(t, dst.calls, "the frame may be the last")
	_, err = w.Write(nil)
	require.NoError(t, err)
	require.Zero(t, dst.calls)
	_, err = w.Write(counted(1))
	require.NoError(t, err)
	require.Equal(t, 1, dst.calls, "header and frame belong together")
	_, err = w.Write(counted(16 * 1000))
	require.NoError(t, err)
	require.Equal(t, 2, dst.calls)
	require.NoError(t, w.Close())
	require.Equal(t, 3, dst.calls)
	require.NoError(t, w.Close())
	n, err := w.Write([]byte("x"))
	require.Zero(t, n)
	require.Equal(t, ErrClosed, err)
	_, err = w.ReadFrom(bytes.NewReader([]byte("x")))
	require.Equal(t, ErrClosed, err)
	require.NoError(t, w.Close())
	require.Equal(t, 3, dst.calls)

	got, _, err := Decrypt(t.Context(), openManager, dst.Bytes(), nil)
	require.NoError(t, err)
	require.Equal(t, append(append(counted(16), counted(1)...), counted(16000)...), got)
}

// TestWriterBatches: however much is written at once, a piece for the destination
// stays small, and each is as large as it may be.
func TestWriterBatches(t *testing.T) {
	t.Parallel()
	for _, frame := range []int{1, 4096, batchLen - frameOverhead, batchLen, 3 * batchLen} {
		for _, p := range parallelisms {
			o := write(0x0478, frame)
			o.Parallelism = p
			sizes := &sizeDst{}
			w, err := NewWriter(t.Context(), sizes, openManager, o)
			require.NoError(t, err)
			_, err = w.Write(make([]byte, 2<<20))
			require.NoError(t, err)
			room := cap(w.out)
			require.NoError(t, w.Close())
			most := max(batchLen, frame+finalOverhead)
			require.LessOrEqual(t, sizes.largest, most, "frame %d", frame)
			require.LessOrEqual(t, sizes.calls, 4+2*(2<<20+(2<<20)/frame*frameOverhead)/min(most, batchLen), "frame %d", frame)
			require.LessOrEqual(t, room, 2*max(most, p*ringLen), "frame %d", frame)
		}
	}
}

type sizeDst struct{ calls, largest int }

func (d *sizeDst) Write(p []byte) (int, error) {
	d.calls++
	d.largest = max(d.largest, len(p))
	return len(p), nil
}

func TestPlaintextLength(t *testing.T) {
	t.Parallel()
	open := func(n int64) (*Writer, *limitedDst) {
		o := write(0x0478, 4)
		o.PlaintextLength = n
		dst := &limitedDst{n: 1 << 20}
		w, err := NewWriter(t.Context(), dst, openManager, o)
		require.NoError(t, err)
		return w, dst
	}
	w, dst := open(10)
	_, err := w.Write(counted(10))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	_, _, err = Decrypt(t.Context(), openManager, dst.Bytes(), nil)
	require.NoError(t, err)

	w, dst = open(10)
	_, err = w.Write(counted(6))
	require.NoError(t, err)
	before := dst.Len()
	n, err := w.Write(counted(5))
	require.Zero(t, n)
	require.ErrorIs(t, err, ErrLength)
	require.Equal(t, err, w.Close())
	require.Equal(t, before, dst.Len())

	w, dst = open(10)
	_, err = w.Write(counted(9))
	require.NoError(t, err)
	require.ErrorIs(t, w.Close(), ErrLength)
	require.ErrorIs(t, w.Close(), ErrLength)
	_, _, err = Decrypt(t.Context(), openManager, dst.Bytes(), nil)
	require.ErrorIs(t, err, ErrTruncated)

	for _, declared := range []int64{-1, 4, 6} {
		_, err = Encrypt(t.Context(), openManager, counted(5), &EncryptOptions{PlaintextLength: declared})
		require.ErrorIs(t, err, ErrLength)
	}
	_, err = NewWriter(t.Context(), io.Discard, openManager, &EncryptOptions{PlaintextLength: -1})
	require.ErrorIs(t, err, ErrLength)
	_, err = NewWriter(t.Context(), io.Discard, openManager, &EncryptOptions{PlaintextLength: 1 << 33, FrameLength: 1})
	require.ErrorIs(t, err, ErrLimit)
}

// asking records what the manager was asked and can answer something else.
type asking struct {
	keyring.Manager
	asked   keyring.EncryptionRequest
	encrypt func(*keyring.EncryptionMaterials) (*keyring.EncryptionMaterials, error)
	decrypt func(*keyring.DecryptionMaterials) (*keyring.DecryptionMaterials, error)
}

func (a *asking) EncryptionMaterials(ctx context.Context, r keyring.EncryptionRequest) (*keyring.EncryptionMaterials, error) {
	a.asked = r
	m, err := a.Manager.EncryptionMaterials(ctx, r)
	if err != nil || a.encrypt == nil {
		return m, err
	}
	return a.encrypt(m)
}

func (a *asking) DecryptionMaterials(ctx context.Context, r keyring.DecryptionRequest) (*keyring.DecryptionMaterials, error) {
	m, err := a.Manager.DecryptionMaterials(ctx, r)
	if err != nil || a.decrypt == nil {
		return m, err
	}
	return a.decrypt(m)
}

func TestManagerIsTold(t *testing.T) {
	t.Parallel()
	m := &asking{Manager: openManager}
	context := keyring.EncryptionContext{"a": "b"}
	_, err := Encrypt(t.Context(), m, counted(77), &EncryptOptions{Context: context})
	require.NoError(t, err)
	require.Equal(t, keyring.EncryptionRequest{Context: context, Suite: 0x0578, PlaintextLength: 77}, m.asked)
	require.Equal(t, keyring.EncryptionContext{"a": "b"}, context, "the caller's context was changed")

	_, err = NewWriter(t.Context(), io.Discard, m, &EncryptOptions{PlaintextLength: 5, CommitmentPolicy: keyring.ForbidEncryptAllowDecrypt})
	require.NoError(t, err)
	require.Equal(t, Suite(0x0378), m.asked.Suite)
	require.EqualValues(t, 5, m.asked.PlaintextLength)
}

// TestManagerMisbehaves: a manager may be anyone's, so its answers are checked.
func TestManagerMisbehaves(t *testing.T) {
	t.Parallel()
	encryption := func(s Suite) *keyring.EncryptionMaterials {
		m, err := keyring.NewEncryptionMaterials(keyring.EncryptionRequest{Suite: s, CommitmentPolicy: write(s, 0).CommitmentPolicy})
		require.NoError(t, err)
		return m
	}
	message, err := Encrypt(t.Context(), openManager, []byte("x"), write(0x0478, 0))
	require.NoError(t, err)
	for name, m := range map[string]*asking{
		"nil": {
			encrypt: func(*keyring.EncryptionMaterials) (*keyring.EncryptionMaterials, error) { return nil, nil },
			decrypt: func(*keyring.DecryptionMaterials) (*keyring.DecryptionMaterials, error) { return nil, nil },
		},
		"no data key": {
			encrypt: func(*keyring.EncryptionMaterials) (*keyring.EncryptionMaterials, error) {
				return encryption(0x0478), nil
			},
			decrypt: func(*keyring.DecryptionMaterials) (*keyring.DecryptionMaterials, error) {
				return keyring.NewDecryptionMaterials(keyring.DecryptionRequest{Suite: 0x0478})
			},
		},
		"no encrypted data key": {
			encrypt: func(*keyring.EncryptionMaterials) (*keyring.EncryptionMaterials, error) {
				m := encryption(0x0478)
				return m, m.SetDataKey(make([]byte, 32))
			},
			decrypt: func(*keyring.DecryptionMaterials) (*keyring.DecryptionMaterials, error) { return nil, nil },
		},
		"another suite": {
			encrypt: func(*keyring.EncryptionMaterials) (*keyring.EncryptionMaterials, error) {
				m := encryption(0x0178)
				return m, openRing{1}.OnEncrypt(t.Context(), m)
			},
			decrypt: func(*keyring.DecryptionMaterials) (*keyring.DecryptionMaterials, error) {
				m, err := keyring.NewDecryptionMaterials(keyring.DecryptionRequest{Suite: 0x0178, CommitmentPolicy: keyring.RequireEncryptAllowDecrypt})
				require.NoError(t, err)
				return m, m.SetDataKey(make([]byte, 32))
			},
		},
	} {
		m.Manager = openManager
		var dst bytes.Buffer
		out, err := Encrypt(t.Context(), m, []byte("x"), write(0x0478, 0))
		require.ErrorIs(t, err, keyring.ErrMaterials, name)
		require.Nil(t, out)
		_, err = NewWriter(t.Context(), &dst, m, write(0x0478, 0))
		require.ErrorIs(t, err, keyring.ErrMaterials, name)
		require.Zero(t, dst.Len())
		_, _, err = Decrypt(t.Context(), m, message, nil)
		require.ErrorIs(t, err, keyring.ErrMaterials, name)
		_, err = NewReader(t.Context(), bytes.NewReader(message), m, nil)
		require.ErrorIs(t, err, keyring.ErrMaterials, name)
	}
	_, err = Encrypt(t.Context(), noManager{}, nil, nil)
	require.ErrorIs(t, err, errManager)
	_, _, err = Decrypt(t.Context(), noManager{}, message, nil)
	require.ErrorIs(t, err, errManager)
}

// TestDataKeyIsWiped: the materials are of no use once the keys are derived.
func TestDataKeyIsWiped(t *testing.T) {
	t.Parallel()
	var keys [][]byte
	m := &asking{Manager: openManager,
		encrypt: func(m *keyring.EncryptionMaterials) (*keyring.EncryptionMaterials, error) {
			keys = append(keys, m.DataKey())
			return m, nil
		},
		decrypt: func(m *keyring.DecryptionMaterials) (*keyring.DecryptionMaterials, error) {
			keys = append(keys, m.DataKey())
			return m, nil
		},
	}
	for _, s := range keyring.Suites() {
		message, err := Encrypt(t.Context(), m, []byte("x"), write(s, 0))
		require.NoError(t, err)
		_, _, err = Decrypt(t.Context(), m, message, readAll())
		require.NoError(t, err)
	}
	require.Len(t, keys, 2*len(keyring.Suites()))
	for _, k := range keys {
		require.GreaterOrEqual(t, len(k), 16)
		require.Equal(t, make([]byte, len(k)), k)
	}
}

func TestPolicies(t *testing.T) {
	t.Parallel()
	for _, s := range keyring.Suites() {
		message, err := Encrypt(t.Context(), openManager, nil, write(s, 0))
		require.NoError(t, err)
		wrong := write(s, 0)
		wrong.CommitmentPolicy = keyring.ForbidEncryptAllowDecrypt
		if !s.Committing() {
			wrong.CommitmentPolicy = keyring.RequireEncryptAllowDecrypt
		}
		_, err = Encrypt(t.Context(), noManager{}, nil, wrong)
		require.ErrorIs(t, err, keyring.ErrCommitmentPolicy)
		_, _, err = Decrypt(t.Context(), openManager, message, nil)
		require.Equal(t, s.Committing(), err == nil, "%v: %v", s, err)
		if !s.Committing() {
			_, _, err = Decrypt(t.Context(), noManager{}, message, nil)
			require.ErrorIs(t, err, keyring.ErrCommitmentPolicy, "before the manager is asked")
		}
	}
	_, err := Encrypt(t.Context(), noManager{}, nil, &EncryptOptions{Suite: 0x0072})
	require.ErrorIs(t, err, keyring.ErrUnknownSuite)
	_, err = Encrypt(t.Context(), openManager, nil, &EncryptOptions{Context: keyring.EncryptionContext{"aws-crypto-x": ""}})
	require.ErrorIs(t, err, keyring.ErrEncryptionContext)
}

func TestContextEnds(t *testing.T) {
	t.Parallel()
	message, err := Encrypt(t.Context(), openManager, counted(100), write(0x0478, 16))
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	var dst bytes.Buffer
	w, err := NewWriter(ctx, &dst, openManager, write(0x0478, 16))
	require.NoError(t, err)
	_, err = w.Write(counted(40))
	require.NoError(t, err)
	r, err := NewReader(ctx, bytes.NewReader(message), openManager, nil)
	require.NoError(t, err)
	_, err = io.ReadFull(r, make([]byte, 16))
	require.NoError(t, err)
	before := dst.Len()

	cancel()
	_, err = w.Write(counted(40))
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, w.Close(), context.Canceled)
	require.Equal(t, before, dst.Len())
	_, err = r.Read(make([]byte, 16))
	require.ErrorIs(t, err, context.Canceled)
	_, err = r.WriteTo(io.Discard)
	require.ErrorIs(t, err, context.Canceled)

	_, err = Encrypt(ctx, noManager{}, nil, nil)
	require.ErrorIs(t, err, context.Canceled)
	_, _, err = Decrypt(ctx, noManager{}, message, nil)
	require.ErrorIs(t, err, context.Canceled)
}

// TestContextEndsDuringWrite: a long Write is not carried through.
func TestContextEndsDuringWrite(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	dst := &cancelDst{cancel: cancel}
	w, err := NewWriter(ctx, dst, openManager, nil)
	require.NoError(t, err)
	n, err := w.Write(make([]byte, 4<<20))
	require.ErrorIs(t, err, context.Canceled)
	require.Less(t, n, 1<<20)
	require.Equal(t, 1, dst.calls)
	require.ErrorIs(t, w.Close(), context.Canceled)
	require.Equal(t, 1, dst.calls)
}

// cancelDst cancels a context when it is written to.
type cancelDst struct {
	cancel context.CancelFunc
	calls  int
}

func (d *cancelDst) Write(p []byte) (int, error) {
	d.calls++
	d.cancel()
	return len(p), nil
}

func TestReadFromFails(t *testing.T) {
	t.Parallel()
	w, err := NewWriter(t.Context(), io.Discard, openManager, nil)
	require.NoError(t, err)
	n, err := w.ReadFrom(io.MultiReader(bytes.NewReader(counted(10)), iotest.ErrReader(errDisk)))
	require.EqualValues(t, 10, n)
	require.Equal(t, errDisk, err)
	n, err = w.ReadFrom(iotest.DataErrReader(bytes.NewReader(counted(10))))
	require.NoError(t, err, "the source's error is not the Writer's")
	require.EqualValues(t, 10, n)
	require.NoError(t, w.Close())
}
