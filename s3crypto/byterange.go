package s3crypto

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/aws/smithy-go"
)

// RangeError is returned for a range that begins after the end of the plaintext. Its
// code is S3's, so that it is the same error whoever has found it.
type RangeError struct {
	// Range is what was asked for.
	Range string
	// Length is that of the plaintext, in bytes.
	Length int64
}

var _ smithy.APIError = (*RangeError)(nil)

// Error returns a text with the range and the length.
func (e *RangeError) Error() string {
	return fmt.Sprintf("s3crypto: %s: %.64q of %d bytes", e.ErrorMessage(), e.Range, e.Length)
}

// ErrorCode returns "InvalidRange".
func (e *RangeError) ErrorCode() string { return "InvalidRange" }

// ErrorMessage returns S3's text.
func (e *RangeError) ErrorMessage() string { return "the requested range is not satisfiable" }

// ErrorFault returns [smithy.FaultClient].
func (e *RangeError) ErrorFault() smithy.ErrorFault { return smithy.FaultClient }

// byteRange is what a Range header asks for (RFC 9110, section 14.1.2): the bytes first to
// last, those from first on if last is negative, or the final suffix ones if first is.
type byteRange struct{ first, last, suffix int64 }

// parseRange reads a Range header of one range.
func parseRange(header string) (byteRange, error) {
	value, found := strings.CutPrefix(header, "bytes=")
	from, to, dash := strings.Cut(value, "-")
	r := byteRange{first: -1, last: -1}
	var err error
	if from == "" {
		r.suffix, err = parseDigits(to)
	} else if r.first, err = parseDigits(from); err == nil && to != "" {
		r.last, err = parseDigits(to)
	}
	if !found || !dash || err != nil || r.last >= 0 && r.last < r.first {
		return byteRange{}, fmt.Errorf("s3crypto: %.64q is not a range of bytes", header)
	}
	return r, nil
}

// parseDigits reads a number that has digits only, and fits.
func parseDigits(s string) (int64, error) {
	if strings.HasPrefix(s, "+") {
		return 0, errors.New("not digits only")
	}
	n, err := strconv.ParseUint(s, 10, 63)
	return int64(n), err
}

// String returns the Range header.
func (r byteRange) String() string {
	switch {
	case r.first < 0:
		return fmt.Sprintf("bytes=-%d", r.suffix)
	case r.last < 0:
		return fmt.Sprintf("bytes=%d-", r.first)
	}
	return fmt.Sprintf("bytes=%d-%d", r.first, r.last)
}

// withTag returns the range of ciphertext to ask for: where the plaintext's length is not
// known, neither is where the tag begins.
func (r byteRange) withTag() byteRange {
	if r.first < 0 {
		r.suffix = min(r.suffix, maxObject) + gcmTagSize
	}
	return r
}

// of returns the bytes from first to before end that the range has of n. There are none
// if the range cannot be satisfied.
func (r byteRange) of(n int64) (first, end int64) {
	switch {
	case r.first < 0:
		return n - min(r.suffix, n), n
	case r.last < 0 || r.last >= n:
		return r.first, max(n, r.first)
	}
	return r.first, r.last + 1
}

// parseContentRange reads the Content-Range header of an answer: it is of the bytes from
// first to before end of n.
func parseContentRange(header string) (first, end, n int64, err error) {
	value, found := strings.CutPrefix(header, "bytes ")
	span, total, slash := strings.Cut(value, "/")
	from, to, dash := strings.Cut(span, "-")
	var last int64
	for _, field := range [...]struct {
		digits string
		n      *int64
	}{{from, &first}, {to, &last}, {total, &n}} {
		if *field.n, err = parseDigits(field.digits); err != nil {
			break
		}
	}
	if !found || !slash || !dash || err != nil || first > last || last >= n {
		return 0, 0, 0, fmt.Errorf("%w: its Content-Range is %.64q", ErrResponse, header)
	}
	return first, last + 1, n, nil
}
