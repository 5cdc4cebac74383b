package xks

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

const (
	signingName = "kms-xks-proxy" // the service in the scope of signatures
	mediaType   = "application/json"
)

// maxResponse bounds a response's body, in bytes. The longest that KMS has a use
// for carries MaxPlaintext in base64.
const maxResponse = 64 << 10

// post sends the request, which is encoded as JSON, to the path below the proxy's
// own, and returns the object that it is answered with, or the answer's *Error.
func (p *Proxy) post(ctx context.Context, path string, request any) (*answer, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	body, err := json.Marshal(request)
	if err != nil {
		return nil, fmt.Errorf("xks: request: %v", err)
	}
	limited, cancel := context.WithTimeout(ctx, cmp.Or(p.Timeout, DefaultTimeout))
	defer cancel()
	traced, way := trace(limited)
	r, err := p.request(traced, path, body)
	if err != nil {
		return nil, err
	}
	response, err := p.Transport.RoundTrip(r)
	switch {
	case ctx.Err() != nil && err != nil:
		return nil, canceled(ctx)
	case err != nil:
		return nil, way.failure(err, limited.Err() != nil)
	}
	defer response.Body.Close()
	data, err := io.ReadAll(io.LimitReader(response.Body, maxResponse+1))
	switch {
	case err == nil:
		return interpret(response, data)
	case ctx.Err() != nil:
		return nil, canceled(ctx)
	case limited.Err() != nil || isTimeout(err):
		return nil, ErrTimeout
	}
	return nil, invalid("it ends early")
}

// canceled returns the error of a context that is over.
func canceled(ctx context.Context) error { return fmt.Errorf("xks: %w", ctx.Err()) }

// request returns a signed request. The signature covers the host, the time and the
// body's hash, and no other headers: those are what the specification names (Appendix
// A), and some proxies may know no more.
func (p *Proxy) request(ctx context.Context, path string, body []byte) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, p.Endpoint+p.Path+path, nil)
	if err != nil {
		return nil, fmt.Errorf("xks: request: %v", err)
	}
	now := time.Now
	if p.Now != nil {
		now = p.Now
	}
	credential := aws.Credentials{AccessKeyID: p.AccessKeyID, SecretAccessKey: p.SecretAccessKey}
	hash := sha256.Sum256(body)
	if err := v4.NewSigner().SignHTTP(ctx, credential, r, hex.EncodeToString(hash[:]), signingName, p.Region, now()); err != nil {
		return nil, fmt.Errorf("xks: sign: %v", err)
	}
	r.Header.Set("Content-Type", mediaType)
	r.Header.Set("Accept-Encoding", "identity") // no compression beside secrets
	r.ContentLength = int64(len(body))
	r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	r.Body, err = r.GetBody()
	return r, err
}

// interpret makes an answer or an *Error of a response, whose body was read up to
// one byte more than maxResponse.
func interpret(r *http.Response, body []byte) (*answer, error) {
	if len(body) > maxResponse {
		return nil, invalid("it is too long")
	}
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != mediaType {
		return nil, invalid("it is not " + mediaType)
	}
	a, err := parseAnswer(body)
	switch {
	case err != nil:
		return nil, err
	case r.StatusCode == http.StatusOK:
		return a, nil
	case r.StatusCode < 400 || r.StatusCode > 599:
		return nil, invalid("it has an odd status")
	}
	name := a.text("errorName")
	if a.err != nil {
		return nil, a.err
	}
	if Status(name) == 0 {
		return nil, invalid("it is an error that is not known")
	}
	return nil, &Error{Name: name, Status: r.StatusCode}
}
