package xkstest

import (
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/sealring/sealring/internal/xks"
)

// A Fault is a way of a proxy to misbehave: it gets the handler that would do right
// and returns the one to use instead.
type Fault func(next http.Handler) http.Handler

// Exception answers every request with the error of that name.
func Exception(name string) Fault {
	body, _ := json.Marshal(members{"errorName": name})
	return Reply(xks.Status(name), "application/json", string(body))
}

// Reply answers every request with that status, content type and body.
func Reply(status int, contentType, body string) Fault {
	return func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", contentType)
			w.WriteHeader(status)
			io.WriteString(w, body)
		})
	}
}

// Stall lets every request wait until the client gives it up.
func Stall() Fault {
	return func(http.Handler) http.Handler {
		return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { stall(r) })
	}
}

// StallBody sends the first half of the right answer and then nothing. In process,
// where answers come whole, it is the same as Stall.
func StallBody() Fault {
	return rewrite(func(w http.ResponseWriter, r *http.Request, right *response) {
		right.copyTo(w, right.body.Bytes()[:right.body.Len()/2])
		http.NewResponseController(w).Flush()
		stall(r)
	})
}

// stall waits until the client has gone and then drops the connection: returning would
// end the answer, and a client that is just leaving could still read that end. A server
// notices that a client has gone once it has read all that the client has sent.
func stall(r *http.Request) {
	io.Copy(io.Discard, r.Body)
	<-r.Context().Done()
	panic(http.ErrAbortHandler)
}

// Drop ends the connection without an answer.
func Drop() Fault {
	return func(http.Handler) http.Handler {
		return http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	}
}

// Truncate ends the connection in the middle of the right answer.
func Truncate() Fault {
	return rewrite(func(w http.ResponseWriter, _ *http.Request, right *response) {
		w.Header().Set("Content-Length", strconv.Itoa(right.body.Len()))
		right.copyTo(w, right.body.Bytes()[:right.body.Len()/2])
	})
}

// Oversize sends a megabyte of white space after the right answer.
func Oversize() Fault {
	return rewrite(func(w http.ResponseWriter, _ *http.Request, right *response) {
		right.copyTo(w, right.body.Bytes())
		io.WriteString(w, strings.Repeat(" ", 1<<20))
	})
}

// Alter puts another value in the place of a member of the right answer. A nil value
// takes the member away; the value for null is json.RawMessage("null").
func Alter(member string, value any) Fault {
	return rewrite(func(w http.ResponseWriter, _ *http.Request, right *response) {
		var m members
		if err := json.Unmarshal(right.body.Bytes(), &m); err != nil {
			panic(err) // it has come from this package
		}
		m[member] = value
		if value == nil {
			delete(m, member)
		}
		body, err := json.Marshal(m)
		if err != nil {
			panic(err) // the test's value is none for JSON
		}
		right.copyTo(w, body)
	})
}

// WrongIntegrity answers Encrypt with a wrong integrity value.
func WrongIntegrity() Fault { return Alter("ciphertextDataIntegrityValue", make([]byte, 32)) }

// rewrite returns a fault that makes something else of the right answer.
func rewrite(f func(w http.ResponseWriter, r *http.Request, right *response)) Fault {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			right := newResponse()
			next.ServeHTTP(right, r)
			f(w, r, right)
		})
	}
}
