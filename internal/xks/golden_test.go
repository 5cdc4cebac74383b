package xks_test

import (
	"context"
	"encoding/hex"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/internal/xks"
)

// roundTrip is an http.RoundTripper.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// reply is the response of a proxy.
func reply(status int, contentType, body string) *http.Response {
	return &http.Response{
		StatusCode: status,
		Header:     http.Header{"Content-Type": {contentType}},
		Body:       io.NopCloser(strings.NewReader(body)),
	}
}

// The examples of the specification: the access key of Appendix D with the secret of
// the configuration file, and Alice, who encrypts "Hello World!".
const (
	exampleKeyID  = "b42c7fbf-de61-441c-ae24-123456789012"
	exampleSecret = "FYtE5EFA5FT0mCc3DrGUe2sti527BitkQ0Zr9MO9fvE"
	exampleText   = "Hello World!"
	exampleAAD    = "project=nile,department=marketing"

	exampleHealth = `{"xksProxyFleetSize":2,"xksProxyVendor":"Acme Corp","xksProxyModel":"Acme XKS Proxy 1.0",` +
		`"ekmVendor":"Thales Group","ekmFleetDetails":[` +
		`{"id":"hsm-id-1","model":"Luna 5.0","healthStatus":"DEGRADED"},` +
		`{"id":"hsm-id-2","model":"Luna 5.1","healthStatus":"ACTIVE"}]}`
	exampleMetadata   = `{"keySpec":"AES_256","keyUsage":["ENCRYPT","DECRYPT"],"keyStatus":"ENABLED"}`
	exampleCiphertext = `{"authenticationTag":"vBxN2ncH1oEkR8WVXpmyYQ==","ciphertext":"ghxkK1txeDNn3q8Y",` +
		`"ciphertextDataIntegrityValue":"qHA/ImC9h5HsLRXqCyPmWgYx7tzyoTplzILbP0fPXsc=",` +
		`"ciphertextMetadata":"a2V5X3ZlcnNpb249MQ==","initializationVector":"HMrlRw85cAJUd5Ax"}`
	examplePlaintext = `{"plaintext":"SGVsbG8gV29ybGQh"}`
)

var exampleCall = xks.Call{
	PrincipalARN: "arn:aws:iam::123456789012:user/Alice",
	KeyARN:       "arn:aws:kms:us-east-2:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab",
	Operation:    "Encrypt",
	RequestID:    "4112f4d6-db54-4af4-ae30-c55a22a8dfae",
	ViaService:   "ebs",
}

// exampleBlob is what Encrypt makes of exampleCiphertext.
const exampleBlob = "01" + "0d" + "6b65795f76657273696f6e3d31" + "0c" + "1ccae5470f39700254779031" +
	"bc1c4dda7707d6812447c5955e99b261" + "821c642b5b71783367deaf18"

func exampleProxy(f roundTrip) *xks.Proxy {
	return &xks.Proxy{
		Transport:       f,
		Endpoint:        "https://xks.example.com",
		Path:            "/path/kms/xks/v1",
		AccessKeyID:     "HGIE2BUAFNDMBCMSQVWLGCEXAMPLE",
		SecretAccessKey: exampleSecret,
		Region:          "us-east-2",
		Timeout:         time.Minute,
		Now:             func() time.Time { return time.Date(2022, 11, 10, 12, 13, 14, 0, time.UTC) },
	}
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	require.NoError(t, err)
	return b
}

