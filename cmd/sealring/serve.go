package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/sealring/sealring/store"
)

const serveText = `
Runs a KMS that the AWS CLI and every AWS SDK can use.

The keys are in a file (-data), in an etcd cluster that many servers may share (-etcd), or
in memory, where they are lost at the end (-memory). What is stored is encrypted under the
root key: a passphrase, a KMS key elsewhere, or, asked for by name, a plain key file.
Requests are signed with the access keys of the credentials file.

What weakens the server has to be named: -insecure-dev, -insecure-http, -plain-root-key,
-root-kms-insecure-http, -memory, an etcd URL without TLS. It is logged at the start, on
standard error like all else.

The admin listener (-admin) answers GET /healthz, /readyz and /metrics, and with a token
POST /backup, see sealring help backup.

On SIGINT or SIGTERM the server takes no more requests, finishes those that it has, as far
as -drain allows, and ends.
` + credentialsText

// serveFlags are the flags of serve.
type serveFlags struct {
	store storeFlags
	root  rootFlags

	listen       string
	tls          tlsFlags
	insecureHTTP bool
	insecureDev  bool
	credentials  string
	identities   string

	audit       string
	auditName   string
	auditNew    bool
	adminListen string
	adminToken  string
	sweep       time.Duration
	drain       time.Duration
	jsonLog     bool
}

func (s *serveFlags) add(f *flagSet) {
	f.StringVar(&s.listen, "listen", "127.0.0.1:4566", "`ADDRESS` to listen at")
	f.StringVar(&s.tls.cert, "tls-cert", "", "PEM `FILE` with the server's certificate")
	f.StringVar(&s.tls.key, "tls-key", "", "PEM `FILE` with its private key")
	f.StringVar(&s.tls.ca, "tls-client-ca", "", "PEM `FILE` with the CA that clients have to have a certificate of")
	f.BoolVar(&s.insecureHTTP, "insecure-http", false, "allow plain HTTP beyond this machine: all of it can be read and replayed on the way")
	f.BoolVar(&s.insecureDev, "insecure-dev", false, "accept any signature, from this machine only")
	f.StringVar(&s.credentials, "credentials", "", "`FILE` with the access keys")
	f.StringVar(&s.identities, "identities", "", "`DIR` with the policies of users, roles and organizations")
	s.store.add(f, "")
	f.BoolVar(&s.store.memory, "memory", false, "keep the store in memory: its keys are lost at the end")
	f.DurationVar(&s.store.etcd.staleness, "staleness", time.Second, "how old what is known of etcd may be; 0 asks it for each request")
	s.root.add(f, "", passphraseVariable)
	f.StringVar(&s.audit, "audit", "", "`FILE` for the audit log: a line of JSON for each request, chained")
	f.StringVar(&s.auditName, "audit-name", "", "what its chain is called in the store, for servers that share one: a `NAME` (default: that of the machine for -etcd, else default)")
	f.BoolVar(&s.auditNew, "audit-new-chain", false, "begin a new chain: for a log that cannot be gone on with, which is verified, understood and set aside (see sealring help verify)")
	f.StringVar(&s.adminListen, "admin", "", "`ADDRESS` to listen at for operators (default: none)")
	f.StringVar(&s.adminToken, "admin-token-file", "", "`FILE` with the token for backups")
	f.DurationVar(&s.sweep, "sweep", time.Hour, "how often what is left of deleted keys is removed; 0 means never")
	f.DurationVar(&s.drain, "drain", 30*time.Second, "how long requests may take to finish at the end")
	f.BoolVar(&s.jsonLog, "json", false, "log in JSON")
}

// check refuses flags that do not fit each other.
func (s *serveFlags) check() error {
	if err := s.store.check("serve"); err != nil {
		return fmt.Errorf("%w, or -memory", err)
	}
	switch {
	case s.store.memory && s.root.named() > 1, !s.store.memory && s.root.named() != 1:
		return s.root.check("serve")
	case s.credentials == "" && !s.insecureDev:
		return usagef("serve: nobody could make requests: name -credentials FILE, or -insecure-dev")
	case s.adminToken != "" && s.adminListen == "":
		return usagef("serve: -admin-token-file is for -admin")
	case s.audit == "" && (s.auditName != "" || s.auditNew):
		return usagef("serve: -audit-name and -audit-new-chain are for -audit")
	case s.sweep < 0 || s.drain < 0 || s.store.etcd.staleness < 0:
		return usagef("serve: a duration is below zero")
	}
	var err error
	s.auditName, err = auditName(s.auditName, &s.store)
	return err
}

