package endpoint_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const maxBody = 1 << 20 // as the handler documents it

func TestMalformedBodies(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	// Each body holds PLANTED where a value or a name of the request's own stands.
	for name, c := range map[string]struct{ operation, body, reason string }{
		"cut short":                {"Encrypt", `{"KeyId":"PLANTED"`, "unexpected end of body, want ',' or '}'"},
		"trailing data":            {"Encrypt", `{"KeyId":"PLANTED"} "PLANTED"`, "unexpected data behind the object"},
		"two objects":              {"Encrypt", `{"KeyId":"PLANTED"}{}`, "unexpected data behind the object"},
		"member twice":             {"Encrypt", `{"KeyId":"PLANTED","KeyId":"PLANTED"}`, "member given twice"},
		"member twice, escaped":    {"Encrypt", `{"KeyId":"PLANTED","Key\u0049d":"PLANTED"}`, "member given twice"},
		"unknown member twice":     {"Encrypt", `{"PLANTED":1,"PLANTED":1}`, "member given twice"},
		"member of unknown, twice": {"Encrypt", `{"X":{"PLANTED":1,"PLANTED":1}}`, "member given twice"},
		"context key twice":        {"Encrypt", `{"EncryptionContext":{"PLANTED":"1","PLANTED":"2"}}`, "EncryptionContext: key given twice"},
		"invalid UTF-8":            {"Encrypt", "{\"KeyId\":\"PLANTED\xff\"}", "invalid UTF-8"},
		"overlong UTF-8":           {"Encrypt", "{\"KeyId\":\"PLANTED\xc0\xaf\"}", "invalid UTF-8"},
		"encoded surrogate":        {"Encrypt", "{\"KeyId\":\"PLANTED\xed\xa0\x80\"}", "invalid UTF-8"},
		"lone high surrogate":      {"Encrypt", `{"KeyId":"PLANTED\ud800"}`, "KeyId: unpaired surrogate"},
		"lone low surrogate":       {"Encrypt", `{"KeyId":"PLANTED\udc00"}`, "KeyId: unpaired surrogate"},
		"surrogates swapped":       {"Encrypt", `{"EncryptionContext":{"a":"PLANTED\udc00\ud800"}}`, "EncryptionContext.value: unpaired surrogate"},
		"control character":        {"Encrypt", "{\"KeyId\":\"PLANTED\x01\"}", "KeyId: control character in a string"},
		"no object: null":          {"Encrypt", `null`, "NULL_VALUE cannot be converted to Structure"},
		"no object: string":        {"Encrypt", `"PLANTED"`, "STRING_VALUE cannot be converted to Structure"},
		"no object: list":          {"Encrypt", `["PLANTED"]`, "Start of list found where not expected"},
		"no object: text":          {"Encrypt", `PLANTED`, "unexpected character, want a value"},
		"no object: space":         {"Encrypt", ` `, "unexpected end of body, want a value"},
		"byte order mark":          {"Encrypt", "\ufeff{}", "unexpected character, want a value"},
		"form":                     {"Encrypt", `KeyId=PLANTED`, "unexpected character, want a value"},
		"string for list":          {"TagResource", `{"Tags":"PLANTED"}`, "Tags: STRING_VALUE cannot be converted to List"},
		"string in list":           {"TagResource", `{"Tags":["PLANTED"]}`, "Tags[0]: STRING_VALUE cannot be converted to Structure"},
		"null in list":             {"UntagResource", `{"TagKeys":["PLANTED",null]}`, "TagKeys[1]: NULL_VALUE cannot be converted to String"},
		"list for string":          {"Encrypt", `{"KeyId":["PLANTED"]}`, "KeyId: Start of list found where not expected"},
		"object for string":        {"Encrypt", `{"KeyId":{"PLANTED":1}}`, "KeyId: Start of structure or map found where not expected"},
		"number for string":        {"Encrypt", `{"KeyId":31337000}`, "KeyId: NUMBER_VALUE cannot be converted to String"},
		"number in context":        {"Encrypt", `{"EncryptionContext":{"PLANTED":1}}`, "EncryptionContext.value: NUMBER_VALUE cannot be converted to String"},
		"null in context":          {"Encrypt", `{"EncryptionContext":{"PLANTED":null}}`, "EncryptionContext.value: NULL_VALUE cannot be converted to String"},
		"string for number":        {"GenerateRandom", `{"NumberOfBytes":"PLANTED"}`, "NumberOfBytes: STRING_VALUE cannot be converted to Integer"},
		"string of digits":         {"GenerateRandom", `{"NumberOfBytes":"16"}`, "NumberOfBytes: STRING_VALUE cannot be converted to Integer"},
		"fraction for integer":     {"GenerateRandom", `{"NumberOfBytes":31337000.5}`, "NumberOfBytes: not an integer, or out of range"},
		"integer out of range":     {"GenerateRandom", `{"NumberOfBytes":31337000000000}`, "NumberOfBytes: not an integer, or out of range"},
		"leading zero":             {"GenerateRandom", `{"NumberOfBytes":016}`, "NumberOfBytes: number with a leading zero"},
		"string for boolean":       {"Encrypt", `{"DryRun":"PLANTED"}`, "DryRun: STRING_VALUE cannot be converted to Boolean"},
		"number for blob":          {"Encrypt", `{"Plaintext":31337000}`, "Plaintext: NUMBER_VALUE cannot be converted to Blob"},
		"blob not base64":          {"Encrypt", `{"Plaintext":"PLANTED!"}`, "Plaintext: bad base64"},
		"blob not padded":          {"Encrypt", `{"Plaintext":"PLANTED"}`, "Plaintext: bad base64"},
		"blob not canonical":       {"Encrypt", `{"Plaintext":"PLANTED/PLANTEDx=="}`, "Plaintext: bad base64"},
		"blob of the URL alphabet": {"Encrypt", `{"Plaintext":"PLANTED_"}`, "Plaintext: bad base64"},
		"nested too deep":          {"Encrypt", `{"X":` + strings.Repeat("[", 5000), "too many nested objects and arrays"},
	} {
		t.Run(name, func(t *testing.T) {
			a := s.post(t, c.operation, c.body)
			code, message := errorOf(t, a)
			require.Equal(t, http.StatusBadRequest, a.status)
			require.Equal(t, "SerializationException", code)
			require.Regexp(t, "^"+strings.NewReplacer("[", `\[`, "]", `\]`, ".", `\.`).Replace(c.reason)+` at byte \d+$`, message)
			for _, planted := range []string{"PLANTED", "31337", "awsjson"} {
				require.NotContains(t, a.body, planted)
			}
		})
	}
	require.Empty(t, s.Events())
}

