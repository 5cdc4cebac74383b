package xks_test

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/internal/xks"
	"github.com/sealring/sealring/internal/xks/xkstest"
)

// The table of the specification, "Error codes".
var statuses = map[string]int{
	"ValidationException":           400,
	"InvalidStateException":         400,
	"InvalidCiphertextException":    400,
	"InvalidKeyUsageException":      400,
	"AuthenticationFailedException": 401,
	"AccessDeniedException":         403,
	"KeyNotFoundException":          404,
	"InvalidUriPathException":       404,
	"ThrottlingException":           429,
	"UnsupportedOperationException": 501,
	"DependencyTimeoutException":    503,
	"InternalException":             500,
}

func TestErrors(t *testing.T) {
	t.Parallel()
	for name, status := range statuses {
		require.Equal(t, status, xks.Status(name), name)
		proxy, client := newProxy()
		proxy.Fail(xkstest.Exception(name))
		for operation, run := range operations {
			err := run(t.Context(), client, exampleCall)
			var e *xks.Error
			require.ErrorAs(t, err, &e, "%s %s", operation, name)
			require.Equal(t, xks.Error{Name: name, Status: status}, *e)
		}
		proxy.Fail(nil)
		require.NoError(t, operations["encrypt"](t.Context(), client, exampleCall))
	}
	require.Zero(t, xks.Status("Exception"))
	require.EqualError(t, &xks.Error{Name: "KeyNotFoundException", Status: 404}, "xks: the proxy answered 404 KeyNotFoundException")
}

// KMS goes by the name alone, and says nothing of the message.
func TestErrorsByName(t *testing.T) {
	t.Parallel()
	for _, status := range []int{400, 418, 500, 599} {
		proxy, client := newProxy()
		proxy.Fail(xkstest.Reply(status, "application/json; charset=utf-8",
			`{"errorMessage":"`+exampleSecret+`","errorName":"ThrottlingException","more":[1]}`))
		for _, run := range operations {
			err := run(t.Context(), client, exampleCall)
			var e *xks.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, xks.Error{Name: xks.ThrottlingException, Status: status}, *e)
			require.NotContains(t, err.Error(), exampleSecret)
		}
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault xkstest.Fault
		want  error
	}{
		"garbage":         {xkstest.Reply(200, "application/json", "<html>"), xks.ErrInvalidResponse},
		"nothing":         {xkstest.Reply(200, "application/json", ""), xks.ErrInvalidResponse},
		"HTML error":      {xkstest.Reply(503, "text/html", "<html>"), xks.ErrInvalidResponse},
		"unknown error":   {xkstest.Reply(400, "application/json", `{"errorName":"MoodException"}`), xks.ErrInvalidResponse},
		"unnamed error":   {xkstest.Reply(500, "application/json", `{"errorMessage":"InternalException"}`), xks.ErrInvalidResponse},
		"error in case":   {xkstest.Reply(500, "application/json", `{"ErrorName":"InternalException"}`), xks.ErrInvalidResponse},
		"error with 200":  {xkstest.Reply(200, "application/json", `{"errorName":"InternalException"}`), xks.ErrInvalidResponse},
		"error with 302":  {xkstest.Reply(302, "application/json", `{"errorName":"InternalException"}`), xks.ErrInvalidResponse},
		"error with 204":  {xkstest.Reply(204, "application/json", `{"errorName":"InternalException"}`), xks.ErrInvalidResponse},
		"error with 600":  {xkstest.Reply(600, "application/json", `{"errorName":"InternalException"}`), xks.ErrInvalidResponse},
		"error as a list": {xkstest.Reply(500, "application/json", `["InternalException"]`), xks.ErrInvalidResponse},
		"error no string": {xkstest.Reply(500, "application/json", `{"errorName":1}`), xks.ErrInvalidResponse},
		"oversize":        {xkstest.Oversize(), xks.ErrInvalidResponse},
		"truncated":       {xkstest.Truncate(), xks.ErrInvalidResponse},
		"dropped":         {xkstest.Drop(), xks.ErrUnreachable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			proxy, client := newProxy()
			proxy.Fail(c.fault)
			for operation, run := range operations {
				require.ErrorIs(t, run(t.Context(), client, exampleCall), c.want, operation)
			}
		})
	}
}

