package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/sealring/sealring/audit"
	"github.com/sealring/sealring/local"
	"github.com/sealring/sealring/store"
)

// auditCloseTimeout bounds the storing of the last anchor.
const auditCloseTimeout = 10 * time.Second

// auditLog is a chained log in files, whose state is in the sealed store. A nil auditLog
// is none; only its close may be called.
type auditLog struct {
	file     *audit.File
	chain    *audit.Chain
	recorded atomic.Uint64 // events
	anchored atomic.Uint64 // the number of the newest anchor's event
}

var _ audit.Sink = (*auditLog)(nil)

// openAuditLog opens the log of a name at path, after verifying what it has behind the
// newest anchor. fresh begins a new chain instead.
func openAuditLog(ctx context.Context, path, name string, fresh bool, s *store.Sealed, log *slog.Logger) (*auditLog, error) {
	state, err := local.NewChainState(s, name)
	if err != nil {
		return nil, err
	}
	f, err := audit.OpenFile(path, nil)
	if err != nil {
		return nil, err
	}
	if torn := f.Torn(); torn.Size > 0 {
		log.Warn("the audit log ended in an unfinished line, which was moved away", "file", torn.File, "bytes", torn.Size)
	}
	if fresh {
		log.Warn("a new audit chain is begun (-audit-new-chain): nothing ties it to the one before")
	}
	a := &auditLog{file: f}
	a.chain, err = audit.NewChain(ctx, f, &loudState{ChainState: state, log: log}, &audit.ChainOptions{
		Fresh: fresh,
		Anchor: func(_ context.Context, at audit.Anchor) error {
			a.anchored.Store(at.Seq)
			log.Info("audit anchor", "anchor", formatAnchor(at))
			return nil
		},
	})
	if err != nil {
		if isFault(err) {
			err = fmt.Errorf("%w; see sealring verify, and then -audit-new-chain", err)
		}
		return nil, errors.Join(err, f.Close())
	}
	return a, nil
}

// loudState is a chain's state that tells the operators when a chain cannot be anchored,
// long before it refuses events for that.
type loudState struct {
	audit.ChainState
	log    *slog.Logger
	failed bool // the last time; a chain does not call concurrently
}

// StoreHead implements [audit.ChainState].
func (s *loudState) StoreHead(ctx context.Context, h audit.Head) error {
	err := s.ChainState.StoreHead(ctx, h)
	switch {
	case err != nil && !s.failed:
		s.log.Error("the audit log cannot be anchored; if this goes on, requests will be refused", "error", err)
	case err == nil && s.failed:
		s.log.Info("the audit log can be anchored again")
	}
	s.failed = err != nil
	return err
}

// Record implements [audit.Sink].
func (a *auditLog) Record(ctx context.Context, e audit.Event) error {
	if err := a.chain.Record(ctx, e); err != nil {
		return err
	}
	a.recorded.Add(1)
	return nil
}

// close anchors the chain, which the store has to be open for, and closes the file.
func (a *auditLog) close() error {
	if a == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), auditCloseTimeout)
	defer cancel()
	return errors.Join(a.chain.Close(ctx), a.file.Close())
}

// samples are what metrics say of the log.
func (a *auditLog) samples() []sample {
	value := func(n *atomic.Uint64) func() (float64, bool) {
		return func() (float64, bool) { return float64(n.Load()), true }
	}
	return []sample{
		{"sealring_audit_records_total", "Audit records written since the start.", "counter", value(&a.recorded)},
		{"sealring_audit_anchored_sequence", "Number of the newest audit record that is anchored.", "gauge", value(&a.anchored)},
	}
}

// formatAnchor prints an anchor as -anchor takes it.
func formatAnchor(a audit.Anchor) string {
	return fmt.Sprintf("%s:%d:%x", a.Engine, a.Seq, a.MAC)
}

// parseAnchor reads an anchor that a server has logged.
func parseAnchor(s string) (audit.Anchor, error) {
	part := strings.Split(s, ":")
	if len(part) != 3 || part[0] == "" {
		return audit.Anchor{}, badAnchor(s)
	}
	seq, err := strconv.ParseUint(part[1], 10, 64)
	mac, macErr := hex.DecodeString(part[2])
	a := audit.Anchor{Engine: part[0], Seq: seq}
	if err != nil || macErr != nil || seq == 0 || len(mac) != len(a.MAC) {
		return audit.Anchor{}, badAnchor(s)
	}
	a.MAC = [32]byte(mac)
	return a, nil
}

func badAnchor(s string) error {
	return usagef("-anchor is ENGINE:NUMBER:MAC, as a server has logged it: %q", s)
}

func isFault(err error) bool {
	var fault *audit.Fault
	return errors.As(err, &fault)
}
