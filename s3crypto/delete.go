package s3crypto

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
)

// DeleteOptions adjust a deletion. nil is the zero value.
type DeleteOptions struct {
	// InstructionSuffixes are those of all instruction files that are deleted with an
	// object: ".instruction" alone.
	InstructionSuffixes []string

	// S3 is passed with every call to S3.
	S3 []func(*s3.Options)
}

func (o *DeleteOptions) orZero() *DeleteOptions {
	next := DeleteOptions{}
	if o != nil {
		next = *o
	}
	if len(next.InstructionSuffixes) == 0 {
		next.InstructionSuffixes = []string{instructionSuffix}
	}
	next.S3 = slices.Clip(next.S3)
	return &next
}

// Delete deletes an object, encrypted or not, and then its instruction files; it is no
// error if there are none. in is passed on, and not changed. The conditions in it are the
// object's.
//
// One version of an object, if in.VersionId is set, is deleted alone: S3 does not tell
// which version of an instruction file goes with it, and the newest one may be another's.
//
// If the object was deleted and an instruction file was not, Delete returns the output
// and an error: the file that is left is of no use to anybody who has no copy of the
// object.
func (c *Client) Delete(ctx context.Context, in *s3.DeleteObjectInput, o *DeleteOptions) (*s3.DeleteObjectOutput, error) {
	o = o.orZero()
	ask := *in
	out, err := c.api.DeleteObject(ctx, &ask, o.S3...)
	if err != nil || in.VersionId != nil {
		return out, err
	}
	var failed []error
	for _, suffix := range o.InstructionSuffixes {
		name := aws.ToString(in.Key) + suffix
		_, err := c.api.DeleteObject(ctx, &s3.DeleteObjectInput{
			Bucket: in.Bucket, Key: &name, BypassGovernanceRetention: in.BypassGovernanceRetention,
			ExpectedBucketOwner: in.ExpectedBucketOwner, MFA: in.MFA, RequestPayer: in.RequestPayer,
		}, o.S3...)
		if err != nil && !isMissing(err) {
			failed = append(failed, fmt.Errorf("s3crypto: the object is deleted, but not its instruction file %q: %w", name, err))
		}
	}
	return out, errors.Join(failed...)
}

// maxDelete is how many objects S3 deletes in one call.
const maxDelete = 1000

// DeleteObjects deletes any number of objects, encrypted or not, and then the instruction
// files of those that were deleted, in calls of 1,000 each. It is no error if there are
// no such files. As for [Client.Delete], one version of an object is deleted alone.
//
// in is passed on, and not changed. The output has what S3 says of the objects, and of
// the instruction files only the errors, by their own keys. If a call fails, the error is
// the call's, and the output has what was done before. Nothing is deleted if XML cannot
// carry all keys: the SDK would name other objects in the place of some. Delete takes them.
func (c *Client) DeleteObjects(ctx context.Context, in *s3.DeleteObjectsInput, o *DeleteOptions) (*s3.DeleteObjectsOutput, error) {
	o = o.orZero()
	if in.Delete == nil {
		return nil, errors.New("s3crypto: DeleteObjects without a list of objects")
	}
	for _, object := range in.Delete.Objects {
		if key := aws.ToString(object.Key); !isXML(key) {
			return nil, fmt.Errorf("s3crypto: DeleteObjects cannot name %q, Delete can", key)
		}
	}
	out := &s3.DeleteObjectsOutput{}
	for batch := range slices.Chunk(in.Delete.Objects, maxDelete) {
		before := len(out.Errors)
		if err := c.deleteBatch(ctx, in, batch, in.Delete.Quiet, o, out); err != nil {
			return out, err
		}
		files := &s3.DeleteObjectsOutput{}
		for named := range slices.Chunk(filesOf(batch, out.Errors[before:], o), maxDelete) {
			if err := c.deleteBatch(ctx, in, named, aws.Bool(true), o, files); err != nil {
				return out, fmt.Errorf("s3crypto: objects are deleted, but not their instruction files: %w", err)
			}
		}
		out.Errors = append(out.Errors, slices.DeleteFunc(files.Errors, func(e types.Error) bool {
			return isMissing(&smithy.GenericAPIError{Code: aws.ToString(e.Code)})
		})...)
	}
	return out, nil
}

// isXML reports whether XML can carry s (XML 1.0, section 2.2). The SDK puts U+FFFD for what
// it cannot.
func isXML(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool {
		return r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0xfffe || r == 0xffff
	})
}

// filesOf names the instruction files of objects that were deleted, but for those that S3
// has refused to delete.
func filesOf(objects []types.ObjectIdentifier, refused []types.Error, o *DeleteOptions) (files []types.ObjectIdentifier) {
	kept := make(map[string]bool)
	for _, e := range refused {
		if aws.ToString(e.VersionId) == "" {
			kept[aws.ToString(e.Key)] = true
		}
	}
	for _, object := range objects {
		if object.VersionId != nil || kept[aws.ToString(object.Key)] {
			continue
		}
		for _, suffix := range o.InstructionSuffixes {
			files = append(files, types.ObjectIdentifier{Key: aws.String(aws.ToString(object.Key) + suffix)})
		}
	}
	return files
}

// deleteBatch deletes objects with one call, and adds what S3 says to out.
func (c *Client) deleteBatch(ctx context.Context, in *s3.DeleteObjectsInput, objects []types.ObjectIdentifier, quiet *bool, o *DeleteOptions, out *s3.DeleteObjectsOutput) error {
	ask := *in
	ask.Delete = &types.Delete{Objects: objects, Quiet: quiet}
	answer, err := c.api.DeleteObjects(ctx, &ask, o.S3...)
	if err != nil {
		return err
	}
	out.Deleted = append(out.Deleted, answer.Deleted...)
	out.Errors = append(out.Errors, answer.Errors...)
	out.RequestCharged, out.ResultMetadata = answer.RequestCharged, answer.ResultMetadata
	return nil
}
