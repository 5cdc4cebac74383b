package s3crypto_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/s3crypto"
)

// listed returns the keys that List lists, and how many calls it took.
func listed(t *testing.T, c *s3crypto.Client, in *s3.ListObjectsV2Input, o *s3crypto.ListOptions) (entries []s3crypto.ListEntry, keys []string) {
	for entry, err := range c.List(t.Context(), in, o) {
		require.NoError(t, err)
		entries = append(entries, entry)
		keys = append(keys, aws.ToString(entry.Key))
	}
	return entries, keys
}

func TestList(t *testing.T) {
	t.Parallel()
	s := newShelf()
	c := lenientClient(t, s, nil)
	sealedAs("V3 with file", numbered(10)).store(s, "a")
	for _, between := range []string{"a b", "a#c", "a-d", "a-d.instruction", "a-d.instruction.instruction"} { // all before a.instruction
		s.put(between, []byte("plain"), nil)
	}
	sealedAs("V2", numbered(20)).store(s, "b")
	s.put("b/c.instruction", nil, nil)
	s.put("broken", []byte("broken"), map[string]string{"x-amz-3": "?"})
	s.put(".instruction", nil, nil)
	s.put("z.instruction", nil, nil)

	all := []string{".instruction", "a", "a b", "a#c", "a-d", "b", "b/c.instruction", "broken", "z.instruction"}
	_, keys := listed(t, c, &s3.ListObjectsV2Input{}, nil)
	require.Equal(t, all, keys, "what no object exists for is shown")
	_, keys = listed(t, c, &s3.ListObjectsV2Input{}, &s3crypto.ListOptions{ShowInstructionFiles: true})
	require.Equal(t, s.keys(), keys)
	_, keys = listed(t, c, &s3.ListObjectsV2Input{StartAfter: aws.String("a")}, nil)
	require.Equal(t, all[2:], keys)
	_, keys = listed(t, c, &s3.ListObjectsV2Input{Prefix: aws.String("a.")}, nil)
	require.Empty(t, keys)

	s.called()
	entries, _ := listed(t, c, &s3.ListObjectsV2Input{}, &s3crypto.ListOptions{Inspect: true})
	for i, want := range []string{"", "V3", "", "", "", "V2", "", "", ""} {
		if entries[i].Encryption == nil {
			require.Empty(t, want, all[i])
			continue
		}
		require.Equal(t, want, entries[i].Encryption.Format)
	}
	require.EqualValues(t, 10, entries[1].Encryption.Length)
	require.ErrorIs(t, entries[7].Err, s3crypto.ErrMetadata)
	for i, entry := range entries {
		require.Equal(t, i == 7 || i == 4, entry.Err != nil, all[i]) // a-d's instruction file is none
	}

	// One that was deleted meanwhile is left out.
	s.before = func(call, key string) error {
		if call == "HEAD" && key == "b" {
			return &types.NotFound{}
		}
		return nil
	}
	_, keys = listed(t, c, &s3.ListObjectsV2Input{}, &s3crypto.ListOptions{Inspect: true})
	require.NotContains(t, keys, "b")
	require.Len(t, keys, len(all)-1)
}

