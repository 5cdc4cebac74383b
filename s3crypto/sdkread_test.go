package s3crypto_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/s3crypto"
)

// shelfServer is the reading half of S3's REST API before a shelf.
type shelfServer struct {
	*shelf

	chunked bool                                                   // bodies have no Content-Length
	alter   func(r *http.Request, status *int, h http.Header)      // the answer's head
	write   func(w http.ResponseWriter, r *http.Request, b []byte) // its body
}

// newShelfServer returns the server and the SDK's client for it.
func newShelfServer(t *testing.T) (*shelfServer, *s3.Client) {
	t.Helper()
	f := &shelfServer{shelf: newShelf()}
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	return f, sdkClient(server.URL)
}

// sdkClient returns the SDK's client for a server, which does not try again.
func sdkClient(url string) *s3.Client {
	return s3.New(s3.Options{
		Region: "us-east-1", BaseEndpoint: &url, UsePathStyle: true, RetryMaxAttempts: 1,
		ResponseChecksumValidation: aws.ResponseChecksumValidationWhenSupported,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "id", SecretAccessKey: "secret"}, nil
		}),
	})
}

func (f *shelfServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	refuse := func(status int, code string) {
		w.WriteHeader(status)
		fmt.Fprintf(w, `<?xml version="1.0"?><Error><Code>%s</Code><Message>no</Message></Error>`, code)
	}
	thing := f.get(strings.TrimPrefix(r.URL.Path, "/bucket/"))
	if thing == nil {
		refuse(404, "NoSuchKey")
		return
	}
	if match := r.Header.Get("If-Match"); match != "" && match != thing.etag {
		refuse(412, "PreconditionFailed")
		return
	}
	status, first, end := 200, int64(0), thing.size
	if header := r.Header.Get("Range"); header != "" {
		var ok bool
		if first, end, ok = rangeOf(header, thing.size); !ok {
			refuse(416, "InvalidRange")
			return
		}
		status = 206
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", first, end-1, thing.size))
	}
	for name, value := range thing.metadata {
		w.Header().Set("x-amz-meta-"+name, value)
	}
	w.Header().Set("ETag", thing.etag)
	if !f.chunked || r.Method == "HEAD" {
		w.Header().Set("Content-Length", strconv.FormatInt(end-first, 10))
	}
	if f.alter != nil {
		f.alter(r, &status, w.Header())
	}
	w.WriteHeader(status)
	w.(http.Flusher).Flush()
	if r.Method == "HEAD" {
		return
	}
	body := make([]byte, end-first)
	thing.body.ReadAt(body, first)
	if f.write != nil {
		f.write(w, r, body)
		return
	}
	w.Write(body)
}

func TestSDKReads(t *testing.T) {
	t.Parallel()
	for _, kind := range kinds {
		for _, chunked := range []bool{false, true} {
			t.Run(fmt.Sprint(kind, chunked), func(t *testing.T) {
				t.Parallel()
				server, client := newShelfServer(t)
				server.chunked = chunked
				for _, size := range []int{1, 1000, 600_000} {
					sealedAs(kind, numbered(size)).store(server.shelf, "key")
					for way, read := range everyWay(t, client) {
						got, err := read()
						if !isGCM(kind) && way != "memory" && way != "spool" && way != "stream" {
							require.ErrorIs(t, err, s3crypto.ErrLegacy, way)
							continue
						}
						require.NoError(t, err, way)
						require.True(t, bytes.Equal(numbered(size), got), way)
					}
				}
			})
		}
	}
}

// TestSDKReadsDescriptions has a material description that is not ASCII come as the
// servers of the world send it, and choose the key.
func TestSDKReadsDescriptions(t *testing.T) {
	t.Parallel()
	const description = `{"ключ":"é"}`
	var latin []rune
	for _, b := range []byte(description) {
		latin = append(latin, rune(b))
	}
	other := randomBytes(32)
	w, err := s3crypto.NewAES(other, &s3crypto.AESOptions{
		DecryptionKeys: []s3crypto.AESKey{{Description: map[string]string{"ключ": "é"}, Key: wrappingKey}},
	})
	require.NoError(t, err)
	for _, sent := range []string{
		description, `{"\u043a\u043b\u044e\u0447":"\u00e9"}`,
		mime.QEncoding.Encode("UTF-8", string(latin)), mime.BEncoding.Encode("UTF-8", string(latin)),
	} {
		server, client := newShelfServer(t)
		o := sealedAs("V3", numbered(10))
		o.metadata["X-AMZ-m"] = sent
		o.store(server.shelf, "key")
		got, err := readAll(t, clientOf(t, client, w), (*s3crypto.Client).Get, nil)
		require.NoError(t, err, sent)
		require.Equal(t, numbered(10), got)
	}
}

