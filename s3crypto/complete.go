package s3crypto

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/sealring/sealring/internal/gcmstream"
)

// Complete sends the tag and makes the object of the parts, from the first one to the one
// with the highest number; no parts at all make an empty object. The error is [ErrPart] if
// one is missing, or was begun and not sent.
//
// in has what CompleteMultipartUpload is to be asked besides that, such as IfNoneMatch,
// and can be nil; it is not changed. Its MpuObjectSize is the plaintext's. Digests are
// refused. Bucket, Key, UploadId and the parts are the upload's.
//
// No part can be added once the tag was sent. Complete can be called again if it fails,
// also if all that fails is the instruction file.
func (u *Upload) Complete(ctx context.Context, in *s3.CompleteMultipartUploadInput) (*s3.CompleteMultipartUploadOutput, error) {
	u.finishing.Lock()
	defer u.finishing.Unlock()
	if u.withdrawn {
		return nil, errEnded
	}
	if u.completed == nil {
		out, err := u.complete(ctx, in)
		if err != nil {
			return nil, err
		}
		u.mu.Lock()
		u.completed = out
		u.mu.Unlock()
	}
	if !u.done {
		if err := u.d.putFile(ctx); err != nil {
			return nil, err
		}
		u.done = true
	}
	return u.completed, nil
}

func (u *Upload) complete(ctx context.Context, in *s3.CompleteMultipartUploadInput) (*s3.CompleteMultipartUploadOutput, error) {
	send := &s3.CompleteMultipartUploadInput{}
	if in != nil {
		if err := refuseDigests(in); err != nil {
			return nil, err
		}
		*send = *in
	}
	fill(send, u.d.in)
	final, held, err := u.finish(send.MpuObjectSize)
	if err != nil {
		return nil, err
	}
	if send.MpuObjectSize != nil {
		size := *send.MpuObjectSize + gcmTagSize
		send.MpuObjectSize = &size
	}
	if final.sent == nil {
		if err := u.sendTag(ctx, final, held); err != nil {
			return nil, err
		}
	}
	send.UploadId = &u.id
	send.MultipartUpload = &types.CompletedMultipartUpload{Parts: u.completedParts()}
	out, err := u.d.c.api.CompleteMultipartUpload(ctx, send, u.d.options()...)
	if err == nil && out == nil {
		err = errors.New("no output")
	}
	if err != nil && (u.d.file != nil || hasCode(err, "NoSuchUpload", "PreconditionFailed")) {
		if found := u.d.landed(ctx); found != nil {
			out, err = &s3.CompleteMultipartUploadOutput{Bucket: u.d.in.Bucket, Key: u.d.in.Key}, nil
			fill(out, found)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("s3crypto: CompleteMultipartUpload: %w", err)
	}
	return out, nil
}

// finish makes the tag, if all parts were sent and have size bytes, unless size is nil. It
// returns the part that ends with the tag, and the ciphertext before that.
func (u *Upload) finish(size *int64) (final *finalPart, held []byte, err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.aborted {
		return nil, nil, errEnded
	}
	for i := range int32(len(u.parts)) {
		if p := u.parts[i+1]; p != nil && !u.has(i+1, p) && p.held == nil {
			return nil, nil, fmt.Errorf("%w: part %d was begun and not sent", ErrPart, i+1)
		}
	}
	if held, err = u.makeTag(size); err != nil {
		return nil, nil, err
	}
	return u.tag, held, nil
}

// has reports whether S3 has a part.
func (u *Upload) has(number int32, p *uploadPart) bool {
	return p.sent != nil || u.completed != nil || u.tag != nil && u.tag.number == number && u.tag.sent != nil
}

// makeTag sets the tag, of all parts, and returns the ciphertext before it.
func (u *Upload) makeTag(size *int64) (held []byte, err error) {
	n := int32(len(u.parts))
	final := &finalPart{number: n + 1}
	var whole gcmstream.Piece
	for number := int32(1); number <= n; number++ {
		p := u.parts[number]
		if p == nil {
			return nil, fmt.Errorf("%w: part %d is missing", ErrPart, number)
		}
		if p.piece.Len() < u.partSize {
			final.number, held = number, p.held
		}
		if whole, err = u.d.message.Join(whole, p.piece); err != nil {
			return nil, fmt.Errorf("%w: %v", ErrTooLarge, err)
		}
	}
	if size != nil && *size != whole.Len() {
		return nil, fmt.Errorf("%w: the object has %d bytes, and MpuObjectSize is %d", ErrPart, whole.Len(), *size)
	}
	if u.tag == nil {
		final.tag = u.d.message.Tag(whole)
		u.tag = final
	}
	return held, nil
}

// sendTag sends the last part.
func (u *Upload) sendTag(ctx context.Context, final *finalPart, held []byte) error {
	if err := u.saveState(ctx); err != nil {
		return err
	}
	body := &lentBytes{r: bytes.NewReader(slices.Concat(held, final.tag[:]))}
	defer body.release()
	sent, err := u.transmit(ctx, final.number, body, int64(len(held)+gcmTagSize))
	if err != nil {
		return err
	}
	u.mu.Lock()
	final.sent = sent
	for _, p := range u.parts {
		p.held = nil
	}
	u.mu.Unlock()
	u.progress.add(int64(len(held)))
	return nil
}

// completedParts returns what S3 has, in order. The SDK sends a checksum with each part
// unless it is told not to, and S3 returns that; but it takes them back only if the upload
// was created with an algorithm, and else says that there are no such parts.
func (u *Upload) completedParts() []types.CompletedPart {
	u.mu.Lock()
	defer u.mu.Unlock()
	var parts []types.CompletedPart
	for number := range u.tag.number - 1 {
		parts = append(parts, *u.parts[number+1].sent)
	}
	parts = append(parts, *u.tag.sent)
	if !u.digests {
		for i, p := range parts {
			parts[i] = types.CompletedPart{PartNumber: p.PartNumber, ETag: p.ETag}
		}
	}
	return parts
}

// Abort ends the upload and has S3 forget its parts. If Complete could not write the
// instruction file it deletes the object, and after a Complete that has succeeded it does
// nothing. No call of Part or Send may be under way. Abort works for another half minute
// if ctx has ended, and can be called again if it fails.
func (u *Upload) Abort(ctx context.Context) error {
	u.finishing.Lock()
	defer u.finishing.Unlock()
	u.mu.Lock()
	u.aborted = true
	u.mu.Unlock()
	switch {
	case u.done:
		return nil
	case u.completed != nil:
		u.withdrawn = true
		return u.d.withdraw(ctx, u.completed.VersionId, u.completed.ETag)
	}
	ctx, cancel := cleanup(ctx)
	defer cancel()
	abort, list := &s3.AbortMultipartUploadInput{}, &s3.ListPartsInput{}
	fill(abort, u.d.in)
	fill(list, u.d.in)
	abort.UploadId, list.UploadId = &u.id, &u.id
	// A part that arrives late can outlive an abort, so S3 is asked, by those who may ask.
	for range 3 {
		_, err := u.d.c.api.AbortMultipartUpload(ctx, abort, u.d.options()...)
		if err != nil && !hasCode(err, "NoSuchUpload") {
			return fmt.Errorf("s3crypto: AbortMultipartUpload: %w", err)
		}
		if _, err := u.d.c.api.ListParts(ctx, list, u.d.options()...); err != nil {
			return nil
		}
	}
	return fmt.Errorf("s3crypto: AbortMultipartUpload: S3 still has the upload %q", u.id)
}
