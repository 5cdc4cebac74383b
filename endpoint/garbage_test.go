package endpoint_test

import (
	"bytes"
	"encoding/base64"
	"io"
	"net/http"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/stretchr/testify/require"
)

// nowhere is an http.ResponseWriter that keeps the status only.
type nowhere struct {
	header http.Header
	status int
}

func (w *nowhere) Header() http.Header    { return w.header }
func (w *nowhere) WriteHeader(status int) { w.status = status }
func (w *nowhere) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return len(b), nil
}

// TestGarbageOfARequest bounds what the endpoint allocates beside the service: the
// input's members, and hardly anything else. Not parallel: the count is the whole
// process's.
func TestGarbageOfARequest(t *testing.T) {
	const (
		members = 10 // the input, KeyId, its pointer, Plaintext, the context and its strings
		others  = 6  // the decoder, the timeout, the signed headers' names, the answer's head …
		race    = 10 // under the race detector pools lose some of what they are given
	)
	s := newSite(t, nil)
	in := &sdk.EncryptInput{KeyId: &s.key, Plaintext: make([]byte, 32), EncryptionContext: map[string]string{"tenant": "42", "purpose": "test"}}
	body := `{"KeyId":"` + s.key + `","Plaintext":"` + base64.StdEncoding.EncodeToString(in.Plaintext) +
		`","EncryptionContext":{"tenant":"42","purpose":"test"}}`
	r := newRequest("Encrypt", body)
	sign(t, r, body, signature{})
	content := bytes.NewReader(nil)
	r.Body = io.NopCloser(content)
	w := &nowhere{header: http.Header{}}
	client, ctx := s.Client(s.Root()), t.Context()

	direct := testing.AllocsPerRun(200, func() {
		if _, err := client.Encrypt(ctx, in); err != nil {
			panic(err)
		}
	})
	served := testing.AllocsPerRun(200, func() {
		content.Reset([]byte(body))
		*w = nowhere{header: w.header}
		s.handler.ServeHTTP(w, r)
		if w.status != http.StatusOK {
			panic(w.status)
		}
	})
	t.Logf("%v allocations, %v of them the service's", served, direct)
	require.LessOrEqual(t, served, direct+members+others+race+1, "one is the test's own")
}