// The largest answer that is still read is one byte from one that is not.
func TestSizeLimitOfAnswers(t *testing.T) {
	t.Parallel()
	const limit = 64 << 10
	for _, size := range []int{limit, limit + 1} {
		body := exampleMetadata + strings.Repeat(" ", size-len(exampleMetadata))
		p := exampleProxy(func(*http.Request) (*http.Response, error) {
			return reply(200, "application/json", body), nil
		})
		_, err := p.Metadata(t.Context(), "key", exampleCall)
		if size == limit {
			require.NoError(t, err)
		} else {
			require.ErrorIs(t, err, xks.ErrInvalidResponse)
		}
	}
}

func TestContentTypes(t *testing.T) {
	t.Parallel()
	for contentType, ok := range map[string]bool{
		"application/json":                true,
		"Application/JSON":                true,
		"application/json; charset=utf-8": true,
		"":                                false,
		"text/json":                       false,
		"application/json, text/html":     false,
	} {
		p := exampleProxy(func(*http.Request) (*http.Response, error) {
			return reply(200, contentType, exampleMetadata), nil
		})
		_, err := p.Metadata(t.Context(), "key", exampleCall)
		if ok {
			require.NoError(t, err, contentType)
		} else {
			require.ErrorIs(t, err, xks.ErrInvalidResponse, contentType)
		}
	}
}

func TestEncryptChecksTheAnswer(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]xkstest.Fault{
		"wrong integrity value":    xkstest.WrongIntegrity(),
		"no integrity value":       xkstest.Alter("ciphertextDataIntegrityValue", nil),
		"null integrity value":     xkstest.Alter("ciphertextDataIntegrityValue", json.RawMessage("null")),
		"short integrity value":    xkstest.Alter("ciphertextDataIntegrityValue", make([]byte, 31)),
		"other ciphertext":         xkstest.Alter("ciphertext", []byte(exampleText)),
		"longer ciphertext":        xkstest.Alter("ciphertext", make([]byte, len(exampleText)+1)),
		"shorter ciphertext":       xkstest.Alter("ciphertext", make([]byte, len(exampleText)-1)),
		"no ciphertext":            xkstest.Alter("ciphertext", nil),
		"ciphertext not base64":    xkstest.Alter("ciphertext", "!"),
		"ciphertext as a number":   xkstest.Alter("ciphertext", 1),
		"other vector":             xkstest.Alter("initializationVector", make([]byte, 12)),
		"vector of 13 bytes":       xkstest.Alter("initializationVector", make([]byte, 13)),
		"no vector":                xkstest.Alter("initializationVector", nil),
		"other tag":                xkstest.Alter("authenticationTag", make([]byte, 16)),
		"tag of 12 bytes":          xkstest.Alter("authenticationTag", make([]byte, 12)),
		"no tag":                   xkstest.Alter("authenticationTag", nil),
		"other metadata":           xkstest.Alter("ciphertextMetadata", make([]byte, 5)),
		"metadata of 21 bytes":     xkstest.Alter("ciphertextMetadata", make([]byte, 21)),
		"metadata no string":       xkstest.Alter("ciphertextMetadata", []int{1}),
		"metadata that was lost":   xkstest.Alter("ciphertextMetadata", nil),
		"metadata that became nil": xkstest.Alter("ciphertextMetadata", json.RawMessage("null")),
	} {
		proxy, client := newProxy()
		proxy.Fail(fault)
		require.ErrorIs(t, operations["encrypt"](t.Context(), client, exampleCall), xks.ErrInvalidResponse, name)
	}
}

func TestDecryptChecksTheAnswer(t *testing.T) {
	t.Parallel()
	for name, value := range map[string]any{
		"longer":       []byte(exampleText + "!"),
		"shorter":      []byte(exampleText[1:]),
		"empty":        "",
		"no string":    true,
		"missing":      nil,
		"null":         json.RawMessage("null"),
		"URL alphabet": "_-8_SGVsbG8gV29y",
		"no padding":   "SGVsbG8gV29ybG",
		"line break":   "SGVsbG8g\nV29ybGQh",
	} {
		proxy, client := newProxy()
		blob, err := client.Encrypt(t.Context(), "key", []byte(exampleText), nil, exampleCall)
		require.NoError(t, err)
		proxy.Fail(xkstest.Alter("plaintext", value))
		_, err = client.Decrypt(t.Context(), "key", blob, nil, exampleCall)
		require.ErrorIs(t, err, xks.ErrInvalidResponse, name)
		require.NotContains(t, err.Error(), "Hello")
		require.NotContains(t, err.Error(), "SGVsbG8")
	}
}

