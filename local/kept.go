package local

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"time"

	"github.com/sealring/sealring/audit"
	"github.com/sealring/sealring/kms"
	"github.com/sealring/sealring/store"
)

// defaultSweep is how often a cloud that is kept sweeps, and auditTimeout how long the
// last anchor of its log may take.
const (
	defaultSweep = time.Hour
	auditTimeout = 10 * time.Second
)

// kept is what a cloud has that is kept in a store.
type kept struct {
	store *store.Sealed

	// nil without Options.AuditLog
	state *ChainState
	file  *audit.File
	chain *audit.Chain

	stop    context.CancelFunc // ends the sweeps
	sweeps  sync.WaitGroup
	closing sync.Once
}

// openLog opens the audit log that o asks for, if it does, and returns the sink to use.
func (k *kept) openLog(ctx context.Context, o *Options) (audit.Sink, error) {
	switch {
	case o.AuditLog == "":
		return o.Audit, nil
	case o.Audit != nil:
		return nil, errors.New("local: both a sink for audit records and a log")
	}
	var err error
	if k.state, err = NewChainState(k.store, cmp.Or(o.AuditName, "default")); err != nil {
		return nil, err
	}
	if k.file, err = audit.OpenFile(o.AuditLog, nil); err != nil {
		return nil, err
	}
	if k.chain, err = audit.NewChain(ctx, k.file, k.state, nil); err != nil {
		return nil, errors.Join(err, k.file.Close())
	}
	return k.chain, nil
}

// closeLog anchors the log for the last time, in the store, which is still open.
func (k *kept) closeLog() error {
	if k.chain == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), auditTimeout)
	defer cancel()
	return errors.Join(k.chain.Close(ctx), k.file.Close())
}

// sweepEvery begins to sweep, now and then as often as o says.
func (k *kept) sweepEvery(s *kms.Service, o *Options) {
	ctx, stop := context.WithCancel(context.Background())
	k.stop = stop
	if o.SweepEvery < 0 {
		return
	}
	k.sweeps.Go(func() {
		tick := time.NewTicker(cmp.Or(o.SweepEvery, defaultSweep))
		defer tick.Stop()
		for {
			report, err := s.Sweep(ctx)
			if ctx.Err() != nil {
				return
			}
			if o.Swept != nil {
				o.Swept(report, err)
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	})
}

// close ends the sweeps, the log and s, in this order: the log has its state in the store.
func (k *kept) close(s *kms.Service) (err error) {
	k.closing.Do(func() {
		k.stop()
		k.sweeps.Wait()
		err = errors.Join(k.closeLog(), s.Close())
	})
	return err
}