func TestLenientBodies(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	require.Equal(t, http.StatusOK, s.post(t, "CreateKey", `{}`).status)
	both := s.post(t, "ListKeys", `{}`)
	require.Len(t, object(t, both)["Keys"], 2)
	for name, body := range map[string]string{
		"no body":               ``,
		"null member":           `{"Limit":null}`,
		"white space":           " \r\n\t{ }\n",
		"unknown members":       `{"Fancy":{"a":[1,-2.5e3,{"b":null,"c":true}]},"😀":"\ud83d\ude00"}`,
		"member in wrong case":  `{"limit":1}`,
		"member in wrong case2": `{"LIMIT":"one"}`,
	} {
		require.Equal(t, both.body, s.post(t, "ListKeys", body).body, name)
	}

	missing := "1 validation error detected: Value null at 'keyId' failed to satisfy constraint: Member must not be null"
	for name, body := range map[string]string{
		"no body": ``, "empty": `{}`, "null": `{"KeyId":null}`, "wrong case": `{"keyId":"alias/site"}`,
	} {
		a := s.post(t, "DescribeKey", body)
		code, message := errorOf(t, a)
		require.Equal(t, []string{"ValidationException", missing}, []string{code, message}, name)
	}
}

func TestUnknownOperations(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	for name, change := range map[string]func(*http.Request){
		"no target":         func(r *http.Request) { r.Header.Del("X-Amz-Target") },
		"empty target":      func(r *http.Request) { r.Header.Set("X-Amz-Target", "") },
		"no service":        func(r *http.Request) { r.Header.Set("X-Amz-Target", "ListKeys") },
		"other service":     func(r *http.Request) { r.Header.Set("X-Amz-Target", "AmazonSSM.ListKeys") },
		"no operation":      func(r *http.Request) { r.Header.Set("X-Amz-Target", "TrentService.") },
		"unknown operation": func(r *http.Request) { r.Header.Set("X-Amz-Target", "TrentService.StealKeys") },
		"half an operation": func(r *http.Request) { r.Header.Set("X-Amz-Target", "TrentService.Sig") },
		"longer operation":  func(r *http.Request) { r.Header.Set("X-Amz-Target", "TrentService.Signs") },
		"operation of SSM":  func(r *http.Request) { r.Header.Set("X-Amz-Target", "TrentService.GetParameter") },
		"operation's case":  func(r *http.Request) { r.Header.Set("X-Amz-Target", "TrentService.listKeys") },
		"service's case":    func(r *http.Request) { r.Header.Set("X-Amz-Target", "trentservice.ListKeys") },
		"space":             func(r *http.Request) { r.Header.Set("X-Amz-Target", "TrentService.ListKeys ") },
		"GET":               func(r *http.Request) { r.Method = http.MethodGet },
		"HEAD":              func(r *http.Request) { r.Method = http.MethodHead },
		"PUT":               func(r *http.Request) { r.Method = http.MethodPut },
		"OPTIONS":           func(r *http.Request) { r.Method = http.MethodOptions },
		"path":              func(r *http.Request) { r.URL.Path = "/kms" },
		"double slash":      func(r *http.Request) { r.URL.Path = "//" },
		"no path":           func(r *http.Request) { r.URL.Path = "" },
		"asterisk":          func(r *http.Request) { r.URL.Path = "*" },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRequest("ListKeys", "{}")
			change(r)
			sign(t, r, "{}", signature{})
			requireError(t, s.do(r), http.StatusBadRequest, "UnknownOperationException", "")
		})
	}
	require.Empty(t, s.Events())
}

