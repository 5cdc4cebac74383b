package endpoint_test

import (
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/sealring/sealring/kms"
)

var (
	codePattern = regexp.MustCompile(`^[A-Z][A-Za-z]+Exception$`)
	idPattern   = regexp.MustCompile(uuidPattern)
)

// checkAnswer checks that a is what AWS could send: an object, nothing, or an error
// with a code that the header repeats.
func checkAnswer(t *testing.T, a answer) {
	t.Helper()
	if !idPattern.MatchString(a.header.Get("X-Amzn-Requestid")) {
		t.Fatalf("request id %q", a.header.Get("X-Amzn-Requestid"))
	}
	code := a.header.Get("X-Amzn-Errortype")
	switch a.status {
	case http.StatusOK:
		if code != "" || a.body != "" && !json.Valid([]byte(a.body)) {
			t.Fatalf("success with error type %q and body %q", code, a.body)
		}
		return
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge:
	default:
		t.Fatalf("status %d: %q", a.status, a.body)
	}
	var e struct {
		Type    string  `json:"__type"`
		Message *string `json:"message"`
	}
	d := json.NewDecoder(strings.NewReader(a.body))
	d.DisallowUnknownFields()
	if err := d.Decode(&e); err != nil || d.More() {
		t.Fatalf("error body %q: %v", a.body, err)
	}
	if e.Type != code || !codePattern.MatchString(code) || e.Message != nil && *e.Message == "" {
		t.Fatalf("error body %q under the type %q", a.body, code)
	}
}

// FuzzHandler sends arbitrary requests to a development endpoint.
func FuzzHandler(f *testing.F) {
	const authorization = "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/kms/aws4_request, SignedHeaders=host, " +
		"Signature=0000000000000000000000000000000000000000000000000000000000000000"
	for _, op := range kms.Operations() {
		f.Add("POST", "TrentService."+op.Name(), "application/x-amz-json-1.1", "localhost", authorization, "", []byte(`{"KeyId":"alias/site","NumberOfBytes":1}`))
	}
	f.Add("GET", "", "", "", "", "Origin: x", []byte{})
	f.Add("POST", "TrentService.Encrypt", "application/x-amz-json-1.1", "[::1]:1", authorization, "User-Agent: \xff", []byte(`{"KeyId":"alias/site","Plaintext":"AAAA","EncryptionContext":{"a":"\ud83d\ude00"}}`))
	f.Add("POST", "TrentService.Decrypt", "application/x-amz-json-1.1", "127.0.0.1", authorization, "", []byte("{\"CiphertextBlob\":\"AQICAHg\xff\"}"))
	f.Add("POST", "TrentService.ListKeys", "text/plain", "localhost", strings.Replace(authorization, "us-east-1", "EU", 1), "", []byte(`{"Marker":"`+strings.Repeat("x", 1100)+`"}`))
	for operation, body := range map[string]string{
		"Sign":                    `{"KeyId":"alias/site","Message":"AAAA","MessageType":"DIGEST","SigningAlgorithm":"ECDSA_SHA_256","DryRun":true}`,
		"VerifyMac":               `{"KeyId":"alias/site","Message":"AAAA","Mac":"AAAA","MacAlgorithm":"HMAC_SHA_256"}`,
		"GenerateDataKey":         `{"KeyId":"alias/site","KeySpec":"AES_256","Recipient":{"KeyEncryptionAlgorithm":"RSAES_OAEP_SHA_256","AttestationDocument":"hEShATgioFkR"}}`,
		"CreateKey":               `{"KeySpec":"ECC_NIST_P256","KeyUsage":"KEY_AGREEMENT","MultiRegion":true,"Origin":"EXTERNAL","Tags":[{"TagKey":"a","TagValue":""}]}`,
		"CreateGrant":             `{"KeyId":"alias/site","GranteePrincipal":"arn:aws:iam::111122223333:root","Operations":["Decrypt"],"Constraints":{"EncryptionContextSubset":{"a":"b"}}}`,
		"ReplicateKey":            `{"KeyId":"alias/site","ReplicaRegion":"eu-west-1"}`,
		"ImportKeyMaterial":       `{"KeyId":"alias/site","ImportToken":"AAAA","EncryptedKeyMaterial":"AAAA","ValidTo":1.7672256e9,"ExpirationModel":"KEY_MATERIAL_EXPIRES"}`,
		"ListKeyRotations":        `{"KeyId":"alias/site","IncludeKeyMaterial":"ALL_KEY_MATERIAL","Limit":1}`,
		"CreateCustomKeyStore":    `{"CustomKeyStoreName":"s","CustomKeyStoreType":"EXTERNAL_KEY_STORE","XksProxyAuthenticationCredential":{"AccessKeyId":"A","RawSecretAccessKey":"B"}}`,
		"DescribeCustomKeyStores": `{"CustomKeyStoreName":"s","Limit":1000}`,
	} {
		f.Add("POST", "TrentService."+operation, "application/x-amz-json-1.1", "localhost", authorization, "", []byte(body))
	}
	s := newInsecureSite(f)
	f.Fuzz(func(t *testing.T, method, target, contentType, host, authorization, extra string, body []byte) {
		r := newRequest("", "")
		r.Method, r.Host, r.ContentLength = method, host, int64(len(body))
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		r.Header = http.Header{"X-Amz-Target": {target}, "Content-Type": {contentType}, "Authorization": {authorization}}
		if name, value, ok := strings.Cut(extra, ": "); ok {
			r.Header.Add(name, value)
		}
		checkAnswer(t, s.do(r))
	})
}

// FuzzAuthentication sends arbitrary signatures to a strict endpoint. None of them
// can be right: the secret is random.
func FuzzAuthentication(f *testing.F) {
	s := newSite(f, nil)
	id, _ := s.keys.Create(s.Root())
	refusals := []string{
		"MissingAuthenticationTokenException", "IncompleteSignatureException",
		"InvalidSignatureException", "UnrecognizedClientException",
	}
	for _, with := range []signature{{}, {region: "eu-west-1"}, {service: "sts"}, {payloadHash: "UNSIGNED-PAYLOAD"}} {
		r := newRequest("ListKeys", "{}")
		with.creds = rootCredentials()
		with.creds.AccessKeyID, with.creds.SecretAccessKey = id, "not the secret"
		sign(f, r, "{}", with)
		f.Add(r.Header.Get("Authorization"), r.Header.Get("X-Amz-Date"), "", "", "/")
		f.Add(r.Header.Get("Authorization"), "", r.Header.Get("X-Amz-Date"), with.payloadHash, "/?a=b;c")
	}
	f.Add("", "20260101T000000Z", "", "", "/")
	f.Add("AWS4-HMAC-SHA256 Credential=////,SignedHeaders=,Signature=", "", "", "", "/")
	f.Fuzz(func(t *testing.T, authorization, amzDate, date, hash, uri string) {
		r := newRequest("ListKeys", "{}")
		for name, value := range map[string]string{
			"Authorization": authorization, "X-Amz-Date": amzDate, "Date": date, "X-Amz-Content-Sha256": hash,
		} {
			if value != "" {
				r.Header.Set(name, value)
			}
		}
		_, r.URL.RawQuery, _ = strings.Cut(uri, "?")
		a := s.do(r)
		checkAnswer(t, a)
		if !slices.Contains(refusals, a.header.Get("X-Amzn-Errortype")) {
			t.Fatalf("%d %s", a.status, a.body)
		}
		if len(s.Events()) != 0 {
			t.Fatal("the request reached the service")
		}
	})
}
