package s3crypto

import (
	"context"
	"io"

	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// UnverifiedBody is the body of an object that is decrypted while it arrives: what is read
// from it may be anything until Read returns io.EOF. If the object is not authentic, Read
// returns [ErrAuthentication] in the place of io.EOF, and never releases the last byte
// before it knows. It is an [io.ReadCloser] and an [io.WriterTo], so that [io.Copy] takes no
// buffer; the latter's error is nil at the end of an authentic object only. Its methods may
// be called by one goroutine at a time, but Close by any.
type UnverifiedBody struct{ body }

var (
	_ io.ReadCloser = (*UnverifiedBody)(nil)
	_ io.WriterTo   = (*UnverifiedBody)(nil)
)

// Verified reports whether all of the object has been authenticated. It is false until
// the last piece was reached, and always for content in CBC mode.
func (b *UnverifiedBody) Verified() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.verified
}

// GetStream reads an object and decrypts it while it arrives, in constant memory. The
// output's Body is an [*UnverifiedBody]: whoever acts on what it has read before it
// returned io.EOF acts on what anybody may have written. Where that will not do, use
// [Client.Get].
//
// A goroutine reads S3's answer ahead, by 768 KiB at most, from the first Read on. It ends
// with the answer or when the body is closed, which the caller has to do.
//
// in and the output are those of Get, but that the output has no ContentLength if that is
// not known without having decrypted.
func (c *Client) GetStream(ctx context.Context, in *s3.GetObjectInput, o *GetOptions) (*s3.GetObjectOutput, error) {
	out, source, content, err := c.get(ctx, in, o.orZero())
	if err != nil {
		return nil, err
	}
	if _, gcm := content.(*gcmContent); gcm && source.length >= 0 {
		length := source.length - gcmTagSize
		out.ContentLength = &length
	}
	out.Body = &UnverifiedBody{body{source: source, content: content, chunks: newChunksAhead(source, source.length)}}
	return out, nil
}
