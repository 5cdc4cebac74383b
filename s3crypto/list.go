package s3crypto

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/url"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// ListOptions adjust a listing. nil is the zero value.
type ListOptions struct {
	// Inspect has every object's header read, to tell encrypted objects from plain ones:
	// a request for each object, or two for one whose metadata has no data key.
	Inspect bool

	// ShowInstructionFiles lists instruction files like other objects.
	ShowInstructionFiles bool

	// InstructionSuffix is that of instruction files: ".instruction".
	InstructionSuffix string

	// S3 is passed with every call to S3.
	S3 []func(*s3.Options)
}

// ListEntry is an object, or a common prefix where a delimiter was given.
type ListEntry struct {
	// Object is what S3 lists; its Size is that of the ciphertext.
	types.Object

	// Prefix is a common prefix, or empty. The other fields are then zero.
	Prefix string

	// Encryption is what the object says of its encryption: nil for a plain object, and
	// where ListOptions.Inspect is not set.
	Encryption *Encryption

	// Err says why an object could not be inspected, or what is wrong with its header, or
	// why it is not known whether an object named like an instruction file is one.
	Err error
}

// List lists a bucket's objects, page after page, without their instruction files: objects
// that are named like one, and that the object exists for. in is passed on, and not
// changed. An EncodingType is refused: List asks for one itself, because XML cannot carry
// all keys, and yields keys and prefixes as they are. Inspection is done for a page at a
// time, with [Options].Concurrency requests at once. An object that was deleted meanwhile
// is left out.
//
// An error of the listing ends it. One of a single object is in its entry.
func (c *Client) List(ctx context.Context, in *s3.ListObjectsV2Input, o *ListOptions) iter.Seq2[ListEntry, error] {
	if o == nil {
		o = &ListOptions{}
	}
	get := (&GetOptions{InstructionSuffix: o.InstructionSuffix, S3: o.S3}).orZero()
	return func(yield func(ListEntry, error) bool) {
		if in.EncodingType != "" {
			yield(ListEntry{}, errors.New("s3crypto: List with an EncodingType"))
			return
		}
		l := &listing{c: c, in: in, o: o, get: get}
		ask := *in
		ask.EncodingType = types.EncodingTypeUrl
		for {
			page, err := c.api.ListObjectsV2(ctx, &ask, get.S3...)
			if err != nil {
				yield(ListEntry{}, err)
				return
			}
			entries, err := l.entries(ctx, page)
			if err != nil {
				yield(ListEntry{}, err)
				return
			}
			for _, entry := range entries {
				if !yield(entry, nil) {
					return
				}
			}
			if !aws.ToBool(page.IsTruncated) {
				return
			}
			if aws.ToString(page.NextContinuationToken) == "" {
				yield(ListEntry{}, fmt.Errorf("%w: a page that is not the last one, and no token for the next", ErrResponse))
				return
			}
			ask.ContinuationToken = page.NextContinuationToken
		}
	}
}

// listing is one List.
type listing struct {
	c   *Client
	in  *s3.ListObjectsV2Input
	o   *ListOptions
	get *GetOptions

	// seen are the keys before the current one that it begins with. S3 lists keys in
	// order, so an object comes before its instruction file, if not right before.
	seen []string
}

// entries returns the entries of a page.
func (l *listing) entries(ctx context.Context, page *s3.ListObjectsV2Output) (entries []ListEntry, err error) {
	for _, object := range page.Contents {
		if object.Key, err = decoded(object.Key, page.EncodingType); err != nil {
			return nil, err
		}
		hidden, err := l.isInstructionFile(ctx, aws.ToString(object.Key))
		if !hidden {
			entries = append(entries, ListEntry{Object: object, Err: err})
		}
	}
	if l.o.Inspect {
		entries = l.inspect(ctx, entries)
	}
	for _, common := range page.CommonPrefixes {
		prefix, err := decoded(common.Prefix, page.EncodingType)
		if err != nil {
			return nil, err
		}
		entries = append(entries, ListEntry{Prefix: aws.ToString(prefix)})
	}
	return entries, ctx.Err()
}

// decoded returns a name of S3's answer as it is. Not all servers encode it, and those that
// do say so. A space is a plus sign then, as in a query.
func decoded(name *string, encoding types.EncodingType) (*string, error) {
	if name == nil || encoding != types.EncodingTypeUrl {
		return name, nil
	}
	plain, err := url.QueryUnescape(*name)
	if err != nil {
		return nil, fmt.Errorf("%w: %.64q is not URL-encoded", ErrResponse, *name)
	}
	return &plain, nil
}

// isInstructionFile reports whether the next key is that of an instruction file to hide. On
// error it may be one.
func (l *listing) isInstructionFile(ctx context.Context, key string) (bool, error) {
	for len(l.seen) > 0 && !strings.HasPrefix(key, l.seen[len(l.seen)-1]) {
		l.seen = l.seen[:len(l.seen)-1]
	}
	of, named := strings.CutSuffix(key, l.get.suffix())
	if !named || of == "" || l.o.ShowInstructionFiles {
		l.seen = append(l.seen, key)
		return false, nil
	}
	for _, before := range l.seen {
		if before == of {
			return true, nil
		}
	}
	// The object may stand before where the listing began.
	_, err := l.c.api.HeadObject(ctx, headInput(l.named(of)), l.get.S3...)
	if isMissing(err) {
		l.seen = append(l.seen, key)
		return false, nil
	}
	return err == nil, err
}

func (l *listing) named(key string) *s3.GetObjectInput {
	return &s3.GetObjectInput{
		Bucket: l.in.Bucket, Key: &key, ExpectedBucketOwner: l.in.ExpectedBucketOwner, RequestPayer: l.in.RequestPayer,
	}
}

// inspect reads the headers of a page's objects, and returns those that still exist.
func (l *listing) inspect(ctx context.Context, entries []ListEntry) []ListEntry {
	var workers sync.WaitGroup
	turns := make(chan struct{}, l.c.o.Concurrency)
	missing := make([]bool, len(entries))
	for i := range entries {
		turns <- struct{}{}
		workers.Go(func() {
			defer func() { <-turns }()
			e := &entries[i]
			if ctx.Err() != nil || e.Err != nil {
				return
			}
			_, e.Encryption, e.Err = l.c.Head(ctx, headInput(l.named(aws.ToString(e.Key))), l.get)
			switch {
			case errors.Is(e.Err, ErrNotEncrypted):
				e.Err = nil
			case isMissing(e.Err):
				missing[i] = true
			}
		})
	}
	workers.Wait()
	kept := entries[:0]
	for i, entry := range entries {
		if !missing[i] {
			kept = append(kept, entry)
		}
	}
	return kept
}
