package s3crypto

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/sealring/sealring/internal/gcmstream"
)

// API is what a [Client] asks of S3. *s3.Client of aws-sdk-go-v2 satisfies it, and so
// does whatever stands before one. An implementation has to be safe for concurrent use,
// must not change or keep its inputs, and returns either an error or an output, whose Body
// is there and is read by nobody else.
type API interface {
	PutObject(context.Context, *s3.PutObjectInput, ...func(*s3.Options)) (*s3.PutObjectOutput, error)
	GetObject(context.Context, *s3.GetObjectInput, ...func(*s3.Options)) (*s3.GetObjectOutput, error)
	HeadObject(context.Context, *s3.HeadObjectInput, ...func(*s3.Options)) (*s3.HeadObjectOutput, error)
	CopyObject(context.Context, *s3.CopyObjectInput, ...func(*s3.Options)) (*s3.CopyObjectOutput, error)
	DeleteObject(context.Context, *s3.DeleteObjectInput, ...func(*s3.Options)) (*s3.DeleteObjectOutput, error)
	DeleteObjects(context.Context, *s3.DeleteObjectsInput, ...func(*s3.Options)) (*s3.DeleteObjectsOutput, error)
	ListObjectsV2(context.Context, *s3.ListObjectsV2Input, ...func(*s3.Options)) (*s3.ListObjectsV2Output, error)

	CreateMultipartUpload(context.Context, *s3.CreateMultipartUploadInput, ...func(*s3.Options)) (*s3.CreateMultipartUploadOutput, error)
	UploadPart(context.Context, *s3.UploadPartInput, ...func(*s3.Options)) (*s3.UploadPartOutput, error)
	ListParts(context.Context, *s3.ListPartsInput, ...func(*s3.Options)) (*s3.ListPartsOutput, error)
	CompleteMultipartUpload(context.Context, *s3.CompleteMultipartUploadInput, ...func(*s3.Options)) (*s3.CompleteMultipartUploadOutput, error)
	AbortMultipartUpload(context.Context, *s3.AbortMultipartUploadInput, ...func(*s3.Options)) (*s3.AbortMultipartUploadOutput, error)
}

var _ API = (*s3.Client)(nil)

// What zero options mean, in bytes but for the last.
const (
	// DefaultPartSize is the length of the parts of an upload.
	DefaultPartSize = 8 << 20
	// DefaultMultipartAbove is the length of the longest seekable body that goes up in one
	// request.
	DefaultMultipartAbove = 64 << 20
	// DefaultMaxBuffered is the length of the longest object that is held in memory
	// until it is verified.
	DefaultMaxBuffered = 64 << 20
	// DefaultConcurrency is how many parts of an object are under way at a time.
	DefaultConcurrency = 4
)

// Options are the settings of a [Client]. nil, and every zero value, is the safest.
type Options struct {
	// CommitmentPolicy says which formats are written and read.
	CommitmentPolicy CommitmentPolicy

	// AllowLegacyCBC reads content in CBC mode, which nothing authenticates, where the
	// policy allows formats V1 and V2. Whoever can write objects, and sees which of them
	// are read without an error, can decrypt what is in CBC mode (a padding oracle), and
	// what is in AES-GCM under a data key whose wrap does not bind the content algorithm:
	// the wrapper's own options admit those. Set it where old objects are converted, and
	// not where strangers' are served.
	AllowLegacyCBC bool

	// AcceptStoredContext reads objects whatever their encryption context is. Else it has
	// to be the one that the reader gives, which is none unless said.
	AcceptStoredContext bool

	// InstructionFiles has Put and the uploads keep data keys in instruction files, and
	// not in the objects' metadata.
	InstructionFiles bool

	// PartSize is the length of the plaintext of a part: 8 MiB. It is a multiple of 16, of
	// at least 5 MiB. An object that would have too many parts has larger ones, if its
	// length is known before.
	PartSize int64

	// MultipartAbove is the length of the longest body that Put sends in one request, if
	// the body can seek: 64 MiB. Longer ones go up in parts. At most 5 GiB less 16 bytes
	// can go up in one.
	MultipartAbove int64

	// Concurrency is how many parts are under way at a time, for uploads and downloads of
	// parts: 4. Put, for a body that goes up in parts, and [Upload.Send] have that many
	// parts in memory, but at least two: 16 bytes more than PartSize for each. Each part
	// that [Client.Download] fetches takes 256 KiB. Each call of [Upload.Part] takes 2 MiB,
	// as a Put in one request does, and the last part is in memory until Complete is done.
	Concurrency int

	// MaxBuffered is the length of the longest object that Get holds in memory until it
	// is verified: 64 MiB. A longer one is put, encrypted, into a temporary file.
	MaxBuffered int64

	// TempDir is where these files are: [os.TempDir]. They have mode 0600 and no name
	// where the system allows it. What is read back from them is compared with what was
	// verified.
	TempDir string
}

// Client encrypts what it puts into S3 and decrypts what it gets. It is not an S3 client
// by itself, and embeds none: nothing can be uploaded through it in the clear. It is safe
// for concurrent use.
type Client struct {
	api   API
	w     Wrapper
	o     Options
	suite suite // of new objects
}

// New returns a client that wraps data keys with w, or unwraps those of objects. Both are
// kept; o is copied. The error is [ErrPolicy] for a commitment policy that is none, and
// names any other setting that cannot be.
func New(api API, w Wrapper, o *Options) (*Client, error) {
	if api == nil || w == nil {
		return nil, errors.New("s3crypto: a client needs an S3 client and a wrapper")
	}
	c := &Client{api: api, w: w}
	if o != nil {
		c.o = *o
	}
	var err error
	if c.suite, err = writes(c.o.CommitmentPolicy); err != nil {
		return nil, err
	}
	if c.o.PartSize == 0 {
		c.o.PartSize = DefaultPartSize
	}
	if c.o.Concurrency == 0 {
		c.o.Concurrency = DefaultConcurrency
	}
	if c.o.MaxBuffered == 0 {
		c.o.MaxBuffered = DefaultMaxBuffered
	}
	if c.o.MultipartAbove == 0 {
		c.o.MultipartAbove = DefaultMultipartAbove
	}
	switch {
	case !isPartSize(c.o.PartSize):
		return nil, fmt.Errorf("s3crypto: parts of %d bytes; they are a multiple of 16 of at least 5 MiB", c.o.PartSize)
	case c.o.MultipartAbove < 0 || c.o.MultipartAbove > maxRequest-gcmTagSize:
		return nil, fmt.Errorf("s3crypto: %d bytes in one request; there is room for 5 GiB less 16 bytes", c.o.MultipartAbove)
	case c.o.Concurrency < 0 || c.o.Concurrency > math.MaxInt16:
		return nil, fmt.Errorf("s3crypto: concurrency of %d", c.o.Concurrency)
	case c.o.MaxBuffered < 0:
		return nil, fmt.Errorf("s3crypto: at most %d bytes in memory", c.o.MaxBuffered)
	}
	return c, nil
}

// maxRequest is how much S3 takes in one request, in bytes.
const maxRequest = 5 << 30

// isPartSize reports whether n can be the length of the plaintext of a part: S3 takes it,
// also with the tag, and the next part begins at a block.
func isPartSize(n int64) bool {
	const least = 5 << 20
	return n >= least && n <= maxRequest-gcmTagSize && n%gcmstream.BlockSize == 0
}

// Format prints nothing of the client, whatever the verb.
func (c *Client) Format(f fmt.State, _ rune) { fmt.Fprint(f, "s3crypto.Client") }