func TestTimeout(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]xkstest.Fault{"stall": xkstest.Stall(), "stall in the body": xkstest.StallBody()} {
		proxy, client := newProxy()
		client.Timeout = time.Millisecond
		proxy.Fail(fault)
		for operation, run := range operations {
			err := run(t.Context(), client, exampleCall)
			require.ErrorIs(t, err, xks.ErrTimeout, "%s %s", operation, name)
			require.NotErrorIs(t, err, xks.ErrUnreachable)
			require.NotErrorIs(t, err, context.DeadlineExceeded, "that is how a limit of the caller's looks")
		}
	}
}

// Without a limit of its own a proxy has KMS's.
func TestDefaultTimeout(t *testing.T) {
	t.Parallel()
	require.Equal(t, 250*time.Millisecond, xks.DefaultTimeout)
	p := exampleProxy(func(r *http.Request) (*http.Response, error) {
		deadline, ok := r.Context().Deadline()
		require.True(t, ok)
		require.LessOrEqual(t, time.Until(deadline), xks.DefaultTimeout)
		return reply(200, "application/json", exampleMetadata), nil
	})
	p.Timeout = 0
	_, err := p.Metadata(t.Context(), "key", exampleCall)
	require.NoError(t, err)
}

func TestCallersContext(t *testing.T) {
	t.Parallel()
	for name, run := range operations {
		canceled, cancel := context.WithCancel(t.Context())
		cancel()
		_, client := newProxy()
		err := run(canceled, client, exampleCall)
		require.ErrorIs(t, err, context.Canceled, name)
		require.NotErrorIs(t, err, xks.ErrTimeout)

		// While the request is on its way.
		pending, cancel := context.WithCancel(t.Context())
		waiting := exampleProxy(func(r *http.Request) (*http.Response, error) {
			cancel()
			<-r.Context().Done()
			return nil, r.Context().Err()
		})
		require.ErrorIs(t, run(pending, waiting, exampleCall), context.Canceled, name)

		// While the answer is.
		pending, cancel = context.WithCancel(t.Context())
		answering := exampleProxy(func(r *http.Request) (*http.Response, error) {
			a := reply(200, "application/json", "")
			a.Body = body(func() error { cancel(); return r.Context().Err() })
			return a, nil
		})
		require.ErrorIs(t, run(pending, answering, exampleCall), context.Canceled, name)

		late, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
		defer cancel()
		err = run(late, client, exampleCall)
		require.ErrorIs(t, err, context.DeadlineExceeded, name)
		require.NotErrorIs(t, err, xks.ErrTimeout)
	}
}

// body is a response's body that cannot be read.
type body func() error

func (b body) Read([]byte) (int, error) { return 0, b() }
func (b body) Close() error             { return nil }

// How far a request has come decides what it means that time is up.
func TestTimeoutOnTheWay(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		report func(*httptrace.ClientTrace)
		want   error
	}{
		"a transport that tells nothing": {func(*httptrace.ClientTrace) {}, xks.ErrTimeout},
		"connecting":                     {func(w *httptrace.ClientTrace) { w.GetConn("") }, xks.ErrUnreachable},
		"refused at one address": {func(w *httptrace.ClientTrace) {
			w.GetConn("")
			w.ConnectDone("tcp", "", errors.New("refused"))
		}, xks.ErrUnreachable},
		"connected": {func(w *httptrace.ClientTrace) { w.GetConn(""); w.ConnectDone("tcp", "", nil) }, xks.ErrTimeout},
		"in TLS":    {func(w *httptrace.ClientTrace) { w.GetConn(""); w.TLSHandshakeStart() }, xks.ErrTimeout},
		"waiting":   {func(w *httptrace.ClientTrace) { w.GetConn(""); w.GotConn(httptrace.GotConnInfo{}) }, xks.ErrTimeout},
	} {
		p := exampleProxy(func(r *http.Request) (*http.Response, error) {
			c.report(httptrace.ContextClientTrace(r.Context()))
			<-r.Context().Done()
			return nil, r.Context().Err()
		})
		p.Timeout = time.Millisecond
		_, err := p.Health(t.Context(), exampleCall)
		require.ErrorIs(t, err, c.want, name)
		require.NotErrorIs(t, err, xks.ErrTLS)
	}
}

