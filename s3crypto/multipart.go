package s3crypto

import (
	"context"
	"crypto/cipher"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/sealring/sealring/internal/gcmstream"
)

// errEnded is what those get who go on with an upload after Abort.
var errEnded = fmt.Errorf("%w: the upload has ended", ErrPart)

// maxParts is how many parts S3 takes.
const maxParts = 10_000

// Upload is an object that is uploaded in parts. Its parts can be sent in any order and
// several at a time: it is safe for concurrent use. It ends with Complete or Abort.
//
// All parts but the last have PartSize bytes of plaintext. Part n is bytes (n-1)·PartSize
// and on of the object, and no other bytes can be sent as part n later. There are at most
// 10,000, one of which the tag takes if the object's length is a multiple of PartSize.
type Upload struct {
	d        *draft
	id       string
	partSize int64
	seal     cipher.AEAD // of states
	save     func(context.Context, []byte) error
	made     *s3.CreateMultipartUploadOutput // nil if resumed
	digests  bool                            // S3 wants the parts' checksums when the upload is completed
	progress *progress

	finishing sync.Mutex // held by Complete and Abort, and guards the next two; locked first
	done      bool       // there is nothing left to complete
	withdrawn bool       // Abort has begun to delete the object, for want of its file
	saving    sync.Mutex // held while save runs; locked before mu

	mu        sync.Mutex // guards all that follows
	parts     map[int32]*uploadPart
	saved     int        // how many parts the saved state has
	tag       *finalPart // when all parts are known; no others can be added then
	aborted   bool
	completed *s3.CompleteMultipartUploadOutput
}

// uploadPart is one whose content is known. It is never forgotten, whether S3 has it or not.
type uploadPart struct {
	piece gcmstream.Piece
	held  []byte               // the ciphertext of the last part, which waits for the tag
	sent  *types.CompletedPart // nil until S3 has it
}

// finalPart is the part that ends with the tag.
type finalPart struct {
	number int32
	tag    [gcmTagSize]byte
	sent   *types.CompletedPart // nil until S3 has it
	saved  bool
}

// CreateUpload begins an upload: it makes a data key and creates the upload at S3, with
// parts of [Options].PartSize. in is not changed. The caller ends the upload with Complete
// or Abort, or keeps its State: [Client.ResumeUpload] goes on with it in another process.
//
// What is said of [Client.Put] about metadata and instruction files goes for uploads too,
// except that an object whose instruction file could not be written stays: Complete can be
// called again.
func (c *Client) CreateUpload(ctx context.Context, in *s3.CreateMultipartUploadInput, o *PutOptions) (*Upload, error) {
	if in == nil {
		return nil, errors.New("s3crypto: no input")
	}
	return c.createUpload(ctx, in, -1, c.o.PartSize, o.orZero())
}

func (c *Client) createUpload(ctx context.Context, in *s3.CreateMultipartUploadInput, length, partSize int64, o *PutOptions) (*Upload, error) {
	d, key, err := c.newDraft(ctx, in, length, o)
	if err != nil {
		return nil, err
	}
	defer clear(key)
	u, err := d.upload(key, partSize, o)
	if err != nil {
		return nil, err
	}
	send := *d.in
	if send.Metadata, err = withHeader(d.in.Metadata, d.metadata); err != nil {
		return nil, err
	}
	u.made, err = c.api.CreateMultipartUpload(ctx, &send, d.options()...)
	switch {
	case err != nil:
		return nil, fmt.Errorf("s3crypto: CreateMultipartUpload: %w", err)
	case u.made == nil || u.made.UploadId == nil || *u.made.UploadId == "":
		return nil, errors.New("s3crypto: CreateMultipartUpload: no upload id")
	}
	u.id = *u.made.UploadId
	u.digests = isNamed(in.ChecksumAlgorithm) || isNamed(u.made.ChecksumAlgorithm)
	return u, nil
}

// upload returns the upload of d, without an id.
func (d *draft) upload(key dataKey, partSize int64, o *PutOptions) (*Upload, error) {
	seal, err := d.header.stateCipher(key)
	if err != nil {
		return nil, err
	}
	return &Upload{
		d: d, partSize: partSize, seal: seal, save: o.Save, parts: map[int32]*uploadPart{},
		progress: &progress{report: o.Progress, total: d.header.length},
	}, nil
}

// ID returns the upload's id at S3.
func (u *Upload) ID() string { return u.id }

// PartSize returns the length of the plaintext of all parts but the last.
func (u *Upload) PartSize() int64 { return u.partSize }

// Format prints nothing of the upload but its id, whatever the verb.
func (u *Upload) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "s3crypto.Upload{%q}", u.id) }

