package s3crypto_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/s3crypto"
)

// prefixOf stores a bucket with something of everything. Eight of its objects can be
// rewrapped.
func prefixOf(s *shelf) {
	for i := range 4 {
		sealedAs("V3", numbered(i)).store(s, fmt.Sprint("in/a", i))
		sealedAs("V2 with file", numbered(i)).store(s, fmt.Sprint("in/b", i))
	}
	s.put("in/c plain", []byte("plain"), nil)
	sealedAs("V1", nil).store(s, "in/d old")
	s.put("in/e broken", nil, map[string]string{"x-amz-3": "?"})
	sealedAs("V3", nil).store(s, "out")
}

func TestRewrapAll(t *testing.T) {
	t.Parallel()
	s := newShelf()
	prefixOf(s)
	c := lenientClient(t, s, func(o *s3crypto.Options) { o.Concurrency = 3 })
	all := &s3crypto.RewrapAllInput{Bucket: "bucket", Prefix: "in/"}
	before := s.keys()

	var seen []string
	o := &s3crypto.RewrapAllOptions{RewrapOptions: s3crypto.RewrapOptions{DryRun: true}, Progress: func(p s3crypto.RewrapProgress) {
		require.Equal(t, p.Err == nil, p.Output != nil)
		seen = append(seen, p.Key)
	}}
	report, err := c.RewrapAll(t.Context(), all, otherAES(t), o)
	require.ErrorContains(t, err, `2 objects were not rewrapped, of which the first is "in/d old"`)
	require.ErrorIs(t, err, s3crypto.ErrLegacy)
	require.Equal(t, 8, report.Rewrapped)
	require.Equal(t, 1, report.Plain)
	require.Len(t, report.Failed, 2)
	require.Equal(t, "in/e broken", report.Failed[1].Key)
	require.ErrorIs(t, report.Failed[1].Err, s3crypto.ErrMetadata)
	require.Equal(t, "in/e broken", report.Checkpoint)
	require.Equal(t, []string{"in/a0", "in/a1", "in/a2", "in/a3", "in/b0", "in/b1", "in/b2", "in/b3", "in/c plain", "in/d old", "in/e broken"}, seen)
	require.Equal(t, before, s.keys())
	require.NotContains(t, fmt.Sprint(s.called()), "PUT")

	o.DryRun = false
	wet, err := c.RewrapAll(t.Context(), all, otherAES(t), o)
	require.Error(t, err)
	require.Equal(t, report.Rewrapped, wet.Rewrapped)
	delete(s.things, "in/d old")
	delete(s.things, "in/e broken")
	again, err := c.RewrapAll(t.Context(), all, otherAES(t), o)
	require.NoError(t, err)
	require.Equal(t, &s3crypto.RewrapReport{Already: 8, Plain: 1, Checkpoint: "in/c plain"}, again)
	all.StartAfter = "in/b2"
	again, err = c.RewrapAll(t.Context(), all, otherAES(t), nil)
	require.NoError(t, err)
	require.Equal(t, &s3crypto.RewrapReport{Already: 1, Plain: 1, Checkpoint: "in/c plain"}, again)

	got, err := clientOf(t, s, otherAES(t)).Get(t.Context(), getInput("in/b3"), nil)
	require.NoError(t, err)
	require.EqualValues(t, 3, *got.ContentLength)
	_, err = c.Get(t.Context(), getInput("out"), nil)
	require.NoError(t, err)

	_, err = c.RewrapAll(t.Context(), all, nil, nil)
	require.ErrorContains(t, err, "wrapper")
}

