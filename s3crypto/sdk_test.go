package s3crypto_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/s3crypto"
)

// s3Server is as much of S3's REST API as writing takes. It checks the digests of bodies,
// and breaks off each first request with a body.
type s3Server struct {
	flaky bool

	mu       sync.Mutex
	bodies   map[string][]byte // by path, or path and part number
	metadata map[string]string
	attempts map[string]int
	problems []string
	prefixes map[string][]byte // of the ciphertext, by what it was sent as
}

func newS3Server(t *testing.T, secure, flaky bool) (*s3Server, *s3.Client) {
	t.Helper()
	f := &s3Server{
		flaky: flaky, bodies: map[string][]byte{}, attempts: map[string]int{}, prefixes: map[string][]byte{},
	}
	server := httptest.NewUnstartedServer(f)
	if secure {
		server.StartTLS()
	} else {
		server.Start()
	}
	t.Cleanup(server.Close)
	return f, s3.New(s3.Options{
		Region: "us-east-1", BaseEndpoint: &server.URL, UsePathStyle: true, HTTPClient: server.Client(),
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenSupported,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "id", SecretAccessKey: "secret"}, nil
		}),
	})
}

func (f *s3Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	q := r.URL.Query()
	name := r.URL.Path + " " + q.Get("partNumber")
	switch {
	case r.Method == "POST" && q.Has("uploads"):
		f.note(r.Header)
		fmt.Fprint(w, `<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>`)
	case r.Method == "POST":
		f.assemble(r)
		fmt.Fprint(w, `<CompleteMultipartUploadResult><ETag>"whole"</ETag></CompleteMultipartUploadResult>`)
	case r.Method == "PUT":
		if !q.Has("partNumber") {
			f.note(r.Header)
		}
		body, crc, err := f.body(r, name)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		f.bodies[name] = body
		w.Header().Set("ETag", strconv.Quote(fmt.Sprintf("%x", crc32.ChecksumIEEE(body))))
		w.Header().Set("x-amz-checksum-crc32", crc)
	default:
		w.WriteHeader(http.StatusNotImplemented)
	}
}

// note keeps the metadata of an object.
func (f *s3Server) note(h http.Header) {
	f.metadata = map[string]string{}
	for name, values := range h {
		if key, ok := strings.CutPrefix(strings.ToLower(name), "x-amz-meta-"); ok {
			f.metadata[key] = values[0]
		}
	}
}

// seen returns what has gone wrong so far, and the object if it is there. A connection
// that the client has left may still be served.
func (f *s3Server) seen() (problems, objects string, body []byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return fmt.Sprint(f.problems), fmt.Sprint(slices.Collect(maps.Keys(f.bodies))), f.bodies["/bucket/k "]
}

func (f *s3Server) check(ok bool, format string, args ...any) {
	if !ok {
		f.problems = append(f.problems, fmt.Sprintf(format, args...))
	}
}

// body reads a request's body, and breaks off the first one of each name.
func (f *s3Server) body(r *http.Request, name string) (body []byte, crc string, err error) {
	f.attempts[name]++
	src := io.Reader(r.Body)
	if f.flaky && f.attempts[name] == 1 {
		src = io.LimitReader(r.Body, 3*mib/2)
	}
	chunked := strings.Contains(r.Header.Get("Content-Encoding"), "aws-chunked")
	if chunked {
		body, crc, err = unchunk(bufio.NewReader(src))
	} else {
		body, err = io.ReadAll(src)
		crc = r.Header.Get("x-amz-checksum-crc32")
	}
	before := f.prefixes[name]
	n := min(len(before), len(body))
	f.check(bytes.Equal(before[:n], body[:n]), "%s was sent with other bytes", name)
	f.prefixes[name] = slices.Clone(body)
	if f.flaky && f.attempts[name] == 1 {
		return nil, "", io.ErrUnexpectedEOF
	}
	if err != nil {
		f.check(false, "%s: %v", name, err)
		return nil, "", err
	}
	sum := crc32.ChecksumIEEE(body)
	want := base64.StdEncoding.EncodeToString([]byte{byte(sum >> 24), byte(sum >> 16), byte(sum >> 8), byte(sum)})
	f.check(crc == want, "%s: CRC-32 %q, not %q", name, crc, want)
	if !chunked {
		hash := sha256.Sum256(body)
		f.check(r.Header.Get("x-amz-content-sha256") == hex.EncodeToString(hash[:]), "%s: SHA-256", name)
	}
	return body, crc, nil
}

