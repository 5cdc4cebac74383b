package bench

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/sealring/sealring/s3crypto"
)

const (
	// objectSize is the length of the plaintext of the object that is put and got.
	objectSize = 256 << 20

	// putRounds is how often the sides of a Put take turns in an iteration: it is slow.
	putRounds = 3
)

// BenchmarkS3Encrypt puts 64 MiB into an S3 that reads each body once and is not there
// otherwise, on one core and on two, and compares with one call of AES-GCM into memory
// that is there already. It reports how many times as fast that was
//
//	whole/raw  one PutObject
//	parts/raw  parts of 8 MiB, four at a time
func BenchmarkS3Encrypt(b *testing.B) {
	plaintext := randomBytes(long)
	aead, err := newGCM(make([]byte, 32))
	if err != nil {
		b.Fatal(err)
	}
	nonce, sealed := make([]byte, 12), make([]byte, 0, long+16)
	raw := side{"raw", func() error { aead.Seal(sealed, nonce, plaintext, nil); return nil }}
	put := func(name string, multipartAbove int64) side {
		c := s3Client(b, nowhere{}, multipartAbove)
		return side{name, func() error { return putObject(b, c, plaintext) }}
	}
	for cores := range 2 {
		b.Run(fmt.Sprintf("cores=%d", cores+1), func(b *testing.B) {
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(cores + 1))
			versus(b, speedup, raw, put("whole", long), put("parts", 1))
		})
	}
}

// BenchmarkS3Put puts 256 MiB into a server on loopback, in this process, and compares
// with the SDK's own clients, which put the same bytes as they are. It reports how many
// times as long that took
//
//	parts/manager  as Put does it unless told otherwise: parts of 8 MiB, four at a time;
//	               the SDK's transfer manager does the same, so it is the peer that counts
//	whole/sdk      in one PutObject, as the SDK's client
//	parts/sdk      in parts, when the SDK's client puts it in one
//
// Over HTTP the SDK reads a body twice, for the digests in its header and for the request,
// and over TLS once. The server takes its share of the processors.
func BenchmarkS3Put(b *testing.B) {
	plaintext := randomBytes(objectSize)
	eachTransport(b, nil, func(b *testing.B, plain *s3.Client) {
		uploader := transfermanager.New(plain, func(o *transfermanager.Options) {
			o.PartSizeBytes, o.Concurrency = s3crypto.DefaultPartSize, s3crypto.DefaultConcurrency
		})
		in := func() *s3.PutObjectInput {
			return &s3.PutObjectInput{Bucket: aws.String("bucket"), Key: aws.String("key"), Body: bytes.NewReader(plaintext)}
		}
		upload := func() *transfermanager.UploadObjectInput {
			return &transfermanager.UploadObjectInput{Bucket: aws.String("bucket"), Key: aws.String("key"), Body: bytes.NewReader(plaintext)}
		}
		parts, whole := s3Client(b, plain, 0), s3Client(b, plain, objectSize)
		took := takeTurns(b, putRounds, []side{
			{"parts", func() error { return putObject(b, parts, plaintext) }},
			{"whole", func() error { return putObject(b, whole, plaintext) }},
			{"manager", func() error { _, err := uploader.UploadObject(b.Context(), upload()); return err }},
			{"sdk", func() error { _, err := plain.PutObject(b.Context(), in()); return err }},
		})
		report(b, "parts/manager", cost, took[2], took[0])
		report(b, "whole/sdk", cost, took[3], took[1])
		report(b, "parts/sdk", cost, took[3], took[0])
	})
}

// BenchmarkS3Get gets an object of 256 MiB from a server on loopback, in this process,
// with GetStream, and compares with the SDK's client, which gets the same bytes and does
// not decrypt them. It reports how many times as long that took
//
//	stream/sdk  GetStream
//	gcm/sdk     one call of AES-GCM for as many bytes, which nobody sends
//
// Client and server share the processors: over HTTP, where they do little else than copy,
// decryption can only come on top.
func BenchmarkS3Get(b *testing.B) {
	var object keeper
	if err := putObject(b, s3Client(b, &object, objectSize), randomBytes(objectSize)); err != nil {
		b.Fatal(err)
	}
	aead, err := newGCM(make([]byte, 32))
	if err != nil {
		b.Fatal(err)
	}
	content, nonce := make([]byte, objectSize, objectSize+16), make([]byte, 12)
	eachTransport(b, &object, func(b *testing.B, plain *s3.Client) {
		c := s3Client(b, plain, 0)
		in := &s3.GetObjectInput{Bucket: aws.String("bucket"), Key: aws.String("key")}
		drain := func(out *s3.GetObjectOutput, err error) error {
			if err != nil {
				return err
			}
			defer out.Body.Close()
			n, err := io.Copy(sink{}, out.Body)
			if err == nil && n != *out.ContentLength {
				err = fmt.Errorf("%d bytes of %d", n, *out.ContentLength)
			}
			return err
		}
		versus(b, cost,
			side{"sdk", func() error { return drain(plain.GetObject(b.Context(), in)) }},
			side{"stream", func() error { return drain(c.GetStream(b.Context(), in, nil)) }},
			side{"gcm", func() error { aead.Seal(content[:0], nonce, content, nil); return nil }})
	})
}

