package s3crypto

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/sealring/sealring/internal/gcmstream"
)

// cleanupTime is how long the removal of something half-written may take when the
// caller's context has ended.
const cleanupTime = 30 * time.Second

// draft is an object that is being written.
type draft struct {
	c       *Client
	in      *s3.CreateMultipartUploadInput // where it goes and what it is; the metadata is the caller's
	s3      []func(*s3.Options)
	header  *header
	message *gcmstream.Message

	metadata map[string]string // the header's part of the object's own
	file     []byte            // the instruction file, or nil
	fileKey  string

	// What S3 had for it when it could not be written, if S3 has said so.
	otherFile *string // the ETag
	noFile    bool
}

// maxKey is the length of the longest key that S3 takes, in bytes.
const maxKey = 1024

// place is where an object's data key goes.
type place struct {
	inFile bool
	key    string // of the instruction file
}

// place returns where the data key of an object goes, by the client's options and the
// call's.
func (c *Client) place(key string, o *PutOptions) (place, error) {
	p := place{inFile: c.o.InstructionFiles}
	if o.InstructionFile != nil {
		p.inFile = *o.InstructionFile
	}
	switch {
	case p.inFile && o.InstructionSuffix != "":
		p.key = key + o.InstructionSuffix
	case p.inFile:
		p.key = key + instructionSuffix
	case o.InstructionSuffix != "":
		return p, errors.New("s3crypto: a suffix for an instruction file, and no instruction file")
	}
	if len(p.key) > maxKey { // else the object would be put, in place of another one, and deleted again
		return p, fmt.Errorf("s3crypto: the instruction file's key has %d bytes, and S3 takes %d", len(p.key), maxKey)
	}
	return p, nil
}

// newDraft makes the data key of a new object. length is the plaintext's, or -1. The
// second result is the data key, which the caller wipes.
func (c *Client) newDraft(ctx context.Context, in *s3.CreateMultipartUploadInput, length int64, o *PutOptions) (*draft, dataKey, error) {
	if in.Bucket == nil || *in.Bucket == "" || in.Key == nil || *in.Key == "" {
		return nil, nil, errors.New("s3crypto: bucket or key is missing")
	}
	if strings.HasSuffix(*in.Key, instructionSuffix) {
		// It would take the place of another object's file, and be deleted with that object.
		return nil, nil, fmt.Errorf("s3crypto: %q is the key of an instruction file", *in.Key)
	}
	own := *in
	own.Metadata = maps.Clone(in.Metadata) // what is checked is what is sent
	in = &own
	if _, err := withHeader(in.Metadata, map[string]string{}); err != nil {
		return nil, nil, err
	}
	p, err := c.place(*in.Key, o)
	if err != nil {
		return nil, nil, err
	}
	h, key, err := newObject(ctx, c.w, c.suite, length, o.Context)
	if err != nil {
		return nil, nil, err
	}
	d, err := c.draftOf(in, h, key, p, o)
	if err != nil {
		clear(key)
		return nil, nil, err
	}
	return d, key, nil
}