// A time limit of the transport's own is one too.
func TestTimeoutOfTheTransport(t *testing.T) {
	t.Parallel()
	p := exampleProxy(func(*http.Request) (*http.Response, error) {
		return nil, &net.DNSError{IsTimeout: true}
	})
	_, err := p.Health(t.Context(), exampleCall)
	require.ErrorIs(t, err, xks.ErrTimeout)

	p = exampleProxy(func(*http.Request) (*http.Response, error) {
		a := reply(200, "application/json", "")
		a.Body = body(func() error { return &net.OpError{Op: "read", Err: &net.DNSError{IsTimeout: true}} })
		return a, nil
	})
	_, err = p.Health(t.Context(), exampleCall)
	require.ErrorIs(t, err, xks.ErrTimeout)
}

// What a transport says of a failure may quote what was sent or received.
func TestErrorsDoNotRepeatTexts(t *testing.T) {
	t.Parallel()
	const secret = "SGVsbG8gV29ybGQh"
	for name, f := range map[string]roundTrip{
		"transport": func(*http.Request) (*http.Response, error) { return nil, errors.New("malformed: " + secret) },
		"body": func(*http.Request) (*http.Response, error) {
			a := reply(200, "application/json", "")
			a.Body = body(func() error { return errors.New("malformed: " + secret) })
			return a, nil
		},
		"text": func(*http.Request) (*http.Response, error) { return reply(200, "application/json", secret), nil },
		"type": func(*http.Request) (*http.Response, error) { return reply(200, secret, "{}"), nil },
		"members": func(*http.Request) (*http.Response, error) {
			return reply(200, "application/json", `{"`+secret+`":1,"`+secret+`":1}`), nil
		},
		"name": func(*http.Request) (*http.Response, error) {
			return reply(400, "application/json", `{"errorName":"`+secret+`"}`), nil
		},
		"values": func(*http.Request) (*http.Response, error) {
			return reply(200, "application/json", `{"plaintext":"`+secret+`!","ciphertext":"`+secret+`!","keySpec":"`+secret+`"}`), nil
		},
	} {
		for operation, run := range operations {
			err := run(t.Context(), exampleProxy(f), exampleCall)
			require.Error(t, err)
			require.NotContains(t, err.Error(), secret, "%s %s", operation, name)
			require.NotContains(t, err.Error(), exampleSecret)
		}
	}
}

func TestAuthenticationFails(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*xks.Proxy){
		"other secret":        func(p *xks.Proxy) { p.SecretAccessKey += "A" },
		"other access key id": func(p *xks.Proxy) { p.AccessKeyID += "A" },
		"other Region":        func(p *xks.Proxy) { p.Region = "eu-west-1" },
		"slow clock":          func(p *xks.Proxy) { p.Now = clock(-5*time.Minute - time.Second) },
		"fast clock":          func(p *xks.Proxy) { p.Now = clock(5*time.Minute + time.Second) },
	} {
		proxy := xkstest.New()
		proxy.Region = "us-east-1"
		proxy.Now = clock(0)
		proxy.AddKey("key")
		client := proxy.Client()
		require.NoError(t, operations["encrypt"](t.Context(), client, exampleCall))
		spoil(client)
		for operation, run := range operations {
			requireName(t, run(t.Context(), client, exampleCall), xks.AuthenticationFailedException)
			require.NotEmpty(t, operation, name)
		}
	}
}

func TestClockThatIsAlmostRight(t *testing.T) {
	t.Parallel()
	for _, d := range []time.Duration{-5 * time.Minute, 5 * time.Minute} {
		proxy, client := newProxy()
		proxy.Now, client.Now = clock(0), clock(d)
		require.NoError(t, operations["encrypt"](t.Context(), client, exampleCall))
	}
}

// clock returns one that stands, at midnight of a new year, moved by d.
func clock(d time.Duration) func() time.Time {
	return func() time.Time { return time.Date(2023, 1, 1, 0, 0, 0, 0, time.UTC).Add(d) }
}
