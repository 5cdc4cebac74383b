package envelope

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// RangeFunc fetches length bytes from offset on of one object, which stays the
// same from call to call. Length is above zero and the range lies within the
// object. Whoever gets the body closes it. A RangeFunc is called from several
// goroutines if the reader is used by several.
//
// It answers for what its protocol says: an HTTP status other than 206, or an
// object that has changed since the size was asked for, is an error. With the S3
// client of aws-sdk-go-v2, where head is the answer of HeadObject:
//
//	func(ctx context.Context, offset, length int64) (io.ReadCloser, error) {
//		out, err := client.GetObject(ctx, &s3.GetObjectInput{
//			Bucket:  aws.String(bucket),
//			Key:     aws.String(key),
//			IfMatch: head.ETag,
//			Range:   aws.String(fmt.Sprintf("bytes=%d-%d", offset, offset+length-1)),
//		})
//		if err != nil {
//			return nil, err
//		}
//		return out.Body, nil
//	}
type RangeFunc func(ctx context.Context, offset, length int64) (io.ReadCloser, error)

// NewRangeReaderAt returns a reader of an object of size bytes that is fetched in
// ranges, one call of fetch for each ReadAt: a source for [NewReaderAt]. An answer
// that is shorter or longer than the range is an error, and no more than one byte
// beyond the range is read.
//
// fetch gets ctx. Errors of fetch are returned as they are, except that [io.EOF], which
// would say that the object ends there, becomes [io.ErrUnexpectedEOF]. The reader is safe
// for concurrent use if fetch is.
func NewRangeReaderAt(ctx context.Context, size int64, fetch RangeFunc) io.ReaderAt {
	return &rangeReader{ctx, size, fetch}
}

type rangeReader struct {
	ctx   context.Context
	size  int64
	fetch RangeFunc
}

// ReadAt implements [io.ReaderAt].
func (r *rangeReader) ReadAt(p []byte, off int64) (n int, err error) {
	switch {
	case off < 0:
		return 0, fmt.Errorf("negative offset %d", off)
	case off >= r.size:
		return 0, io.EOF
	case int64(len(p)) > r.size-off:
		n, err = r.read(p[:r.size-off], off)
		if err == nil {
			err = io.EOF
		}
		return n, err
	case len(p) == 0:
		return 0, nil
	}
	return r.read(p, off)
}

// read fills p, which lies within the object.
func (r *rangeReader) read(p []byte, off int64) (int, error) {
	body, err := r.fetch(r.ctx, off, int64(len(p)))
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return 0, err
	}
	if body == nil {
		return 0, errors.New("no body")
	}
	defer body.Close()
	n, err := io.ReadFull(body, p)
	if err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return n, fmt.Errorf("%d bytes at %d: got %d: %w", len(p), off, n, err)
	}
	switch extra, err := io.ReadFull(body, make([]byte, 1)); {
	case extra > 0:
		return 0, fmt.Errorf("%d bytes at %d: got more", len(p), off)
	case err != io.EOF:
		return 0, fmt.Errorf("%d bytes at %d: %w", len(p), off, err)
	}
	return n, nil
}
