package integration

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/local"
	"github.com/sealring/sealring/s3crypto"
)

// A copy with new metadata keeps what the object had, and the instruction file is all that
// is written if there is one.
func requireRewrap(t *testing.T, s *s3Server) {
	t.Helper()
	wraps := newS3Wraps(t)
	for i, row := range pairs(len(wraps), len(wraps), len(s3Formats), len(s3Places)) {
		from, to := wraps[row[0]], wraps[row[1]]
		o := &s3Object{
			server: s, wrap: from, policy: s3Formats[row[2]], put: s3Places[row[3]],
			key: fmt.Sprintf("rewrap/%d ä+b%%20?c", i), content: s3Bytes(1000),
		}
		t.Run(fmt.Sprintf("%s to %s, %v, place %d", from.name, to.name, o.policy, row[3]), func(t *testing.T) {
			in := o.putInput()
			in.Body, in.Tagging = bytes.NewReader(o.content), aws.String("team=a&class=b")
			in.CacheControl, in.ContentDisposition, in.ContentLanguage = aws.String("no-store"), aws.String("inline"), aws.String("de")
			in.Expires = aws.Time(time.Date(2040, 1, 2, 3, 4, 5, 0, time.UTC))
			_, err := o.client(t).Put(t.Context(), in, o.putOptions())
			require.NoError(t, err)
			before, err := s.client().HeadObject(t.Context(), o.headInput())
			require.NoError(t, err)

			options := &s3crypto.RewrapOptions{NewContext: to.context}
			options.Context, options.InstructionSuffix = from.context, o.put.InstructionSuffix
			rewrap := &s3crypto.RewrapInput{Bucket: s.bucket, Key: o.key}
			out, err := o.client(t).Rewrap(t.Context(), rewrap, to.wrapper, options)
			require.NoError(t, err)
			file, _ := o.fileKey()
			require.Equal(t, file, out.InstructionFile)
			o.wrap = to
			o.requireWhole(t)

			o.requireKept(t, before)
		})
	}
}

// requireKept requires that an object still has what it had before.
func (o *s3Object) requireKept(t *testing.T, before *s3.HeadObjectOutput) {
	t.Helper()
	after, err := o.server.client().HeadObject(t.Context(), o.headInput())
	require.NoError(t, err)
	same := [][2]*string{
		{before.ETag, after.ETag}, {before.ContentType, after.ContentType}, {before.ContentDisposition, after.ContentDisposition},
	}
	// gofakes3 never keeps these, and the SDK does not understand its answer about tags.
	if o.server.name != gofakes3Name {
		same = append(same, [][2]*string{
			{before.CacheControl, after.CacheControl}, {before.ContentLanguage, after.ContentLanguage},
			{before.ExpiresString, after.ExpiresString},
		}...)
		tags, err := o.server.client().GetObjectTagging(t.Context(), &s3.GetObjectTaggingInput{Bucket: &o.server.bucket, Key: &o.key})
		require.NoError(t, err)
		require.Len(t, tags.TagSet, 2)
	}
	for _, values := range same {
		require.NotEmpty(t, aws.ToString(values[0]))
		require.Equal(t, aws.ToString(values[0]), aws.ToString(values[1]))
	}
}

// replica is a bucket of objects of many kinds, which are to be read in another Region.
type replica struct {
	server    *s3Server
	home, far s3Wrap // KMS keys of two Regions
	objects   []*s3Object
	plain     []string
}

func newReplica(t *testing.T, s *s3Server) *replica {
	t.Helper()
	cloud, err := local.New(nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, cloud.Close()) })
	c := map[string]string{"tenant": "t"}
	r := &replica{
		server: s,
		home:   s3Wrap{"kms+context", newKMSWrapper(t, cloud, region), c, nil},
		far:    s3Wrap{"kms+context", newKMSWrapper(t, cloud, "us-west-2"), c, nil},
	}
	for i := range 10 {
		o := &s3Object{
			server: r.server, wrap: r.home, policy: s3Formats[i%2], put: s3Places[i/2%2],
			key: fmt.Sprintf("data/%d", i), content: s3Bytes(100 * i),
		}
		require.NoError(t, putSeekable(t.Context(), t, o, r.server.client()))
		r.objects = append(r.objects, o)
	}
	r.plain = []string{"data/55", "data/lone.instruction", "other"}
	for _, key := range r.plain {
		_, err := r.server.client().PutObject(t.Context(), &s3.PutObjectInput{
			Bucket: &r.server.bucket, Key: &key, Body: bytes.NewReader([]byte("plain")),
		})
		require.NoError(t, err)
	}
	return r
}

