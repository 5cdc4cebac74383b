package audit_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/audit"
)

var start = time.Date(2026, 1, 2, 15, 4, 5, 678e6, time.UTC)

const keyARN = "arn:aws:kms:us-west-2:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"

// event returns the nth event of a session.
func event(n int) audit.Event {
	return audit.Event{
		ID: fmt.Sprintf("event-%d", n), RequestID: fmt.Sprintf("request-%d", n), Time: start.Add(time.Duration(n) * time.Second),
		Source: "kms.amazonaws.com", Name: "Encrypt", Region: "us-west-2",
		Identity:          audit.Identity{Type: "IAMUser", ARN: "arn:aws:iam::111122223333:user/Alice", Account: "111122223333", AccessKeyID: "AKIAEXAMPLE"},
		SourceIP:          "192.0.2.1",
		Resources:         []string{keyARN},
		EncryptionContext: map[string]string{"b": "2", "a": "1"},
	}
}

// memoryState keeps a chain's state in its encodings.
type memoryState struct {
	mu      sync.Mutex
	origins [][]byte
	head    []byte
	fail    func() error // asked before each call
	stores  int
}

func (s *memoryState) Load(context.Context) (o audit.Origin, h audit.Head, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.failure(); err != nil || s.head == nil {
		return o, h, err
	}
	err = errors.Join(o.UnmarshalBinary(s.origins[len(s.origins)-1]), h.UnmarshalBinary(s.head))
	return o, h, err
}

func (s *memoryState) StoreOrigin(_ context.Context, o audit.Origin) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.failure(); err != nil {
		return err
	}
	b, err := o.MarshalBinary()
	s.origins = append(s.origins, b)
	return err
}

func (s *memoryState) StoreHead(_ context.Context, h audit.Head) (err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.failure(); err != nil {
		return err
	}
	s.stores++
	s.head, err = h.MarshalBinary()
	return err
}

func (s *memoryState) failure() error {
	if s.fail == nil {
		return nil
	}
	return s.fail()
}

// verification is what the state knows of its chains.
func (s *memoryState) verification(t testing.TB) audit.Verification {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	var v audit.Verification
	for _, b := range s.origins {
		var o audit.Origin
		require.NoError(t, o.UnmarshalBinary(b))
		v.Origins = append(v.Origins, o)
	}
	var h audit.Head
	require.NoError(t, h.UnmarshalBinary(s.head))
	v.Anchors = []audit.Anchor{h.Anchor}
	return v
}

// copy returns a state that is as s is now.
func (s *memoryState) copy() *memoryState {
	s.mu.Lock()
	defer s.mu.Unlock()
	return &memoryState{origins: append([][]byte(nil), s.origins...), head: s.head}
}

// text returns sources with these texts.
func text(parts ...string) []audit.Source {
	var sources []audit.Source
	for i, p := range parts {
		sources = append(sources, audit.Source{
			Name: fmt.Sprintf("part %d", i),
			Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(p)), nil },
		})
	}
	return sources
}

// newPath returns the path of a log that does not exist yet.
func newPath(t testing.TB) string { return filepath.Join(t.TempDir(), "audit.jsonl") }

func openFile(t testing.TB, path string, o *audit.FileOptions) *audit.File {
	t.Helper()
	f, err := audit.OpenFile(path, o)
	require.NoError(t, err)
	t.Cleanup(func() { _ = f.Close() })
	return f
}

func read(t testing.TB, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(b)
}

// readAll returns the texts of the log's files in their order.
func readAll(t testing.TB, path string) []string {
	t.Helper()
	files, err := audit.Files(path)
	require.NoError(t, err)
	var texts []string
	for _, f := range files {
		texts = append(texts, read(t, f))
	}
	return texts
}

// ids returns the ids of the events on the lines.
func ids(t testing.TB, text string) (all []string) {
	t.Helper()
	for line := range strings.Lines(text) {
		var e audit.Event
		require.NoError(t, e.UnmarshalJSON([]byte(line)), "%q", line)
		all = append(all, e.ID)
	}
	return all
}

// idsTo returns the ids of events 1 to n.
func idsTo(n int) (all []string) {
	for i := range n {
		all = append(all, event(i+1).ID)
	}
	return all
}