func TestHeadHasNoBody(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequest(http.MethodHead, "/", nil)
	a := send(t, newSite(t, nil).serve(t), r)
	require.Equal(t, http.StatusBadRequest, a.status)
	require.Equal(t, "UnknownOperationException", a.header.Get("X-Amzn-Errortype"))
	require.Empty(t, a.body)
}

// padded returns a body for ListKeys of n bytes.
func padded(n int) string { return "{" + strings.Repeat(" ", n-2) + "}" }

func TestBodySize(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	url := s.serve(t)
	for _, chunked := range []bool{false, true} {
		for _, n := range []int{2, 4096, maxBody - 1, maxBody, maxBody + 1, 2 * maxBody} {
			t.Run(fmt.Sprintf("%d chunked=%t", n, chunked), func(t *testing.T) {
				body := padded(n)
				r := newRequest("ListKeys", body)
				if chunked {
					r.ContentLength = -1
				}
				sign(t, r, body, signature{})
				a := send(t, url, r)
				if n > maxBody {
					requireError(t, a, http.StatusRequestEntityTooLarge, "RequestEntityTooLargeException", "The body is too large.")
					return
				}
				require.Len(t, object(t, a)["Keys"], 1)
			})
		}
	}
}

// countingReader is a body without end that counts what is read of it.
type countingReader struct{ n int }

func (r *countingReader) Read(b []byte) (int, error) {
	clear(b)
	r.n += len(b)
	return len(b), nil
}

func TestEndlessBodyIsNotRead(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	for _, c := range []struct {
		name          string
		contentLength int64
		most          int
	}{
		{"chunked", -1, maxBody + 1},
		{"declared", 1 << 40, 0},
		{"declared small", 10, maxBody + 1}, // a server cuts this one off by itself
	} {
		body := &countingReader{}
		r := newRequest("ListKeys", "")
		sign(t, r, "", signature{})
		r.Body, r.ContentLength = io.NopCloser(body), c.contentLength
		a := s.do(r)
		require.Equal(t, http.StatusRequestEntityTooLarge, a.status, c.name)
		require.LessOrEqual(t, body.n, c.most, c.name)
	}
}

func TestBodyOfUnsignedRequestIsNotRead(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	body := &countingReader{}
	r := newRequest("ListKeys", "")
	r.Body, r.ContentLength = io.NopCloser(body), -1
	requireError(t, s.do(r), http.StatusBadRequest, "MissingAuthenticationTokenException", "Missing Authentication Token")
	require.Zero(t, body.n)
}

func TestSlowBody(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	const body = `{"KeyId":"alias/site"}`
	r := newRequest("DescribeKey", body)
	sign(t, r, body, signature{})
	in, out := io.Pipe()
	r.Body = in
	go func() {
		for i := range len(body) {
			_, _ = out.Write([]byte{body[i]})
		}
		out.Close()
	}()
	require.Equal(t, http.StatusOK, send(t, s.serve(t), r).status)
}

// sendHalf sends a signed request, but half of its body, over a connection of its
// own.
func (s *site) sendHalf(t *testing.T) *net.TCPConn {
	t.Helper()
	u, err := url.Parse(s.serve(t))
	require.NoError(t, err)
	c, err := net.Dial("tcp", u.Host)
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	r := newRequest("CreateKey", "{}")
	sign(t, r, "{}", signature{})
	var head bytes.Buffer
	require.NoError(t, r.Header.WriteSubset(&head, map[string]bool{"Content-Length": true}))
	_, err = fmt.Fprintf(c, "POST / HTTP/1.1\r\nHost: %s\r\n%sContent-Length: 2\r\n\r\n{", r.Host, &head)
	require.NoError(t, err)
	return c.(*net.TCPConn)
}

func TestAbortedBody(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	c := s.sendHalf(t)
	require.NoError(t, c.CloseWrite())
	response, err := http.ReadResponse(bufio.NewReader(c), nil)
	require.NoError(t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	requireError(t, answer{response.StatusCode, response.Header, string(text)}, http.StatusBadRequest,
		"SerializationException", "the body could not be read")
	require.Empty(t, s.Events())
}

// TestStalledBody has the client go away in the middle of its body: the handler
// must not stay behind.
func TestStalledBody(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	entered, left := make(chan struct{}), make(chan struct{})
	inner := s.handler
	s.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer close(left)
		close(entered)
		inner.ServeHTTP(w, r)
	})
	c := s.sendHalf(t)
	<-entered
	require.NoError(t, c.Close())
	<-left
	require.Empty(t, s.Events())
}
