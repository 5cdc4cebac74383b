package s3crypto_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/s3crypto"
)

// partOf returns part number of plaintext.
func partOf(plaintext []byte, number int32) *bytes.Reader {
	begin := min(int(number-1)*5*mib, len(plaintext))
	return bytes.NewReader(plaintext[begin:min(begin+5*mib, len(plaintext))])
}

// permutations returns the numbers 1 to n in all orders.
func permutations(n int32) (all [][]int32) {
	if n == 0 {
		return [][]int32{nil}
	}
	for _, p := range permutations(n - 1) {
		for i := range n {
			all = append(all, slices.Insert(slices.Clone(p), int(i), n))
		}
	}
	return all
}

func TestUploadOrders(t *testing.T) {
	t.Parallel()
	for name, policy := range policies {
		for _, size := range []int{10 * mib, 10*mib + 1, 15*mib - 1, 15 * mib} {
			plaintext := random(size)
			for i, order := range permutations(int32((size + 5*mib - 1) / (5 * mib))) {
				if i%2 == 0 != (name == "V2") {
					continue // all pairs with a size are left
				}
				t.Run(fmt.Sprint(name, size, order), func(t *testing.T) {
					t.Parallel()
					f := newFakeBucket()
					f.digests = 1
					u, err := newWriter(t, f, s3crypto.Options{CommitmentPolicy: policy}).CreateUpload(t.Context(), createInput(), nil)
					require.NoError(t, err)
					require.Equal(t, int64(5*mib), u.PartSize())
					for _, number := range order {
						require.NoError(t, u.Part(t.Context(), number, partOf(plaintext, number)))
					}
					_, err = u.Complete(t.Context(), nil)
					require.NoError(t, err)
					requireWritten(t, f, "k", plaintext)
				})
			}
		}
	}
}

func TestUploadConcurrently(t *testing.T) {
	t.Parallel()
	plaintext := random(37*mib + 11)
	f := newFakeBucket()
	f.fail = func(_, _ string, n int) error {
		if n == 0 {
			return errTransient
		}
		return nil
	}
	u, err := newWriter(t, f, s3crypto.Options{}).CreateUpload(t.Context(), createInput(), nil)
	require.NoError(t, err)
	var g sync.WaitGroup
	errs := make([]error, 16)
	for i := range errs { // each part twice
		g.Go(func() { errs[i] = u.Part(t.Context(), int32(i%8)+1, partOf(plaintext, int32(i%8)+1)) })
	}
	g.Wait()
	require.NoError(t, errors.Join(errs...))
	_, err = u.Complete(t.Context(), nil)
	require.NoError(t, err)
	requireWritten(t, f, "k", plaintext)
}

func TestUploadOfNothing(t *testing.T) {
	t.Parallel()
	f := newFakeBucket()
	u, err := newWriter(t, f, s3crypto.Options{}).CreateUpload(t.Context(), createInput(), nil)
	require.NoError(t, err)
	require.NoError(t, u.Send(t.Context(), bytes.NewReader(nil)))
	_, err = u.Complete(t.Context(), nil)
	require.NoError(t, err)
	requireWritten(t, f, "k", nil)
}

func TestSendSizes(t *testing.T) {
	t.Parallel()
	for _, size := range []int{1, 15, mib + 1, 5*mib - 17, 5*mib - 1, 5 * mib, 5*mib + 1, 20 * mib, 26*mib - 5} {
		for _, concurrency := range []int{1, 2, 7} {
			t.Run(fmt.Sprint(size, " ", concurrency), func(t *testing.T) {
				t.Parallel()
				plaintext := random(size)
				f := newFakeBucket()
				f.digests = 0
				u, err := newWriter(t, f, s3crypto.Options{Concurrency: concurrency}).CreateUpload(t.Context(), createInput(), nil)
				require.NoError(t, err)
				require.NoError(t, u.Send(t.Context(), plainReader{bytes.NewReader(plaintext)}))
				_, err = u.Complete(t.Context(), nil)
				require.NoError(t, err)
				requireWritten(t, f, "k", plaintext)
				require.LessOrEqual(t, f.most, concurrency)
			})
		}
	}
}

