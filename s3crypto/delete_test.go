package s3crypto_test

import (
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/s3crypto"
)

func TestDelete(t *testing.T) {
	t.Parallel()
	s := newShelf()
	c := lenientClient(t, s, nil)
	stock := func() {
		for _, key := range []string{"a", "b", "c"} {
			sealedAs("V3 with file", nil).store(s, key)
			s.put(key+".partner", nil, nil)
		}
		s.put("plain", nil, nil)
		s.called()
	}
	stock()
	in := &s3.DeleteObjectInput{Bucket: aws.String("bucket"), Key: aws.String("a"), IfMatch: aws.String("etag")}
	before := *in
	_, err := c.Delete(t.Context(), in, nil)
	require.NoError(t, err)
	require.Equal(t, before, *in)
	require.Equal(t, []string{"DELETE a", "DELETE a.instruction"}, s.called())
	require.NotContains(t, s.keys(), "a.instruction")
	require.Contains(t, s.keys(), "a.partner")

	_, err = c.Delete(t.Context(), &s3.DeleteObjectInput{Key: aws.String("b")}, &s3crypto.DeleteOptions{InstructionSuffixes: []string{".instruction", ".partner"}})
	require.NoError(t, err)
	require.Equal(t, []string{"DELETE b", "DELETE b.instruction", "DELETE b.partner"}, s.called())

	_, err = c.Delete(t.Context(), &s3.DeleteObjectInput{Key: aws.String("plain")}, nil)
	require.NoError(t, err, "no instruction file")
	s.called()

	out, err := c.Delete(t.Context(), &s3.DeleteObjectInput{Key: aws.String("c"), VersionId: aws.String("v1")}, nil)
	require.NoError(t, err)
	require.Equal(t, "v1", *out.VersionId)
	require.Equal(t, []string{"DELETE c"}, s.called())
	require.Contains(t, s.keys(), "c.instruction")

	// An object that is not deleted keeps its file.
	stock()
	s.before = func(call, key string) error { return refusal("AccessDenied") }
	_, err = c.Delete(t.Context(), &s3.DeleteObjectInput{Key: aws.String("a")}, nil)
	require.Equal(t, refusal("AccessDenied"), err)
	require.Equal(t, []string{"DELETE a"}, s.called())
	s.before = func(call, key string) error {
		if key == "a.instruction" {
			return refusal("AccessDenied")
		}
		return nil
	}
	out, err = c.Delete(t.Context(), &s3.DeleteObjectInput{Key: aws.String("a")}, nil)
	require.ErrorContains(t, err, `"a.instruction"`)
	require.NotNil(t, out)
}

func TestDeleteObjects(t *testing.T) {
	t.Parallel()
	s := newShelf()
	c := lenientClient(t, s, nil)
	var objects []types.ObjectIdentifier
	const n = 2100
	for i := range n {
		key := fmt.Sprint("key", i)
		s.put(key, nil, nil)
		if i%2 == 0 {
			s.put(key+".instruction", nil, nil)
		}
		objects = append(objects, types.ObjectIdentifier{Key: &key})
	}
	s.put("old", nil, nil)
	s.put("old.instruction", nil, nil)
	objects = append(objects, types.ObjectIdentifier{Key: aws.String("old"), VersionId: aws.String("v1")})
	s.before = func(call, key string) error {
		if call == "DELETE one" && (key == "key4" || key == "key6.instruction") {
			return refusal("AccessDenied")
		}
		return nil
	}
	in := &s3.DeleteObjectsInput{Bucket: aws.String("bucket"), Delete: &types.Delete{Objects: objects}}
	out, err := c.DeleteObjects(t.Context(), in, nil)
	require.NoError(t, err)
	require.Len(t, out.Deleted, n)
	require.Len(t, out.Errors, 2)
	require.Equal(t, "key4", *out.Errors[0].Key)
	require.Equal(t, "key6.instruction", *out.Errors[1].Key)
	require.Equal(t, []string{"key4", "key4.instruction", "key6.instruction", "old.instruction"}, s.keys())
	require.Equal(t, []string{"DELETE 1000", "DELETE 999", "DELETE 1000", "DELETE 1000", "DELETE 101", "DELETE 100"}, s.called())

	in.Delete = &types.Delete{Objects: objects[:1], Quiet: aws.Bool(true)}
	s.put("key0", nil, nil)
	out, err = c.DeleteObjects(t.Context(), in, nil)
	require.NoError(t, err)
	require.Empty(t, out.Deleted)

	calls := 0
	s.before = func(call, key string) error {
		if calls++; call == "DELETE" && calls > 1 {
			return refusal("SlowDown")
		}
		return nil
	}
	for i := range 1500 {
		s.put(fmt.Sprint("key", i), nil, nil)
	}
	in.Delete = &types.Delete{Objects: objects[:1500]}
	out, err = c.DeleteObjects(t.Context(), in, nil)
	require.ErrorContains(t, err, "instruction files")
	require.Len(t, out.Deleted, 1000, "what was done is said")
	_, err = c.DeleteObjects(t.Context(), &s3.DeleteObjectsInput{}, nil)
	require.Error(t, err)
}

// TestDeleteObjectsNamesNoOthers has keys that the SDK's XML encoder would alter.
func TestDeleteObjectsNamesNoOthers(t *testing.T) {
	t.Parallel()
	s := newShelf()
	c := lenientClient(t, s, nil)
	in := func(keys ...string) *s3.DeleteObjectsInput {
		list := &types.Delete{}
		for _, key := range keys {
			list.Objects = append(list.Objects, types.ObjectIdentifier{Key: &key})
		}
		return &s3.DeleteObjectsInput{Delete: list}
	}
	for _, key := range []string{"a\x01b", "\x1f", "a\xff", "\ufffe", "\uffff"} {
		_, err := c.DeleteObjects(t.Context(), in("plain", key), nil)
		require.ErrorContains(t, err, fmt.Sprintf("%q", key))
	}
	require.Empty(t, s.called())
	_, err := c.DeleteObjects(t.Context(), in("\t\n\r \x7f\u0085\ufffd\U0010ffff"), nil)
	require.NoError(t, err)
}