// requireReadable requires that all objects can be read with one key, and not with the other.
func (r *replica) requireReadable(t *testing.T, with, without s3Wrap) {
	t.Helper()
	for _, o := range r.objects {
		read := *o
		read.wrap = with
		content, err := getBuffered(t.Context(), t, &read, r.server.client())
		require.NoError(t, err, o.key)
		requireSame(t, o.content, content, o.key)
		read.wrap = without
		_, err = getBuffered(t.Context(), t, &read, r.server.client())
		require.Error(t, err, o.key)
	}
}

// A whole prefix changes from one Region's key to another's: first as a dry run, then in
// two runs, of which the first is interrupted.
func requireRewrapAll(t *testing.T, s *s3Server) {
	t.Helper()
	r := newReplica(t, s)
	c := r.objects[0].client(t)
	rewrapAll := func(ctx context.Context, after string, adjust func(o *s3crypto.RewrapAllOptions)) (*s3crypto.RewrapReport, error) {
		options := &s3crypto.RewrapAllOptions{}
		options.Context = r.home.context
		adjust(options)
		in := &s3crypto.RewrapAllInput{Bucket: r.server.bucket, Prefix: "data/", StartAfter: after}
		return c.RewrapAll(ctx, in, r.far.wrapper, options)
	}

	report, err := rewrapAll(t.Context(), "", func(o *s3crypto.RewrapAllOptions) { o.DryRun = true })
	require.NoError(t, err)
	require.Equal(t, &s3crypto.RewrapReport{Rewrapped: 10, Plain: 2, Checkpoint: "data/lone.instruction"}, report)
	r.requireReadable(t, r.home, r.far)

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var seen []string
	report, err = rewrapAll(ctx, "", func(o *s3crypto.RewrapAllOptions) {
		o.Progress = func(p s3crypto.RewrapProgress) {
			if seen = append(seen, p.Key); len(seen) == 4 {
				cancel()
			}
		}
	})
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, []string{"data/0", "data/1", "data/2", "data/3"}, seen)
	require.Equal(t, "data/3", report.Checkpoint)
	require.Equal(t, 4, report.Rewrapped)

	report, err = rewrapAll(t.Context(), report.Checkpoint, func(*s3crypto.RewrapAllOptions) {})
	require.NoError(t, err)
	require.Equal(t, 6, report.Rewrapped+report.Already) // some were under way when the first run ended
	require.Equal(t, 2, report.Plain)
	r.requireReadable(t, r.far, r.home)

	report, err = rewrapAll(t.Context(), "", func(*s3crypto.RewrapAllOptions) {})
	require.NoError(t, err)
	require.Equal(t, &s3crypto.RewrapReport{Already: 10, Plain: 2, Checkpoint: "data/lone.instruction"}, report)
}

// A listing tells encrypted objects from plain ones, and hides the instruction files.
func requireList(t *testing.T, s *s3Server) {
	t.Helper()
	r := newReplica(t, s)
	var want []string
	encrypted := map[string]*s3Object{}
	for _, o := range r.objects {
		want = append(want, o.key)
		encrypted[o.key] = o
	}
	want = append(want, r.plain...)
	slices.Sort(want)
	for _, page := range []int32{1, 3, 1000} {
		var got []string
		in := &s3.ListObjectsV2Input{Bucket: &r.server.bucket, MaxKeys: &page}
		for entry, err := range r.objects[0].client(t).List(t.Context(), in, &s3crypto.ListOptions{Inspect: true}) {
			require.NoError(t, err)
			require.NoError(t, entry.Err)
			got = append(got, *entry.Key)
			o := encrypted[*entry.Key]
			require.Equal(t, o != nil, entry.Encryption != nil, *entry.Key)
			if o != nil {
				require.EqualValues(t, len(o.content), entry.Encryption.Length)
				_, inFile := o.fileKey()
				require.Equal(t, inFile, entry.Encryption.InstructionFile)
				require.Equal(t, r.home.context, entry.Encryption.Description)
			}
		}
		require.Equal(t, want, got)
	}
}

// What is deleted takes its instruction file with it, and no other.
func requireDelete(t *testing.T, s *s3Server) {
	t.Helper()
	r := newReplica(t, s)
	c := r.objects[0].client(t)
	var ids []types.ObjectIdentifier
	for _, o := range r.objects {
		ids = append(ids, types.ObjectIdentifier{Key: &o.key})
	}
	_, err := c.Delete(t.Context(), &s3.DeleteObjectInput{Bucket: &r.server.bucket, Key: &r.objects[2].key}, nil)
	require.NoError(t, err)
	require.Empty(t, r.server.keysOf(t, r.objects[2].key))
	out, err := c.DeleteObjects(t.Context(), &s3.DeleteObjectsInput{Bucket: &r.server.bucket, Delete: &types.Delete{Objects: ids}}, nil)
	require.NoError(t, err)
	require.Len(t, out.Deleted, len(ids))
	require.Empty(t, out.Errors)
	require.ElementsMatch(t, r.plain, r.server.listKeys(t))
}