// draftOf returns the draft of an object with a complete header.
func (c *Client) draftOf(in *s3.CreateMultipartUploadInput, h *header, key dataKey, p place, o *PutOptions) (*draft, error) {
	m, err := h.message(key)
	if err != nil {
		return nil, err
	}
	d := &draft{c: c, in: in, s3: slices.Clone(o.S3), header: h, message: m, metadata: h.metadata(), fileKey: p.key}
	if p.inFile {
		if d.metadata, d.file, err = h.split(); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// options returns the S3 options of one call.
func (d *draft) options(more ...func(*s3.Options)) []func(*s3.Options) {
	return slices.Concat(d.s3, more)
}

// landed returns what S3 says of the object if it is this one, or nil if it is another
// one, or none, or cannot be told. It is for answers that were lost: the SDK then sends a
// request again, and gets the answer that the object is there already.
func (d *draft) landed(ctx context.Context) *s3.HeadObjectOutput {
	if len(d.metadata) == 0 {
		return nil // format V2 with an instruction file: nothing marks it
	}
	ctx, cancel := cleanup(ctx)
	defer cancel()
	in := &s3.HeadObjectInput{}
	fill(in, d.in)
	out, err := d.c.api.HeadObject(ctx, in, d.options()...)
	if err != nil || out == nil {
		return nil
	}
	found := fields{}
	for name, value := range out.Metadata {
		if found.put(name, value) != nil {
			return nil
		}
	}
	for name, value := range d.metadata {
		if found[name] != value {
			return nil
		}
	}
	return out
}

// putFile writes the instruction file, if there is one. What the object has by way of
// access, encryption, tags and so on, the file has too.
func (d *draft) putFile(ctx context.Context) error {
	if d.file == nil {
		return nil
	}
	in := &s3.PutObjectInput{}
	fill(in, d.in)
	length, contentType := int64(len(d.file)), "application/json"
	in.Key, in.Body, in.ContentLength, in.ContentType = &d.fileKey, bytes.NewReader(d.file), &length, &contentType
	in.Metadata = map[string]string{nameInstruction: ""}
	in.CacheControl, in.ContentDisposition, in.ContentEncoding, in.ContentLanguage = nil, nil, nil, nil
	in.Expires, in.WebsiteRedirectLocation = nil, nil
	if _, err := d.c.api.PutObject(ctx, in, d.options()...); err != nil && !d.fileLanded(ctx) {
		return fmt.Errorf("s3crypto: PutObject of the instruction file: %w", err)
	}
	return nil
}

// fileLanded reports whether S3 has the instruction file. It is for an answer that was
// lost: in a bucket with versions, to take back the object alone would leave this file
// with the object before it, which needs its own.
func (d *draft) fileLanded(ctx context.Context) bool {
	ctx, cancel := cleanup(ctx)
	defer cancel()
	in := &s3.GetObjectInput{}
	fill(in, d.in)
	found, out, err := d.c.instructionFile(ctx, in, d.fileKey, &GetOptions{S3: d.options()})
	if d.otherFile, d.noFile = nil, isMissing(err); err == nil {
		d.otherFile = out.ETag
	}
	return err == nil && bytes.Equal(found, d.file)
}

// withdraw deletes the object, whose instruction file could not be written. version and
// etag are the object's: if somebody has written another one meanwhile, that one stays.
func (d *draft) withdraw(ctx context.Context, version, etag *string) error {
	ctx, cancel := cleanup(ctx)
	defer cancel()
	in := &s3.DeleteObjectInput{}
	fill(in, d.in)
	if in.VersionId = version; version == nil {
		in.IfMatch = etag
	}
	if _, err := d.c.api.DeleteObject(ctx, in, d.options()...); err != nil && !isMissing(err) {
		return fmt.Errorf("s3crypto: the object without its instruction file was not deleted: %w", err)
	}
	// With versions, what was there before is there again, and needs its file.
	if version != nil || d.noFile {
		return nil
	}
	// Somebody may have put another object with its file since.
	if d.otherFile == nil {
		return fmt.Errorf("s3crypto: an instruction file %q may be left without its object", d.fileKey)
	}
	in = &s3.DeleteObjectInput{}
	fill(in, d.in)
	in.Key, in.IfMatch = &d.fileKey, d.otherFile
	_, err := d.c.api.DeleteObject(ctx, in, d.options()...)
	if err != nil && !isMissing(err) && !hasCode(err, "PreconditionFailed") {
		return fmt.Errorf("s3crypto: the instruction file without its object was not deleted: %w", err)
	}
	return nil
}

// cleanup returns a context for what has to be done even if ctx has ended, or ends
// meanwhile: it goes on for cleanupTime then.
func cleanup(ctx context.Context) (context.Context, context.CancelFunc) {
	inner, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		timer := time.NewTimer(cleanupTime)
		defer timer.Stop()
		select {
		case <-timer.C:
			cancel()
		case <-inner.Done():
		}
	})
	return inner, func() { stop(); cancel() }
}

// also adds to err what went wrong while it was dealt with.
func also(err, second error) error {
	if second == nil {
		return err
	}
	return fmt.Errorf("%w; and %v", err, second)
}
