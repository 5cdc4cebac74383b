package main

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/sealring/sealring/store"
)

// readyTimeout is how long a readiness probe waits for the store.
const readyTimeout = 2 * time.Second

// admin answers on the listener for operators: health, metrics, backups.
type admin struct {
	store    store.Store
	backup   func(ctx context.Context, w io.Writer) (int64, error) // nil if the store has none
	meter    *meter
	samples  []sample
	token    []byte // of backups; empty: there are none
	log      *slog.Logger
	draining atomic.Bool
}

// handler returns the paths.
func (a *admin) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", a.ready)
	mux.HandleFunc("GET /metrics", a.metrics)
	mux.HandleFunc("POST /backup", a.sendBackup)
	return mux
}

// ready answers whether requests would be served: the store can be read, and is not
// older than it may be.
func (a *admin) ready(w http.ResponseWriter, r *http.Request) {
	if a.draining.Load() {
		http.Error(w, "shutting down", http.StatusServiceUnavailable)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
	defer cancel()
	if err := a.store.View(ctx, func(store.Tx) error { return nil }); err != nil {
		a.log.Warn("not ready", "error", err)
		http.Error(w, "the store cannot be read", http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ok")
}

func (a *admin) metrics(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	_ = a.meter.write(w, a.samples) // the client is gone: there is nobody to tell
}

// backupEnd is the trailer that says that a backup is whole: its length in bytes.
const backupEnd = "Sealring-Backup-Length"

// sendBackup streams a copy of the store's file, as it is at the moment, to whoever has
// the token.
func (a *admin) sendBackup(w http.ResponseWriter, r *http.Request) {
	switch {
	case len(a.token) == 0 || a.backup == nil:
		http.Error(w, "no backups here: they want a store in a file, and -admin-token-file", http.StatusNotFound)
		return
	case r.TLS == nil && !fromLoopback(r):
		http.Error(w, "without TLS, backups are for this machine only", http.StatusForbidden)
		return
	case !a.authorised(r):
		a.log.Warn("backup refused: wrong token", "remote", r.RemoteAddr)
		w.Header().Set("WWW-Authenticate", "Bearer")
		http.Error(w, "wrong token", http.StatusUnauthorized)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Trailer", backupEnd)
	n, err := a.backup(r.Context(), &patientWriter{w, http.NewResponseController(w)})
	if err != nil {
		a.log.Error("backup failed", "error", err)
		panic(http.ErrAbortHandler) // cuts the answer off: half a file does not look whole
	}
	w.Header().Set(backupEnd, fmt.Sprint(n))
	a.log.Info("backup sent", "bytes", n, "remote", r.RemoteAddr)
}

// backupStall is how long a client may take for one piece of a backup. Meanwhile the
// store's file keeps all that was in it when the backup began.
const backupStall = time.Minute

// patientWriter writes an answer that may take longer than any other, as long as it goes
// on.
type patientWriter struct {
	w        io.Writer
	deadline *http.ResponseController
}

// Write gives the piece its own time.
func (p *patientWriter) Write(b []byte) (int, error) {
	_ = p.deadline.SetWriteDeadline(time.Now().Add(backupStall)) // without it, that of all answers holds
	return p.w.Write(b)
}

func (a *admin) authorised(r *http.Request) bool {
	given, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	x, y := sha256.Sum256([]byte(given)), sha256.Sum256(a.token) // of one length
	return ok && subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

func fromLoopback(r *http.Request) bool {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	return err == nil && net.ParseIP(host).IsLoopback()
}

// readToken reads the token for the admin listener.
func readToken(path string) ([]byte, error) {
	b, err := readSecretFile(path)
	if err != nil {
		return nil, err
	}
	token := []byte(strings.TrimSpace(string(b)))
	if len(token) < 16 {
		return nil, fmt.Errorf("%s: %w", path, errors.New("a token has 16 characters at least"))
	}
	return token, nil
}