func TestUploadRefuses(t *testing.T) {
	t.Parallel()
	f := newFakeBucket()
	u, err := newWriter(t, f, s3crypto.Options{}).CreateUpload(t.Context(), createInput(), nil)
	require.NoError(t, err)
	part := func(number int32, size int64) error {
		return u.Part(t.Context(), number, io.NewSectionReader(zeroesAt{}, 0, size))
	}
	require.ErrorIs(t, part(0, 5*mib), s3crypto.ErrPart)
	require.ErrorIs(t, part(-1, 5*mib), s3crypto.ErrPart)
	require.ErrorIs(t, part(10_001, 1), s3crypto.ErrPart)
	require.ErrorIs(t, part(10_000, 5*mib), s3crypto.ErrPart, "the tag would be part 10,001")
	require.ErrorIs(t, part(1, 0), s3crypto.ErrPart)
	require.ErrorIs(t, part(1, 5*mib+1), s3crypto.ErrPart)
	require.ErrorContains(t, part(1, 1<<50), "has 1125899906842624 bytes")
	require.Error(t, u.Part(t.Context(), 1, nil))
	require.Error(t, u.Part(t.Context(), 1, pipeLike{}))

	require.NoError(t, part(3, 17))
	require.ErrorIs(t, part(4, 5*mib), s3crypto.ErrPart, "after the last one")
	require.ErrorIs(t, part(4, 5), s3crypto.ErrPart)
	require.ErrorIs(t, part(2, 5), s3crypto.ErrPart, "two short ones")
	require.ErrorIs(t, part(3, 18), s3crypto.ErrBodyChanged)
	require.NoError(t, part(1, 5*mib))
	_, err = u.Complete(t.Context(), nil)
	require.ErrorIs(t, err, s3crypto.ErrPart)
	require.ErrorContains(t, err, "part 2 is missing")
	require.NoError(t, part(2, 5*mib))
	_, err = u.Complete(t.Context(), &s3.CompleteMultipartUploadInput{ChecksumCRC32: aws.String("x")})
	require.ErrorContains(t, err, "ChecksumCRC32")
	_, err = u.Complete(t.Context(), &s3.CompleteMultipartUploadInput{MpuObjectSize: aws.Int64(10*mib + 33)})
	require.ErrorIs(t, err, s3crypto.ErrPart)
	in := &s3.CompleteMultipartUploadInput{MpuObjectSize: aws.Int64(10*mib + 17), IfNoneMatch: aws.String("*")}
	before := *in
	_, err = u.Complete(t.Context(), in)
	require.NoError(t, err)
	require.Equal(t, before, *in)
	require.Equal(t, int64(10*mib+33), *f.inputs["CompleteMultipartUpload"].(*s3.CompleteMultipartUploadInput).MpuObjectSize)
	requireWritten(t, f, "k", make([]byte, 10*mib+17))

	require.ErrorIs(t, part(4, 5), s3crypto.ErrPart, "it is complete")
	n := f.count("CompleteMultipartUpload")
	_, err = u.Complete(t.Context(), nil)
	require.NoError(t, err)
	require.Equal(t, n, f.count("CompleteMultipartUpload"))
	require.NoError(t, u.Abort(t.Context()))
	require.Equal(t, []string{"k"}, f.keys(), "an abort that comes too late")

	_, err = newWriter(t, f, s3crypto.Options{}).CreateUpload(t.Context(), nil, nil)
	require.Error(t, err)
	_, err = newWriter(t, f, s3crypto.Options{}).CreateUpload(t.Context(), &s3.CreateMultipartUploadInput{}, nil)
	require.Error(t, err)
}

type zeroesAt struct{}

func (zeroesAt) ReadAt(p []byte, _ int64) (int, error) { clear(p); return len(p), nil }