// The signatures come from another implementation of Signature Version 4.
func TestRequests(t *testing.T) {
	t.Parallel()
	from := func(operation string) xks.Call {
		c := exampleCall
		c.Operation = operation
		return c
	}
	creating := xks.Call{PrincipalARN: exampleCall.PrincipalARN, Operation: "CreateKey", RequestID: exampleCall.RequestID}
	throughVPC := from("Encrypt")
	throughVPC.SourceVPC, throughVPC.SourceVPCE = "vpc-1", "vpce-2"
	const (
		principal = `"awsPrincipalArn":"arn:aws:iam::123456789012:user/Alice"`
		keyARN    = `"kmsKeyArn":"arn:aws:kms:us-east-2:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"`
		requestID = `"kmsRequestId":"4112f4d6-db54-4af4-ae30-c55a22a8dfae"`
		aad       = `"additionalAuthenticatedData":"cHJvamVjdD1uaWxlLGRlcGFydG1lbnQ9bWFya2V0aW5n"`
	)
	for _, c := range []struct {
		name, answer, path, body, signature string
		run                                 func(ctx context.Context, p *xks.Proxy) (any, error)
		want                                any
	}{
		{
			name: "health",
			run: func(ctx context.Context, p *xks.Proxy) (any, error) {
				return p.Health(ctx, from("CreateCustomKeyStore"))
			},
			answer:    exampleHealth,
			path:      "/health",
			body:      `{"requestMetadata":{"kmsOperation":"CreateCustomKeyStore",` + requestID + `}}`,
			signature: "32aeac166c5a26baa97d4b289f0be2bad6efa5b574b4d34d59fd4ac4b973c4e1",
			want: xks.Health{
				FleetSize: 2, Vendor: "Acme Corp", Model: "Acme XKS Proxy 1.0", ManagerVendor: "Thales Group",
				Managers: []xks.Manager{
					{ID: "hsm-id-1", Model: "Luna 5.0", Status: xks.Degraded},
					{ID: "hsm-id-2", Model: "Luna 5.1", Status: xks.Active},
				},
			},
		},
		{
			name:      "metadata for CreateKey",
			run:       func(ctx context.Context, p *xks.Proxy) (any, error) { return p.Metadata(ctx, exampleKeyID, creating) },
			answer:    exampleMetadata,
			path:      "/keys/" + exampleKeyID + "/metadata",
			body:      `{"requestMetadata":{` + principal + `,"kmsOperation":"CreateKey",` + requestID + `}}`,
			signature: "84fd79c92dbe553ac28bbe05a379559f1877356d66227c1f4d51df4995c01611",
			want:      xks.Metadata{Spec: xks.AES256, Usage: []string{xks.UsageEncrypt, xks.UsageDecrypt}, Status: xks.Enabled},
		},
		{
			name: "encrypt",
			run: func(ctx context.Context, p *xks.Proxy) (any, error) {
				return p.Encrypt(ctx, exampleKeyID, []byte(exampleText), []byte(exampleAAD), throughVPC)
			},
			answer: exampleCiphertext,
			path:   "/keys/" + exampleKeyID + "/encrypt",
			body: `{"requestMetadata":{` + principal + `,"awsSourceVpc":"vpc-1","awsSourceVpce":"vpce-2",` + keyARN +
				`,"kmsOperation":"Encrypt",` + requestID + `,"kmsViaService":"ebs"},` + aad +
				`,"plaintext":"SGVsbG8gV29ybGQh","encryptionAlgorithm":"AES_GCM","ciphertextDataIntegrityValueAlgorithm":"SHA_256"}`,
			signature: "54a21def7ed18d281711ef39b9d185cb1fd5ea6048879ef6e4f38fda80526c04",
			want:      unhex(t, exampleBlob),
		},
		{
			name: "decrypt",
			run: func(ctx context.Context, p *xks.Proxy) (any, error) {
				return p.Decrypt(ctx, exampleKeyID, unhex(t, exampleBlob), []byte(exampleAAD), from("Decrypt"))
			},
			answer: examplePlaintext,
			path:   "/keys/" + exampleKeyID + "/decrypt",
			body: `{"requestMetadata":{` + principal + `,` + keyARN + `,"kmsOperation":"Decrypt",` + requestID + `,"kmsViaService":"ebs"},` +
				aad + `,"ciphertext":"ghxkK1txeDNn3q8Y","ciphertextMetadata":"a2V5X3ZlcnNpb249MQ==","encryptionAlgorithm":"AES_GCM",` +
				`"initializationVector":"HMrlRw85cAJUd5Ax","authenticationTag":"vBxN2ncH1oEkR8WVXpmyYQ=="}`,
			signature: "c20cacfcb282ec3399e32b05c9a6f497a368cb63472ec5436eaf2cf56dc2ed5e",
			want:      []byte(exampleText),
		},
		{
			name: "decrypt without metadata and additional data",
			run: func(ctx context.Context, p *xks.Proxy) (any, error) {
				return p.Decrypt(ctx, exampleKeyID, unhex(t, "0100"+exampleBlob[30:]), nil, from("Decrypt"))
			},
			answer: examplePlaintext,
			path:   "/keys/" + exampleKeyID + "/decrypt",
			body: `{"requestMetadata":{` + principal + `,` + keyARN + `,"kmsOperation":"Decrypt",` + requestID + `,"kmsViaService":"ebs"},` +
				`"ciphertext":"ghxkK1txeDNn3q8Y","encryptionAlgorithm":"AES_GCM",` +
				`"initializationVector":"HMrlRw85cAJUd5Ax","authenticationTag":"vBxN2ncH1oEkR8WVXpmyYQ=="}`,
			signature: "a9b0659243ed2b0f9a1964cf4f88ff9a7cd6dcaefac18a309fab0c05fa8451d9",
			want:      []byte(exampleText),
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			requests := 0
			p := exampleProxy(func(r *http.Request) (*http.Response, error) {
				requests++
				require.Equal(t, "POST", r.Method)
				require.Equal(t, "https://xks.example.com/path/kms/xks/v1"+c.path, r.URL.String())
				require.Equal(t, "xks.example.com", r.Host)
				require.Equal(t, http.Header{
					"Accept-Encoding": {"identity"},
					"Authorization": {"AWS4-HMAC-SHA256 Credential=HGIE2BUAFNDMBCMSQVWLGCEXAMPLE/20221110/us-east-2/kms-xks-proxy/aws4_request, " +
						"SignedHeaders=host;x-amz-date, Signature=" + c.signature},
					"Content-Type": {"application/json"},
					"X-Amz-Date":   {"20221110T121314Z"},
				}, r.Header)
				for range 2 { // a transport may send it again if the first connection was closed
					body, err := io.ReadAll(r.Body)
					require.NoError(t, err)
					require.Equal(t, c.body, string(body))
					require.EqualValues(t, len(body), r.ContentLength)
					r.Body, err = r.GetBody()
					require.NoError(t, err)
				}
				return reply(200, "application/json", c.answer), nil
			})
			got, err := c.run(t.Context(), p)
			require.NoError(t, err)
			require.Equal(t, c.want, got)
			require.Equal(t, 1, requests)
		})
	}
}
