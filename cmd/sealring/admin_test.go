package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/store"
)

// failingStore is a store that cannot be read.
type failingStore struct{ store.Store }

func (failingStore) View(context.Context, func(store.Tx) error) error {
	return errors.New("secret detail")
}

func newAdmin(s store.Store) *admin {
	return &admin{store: s, meter: newMeter(http.NotFoundHandler()), log: slog.New(slog.DiscardHandler)}
}

func ask(a *admin, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	a.handler().ServeHTTP(w, r)
	return w
}

func TestReadiness(t *testing.T) {
	t.Parallel()
	s := store.NewMemory()
	a := newAdmin(s)
	ready := func() *httptest.ResponseRecorder { return ask(a, httptest.NewRequest(http.MethodGet, "/readyz", nil)) }
	require.Equal(t, http.StatusOK, ready().Code)
	a.draining.Store(true)
	require.Equal(t, http.StatusServiceUnavailable, ready().Code)
	require.Equal(t, http.StatusOK, ask(a, httptest.NewRequest(http.MethodGet, "/healthz", nil)).Code, "it is alive while it ends")
	a.draining.Store(false)
	require.NoError(t, s.Close())
	require.Equal(t, http.StatusServiceUnavailable, ready().Code)

	a = newAdmin(failingStore{})
	require.Equal(t, http.StatusServiceUnavailable, ready().Code)
	require.NotContains(t, ready().Body.String(), "secret")
}

func TestAdminHasNothingElse(t *testing.T) {
	t.Parallel()
	a := newAdmin(store.NewMemory())
	for _, path := range []string{"/", "/debug/pprof/", "/backup/x"} {
		require.Equal(t, http.StatusNotFound, ask(a, httptest.NewRequest(http.MethodGet, path, nil)).Code)
	}
	w := ask(a, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	require.Equal(t, "text/plain; version=0.0.4; charset=utf-8", w.Header().Get("Content-Type"))
	requireExposition(t, w.Body.String())
}

func TestBackupsAreGuarded(t *testing.T) {
	t.Parallel()
	const token = "0123456789abcdef"
	a := newAdmin(store.NewMemory())
	a.token = []byte(token)
	a.backup = func(_ context.Context, w io.Writer) (int64, error) {
		n, err := io.WriteString(w, "copy")
		return int64(n), err
	}
	request := func(from, authorization string) *http.Request {
		r := httptest.NewRequest(http.MethodPost, "/backup", nil)
		r.RemoteAddr = from
		r.Header.Set("Authorization", authorization)
		return r
	}
	for _, c := range []struct {
		from, authorization string
		want                int
	}{
		{"127.0.0.1:1", "Bearer " + token, http.StatusOK},
		{"[::1]:1", "Bearer " + token, http.StatusOK},
		{"127.0.0.1:1", "Bearer " + token + "0", http.StatusUnauthorized},
		{"127.0.0.1:1", "Bearer " + token[1:], http.StatusUnauthorized},
		{"127.0.0.1:1", "Bearer ", http.StatusUnauthorized},
		{"127.0.0.1:1", token, http.StatusUnauthorized},
		{"127.0.0.1:1", "", http.StatusUnauthorized},
		{"192.0.2.1:1", "Bearer " + token, http.StatusForbidden},
		{"nonsense", "Bearer " + token, http.StatusForbidden},
	} {
		w := ask(a, request(c.from, c.authorization))
		require.Equal(t, c.want, w.Code, "%+v", c)
		if c.want == http.StatusOK {
			require.Equal(t, "copy", w.Body.String())
			require.Equal(t, "4", w.Result().Trailer.Get(backupEnd))
		} else {
			require.NotContains(t, w.Body.String(), "copy")
		}
	}
	a.token = nil
	require.Equal(t, http.StatusNotFound, ask(a, request("127.0.0.1:1", "Bearer ")).Code, "no token opens nothing")
}

// deadlines is an answer that notes until when each piece of it may be written.
type deadlines struct {
	*httptest.ResponseRecorder
	until []time.Time
}

func (d *deadlines) SetWriteDeadline(until time.Time) error {
	d.until = append(d.until, until)
	return nil
}

// TestStalledBackupEnds has each piece of a backup be bounded, and not all of it: who
// stops reading would keep the store's file from shrinking for ever.
func TestStalledBackupEnds(t *testing.T) {
	t.Parallel()
	const token = "0123456789abcdef"
	a := newAdmin(store.NewMemory())
	a.token = []byte(token)
	a.backup = func(_ context.Context, w io.Writer) (n int64, err error) {
		for range 3 {
			wrote, err := io.WriteString(w, "copy")
			if n += int64(wrote); err != nil {
				return n, err
			}
		}
		return n, nil
	}
	r := httptest.NewRequest(http.MethodPost, "/backup", nil)
	r.RemoteAddr = "127.0.0.1:1"
	r.Header.Set("Authorization", "Bearer "+token)
	w := &deadlines{ResponseRecorder: httptest.NewRecorder()}
	before := time.Now()
	a.handler().ServeHTTP(w, r)
	require.Equal(t, "copycopycopy", w.Body.String())
	require.Len(t, w.until, 3)
	for _, until := range w.until {
		require.False(t, until.Before(before.Add(backupStall)), "never without a bound, which is zero")
	}
}

// TestHalfABackupIsNoBackup has a backup fail on its way: the client sees that, and its
// file does not appear.
func TestHalfABackupIsNoBackup(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	token := b.file("token", []byte("0123456789abcdef"))
	a := newAdmin(store.NewMemory())
	a.token = []byte("0123456789abcdef")
	for name, backup := range map[string]func(context.Context, io.Writer) (int64, error){
		"fails": func(_ context.Context, w io.Writer) (int64, error) {
			_, _ = w.Write(make([]byte, 100_000))
			return 100_000, errors.New("disk")
		},
		"another length": func(_ context.Context, w io.Writer) (int64, error) {
			_, _ = w.Write(make([]byte, 10))
			return 11, nil
		},
		"no store": func(_ context.Context, w io.Writer) (int64, error) {
			_, _ = w.Write(make([]byte, 10))
			return 10, nil
		},
	} {
		a.backup = backup
		server := httptest.NewServer(a.handler())
		status, _, errs := b.run("backup", "-admin", server.URL, "-admin-token-file", token, "-o", b.path("copy"))
		server.Close()
		require.NotZero(t, status, name)
		require.NotEmpty(t, errs)
		require.Equal(t, []string{"token"}, b.names(), name)
	}
}
