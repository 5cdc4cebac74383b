package xkstest

import (
	"bytes"
	"io"
	"maps"
	"net/http"
	"strconv"
)

// RoundTripper returns a transport that hands every request to the proxy in the same
// process, whatever host it is for.
func (p *Proxy) RoundTripper() http.RoundTripper { return transport{p} }

type transport struct{ handler http.Handler }

// RoundTrip runs the handler to its end. A handler that aborts the connection gives
// io.ErrUnexpectedEOF.
func (t transport) RoundTrip(r *http.Request) (answer *http.Response, err error) {
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
	served.RequestURI = r.URL.RequestURI()
	if served.Host == "" {
		served.Host = r.URL.Host
	}
	defer func() {
		switch reason := recover(); reason {
		case nil:
		case http.ErrAbortHandler:
			answer, err = nil, io.ErrUnexpectedEOF
		default:
			panic(reason)
		}
	}()
	w := newResponse()
	t.handler.ServeHTTP(w, served)
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

func newResponse() *response {
	return &response{header: http.Header{}, status: http.StatusOK}
}

func (w *response) Header() http.Header { return w.header }

// WriteHeader sets the status. The handlers of this package do so once and first.
func (w *response) WriteHeader(status int) { w.status = status }

func (w *response) Write(b []byte) (int, error) { return w.body.Write(b) }

// copyTo writes the response to another one, with that body.
func (w *response) copyTo(to http.ResponseWriter, body []byte) {
	maps.Copy(to.Header(), w.header)
	to.WriteHeader(w.status)
	to.Write(body)
}

// result returns what a client would get. If the handler has promised more than it
// has written, reading the body ends with io.ErrUnexpectedEOF.
func (w *response) result(r *http.Request) *http.Response {
	var body io.Reader = &w.body
	length := int64(w.body.Len())
	if promised, err := strconv.ParseInt(w.header.Get("Content-Length"), 10, 64); err == nil && promised > length {
		body, length = io.MultiReader(body, cutShort{}), promised
	}
	return &http.Response{
		Status:        strconv.Itoa(w.status) + " " + http.StatusText(w.status),
		StatusCode:    w.status,
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        w.header,
		Body:          io.NopCloser(body),
		ContentLength: length,
		Request:       r,
	}
}

// cutShort is the end of a body that is not its end.
type cutShort struct{}

func (cutShort) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