func TestSDKErrors(t *testing.T) {
	t.Parallel()
	server, client := newShelfServer(t)
	for way, read := range everyWay(t, client) {
		_, err := read()
		if way == "download" || way == "reader" {
			require.ErrorAs(t, err, new(*types.NotFound), way)
		} else {
			require.ErrorAs(t, err, new(*types.NoSuchKey), way)
		}
	}
	server.put("key", []byte("plain"), nil)
	for way, read := range everyWay(t, client) {
		_, err := read()
		require.ErrorIs(t, err, s3crypto.ErrNotEncrypted, way)
	}
	o := sealedAs("V3 with file", numbered(1000))
	o.file = nil
	o.store(server.shelf, "key")
	for way, read := range everyWay(t, client) {
		_, err := read()
		require.ErrorIs(t, err, s3crypto.ErrMetadata, way)
	}
}

// TestSDKReadsOfAServerThatLies has the server answer what no server should.
func TestSDKReadsOfAServerThatLies(t *testing.T) {
	t.Parallel()
	const size = 100_000
	cut := func(w http.ResponseWriter, _ *http.Request, b []byte) {
		w.Write(b[:len(b)/2])
		panic(http.ErrAbortHandler)
	}
	for name, test := range map[string]struct {
		set  func(*shelfServer)
		ways []string
		want error
	}{
		"a range that was not asked for": {func(f *shelfServer) {
			f.alter = func(r *http.Request, status *int, h http.Header) {
				*status = 206
				h.Set("Content-Range", "bytes 0-9/"+h.Get("Content-Length"))
			}
		}, []string{"memory", "spool", "stream", "range"}, s3crypto.ErrResponse},
		"all where a range was asked for": {func(f *shelfServer) {
			f.alter = func(r *http.Request, status *int, h http.Header) {
				*status = 200
				h.Del("Content-Range")
			}
		}, []string{"range", "reader", "download"}, s3crypto.ErrResponse},
		"no ETag": {func(f *shelfServer) {
			f.alter = func(r *http.Request, _ *int, h http.Header) { h.Del("ETag") }
		}, []string{"reader", "download"}, s3crypto.ErrResponse},
		"another ETag in the parts": {func(f *shelfServer) {
			f.alter = func(r *http.Request, _ *int, h http.Header) {
				if r.Method == "GET" {
					h.Set("ETag", `"other"`)
				}
			}
		}, []string{"reader", "download"}, s3crypto.ErrChanged},
		"another size in the parts": {func(f *shelfServer) {
			f.alter = func(r *http.Request, _ *int, h http.Header) {
				if span, _, found := strings.Cut(h.Get("Content-Range"), "/"); found {
					h.Set("Content-Range", span+"/200000")
				}
			}
		}, []string{"reader", "download"}, s3crypto.ErrChanged},
		"a connection that is cut": {func(f *shelfServer) { f.write = cut }, []string{"memory", "spool", "stream", "range"}, io.ErrUnexpectedEOF},
		"one without a length": {func(f *shelfServer) { f.chunked, f.write = true, cut },
			[]string{"memory", "spool", "stream", "range", "reader"}, io.ErrUnexpectedEOF},
		"less than there is": {func(f *shelfServer) {
			f.chunked = true
			f.write = func(w http.ResponseWriter, _ *http.Request, b []byte) { w.Write(b[:len(b)/2]) }
		}, []string{"memory", "spool", "stream"}, s3crypto.ErrAuthentication},
		"less of a range": {func(f *shelfServer) {
			f.chunked = true
			f.write = func(w http.ResponseWriter, _ *http.Request, b []byte) { w.Write(b[:len(b)/2]) }
		}, []string{"range", "reader"}, io.ErrUnexpectedEOF},
		"more than there is": {func(f *shelfServer) {
			f.chunked = true
			f.write = func(w http.ResponseWriter, _ *http.Request, b []byte) { w.Write(append(b, 0)) }
		}, []string{"memory", "spool", "stream"}, s3crypto.ErrAuthentication},
		"more of a range": {func(f *shelfServer) {
			f.chunked = true
			f.write = func(w http.ResponseWriter, _ *http.Request, b []byte) { w.Write(append(b, 0)) }
		}, []string{"range"}, s3crypto.ErrResponse},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, client := newShelfServer(t)
			sealedAs("V3", numbered(size)).store(server.shelf, "key")
			test.set(server)
			ways := everyWay(t, client)
			for _, way := range test.ways {
				got, err := ways[way]()
				require.ErrorIs(t, err, test.want, way)
				require.True(t, bytes.HasPrefix(numbered(size), got), way)
				if isVerified(way) {
					require.Empty(t, got, way)
				}
			}
		})
	}
}

// TestSDKChecksums has S3's own checksum, over the whole, not fit.
func TestSDKChecksums(t *testing.T) {
	t.Parallel()
	server, client := newShelfServer(t)
	server.alter = func(_ *http.Request, _ *int, h http.Header) { h.Set("x-amz-checksum-crc32", "AAAAAA==") }
	sealedAs("V3", numbered(1000)).store(server.shelf, "key")
	for way, read := range everyWay(t, client) {
		if way == "reader" || way == "download" {
			continue // of parts, S3 sends none
		}
		_, err := read()
		require.ErrorContains(t, err, "checksum did not match", way)
	}
}