// Part encrypts and sends a part: body from its current position to its end. It is read
// several times, first of all to see what it is; memory is constant, except that a part
// which is shorter than PartSize, so the last one, is held until Complete sends it
// together with the tag. body must not be changed before Part returns.
//
// A part that S3 has is not sent again. The error is [ErrBodyChanged] if a part of that
// number was begun before, whether that succeeded or not, and had other bytes; nothing of
// them leaves. It is [ErrPart] if the part does not fit, and [ErrTooLarge] if it ends after
// 64 GiB less 32 bytes.
func (u *Upload) Part(ctx context.Context, number int32, body io.ReadSeeker) error {
	if body == nil {
		return errors.New("s3crypto: no body")
	}
	start, length, err := measure(body)
	if err != nil {
		return fmt.Errorf("s3crypto: body: %w", err)
	}
	if err := u.check(number, length); err != nil {
		return err
	}
	b := newSealedBody(u.d.message, body, u.offset(number), start, length)
	defer b.release()
	piece, err := b.scan(ctx)
	if err != nil {
		return err
	}
	p, known, err := u.admit(number, piece)
	if err != nil || known {
		return err
	}
	if length < u.partSize {
		held := make([]byte, length)
		if _, err := readFull(b, held); err != nil {
			return err
		}
		return u.hold(ctx, p, held)
	}
	return u.send(ctx, number, p, b, func() error { return b.release() })
}

// offset returns where in the object a part begins.
func (u *Upload) offset(number int32) int64 { return int64(number-1) * u.partSize }

// check returns an error for a part that no upload of this part size has.
func (u *Upload) check(number int32, length int64) error {
	switch {
	case number < 1 || number > maxParts:
		return fmt.Errorf("%w: its number is %d, which is from 1 to %d", ErrPart, number, maxParts)
	case length < 1 || length > u.partSize:
		return fmt.Errorf("%w: part %d has %d bytes, which are from 1 to %d", ErrPart, number, length, u.partSize)
	case u.offset(number) > gcmstream.MaxLength-length:
		return fmt.Errorf("%w: part %d ends after it", ErrTooLarge, number)
	case number == maxParts && length == u.partSize:
		return fmt.Errorf("%w: part %d leaves no room for the tag", ErrPart, number)
	}
	return nil
}

// admit notes what a part is before anything of it leaves, and reports whether there is
// nothing left to do for it.
func (u *Upload) admit(number int32, piece gcmstream.Piece) (p *uploadPart, known bool, err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.aborted {
		return nil, false, errEnded
	}
	if p = u.parts[number]; p != nil {
		if !samePiece(p.piece, piece) {
			return nil, false, ErrBodyChanged
		}
		return p, p.held != nil || u.has(number, p), nil
	}
	if u.tag != nil || u.completed != nil {
		return nil, false, fmt.Errorf("%w: the upload has all its parts, and no part %d", ErrPart, number)
	}
	short := piece.Len() < u.partSize
	for n, other := range u.parts {
		if short && n > number || n < number && other.piece.Len() < u.partSize {
			return nil, false, fmt.Errorf("%w: part %d is short, and part %d comes after it", ErrPart, min(n, number), max(n, number))
		}
	}
	p = &uploadPart{piece: piece}
	u.parts[number] = p
	return p, false, nil
}

// hold keeps the last part.
func (u *Upload) hold(ctx context.Context, p *uploadPart, ciphertext []byte) error {
	u.mu.Lock()
	p.held = ciphertext
	u.mu.Unlock()
	return u.saveState(ctx)
}

// send sends a part. release ends the use of the body.
func (u *Upload) send(ctx context.Context, number int32, p *uploadPart, body io.ReadSeeker, release func() error) error {
	if err := u.saveState(ctx); err != nil {
		return err
	}
	sent, err := u.transmit(ctx, number, body, p.piece.Len())
	if changed := release(); err != nil && changed != nil {
		return changed
	}
	if err != nil {
		return err
	}
	u.mu.Lock()
	p.sent = sent
	u.mu.Unlock()
	u.progress.add(p.piece.Len())
	return nil
}

func (u *Upload) transmit(ctx context.Context, number int32, body io.Reader, length int64) (*types.CompletedPart, error) {
	in := &s3.UploadPartInput{}
	fill(in, u.d.in)
	in.UploadId, in.PartNumber, in.Body, in.ContentLength = &u.id, &number, body, &length
	out, err := u.d.c.api.UploadPart(ctx, in, u.d.options()...)
	switch {
	case err != nil:
		return nil, fmt.Errorf("s3crypto: UploadPart %d: %w", number, err)
	case out == nil || out.ETag == nil:
		return nil, fmt.Errorf("s3crypto: UploadPart %d: no ETag", number)
	}
	sent := &types.CompletedPart{}
	fill(sent, out)
	sent.PartNumber = &number
	return sent, nil
}
