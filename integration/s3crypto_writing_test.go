package integration

import (
	"bytes"
	"context"
	"io"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/sealring/sealring/s3crypto"
)

// s3Writer is a way to write an object. The API is what the object goes through.
type s3Writer struct {
	name  string
	write func(ctx context.Context, t *testing.T, o *s3Object, api s3crypto.API) error
}

// s3Writers are all ways to write an object.
var s3Writers = []s3Writer{
	{name: "Put, seekable", write: putSeekable},
	{name: "Put, seekable, in parts", write: putSeekableInParts},
	{name: "Put, unseekable of known length", write: putKnown},
	{name: "Put, unseekable of unknown length", write: putUnknown},
	{name: "Upload, Send", write: uploadSend},
	{name: "Upload, Part out of order", write: uploadParts},
	{name: "Upload, resumed by another client", write: uploadResumed},
}

func putSeekable(ctx context.Context, t *testing.T, o *s3Object, api s3crypto.API) error {
	in := o.putInput()
	in.Body = bytes.NewReader(o.content)
	_, err := o.clientAt(t, api).Put(ctx, in, o.putOptions())
	return err
}

func putSeekableInParts(ctx context.Context, t *testing.T, o *s3Object, api s3crypto.API) error {
	in := o.putInput()
	in.Body = bytes.NewReader(o.content)
	_, err := o.clientAt(t, api, func(o *s3crypto.Options) { o.MultipartAbove = 1 }).Put(ctx, in, o.putOptions())
	return err
}

// onlyReader hides that a body can do more than be read.
type onlyReader struct{ io.Reader }

func putKnown(ctx context.Context, t *testing.T, o *s3Object, api s3crypto.API) error {
	in := o.putInput()
	in.Body, in.ContentLength = onlyReader{bytes.NewReader(o.content)}, aws.Int64(int64(len(o.content)))
	_, err := o.clientAt(t, api).Put(ctx, in, o.putOptions())
	return err
}

func putUnknown(ctx context.Context, t *testing.T, o *s3Object, api s3crypto.API) error {
	in := o.putInput()
	in.Body = onlyReader{bytes.NewReader(o.content)}
	_, err := o.clientAt(t, api).Put(ctx, in, o.putOptions())
	return err
}

// finishUpload completes an upload, or aborts it if err is not nil or it cannot be completed.
func finishUpload(ctx context.Context, u *s3crypto.Upload, err error) error {
	if err == nil {
		_, err = u.Complete(ctx, nil)
	}
	if err == nil {
		return nil
	}
	if abortErr := u.Abort(ctx); abortErr != nil {
		return abortErr
	}
	return err
}

func uploadSend(ctx context.Context, t *testing.T, o *s3Object, api s3crypto.API) error {
	u, err := o.clientAt(t, api).CreateUpload(ctx, o.createInput(), o.putOptions())
	if err != nil {
		return err
	}
	return finishUpload(ctx, u, u.Send(ctx, onlyReader{bytes.NewReader(o.content)}))
}

// uploadParts sends all parts at once, the last one first.
func uploadParts(ctx context.Context, t *testing.T, o *s3Object, api s3crypto.API) error {
	u, err := o.clientAt(t, api).CreateUpload(ctx, o.createInput(), o.putOptions())
	if err != nil {
		return err
	}
	parts := slices.Collect(slices.Chunk(o.content, s3PartSize))
	var group errgroup.Group
	for i, part := range slices.Backward(parts) {
		group.Go(func() error { return u.Part(ctx, int32(i+1), bytes.NewReader(part)) })
	}
	return finishUpload(ctx, u, group.Wait())
}

// uploadResumed sends the second part, if there is one, and leaves the rest to a client
// that knows the saved state only.
func uploadResumed(ctx context.Context, t *testing.T, o *s3Object, api s3crypto.API) error {
	var saved []byte
	options := o.putOptions()
	options.Save = func(_ context.Context, state []byte) error {
		saved = bytes.Clone(state)
		return nil
	}
	u, err := o.clientAt(t, api).CreateUpload(ctx, o.createInput(), options)
	if err != nil {
		return err
	}
	if saved, err = u.State(); err != nil {
		return err
	}
	if rest := o.content[min(s3PartSize, len(o.content)):]; len(rest) > 0 {
		second := rest[:min(s3PartSize, len(rest))]
		if err := u.Part(ctx, 2, bytes.NewReader(second)); err != nil {
			return finishUpload(ctx, u, err)
		}
	}
	resumed, err := o.clientAt(t, api).ResumeUpload(ctx, o.createInput(), saved, o.putOptions())
	if err != nil {
		return finishUpload(ctx, u, err)
	}
	require.Equal(t, u.ID(), resumed.ID())
	return finishUpload(ctx, resumed, resumed.Send(ctx, onlyReader{bytes.NewReader(o.content)}))
}