func randomBytes(n int) []byte {
	p := make([]byte, n)
	rand.Read(p)
	return p
}

// s3Client returns a client with a raw AES key.
func s3Client(b *testing.B, api s3crypto.API, multipartAbove int64) *s3crypto.Client {
	b.Helper()
	w, err := s3crypto.NewAES(make([]byte, 32), nil)
	if err != nil {
		b.Fatal(err)
	}
	c, err := s3crypto.New(api, w, &s3crypto.Options{MultipartAbove: multipartAbove})
	if err != nil {
		b.Fatal(err)
	}
	return c
}

func putObject(b *testing.B, c *s3crypto.Client, plaintext []byte) error {
	_, err := c.Put(b.Context(), &s3.PutObjectInput{
		Bucket: aws.String("bucket"), Key: aws.String("key"), Body: bytes.NewReader(plaintext),
	}, nil)
	return err
}

// sink takes what it is given, and is not told to copy it by itself as io.Discard is.
type sink struct{}

func (sink) Write(p []byte) (int, error) { return len(p), nil }

// nowhere is an S3 that reads bodies once, as for a request over TLS.
type nowhere struct{ s3crypto.API }

func (nowhere) PutObject(_ context.Context, in *s3.PutObjectInput, _ ...func(*s3.Options)) (*s3.PutObjectOutput, error) {
	_, err := io.Copy(sink{}, in.Body)
	return &s3.PutObjectOutput{}, err
}

func (nowhere) CreateMultipartUpload(context.Context, *s3.CreateMultipartUploadInput, ...func(*s3.Options)) (*s3.CreateMultipartUploadOutput, error) {
	return &s3.CreateMultipartUploadOutput{UploadId: aws.String("upload")}, nil
}

func (nowhere) UploadPart(_ context.Context, in *s3.UploadPartInput, _ ...func(*s3.Options)) (*s3.UploadPartOutput, error) {
	_, err := io.Copy(sink{}, in.Body)
	return &s3.UploadPartOutput{ETag: aws.String("etag")}, err
}

func (nowhere) CompleteMultipartUpload(context.Context, *s3.CompleteMultipartUploadInput, ...func(*s3.Options)) (*s3.CompleteMultipartUploadOutput, error) {
	return &s3.CompleteMultipartUploadOutput{}, nil
}

// keeper is an S3 that keeps the one object that is put.
type keeper struct {
	s3crypto.API
	body     []byte
	metadata map[string]string
}

func (k *keeper) PutObject(_ context.Context, in *s3.PutObjectInput, _ ...func(*s3.Options)) (out *s3.PutObjectOutput, err error) {
	k.metadata, k.body = in.Metadata, make([]byte, *in.ContentLength)
	_, err = io.ReadFull(in.Body, k.body)
	return &s3.PutObjectOutput{}, err
}

// eachTransport runs fn with an SDK client of a server that takes everything and has one
// object, over HTTP and over TLS.
func eachTransport(b *testing.B, object *keeper, fn func(b *testing.B, plain *s3.Client)) {
	for _, transport := range []string{"http", "tls"} {
		b.Run(transport, func(b *testing.B) {
			server := httptest.NewUnstartedServer(http.HandlerFunc(object.serve))
			client := awshttp.NewBuildableClient()
			if transport == "tls" {
				server.StartTLS()
				client = client.WithTransportOptions(func(t *http.Transport) {
					t.TLSClientConfig.RootCAs = server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
				})
			} else {
				server.Start()
			}
			defer server.Close()
			fn(b, s3.New(s3.Options{
				Region: "us-east-1", BaseEndpoint: &server.URL, UsePathStyle: true, HTTPClient: client,
				RequestChecksumCalculation: aws.RequestChecksumCalculationWhenSupported,
				ResponseChecksumValidation: aws.ResponseChecksumValidationWhenSupported,
				Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
					return aws.Credentials{AccessKeyID: "id", SecretAccessKey: "secret"}, nil
				}),
			}))
		})
	}
}

// serve answers as S3 does, as far as it matters here.
func (k *keeper) serve(w http.ResponseWriter, r *http.Request) {
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	switch {
	case r.Method == http.MethodGet:
		for name, value := range k.metadata {
			w.Header().Set("x-amz-meta-"+name, value)
		}
		w.Header().Set("Content-Length", strconv.Itoa(len(k.body)))
		_, _ = w.Write(k.body)
	case r.Method == http.MethodPut:
		w.Header().Set("ETag", `"etag"`)
	case r.URL.Query().Has("uploads"):
		fmt.Fprint(w, `<InitiateMultipartUploadResult><UploadId>upload</UploadId></InitiateMultipartUploadResult>`)
	default:
		fmt.Fprint(w, `<CompleteMultipartUploadResult><ETag>"etag"</ETag></CompleteMultipartUploadResult>`)
	}
}