// TestUploadLimit sees the limit of 64 GiB less 32 bytes, with parts of 4 GiB, of which
// nothing is read that does not fit.
func TestUploadLimit(t *testing.T) {
	t.Parallel()
	f := newFakeBucket()
	u, err := newWriter(t, f, s3crypto.Options{PartSize: 4 << 30}).CreateUpload(t.Context(), createInput(), nil)
	require.NoError(t, err)
	part := func(number int32, size int64) error {
		return u.Part(t.Context(), number, io.NewSectionReader(unread{}, 0, size))
	}
	require.ErrorIs(t, part(16, 4<<30), s3crypto.ErrTooLarge)
	require.ErrorIs(t, part(16, 4<<30-31), s3crypto.ErrTooLarge)
	require.ErrorIs(t, part(16, 4<<30-32), errUnread)
	require.ErrorIs(t, part(17, 1), s3crypto.ErrTooLarge)
	require.ErrorIs(t, part(10_000, 1), s3crypto.ErrTooLarge)
}

var errUnread = errors.New("it was read")

type unread struct{}

func (unread) ReadAt([]byte, int64) (int, error) { return 0, errUnread }

func TestPartRetried(t *testing.T) {
	t.Parallel()
	plaintext := random(11 * mib)
	other := bytes.Clone(plaintext)
	for _, i := range []int{0, 5*mib - 1, 5 * mib, 7 * mib, 10 * mib, 11*mib - 1} {
		other[i] ^= 1
	}
	denied := errors.New("denied")
	f := newFakeBucket()
	failing := true
	f.fail = func(op, _ string, _ int) error {
		if op == "UploadPart" && failing {
			return denied
		}
		return nil
	}
	u, err := newWriter(t, f, s3crypto.Options{}).CreateUpload(t.Context(), createInput(), nil)
	require.NoError(t, err)
	require.ErrorIs(t, u.Part(t.Context(), 1, partOf(plaintext, 1)), denied)
	require.ErrorIs(t, u.Part(t.Context(), 1, partOf(other, 1)), s3crypto.ErrBodyChanged, "it might have been sent")
	require.ErrorIs(t, u.Part(t.Context(), 2, partOf(plaintext, 2)), denied)
	_, err = u.Complete(t.Context(), nil)
	require.ErrorIs(t, err, s3crypto.ErrPart)
	require.ErrorContains(t, err, "begun and not sent")
	failing = false
	for number := int32(1); number <= 3; number++ {
		require.NoError(t, u.Part(t.Context(), number, partOf(plaintext, number)))
		require.ErrorIs(t, u.Part(t.Context(), number, partOf(other, number)), s3crypto.ErrBodyChanged)
	}
	n := f.count("UploadPart")
	require.NoError(t, u.Part(t.Context(), 2, partOf(plaintext, 2)))
	require.Equal(t, n, f.count("UploadPart"), "S3 has it")
	require.ErrorIs(t, u.Send(t.Context(), bytes.NewReader(plaintext[:10*mib])), s3crypto.ErrBodyChanged)
	require.ErrorIs(t, u.Send(t.Context(), bytes.NewReader(other)), s3crypto.ErrBodyChanged)
	require.NoError(t, u.Send(t.Context(), bytes.NewReader(plaintext)))
	require.Equal(t, n, f.count("UploadPart"))

	failing = true
	_, err = u.Complete(t.Context(), nil)
	require.ErrorIs(t, err, denied)
	failing = false
	require.ErrorIs(t, u.Part(t.Context(), 4, partOf(plaintext, 1)), s3crypto.ErrPart)
	_, err = u.Complete(t.Context(), nil)
	require.NoError(t, err)
	requireWritten(t, f, "k", plaintext)
}