// unchunk decodes aws-chunked content and its trailing checksum.
func unchunk(r *bufio.Reader) (body []byte, crc string, err error) {
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return body, "", err
		}
		size, err := strconv.ParseInt(strings.TrimSpace(line), 16, 64)
		if err != nil {
			return body, "", err
		}
		if size == 0 {
			break
		}
		part, err := io.ReadAll(io.LimitReader(r, size))
		if body = append(body, part...); err != nil {
			return body, "", err
		}
		if _, err := r.Discard(2); err != nil {
			return body, "", err
		}
	}
	trailer, err := io.ReadAll(r)
	_, crc, _ = strings.Cut(strings.TrimSpace(string(trailer)), ":")
	return body, strings.TrimSpace(crc), err
}

// assemble makes the object of the parts that a request names.
func (f *s3Server) assemble(r *http.Request) {
	var list struct {
		Part []struct {
			PartNumber    int
			ETag          string
			ChecksumCRC32 string
		}
	}
	f.check(xml.NewDecoder(r.Body).Decode(&list) == nil, "list of parts")
	var body []byte
	for _, p := range list.Part {
		f.check(p.ETag != "", "part %d has no ETag", p.PartNumber)
		f.check(p.ChecksumCRC32 == "", "part %d has a checksum, and the upload has no algorithm", p.PartNumber)
		body = append(body, f.bodies[fmt.Sprint(r.URL.Path, " ", p.PartNumber)]...)
	}
	f.bodies[r.URL.Path+" "] = body
}

// TestSDK puts objects with the SDK's own client, over connections that need a signature
// of the body and over those that do not, and with ones that break.
func TestSDK(t *testing.T) {
	t.Parallel()
	for _, secure := range []bool{false, true} {
		for _, flaky := range []bool{false, true} {
			for _, size := range []int{0, 5, 3*mib + 7, 12*mib + 3} {
				for _, seekable := range []bool{false, true} {
					t.Run(fmt.Sprint(secure, flaky, size, seekable), func(t *testing.T) {
						t.Parallel()
						server, client := newS3Server(t, secure, flaky)
						plaintext := random(size)
						in := putInput(bytes.NewReader(plaintext))
						if !seekable {
							in.Body = plainReader{in.Body}
						}
						last := int64(-1)
						_, err := newWriter(t, client, s3crypto.Options{}).Put(t.Context(), in, &s3crypto.PutOptions{
							Progress: func(done, _ int64) { last = done },
						})
						require.NoError(t, err)
						problems, _, body := server.seen()
						require.Equal(t, "[]", problems)
						require.True(t, bytes.Equal(plaintext, decrypted(t, server.metadata, body)))
						require.Equal(t, int64(size), last)
					})
				}
			}
		}
	}
}

// TestSDKBodyChanged sees that the error of a body gets through the SDK, and that nothing
// else than the first bytes gets to the server.
func TestSDKBodyChanged(t *testing.T) {
	t.Parallel()
	for _, secure := range []bool{false, true} {
		for ends := 1; ends <= 3; ends++ {
			server, client := newS3Server(t, secure, true)
			plaintext := random(4 * mib)
			body := &fickle{bytes.NewReader(plaintext), ends, func() *bytes.Reader {
				other := bytes.Clone(plaintext)
				other[mib+5] ^= 1
				return bytes.NewReader(other)
			}}
			_, err := newWriter(t, client, s3crypto.Options{}).Put(t.Context(), putInput(body), nil)
			problems, objects, ciphertext := server.seen()
			if err != nil {
				require.ErrorIs(t, err, s3crypto.ErrBodyChanged)
				require.Equal(t, "[]", objects)
			} else {
				require.True(t, bytes.Equal(plaintext, decrypted(t, server.metadata, ciphertext)))
			}
			require.NotContains(t, problems, "other bytes")
			require.True(t, err != nil || ends > 1 || secure, "it is read for the digests and then for the request")
		}
	}
}

// TestSDKProgress sees that what is read for digests does not count.
func TestSDKProgress(t *testing.T) {
	t.Parallel()
	for _, secure := range []bool{false, true} {
		_, client := newS3Server(t, secure, false)
		var dones []int64
		_, err := newWriter(t, client, s3crypto.Options{}).Put(t.Context(), putInput(bytes.NewReader(random(3*mib))), &s3crypto.PutOptions{
			Progress: func(done, total int64) {
				require.Equal(t, int64(3*mib), total)
				dones = append(dones, done)
			},
		})
		require.NoError(t, err)
		require.True(t, slices.IsSorted(dones))
		require.Greater(t, len(dones), 3)
		require.Less(t, dones[0], int64(mib+1))
		require.Equal(t, int64(3*mib), dones[len(dones)-1])
	}
}
