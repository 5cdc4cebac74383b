package endpoint

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// A slowConn is the request's body and the answer's writer at once, as a connection
// is: it gives one byte after a time, unless its deadline is set.
type slowConn struct {
	httptest.ResponseRecorder
	takes time.Duration
	cut   chan struct{}
	over  bool // the handler has returned
}

func (c *slowConn) Read(p []byte) (int, error) {
	select {
	case <-time.After(c.takes):
		p[0] = 'x'
		return 1, io.EOF
	case <-c.cut:
		return 0, os.ErrDeadlineExceeded
	}
}

func (c *slowConn) SetReadDeadline(t time.Time) error {
	if c.over || t.After(time.Now()) {
		panic("a deadline that should not be")
	}
	close(c.cut)
	return nil
}

func TestBodyIsReadInTime(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name           string
		takes          time.Duration
		timeout        time.Duration
		cancelledAfter time.Duration // 0: never
		want           error
		after          time.Duration
	}{
		{name: "at once", timeout: time.Second},
		{name: "promptly", takes: promptly - 1, timeout: time.Second, after: promptly - 1},
		{name: "slowly", takes: time.Second - 1, timeout: time.Second, after: time.Second - 1},
		{name: "too slowly", takes: time.Second + 1, timeout: time.Second, want: bodyTimeout(), after: time.Second},
		{name: "cancelled", takes: time.Second, timeout: time.Minute, cancelledAfter: time.Second / 2, want: bodyTimeout(), after: time.Second / 2},
		{name: "cancelled later", takes: time.Second / 2, timeout: time.Minute, cancelledAfter: time.Second, after: time.Second / 2},
		{name: "no time at all", takes: time.Second, timeout: 1, want: bodyTimeout(), after: promptly},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := new(buffers).get()
				for range 3 { // with the same buffer
					parent, cancel := context.WithCancel(t.Context())
					defer cancel()
					if test.cancelledAfter > 0 {
						time.AfterFunc(test.cancelledAfter, cancel)
					}
					start := time.Now()
					ctx := newDeadline(parent, time.Now().Add(test.timeout))
					c := &slowConn{takes: test.takes, cut: make(chan struct{})}
					r := (&http.Request{Body: io.NopCloser(c)}).WithContext(ctx)
					require.Equal(t, test.want, readBody(ctx, c, r, b, true))
					require.Equal(t, test.after, time.Since(start))
					if test.want == nil {
						require.Equal(t, "x", string(b.bytes))
					}
					c.over = true
					ctx.end()
					time.Sleep(time.Hour)
					b.wipe()
				}
			})
		})
	}
}

// A watch is stopped at any moment, also when it just begins to wait or to cut.
func TestBodyWatchStopsAtAnyMoment(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var v bodyWatch
		for _, timeout := range []time.Duration{promptly / 2, promptly, 2 * promptly} {
			for _, stop := range []time.Duration{0, promptly - 1, promptly, promptly + 1, 2*promptly - 1, 2 * promptly, 3 * promptly} {
				ctx := newDeadline(t.Context(), time.Now().Add(timeout))
				c := &slowConn{cut: make(chan struct{})}
				v.start(ctx, c)
				time.Sleep(stop)
				v.stop()
				c.over = true
				ctx.end()
				select {
				case <-c.cut:
					require.GreaterOrEqual(t, stop, max(promptly, timeout))
				default:
					require.LessOrEqual(t, stop, max(promptly, timeout))
				}
			}
		}
	})
}
