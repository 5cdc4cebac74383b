package keyringtest

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"testing"
)

// recorder is a reporter that keeps what is reported.
type recorder struct {
	ctx context.Context

	mu       sync.Mutex
	messages []string // guarded by mu
}

// record runs f as a test would be run and returns what it reports.
func record(t *testing.T, f func(reporter)) []string {
	t.Helper()
	r := &recorder{ctx: t.Context()}
	done := make(chan struct{})
	go func() {
		defer close(done)
		f(r)
	}()
	<-done
	return r.messages
}

func (r *recorder) Helper()                  {}
func (r *recorder) Context() context.Context { return r.ctx }

func (r *recorder) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.messages = append(r.messages, fmt.Sprintf(format, args...))
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	runtime.Goexit()
}