// TestNoPartAfterTag has the tag's own part fail, after which it may have been seen.
func TestNoPartAfterTag(t *testing.T) {
	t.Parallel()
	f := newFakeBucket()
	states := &savedStates{}
	c := newWriter(t, f, s3crypto.Options{})
	u, err := c.CreateUpload(t.Context(), createInput(), states.options())
	require.NoError(t, err)
	plaintext := random(10 * mib)
	require.NoError(t, u.Send(t.Context(), bytes.NewReader(plaintext)))
	f.fail = func(op, _ string, _ int) error {
		if op == "UploadPart" {
			return errUnread
		}
		return nil
	}
	_, err = u.Complete(t.Context(), nil)
	require.ErrorIs(t, err, errUnread)
	f.fail = nil
	resumed, err := c.ResumeUpload(t.Context(), createInput(), states.last, nil)
	require.NoError(t, err)
	for _, u := range []*s3crypto.Upload{u, resumed} {
		require.ErrorIs(t, u.Part(t.Context(), 3, bytes.NewReader(plaintext[:5*mib])), s3crypto.ErrPart)
		require.ErrorIs(t, u.Part(t.Context(), 3, bytes.NewReader(plaintext[:5])), s3crypto.ErrPart)
		require.ErrorIs(t, u.Send(t.Context(), io.MultiReader(bytes.NewReader(plaintext), bytes.NewReader(plaintext[:1]))), s3crypto.ErrPart)
	}
	_, err = resumed.Complete(t.Context(), nil)
	require.NoError(t, err)
	requireWritten(t, f, "k", plaintext)
}

// TestPartChangesWhileSent has a part's body change between the SDK's passes.
func TestPartChangesWhileSent(t *testing.T) {
	t.Parallel()
	for at := range 5 {
		for ends := 2; ends <= 3; ends++ {
			plaintext := random(5 * mib)
			f := newFakeBucket()
			u, err := newWriter(t, f, s3crypto.Options{}).CreateUpload(t.Context(), createInput(), nil)
			require.NoError(t, err)
			err = u.Part(t.Context(), 1, &fickle{bytes.NewReader(plaintext), ends, func() *bytes.Reader {
				other := bytes.Clone(plaintext)
				other[at*mib+mib/2] ^= 1
				return bytes.NewReader(other)
			}})
			require.ErrorIs(t, err, s3crypto.ErrBodyChanged)
			require.Empty(t, f.leaks)
			require.NoError(t, u.Part(t.Context(), 1, bytes.NewReader(plaintext)), "as it was")
			_, err = u.Complete(t.Context(), nil)
			require.NoError(t, err)
			requireWritten(t, f, "k", plaintext)
		}
	}
}

// TestLostCompletion has S3 complete an upload whose answer gets lost, so that it knows
// nothing of it when it is asked again.
func TestLostCompletion(t *testing.T) {
	t.Parallel()
	for name, in := range map[string]*s3.CompleteMultipartUploadInput{
		"plain": nil, "conditional": {IfNoneMatch: aws.String("*")},
	} {
		f := newFakeBucket()
		f.lose = func(op, _ string, n int) error {
			if op == "CompleteMultipartUpload" && n == 0 {
				return errTransient
			}
			return nil
		}
		u, err := newWriter(t, f, s3crypto.Options{}).CreateUpload(t.Context(), createInput(), nil)
		require.NoError(t, err)
		require.NoError(t, u.Send(t.Context(), bytes.NewReader(random(100))))
		out, err := u.Complete(t.Context(), in)
		require.NoError(t, err, name)
		require.Equal(t, f.current("k").etag, *out.ETag)
		require.Equal(t, "k", *out.Key)

		// Another object that is there is not taken for it.
		u, err = newWriter(t, f, s3crypto.Options{}).CreateUpload(t.Context(), createInput(), nil)
		require.NoError(t, err)
		require.NoError(t, u.Send(t.Context(), bytes.NewReader(random(100))))
		clear(f.uploads)
		_, err = u.Complete(t.Context(), in)
		require.ErrorContains(t, err, "NoSuchUpload", name)
	}
}

