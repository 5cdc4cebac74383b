package xkstest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/sealring/sealring/internal/xks"
)

const (
	service  = "kms-xks-proxy"
	basic    = "20060102T150405Z"
	maxDrift = 5 * time.Minute // specification, Appendix A
)

var authorizationPattern = regexp.MustCompile(
	`^AWS4-HMAC-SHA256 Credential=[^/ ]+/(\d{8})/([a-z0-9-]+)/` + service + `/aws4_request, ?` +
		`SignedHeaders=([a-z0-9;-]+), ?Signature=([0-9a-f]{64})$`)

// authenticate checks the signature of a request: it signs what was signed once more
// and compares.
func (p *Proxy) authenticate(r *http.Request, body []byte) error {
	const refused = exception(xks.AuthenticationFailedException)
	parts := authorizationPattern.FindStringSubmatch(r.Header.Get("Authorization"))
	if parts == nil {
		return refused
	}
	date, region, names := parts[1], parts[2], strings.Split(parts[3], ";")
	at, err := time.Parse(basic, r.Header.Get("X-Amz-Date"))
	if err != nil || at.Format("20060102") != date {
		return refused
	}
	now := time.Now
	if p.Now != nil {
		now = p.Now
	}
	if drift := now().Sub(at).Abs(); drift > maxDrift {
		return refused
	}
	if p.Region != "" && region != p.Region || r.URL.RawQuery != "" {
		return refused
	}
	if !slices.Contains(names, "host") || !slices.Contains(names, "x-amz-date") {
		return refused
	}
	want, err := p.authorization(r, body, names, region, at)
	if err != nil || !hmac.Equal([]byte(squeeze(want)), []byte(squeeze(r.Header.Get("Authorization")))) {
		return refused
	}
	return nil
}

// squeeze drops the spaces that signers do not agree on.
func squeeze(authorization string) string { return strings.ReplaceAll(authorization, ", ", ",") }

// authorization returns the header that the holder of the credential would have sent
// with a request that has these signed headers.
func (p *Proxy) authorization(r *http.Request, body []byte, names []string, region string, at time.Time) (string, error) {
	signed := &http.Request{
		Method: r.Method,
		Host:   r.Host,
		URL:    &url.URL{Scheme: "https", Host: r.Host, Path: r.URL.Path, RawPath: r.URL.RawPath},
		Header: http.Header{},
	}
	for _, name := range names {
		switch name {
		case "host", "x-amz-date": // which the signer adds
		case "content-length":
			signed.ContentLength = int64(len(body))
			if r.Header.Get(name) != "" && r.Header.Get(name) != strconv.Itoa(len(body)) {
				return "", exception(xks.AuthenticationFailedException)
			}
		default:
			signed.Header[http.CanonicalHeaderKey(name)] = r.Header.Values(name)
		}
	}
	credential := aws.Credentials{AccessKeyID: p.AccessKeyID, SecretAccessKey: p.SecretAccessKey}
	hash := sha256.Sum256(body)
	err := v4.NewSigner().SignHTTP(r.Context(), credential, signed, hex.EncodeToString(hash[:]), service, region, at)
	return signed.Header.Get("Authorization"), err
}
