package endpoint

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"time"
)

// Transport returns an http.RoundTripper that hands every request to h in the same
// process, whatever host it is for: nothing reaches a network. RoundTrip returns
// when h does, so h has to heed the request's context; a panic of h goes on to the
// caller. It is safe for concurrent use if h is.
func Transport(h http.Handler) http.RoundTripper { return transport{h} }

type transport struct{ handler http.Handler }

// RoundTrip runs the handler to its end and returns what it has written.
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	body := r.Body
	if body == nil {
		body = http.NoBody
	}
	defer body.Close()
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	served := r.Clone(r.Context())
	served.Body = body
	if served.ContentLength == 0 && body != http.NoBody {
		served.ContentLength = -1 // not known, as a server says it
	}
	served.RequestURI = r.URL.RequestURI()
	if served.Host == "" {
		served.Host = r.URL.Host
	}
	w := response{header: http.Header{}}
	t.handler.ServeHTTP(&w, served)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	return w.result(r), nil
}

// response is an http.ResponseWriter in memory.
type response struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (w *response) Header() http.Header { return w.header }

func (w *response) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
}

func (w *response) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.body.Write(b)
}

func (w *response) result(r *http.Request) *http.Response {
	w.WriteHeader(http.StatusOK)
	body := io.NopCloser(&w.body)
	if r.Method == http.MethodHead {
		body = http.NoBody
	}
	w.header.Set("Date", time.Now().UTC().Format(http.TimeFormat)) // the SDKs correct their clocks by it
	return &http.Response{
		Status:        fmt.Sprintf("%d %s", w.status, http.StatusText(w.status)),
		StatusCode:    w.status,
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        w.header,
		Body:          body,
		ContentLength: int64(w.body.Len()),
		Request:       r,
	}
}
