package s3crypto_test

import (
	"context"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/stretchr/testify/require"
)

// refusing refuses to delete versions.
type refusing struct{ *shelf }

func (r refusing) DeleteObjects(ctx context.Context, in *s3.DeleteObjectsInput, o ...func(*s3.Options)) (*s3.DeleteObjectsOutput, error) {
	var refused []types.Error
	admitted := *in
	admitted.Delete = &types.Delete{Quiet: in.Delete.Quiet}
	for _, object := range in.Delete.Objects {
		if object.VersionId != nil {
			refused = append(refused, types.Error{Key: object.Key, VersionId: object.VersionId, Code: aws.String("AccessDenied")})
			continue
		}
		admitted.Delete.Objects = append(admitted.Delete.Objects, object)
	}
	out, err := r.shelf.DeleteObjects(ctx, &admitted, o...)
	if err == nil {
		out.Errors = append(out.Errors, refused...)
	}
	return out, err
}

// TestDeleteObjectsByVersion sees that a version which S3 refuses to delete says nothing of
// the object of that name that it has deleted.
func TestDeleteObjectsByVersion(t *testing.T) {
	t.Parallel()
	s := newShelf()
	s.put("k", nil, nil)
	s.put("k.instruction", nil, nil)
	in := &s3.DeleteObjectsInput{Bucket: aws.String("bucket"), Delete: &types.Delete{Objects: []types.ObjectIdentifier{
		{Key: aws.String("k"), VersionId: aws.String("old")}, {Key: aws.String("k")},
	}}}
	out, err := lenientClient(t, refusing{s}, nil).DeleteObjects(t.Context(), in, nil)
	require.NoError(t, err)
	require.Len(t, out.Errors, 1)
	require.Empty(t, s.keys())
}
