package xkstest_test

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/internal/xks"
	"github.com/sealring/sealring/internal/xks/xkstest"
)

// sign signs all headers of a request that has the body.
func sign(t *testing.T, p *xkstest.Proxy, r *http.Request, body string) {
	t.Helper()
	signAs(t, r, aws.Credentials{AccessKeyID: p.AccessKeyID, SecretAccessKey: p.SecretAccessKey}, body, "kms-xks-proxy", time.Now())
}

func signAs(t *testing.T, r *http.Request, c aws.Credentials, body, service string, at time.Time) {
	t.Helper()
	hash := sha256.Sum256([]byte(body))
	require.NoError(t, v4.NewSigner().SignHTTP(t.Context(), c, r, hex.EncodeToString(hash[:]), service, "us-east-1", at))
}

// Unlike package xks, other signers sign all headers.
func TestSignatureOverAllHeaders(t *testing.T) {
	t.Parallel()
	p := newProxy()
	r := post(t, p, "/keys/key/encrypt", encryptBody)
	hash := sha256.Sum256([]byte(encryptBody))
	r.Header.Set("X-Amz-Content-Sha256", hex.EncodeToString(hash[:]))
	sign(t, p, r, encryptBody)
	require.Contains(t, r.Header.Get("Authorization"), "SignedHeaders=content-length;content-type;host;x-amz-content-sha256;x-amz-date,")
	status, _ := answer(t, p, r)
	require.Equal(t, 200, status)
}

// Some signers put no space after a comma.
func TestSignatureWithoutSpaces(t *testing.T) {
	t.Parallel()
	p := newProxy()
	r := post(t, p, "/keys/key/encrypt", encryptBody)
	sign(t, p, r, encryptBody)
	r.Header.Set("Authorization", strings.ReplaceAll(r.Header.Get("Authorization"), ", ", ","))
	status, _ := answer(t, p, r)
	require.Equal(t, 200, status)
}

func TestSignaturesThatAreRefused(t *testing.T) {
	t.Parallel()
	edit := func(old, new string) func(*testing.T, *xkstest.Proxy, *http.Request) {
		return func(t *testing.T, p *xkstest.Proxy, r *http.Request) {
			sign(t, p, r, encryptBody)
			before := r.Header.Get("Authorization")
			r.Header.Set("Authorization", strings.Replace(before, old, new, 1))
			require.NotEqual(t, before, r.Header.Get("Authorization"))
		}
	}
	credential := func(p *xkstest.Proxy) aws.Credentials {
		return aws.Credentials{AccessKeyID: p.AccessKeyID, SecretAccessKey: p.SecretAccessKey}
	}
	for name, prepare := range map[string]func(*testing.T, *xkstest.Proxy, *http.Request){
		"none": func(*testing.T, *xkstest.Proxy, *http.Request) {},
		"other service": func(t *testing.T, p *xkstest.Proxy, r *http.Request) {
			signAs(t, r, credential(p), encryptBody, "kms", time.Now())
		},
		"old": func(t *testing.T, p *xkstest.Proxy, r *http.Request) {
			signAs(t, r, credential(p), encryptBody, "kms-xks-proxy", time.Now().Add(-6*time.Minute))
		},
		"early": func(t *testing.T, p *xkstest.Proxy, r *http.Request) {
			signAs(t, r, credential(p), encryptBody, "kms-xks-proxy", time.Now().Add(6*time.Minute))
		},
		"other body": func(t *testing.T, p *xkstest.Proxy, r *http.Request) { sign(t, p, r, encryptBody+" ") },
		"other secret": func(t *testing.T, p *xkstest.Proxy, r *http.Request) {
			signAs(t, r, aws.Credentials{AccessKeyID: p.AccessKeyID, SecretAccessKey: "secret"}, encryptBody, "kms-xks-proxy", time.Now())
		},
		"other key": func(t *testing.T, p *xkstest.Proxy, r *http.Request) {
			signAs(t, r, aws.Credentials{AccessKeyID: "ACCESSKEY", SecretAccessKey: p.SecretAccessKey}, encryptBody, "kms-xks-proxy", time.Now())
		},
		"other algorithm":    edit("AWS4-HMAC-SHA256", "AWS4-HMAC-SHA512"),
		"other Region":       edit("us-east-1", "us-east-2"),
		"other day":          edit("/20", "/19"),
		"host not signed":    edit("host;", ""),
		"date not signed":    edit(";x-amz-date", ""),
		"header that is not": edit("host;", "host;x-absent;"),
		"signed twice":       edit("host;", "host;host;"),
		"short signature":    edit("Signature=0", "Signature="),
		"unknown part":       edit("Signature=", "Extra=1, Signature="),
		"no date": func(t *testing.T, p *xkstest.Proxy, r *http.Request) {
			sign(t, p, r, encryptBody)
			r.Header.Del("X-Amz-Date")
		},
		"date in other form": func(t *testing.T, p *xkstest.Proxy, r *http.Request) {
			sign(t, p, r, encryptBody)
			r.Header.Set("X-Amz-Date", time.Now().Format(time.RFC3339))
		},
		"other host": func(t *testing.T, p *xkstest.Proxy, r *http.Request) {
			sign(t, p, r, encryptBody)
			r.Host = "other.example.com"
		},
		"other content type": func(t *testing.T, p *xkstest.Proxy, r *http.Request) {
			sign(t, p, r, encryptBody)
			r.Header.Set("Content-Type", "text/json")
		},
		"other key in path": func(t *testing.T, p *xkstest.Proxy, r *http.Request) {
			sign(t, p, r, encryptBody)
			r.URL.Path = p.Path + "/keys/kez/encrypt"
		},
		"query": func(t *testing.T, p *xkstest.Proxy, r *http.Request) {
			r.URL.RawQuery = "a=b"
			sign(t, p, r, encryptBody)
		},
		"length that is wrong": func(t *testing.T, p *xkstest.Proxy, r *http.Request) {
			sign(t, p, r, encryptBody)
			r.Header.Set("Content-Length", "1")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProxy()
			p.Region = "us-east-1"
			r := post(t, p, "/keys/key/encrypt", encryptBody)
			if name == "short signature" {
				for !strings.Contains(r.Header.Get("Authorization"), "Signature=0") {
					r.Header.Set("X-Amz-Meta-Try", r.Header.Get("X-Amz-Meta-Try")+"x")
					sign(t, p, r, encryptBody)
				}
			}
			prepare(t, p, r)
			status, m := answer(t, p, r)
			require.Equal(t, 401, status)
			require.Equal(t, xks.AuthenticationFailedException, m["errorName"])
			require.NotContains(t, m, "ciphertext")
		})
	}
}