// TestRewrapAllStops has the listing fail, and the caller give up: the report says where
// to go on, and what goes on from there does the rest.
func TestRewrapAllStops(t *testing.T) {
	t.Parallel()
	for name, stop := range map[string]func(cancel func()) error{
		"listing": func(func()) error { return refusal("AccessDenied") },
		"context": func(cancel func()) error { cancel(); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newShelf()
			for i := range 10 {
				sealedAs("V3", numbered(i)).store(s, fmt.Sprint("key", i))
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			s.before = func(call, key string) error {
				if call == "LIST" && key == "key5" {
					return stop(cancel)
				}
				return nil
			}
			c := lenientClient(t, s, func(o *s3crypto.Options) { o.Concurrency = 1 })
			first, err := c.RewrapAll(ctx, &s3crypto.RewrapAllInput{Bucket: "bucket"}, otherAES(t), nil)
			require.Error(t, err)
			require.Empty(t, first.Failed)
			s.before = nil
			rest, err := c.RewrapAll(t.Context(), &s3crypto.RewrapAllInput{Bucket: "bucket", StartAfter: first.Checkpoint}, otherAES(t), nil)
			require.NoError(t, err)
			require.Equal(t, 10, first.Rewrapped+rest.Rewrapped+rest.Already)
			if name == "listing" {
				require.Equal(t, "key5", first.Checkpoint)
				require.Equal(t, 6, first.Rewrapped)
			}
		})
	}
}

// slowDown is how S3 answers with HTTP alone.
type slowDown struct{}

func (slowDown) Error() string       { return "http 503" }
func (slowDown) HTTPStatusCode() int { return 503 }

func TestRewrapAllIsThrottled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newShelf()
		prefixOf(s)
		delete(s.things, "in/d old")
		delete(s.things, "in/e broken")
		var mu sync.Mutex
		calls := make(map[string]int)
		s.before = func(call, key string) error {
			mu.Lock()
			defer mu.Unlock()
			switch calls[call+key]++; {
			case call == "LIST":
			case calls[call+key] == 1:
				return refusal("SlowDown")
			case calls[call+key] == 2 && call == "HEAD":
				return slowDown{}
			}
			return nil
		}
		frankfurt := newRegion(frankfurtARN)
		var encrypts atomic.Int64
		frankfurt.fail = func() error {
			if encrypts.Add(1) <= 3 {
				return refusal("ThrottlingException")
			}
			return nil
		}
		c := lenientClient(t, s, nil)
		start := time.Now()
		report, err := c.RewrapAll(t.Context(), &s3crypto.RewrapAllInput{Bucket: "bucket", Prefix: "in/"}, frankfurt.wrapper(t), nil)
		require.NoError(t, err)
		require.Equal(t, 8, report.Rewrapped)
		require.Greater(t, time.Since(start), time.Second)

		// It has an end.
		s.before = func(call, key string) error {
			if call == "HEAD" && key == "in/a1" {
				return refusal("SlowDown")
			}
			return nil
		}
		c = clientOf(t, s, frankfurt.wrapper(t))
		report, err = c.RewrapAll(t.Context(), &s3crypto.RewrapAllInput{Bucket: "bucket", Prefix: "in/a"}, lenientAES(t), nil)
		require.ErrorContains(t, err, "SlowDown")
		require.Equal(t, []s3crypto.RewrapFailure{{"in/a1", refusal("SlowDown")}}, report.Failed)
		require.Equal(t, 3, report.Rewrapped)
	})
}

func TestRewrapAllOfWhatIsGone(t *testing.T) {
	t.Parallel()
	s := newShelf()
	sealedAs("V3", nil).store(s, "a")
	sealedAs("V3", nil).store(s, "b")
	s.before = func(call, key string) error {
		if call == "HEAD" && key == "a" {
			return &types.NotFound{}
		}
		return nil
	}
	report, err := lenientClient(t, s, nil).RewrapAll(t.Context(), &s3crypto.RewrapAllInput{Bucket: "bucket"}, otherAES(t), nil)
	require.NoError(t, err)
	require.Equal(t, &s3crypto.RewrapReport{Rewrapped: 1, Gone: 1, Checkpoint: "b"}, report)
}

// TestRewrapAllStopsWhileItWaits gives up an object that is throttled for good.
func TestRewrapAllStopsWhileItWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newShelf()
		sealedAs("V3", nil).store(s, "a")
		sealedAs("V3", nil).store(s, "b")
		s.before = func(call, key string) error {
			if call == "HEAD" && key == "b" {
				return refusal("SlowDown")
			}
			return nil
		}
		c := lenientClient(t, s, nil)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		report, err := c.RewrapAll(ctx, &s3crypto.RewrapAllInput{Bucket: "bucket"}, otherAES(t), nil)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, &s3crypto.RewrapReport{Rewrapped: 1, Checkpoint: "a"}, report)
	})
}