func TestListFaults(t *testing.T) {
	t.Parallel()
	s := newShelf()
	c := lenientClient(t, s, func(o *s3crypto.Options) { o.Concurrency = 2 })
	for i := range 7 {
		s.put(fmt.Sprint("key", i), nil, nil)
	}
	var now, most atomic.Int64
	s.before = func(call, key string) error {
		if call == "HEAD" {
			most.Store(max(most.Load(), now.Add(1)))
			time.Sleep(time.Millisecond)
			now.Add(-1)
		}
		if call == "LIST" && key == "key5" {
			return refusal("AccessDenied")
		}
		return nil
	}
	n := 0
	var last error
	for _, err := range c.List(t.Context(), &s3.ListObjectsV2Input{}, &s3crypto.ListOptions{Inspect: true}) {
		if last = err; err == nil {
			n++
		}
	}
	require.Equal(t, refusal("AccessDenied"), last)
	require.Equal(t, 6, n)
	require.LessOrEqual(t, most.Load(), int64(2))

	for _, err := range c.List(t.Context(), &s3.ListObjectsV2Input{EncodingType: types.EncodingTypeUrl}, nil) {
		require.ErrorContains(t, err, "EncodingType")
	}
	for range c.List(t.Context(), &s3.ListObjectsV2Input{}, nil) {
		break
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, err := range c.List(ctx, &s3.ListObjectsV2Input{}, nil) {
		require.ErrorIs(t, err, context.Canceled)
	}
}

// TestListOfWhatCannotBeLookedUp has S3 refuse to say whether a file's object exists, as it
// does without the right to read it, and for objects under a customer's key.
func TestListOfWhatCannotBeLookedUp(t *testing.T) {
	t.Parallel()
	s := newShelf()
	c := lenientClient(t, s, nil)
	for _, key := range []string{"a", "b.instruction", "c"} {
		s.put(key, nil, nil)
	}
	s.before = func(call, key string) error {
		if call == "HEAD" && key == "b" {
			return refusal("AccessDenied")
		}
		return nil
	}
	for _, o := range []*s3crypto.ListOptions{nil, {Inspect: true}} {
		entries, keys := listed(t, c, &s3.ListObjectsV2Input{}, o)
		require.Equal(t, []string{"a", "b.instruction", "c"}, keys)
		require.NoError(t, entries[0].Err)
		require.ErrorContains(t, entries[1].Err, "AccessDenied")
		require.NoError(t, entries[2].Err)
	}
}

func TestListPrefixes(t *testing.T) {
	t.Parallel()
	s := newShelf()
	for _, key := range []string{"a/1", "a/2", "b", "b.instruction", "c/1"} {
		s.put(key, nil, nil)
	}
	c := lenientClient(t, s, nil)
	entries, keys := listed(t, c, &s3.ListObjectsV2Input{Delimiter: aws.String("/")}, &s3crypto.ListOptions{Inspect: true})
	require.Equal(t, []string{"b", "", ""}, keys)
	require.Equal(t, "a/", entries[1].Prefix)
	require.Equal(t, "c/", entries[2].Prefix)

	s.noToken = true
	var last error
	for _, err := range c.List(t.Context(), &s3.ListObjectsV2Input{}, nil) {
		last = err
	}
	require.ErrorIs(t, last, s3crypto.ErrResponse, "it does not end as if that were all")
}

// TestListEncodedKeys lists keys that XML cannot carry, or that look encoded, from a server
// that encodes them and from one that does not.
func TestListEncodedKeys(t *testing.T) {
	t.Parallel()
	odd := []string{"a\x01b", "a b", "a%01b", "a+b", "ä/\x7f", "ä/é"}
	for _, unencoded := range []bool{false, true} {
		s := newShelf()
		s.unencoded = unencoded
		for _, key := range odd {
			sealedAs("V3 with file", numbered(10)).store(s, key)
		}
		c := lenientClient(t, s, nil)
		entries, keys := listed(t, c, &s3.ListObjectsV2Input{}, &s3crypto.ListOptions{Inspect: true})
		require.Equal(t, odd, keys)
		for _, entry := range entries {
			require.EqualValues(t, 10, entry.Encryption.Length)
		}
		in := &s3.ListObjectsV2Input{Delimiter: aws.String("/")}
		entries, _ = listed(t, c, in, nil)
		require.Equal(t, "ä/", entries[len(entries)-1].Prefix)
		require.Empty(t, in.EncodingType)

		report, err := c.RewrapAll(t.Context(), &s3crypto.RewrapAllInput{Bucket: "bucket", Prefix: "a"}, otherAES(t), nil)
		require.NoError(t, err)
		require.Equal(t, &s3crypto.RewrapReport{Rewrapped: 4, Checkpoint: "a+b"}, report)
	}
}

func TestListRefusesEncoding(t *testing.T) {
	t.Parallel()
	for _, page := range []s3.ListObjectsV2Output{
		{Contents: []types.Object{{Key: aws.String("a%zz")}}},
		{CommonPrefixes: []types.CommonPrefix{{Prefix: aws.String("%")}}},
	} {
		page.EncodingType = types.EncodingTypeUrl
		for _, err := range lenientClient(t, onePage{page: &page}, nil).List(t.Context(), &s3.ListObjectsV2Input{}, nil) {
			require.ErrorIs(t, err, s3crypto.ErrResponse)
		}
	}
}

// onePage is a server that lists one page.
type onePage struct {
	s3crypto.API // nil
	page         *s3.ListObjectsV2Output
}

func (o onePage) ListObjectsV2(context.Context, *s3.ListObjectsV2Input, ...func(*s3.Options)) (*s3.ListObjectsV2Output, error) {
	return o.page, nil
}

// TestSDKListsEncodedKeys lists with the SDK, whose XML decoder refuses what it does not know.
func TestSDKListsEncodedKeys(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		key, encoding := "a&#x1;b+c", ""
		if r.URL.Query().Get("encoding-type") == "url" {
			key, encoding = "a%01b%2Bc", "<EncodingType>url</EncodingType>"
		}
		fmt.Fprintf(w, "<ListBucketResult>%s<Contents><Key>%s</Key></Contents></ListBucketResult>", encoding, key)
	}))
	t.Cleanup(server.Close)
	api := sdkClient(server.URL)
	_, err := api.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String("bucket")})
	require.Error(t, err, "what List gets by with")
	_, keys := listed(t, lenientClient(t, api, nil), &s3.ListObjectsV2Input{Bucket: aws.String("bucket")}, nil)
	require.Equal(t, []string{"a\x01b+c"}, keys)
}
