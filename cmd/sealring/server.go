package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/sealring/sealring/endpoint"
	"github.com/sealring/sealring/identity"
	"github.com/sealring/sealring/kms"
	"github.com/sealring/sealring/store"
)

// server is a running KMS and what belongs to it.
type server struct {
	log     *slog.Logger
	service *kms.Service
	store   *store.Sealed // closed by service
	audit   *auditLog     // nil if there is none
	tls     *tls.Config
	meter   *meter
	admin   *admin
	sweep   time.Duration
	drain   time.Duration
}

// assemble makes the server. After an error nothing is left open.
func (s *serveFlags) assemble(ctx context.Context, p *process, log *slog.Logger) (_ *server, err error) {
	srv := &server{log: log, sweep: s.sweep, drain: s.drain}
	if srv.tls, err = s.tls.server(); err != nil {
		return nil, err
	}
	var token []byte
	if s.adminToken != "" {
		if token, err = readToken(s.adminToken); err != nil {
			return nil, err
		}
	}
	keys := &endpoint.AccessKeys{}
	if s.credentials != "" {
		all, err := readCredentials(s.credentials)
		if err != nil {
			return nil, err
		}
		if keys, err = accessKeys(all); err != nil {
			return nil, fmt.Errorf("%s: %w", s.credentials, err)
		}
	}
	config := kms.Config{}
	if s.identities != "" {
		if config.Identities, err = loadIdentities(s.identities, log); err != nil {
			return nil, err
		}
	}
	inner, sealed, err := s.openStore(ctx, p, log)
	if err != nil {
		return nil, err
	}
	srv.store, config.Store = sealed, sealed
	if s.audit != "" {
		if srv.audit, err = openAuditLog(ctx, s.audit, s.auditName, s.auditNew, sealed, log); err != nil {
			return nil, errors.Join(err, sealed.Close())
		}
		config.Audit = srv.audit
	}
	if srv.service, err = kms.New(ctx, config); err != nil {
		return nil, errors.Join(err, srv.audit.close(), sealed.Close())
	}
	h, err := endpoint.New(endpoint.Config{KMS: srv.service, Keys: keys, InsecureAnySignature: s.insecureDev})
	if err != nil {
		return nil, errors.Join(err, srv.close())
	}
	srv.meter = newMeter(h)
	srv.admin = &admin{store: sealed, meter: srv.meter, samples: srv.samples(), token: token, log: log}
	if b, ok := inner.(interface {
		Backup(context.Context, io.Writer) (int64, error)
	}); ok {
		srv.admin.backup = b.Backup
	}
	return srv, nil
}

// loadIdentities reads the folder of policies and logs what is odd in it.
func loadIdentities(dir string, log *slog.Logger) (*identity.Static, error) {
	known, findings, err := identity.Load(os.DirFS(dir))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	for _, f := range findings {
		log.Warn("probably a mistake in a policy", "finding", f.String())
	}
	return known, nil
}

// samples are what metrics say beside the counts of requests.
func (s *server) samples() []sample {
	all := processSamples(time.Now())
	if s.audit != nil {
		all = append(all, s.audit.samples()...)
	}
	return append(all,
		sample{"sealring_store_revision", "Revision of the store.", "gauge", func() (float64, bool) {
			revision := uint64(0)
			ctx, cancel := context.WithTimeout(context.Background(), readyTimeout)
			defer cancel()
			err := s.store.View(ctx, func(tx store.Tx) error {
				revision = tx.Revision()
				return nil
			})
			return float64(revision), err == nil
		}},
	)
}

// run serves until ctx is done or a listener fails, and then finishes the requests that
// it has.
func (s *server) run(ctx context.Context, p *process, listener, adminListener net.Listener) error {
	failed := make(chan error, 2)
	main := s.serve(listener, s.meter, failed)
	servers := []*http.Server{main}
	adminAddress := ""
	if adminListener != nil {
		servers = append(servers, s.serve(adminListener, s.admin.handler(), failed))
		adminAddress = adminListener.Addr().String()
	}
	s.log.Info("listening", "address", listener.Addr().String(), "tls", s.tls != nil, "admin", adminAddress)
	if p.started != nil {
		p.started(listener.Addr().String(), adminAddress)
	}
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	var background sync.WaitGroup
	background.Go(func() { s.sweeping(work) })

	var err error
	select {
	case <-ctx.Done():
		s.log.Info("shutting down")
	case err = <-failed:
		s.log.Error("cannot listen any more", "error", err)
	}
	s.admin.draining.Store(true)
	draining, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.drain)
	defer cancel()
	for _, each := range servers { // the admin listener last
		if e := each.Shutdown(draining); e != nil {
			err = errors.Join(err, fmt.Errorf("requests were cut off: %w", e), each.Close())
		}
	}
	stop()
	background.Wait()
	return err
}

// serve has an http.Server answer on a listener, until it is shut down.
func (s *server) serve(l net.Listener, h http.Handler, failed chan<- error) *http.Server {
	each := endpoint.Server(l.Addr().String(), h)
	each.ErrorLog = slog.NewLogLogger(s.log.Handler(), slog.LevelWarn)
	each.TLSConfig = s.tls.Clone() // which the server changes
	go func() {
		var err error
		if s.tls != nil {
			err = each.ServeTLS(l, "", "")
		} else {
			err = each.Serve(l)
		}
		if !errors.Is(err, http.ErrServerClosed) {
			failed <- err
		}
	}()
	return each
}

// sweeping removes what is left of deleted keys, from time to time, until ctx is done.
func (s *server) sweeping(ctx context.Context) {
	if s.sweep == 0 {
		return
	}
	ticker := time.NewTicker(s.sweep)
	defer ticker.Stop()
	for {
		done, err := s.service.Sweep(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			s.log.Error("sweep failed", "error", err)
		case done.Keys+done.Materials+done.Records > 0:
			s.log.Info("swept", "keys", done.Keys, "materials", done.Materials, "records", done.Records)
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// close closes what the server has opened.
func (s *server) close() error {
	err := errors.Join(s.audit.close(), s.service.Close()) // the log's state is in the store
	if err == nil {
		s.log.Info("closed")
	}
	return err
}