// runServe is sealring serve.
func runServe(ctx context.Context, p *process, args []string) error {
	var s serveFlags
	f := p.flags("serve", "[flags]", serveText)
	s.add(f)
	if help, err := f.parse(args, 0); help || err != nil {
		return err
	}
	if err := s.check(); err != nil {
		return err
	}
	log := s.logger(p)
	listener, err := s.listenAt(s.listen)
	if err != nil {
		return err
	}
	defer listener.Close()
	var adminListener net.Listener
	if s.adminListen != "" {
		if adminListener, err = s.listenAt(s.adminListen); err != nil {
			return err
		}
		defer adminListener.Close()
	}
	if s.insecureDev && !isLoopback(listener) {
		return usagef("serve: -insecure-dev is for this machine: -listen %s can be reached from others", s.listen)
	}
	s.warn(log, listener, adminListener)
	srv, err := s.assemble(ctx, p, log)
	if err != nil {
		return err
	}
	err = srv.run(ctx, p, listener, adminListener)
	return errors.Join(err, srv.close())
}

func (s *serveFlags) logger(p *process) *slog.Logger {
	if s.jsonLog {
		return slog.New(slog.NewJSONHandler(p.stderr, nil))
	}
	return slog.New(slog.NewTextHandler(p.stderr, nil))
}

// listenAt listens. Without TLS and without -insecure-http, the address has to be this
// machine's alone; it is the address that a name stands for that counts.
func (s *serveFlags) listenAt(address string) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	if s.tls.cert == "" && !s.insecureHTTP && !isLoopback(l) {
		l.Close()
		return nil, usagef("serve: plain HTTP at %s could be read on the way: name -tls-cert and -tls-key, or -insecure-http", address)
	}
	return l, nil
}

func isLoopback(l net.Listener) bool {
	a, ok := l.Addr().(*net.TCPAddr)
	return ok && a.IP.IsLoopback()
}

// warn logs what weakens the server.
func (s *serveFlags) warn(log *slog.Logger, listeners ...net.Listener) {
	if s.insecureDev {
		log.Warn("UNSAFE: any signature is accepted (-insecure-dev)")
	}
	for _, l := range listeners {
		if l != nil && s.tls.cert == "" && !isLoopback(l) {
			log.Warn("UNSAFE: plain HTTP beyond this machine (-insecure-http)", "address", l.Addr().String())
		}
	}
	if s.root.plainKeyFile != "" {
		log.Warn("UNSAFE: the root key is a plain file (-plain-root-key)", "file", s.root.plainKeyFile)
	}
	if s.root.kmsKey != "" && s.root.insecureHTTP {
		log.Warn("UNSAFE: the root key travels over plain HTTP (-root-kms-insecure-http)", "endpoint", s.root.kmsEndpoint)
	}
	for _, member := range s.store.etcd.endpoints {
		if isReadable(member) {
			log.Warn("UNSAFE: plain HTTP to etcd: who is on the way can read names, and put older records back", "member", member)
		}
	}
	if s.store.memory {
		log.Warn("UNSAFE: all keys are lost when the server ends (-memory)")
	}
	if s.audit == "" {
		log.Warn("no audit log: nobody will know what was asked (-audit)")
	}
}

// openStore opens the store and its seal. A file may be new.
func (s *serveFlags) openStore(ctx context.Context, p *process, log *slog.Logger) (inner store.Store, sealed *store.Sealed, err error) {
	fresh := s.store.missing()
	root, err := randomRoot()
	if s.root.named() == 1 {
		root, err = s.root.open(ctx, p, fresh)
	}
	if err != nil {
		return nil, nil, err
	}
	if inner, err = s.store.open(ctx, false, true); err != nil {
		return nil, nil, err
	}
	// Servers that share a cluster would wait for each other if each write were counted.
	o := &store.SealOptions{AllowRollback: len(s.store.etcd.endpoints) > 0}
	if sealed, err = seal(ctx, inner, root, o); err != nil {
		return nil, nil, err
	}
	if fresh {
		log.Info("a new store was made", "file", s.store.data)
	}
	return inner, sealed, nil
}