func TestAbort(t *testing.T) {
	t.Parallel()
	f := newFakeBucket()
	c := newWriter(t, f, s3crypto.Options{})
	u, err := c.CreateUpload(t.Context(), createInput(), nil)
	require.NoError(t, err)
	require.NoError(t, u.Part(t.Context(), 1, bytes.NewReader(random(5*mib))))
	require.Len(t, f.uploads, 1)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.NoError(t, u.Abort(ctx))
	require.Empty(t, f.uploads)
	require.NoError(t, u.Abort(t.Context()), "twice")
	require.ErrorIs(t, u.Part(t.Context(), 2, bytes.NewReader(random(5*mib))), s3crypto.ErrPart)
	require.ErrorIs(t, u.Part(t.Context(), 1, bytes.NewReader(random(5*mib))), s3crypto.ErrPart)
	_, err = u.Complete(t.Context(), nil)
	require.ErrorIs(t, err, s3crypto.ErrPart)

	// An S3 that never forgets is told on.
	u, err = c.CreateUpload(t.Context(), createInput(), nil)
	require.NoError(t, err)
	f.fail = func(op, _ string, _ int) error {
		if op == "AbortMultipartUpload" {
			return apiError("NoSuchUpload")
		}
		return nil
	}
	require.ErrorContains(t, u.Abort(t.Context()), "still has the upload")
}

func TestUploadPrintsNothing(t *testing.T) {
	t.Parallel()
	u, err := newWriter(t, newFakeBucket(), s3crypto.Options{}).CreateUpload(t.Context(), createInput(), nil)
	require.NoError(t, err)
	require.Equal(t, fmt.Sprintf("s3crypto.Upload{%q}", u.ID()), fmt.Sprintf("%+v", u))
}

// TestSendManyWays runs uploads with faults at random places.
func TestSendManyWays(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(seed, 1))
			var mu sync.Mutex
			plaintext := random(r.IntN(30 * mib))
			f := newFakeBucket()
			f.fail = func(_, _ string, n int) error {
				mu.Lock()
				defer mu.Unlock()
				if n < 2 && r.IntN(3) == 0 {
					return errTransient
				}
				return nil
			}
			f.lose = func(op, _ string, n int) error {
				if n < 2 && op == "UploadPart" {
					return f.fail(op, "", n)
				}
				return nil
			}
			u, err := newWriter(t, f, s3crypto.Options{Concurrency: 1 + r.IntN(5)}).CreateUpload(t.Context(), createInput(), nil)
			require.NoError(t, err)
			for err = u.Send(t.Context(), bytes.NewReader(plaintext)); err != nil; err = u.Send(t.Context(), bytes.NewReader(plaintext)) {
				require.ErrorIs(t, err, errTransient)
			}
			for _, err = u.Complete(t.Context(), nil); err != nil; _, err = u.Complete(t.Context(), nil) {
				require.ErrorIs(t, err, errTransient)
			}
			requireWritten(t, f, "k", plaintext)
		})
	}
}

// S3 takes the parts' checksums back if the upload was created with an algorithm, and says
// that there are no such parts if it was not.
func TestUploadChecksums(t *testing.T) {
	t.Parallel()
	plaintext := random(11 * mib)
	for _, algorithm := range []types.ChecksumAlgorithm{"", types.ChecksumAlgorithmCrc32} {
		f := newFakeBucket()
		c := newWriter(t, f, s3crypto.Options{})
		in := createInput()
		in.ChecksumAlgorithm = algorithm
		u, err := c.CreateUpload(t.Context(), in, nil)
		require.NoError(t, err)
		require.NoError(t, u.Part(t.Context(), 2, partOf(plaintext, 2)))
		state, err := u.State()
		require.NoError(t, err)
		u, err = c.ResumeUpload(t.Context(), createInput(), state, nil) // S3 knows the algorithm
		require.NoError(t, err)
		require.NoError(t, u.Send(t.Context(), bytes.NewReader(plaintext)))
		_, err = u.Complete(t.Context(), nil)
		require.NoError(t, err)
		requireWritten(t, f, "k", plaintext)

		f = newFakeBucket()
		_, err = newWriter(t, f, s3crypto.Options{MultipartAbove: 1}).Put(t.Context(), &s3.PutObjectInput{
			Bucket: aws.String("b"), Key: aws.String("k"), Body: bytes.NewReader(plaintext), ChecksumAlgorithm: algorithm,
		}, nil)
		require.NoError(t, err)
		requireWritten(t, f, "k", plaintext)
	}
}
