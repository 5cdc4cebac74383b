package endpoint_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/endpoint"
)

// closingBody says when it was closed.
type closingBody struct {
	io.Reader
	closed bool
}

func (b *closingBody) Close() error { b.closed = true; return nil }

func TestTransportRequest(t *testing.T) {
	t.Parallel()
	var got *http.Request
	var body string
	rt := endpoint.Transport(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		require.NoError(t, err)
		got, body = r, string(b)
		r.Header.Set("X-Mine", "changed")
	}))
	sent := &closingBody{Reader: strings.NewReader("hello")}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "https://kms.example.com/a%2Fb?c=d", sent)
	require.NoError(t, err)
	r.Header.Set("X-Mine", "original")

	response, err := rt.RoundTrip(r)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, response.StatusCode, "a handler that writes nothing")
	require.Equal(t, "200 OK", response.Status)
	require.Same(t, r, response.Request)

	require.Equal(t, "hello", body)
	require.EqualValues(t, -1, got.ContentLength, "the length of this body is not known")
	require.Equal(t, "/a%2Fb?c=d", got.RequestURI)
	require.Equal(t, "kms.example.com", got.Host)
	require.True(t, sent.closed)
	require.Equal(t, "original", r.Header.Get("X-Mine"), "a RoundTripper leaves the request alone")
	require.Same(t, sent, r.Body)
}

func TestTransportWithoutBody(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]io.Reader{"nil": nil, "NoBody": http.NoBody, "empty": strings.NewReader("")} {
		var got []byte
		length := int64(-2)
		client := &http.Client{Transport: endpoint.Transport(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			got, _ = io.ReadAll(r.Body)
			length = r.ContentLength
		}))}
		response, err := client.Do(mustRequest(t, http.MethodPost, body))
		require.NoError(t, err, name)
		require.NoError(t, response.Body.Close())
		require.Empty(t, got, name)
		require.Zero(t, length, name)
	}
}

func mustRequest(t *testing.T, method string, body io.Reader) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "http://kms.example.com/", body)
	require.NoError(t, err)
	return r
}

func TestTransportResponse(t *testing.T) {
	t.Parallel()
	client := &http.Client{Transport: endpoint.Transport(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Answer", "42")
		w.WriteHeader(http.StatusTeapot)
		w.WriteHeader(http.StatusOK) // too late
		_, _ = io.WriteString(w, "short ")
		_, _ = io.WriteString(w, "and stout")
	}))}
	for method, want := range map[string]string{http.MethodGet: "short and stout", http.MethodHead: ""} {
		response, err := client.Do(mustRequest(t, method, nil))
		require.NoError(t, err)
		body, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		require.Equal(t, want, string(body))
		require.EqualValues(t, len("short and stout"), response.ContentLength)
		require.Equal(t, "418 I'm a teapot", response.Status)
		require.Equal(t, "42", response.Header.Get("X-Answer"))
		date, err := http.ParseTime(response.Header.Get("Date"))
		require.NoError(t, err)
		require.WithinDuration(t, time.Now(), date, time.Minute)
	}
}

func TestTransportCancelled(t *testing.T) {
	t.Parallel()
	entered := make(chan struct{}, 1)
	rt := endpoint.Transport(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		entered <- struct{}{}
		<-r.Context().Done()
	}))
	ctx, cancel := context.WithCancel(t.Context())
	body := &closingBody{Reader: strings.NewReader("x")}
	r := mustRequest(t, http.MethodPost, body).WithContext(ctx)
	go func() { <-entered; cancel() }()
	_, err := rt.RoundTrip(r)
	require.ErrorIs(t, err, context.Canceled)
	require.True(t, body.closed)

	// Now that it is cancelled from the start, the handler is not asked at all.
	body.closed = false
	_, err = (&http.Client{Transport: rt}).Do(r)
	require.ErrorIs(t, err, context.Canceled)
	require.True(t, body.closed)
	require.Empty(t, entered)
}

// TestTransportCancelledRequestOfTheService waits in the service, not in a handler
// of the test.
func TestTransportCancelledRequestOfTheService(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	s.Slow("ListKeys", time.Hour)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.overTransport(rootCredentials(), region).ListKeys(ctx, nil)
	require.ErrorIs(t, err, context.Canceled)

	ctx, cancel = context.WithCancel(t.Context())
	inner := s.handler
	s.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		cancel()
		inner.ServeHTTP(w, r)
	})
	_, err = s.overTransport(rootCredentials(), region).ListKeys(ctx, nil)
	require.ErrorIs(t, err, context.Canceled)
}

func TestTransportHandsOnAPanic(t *testing.T) {
	t.Parallel()
	rt := endpoint.Transport(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("at the disco") }))
	body := &closingBody{Reader: strings.NewReader("x")}
	require.PanicsWithValue(t, "at the disco", func() { _, _ = rt.RoundTrip(mustRequest(t, http.MethodPost, body)) })
	require.True(t, body.closed)
}

// TestTransportAtOnce is for the race detector.
func TestTransportAtOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	client := s.overTransport(rootCredentials(), region)
	var wg sync.WaitGroup
	for range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for range 20 {
				sealed, err := client.Encrypt(t.Context(), &sdk.EncryptInput{KeyId: &s.key, Plaintext: []byte("attack at dawn")})
				if err != nil {
					t.Error(err)
					return
				}
				opened, err := client.Decrypt(t.Context(), &sdk.DecryptInput{CiphertextBlob: sealed.CiphertextBlob})
				if err != nil || string(opened.Plaintext) != "attack at dawn" {
					t.Errorf("decrypted: %v", err)
				}
			}
		}()
	}
	wg.Wait()
	require.Len(t, s.Events(), 8*20*2)
}
