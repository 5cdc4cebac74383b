package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/sealring/sealring/store"
	"github.com/sealring/sealring/store/boltstore"
	"github.com/sealring/sealring/store/etcdstore"
)

// storeFlags say where a store is. The prefix of the flags is "" or "to-".
type storeFlags struct {
	prefix string
	data   string
	memory bool
	etcd   etcdFlags

	// salvage has a damaged file opened to read what is left of it, read-only; damage
	// says what is wrong with it then.
	salvage bool
	damage  []error
}

// etcdFlags say where an etcd cluster is.
type etcdFlags struct {
	endpoints listFlag
	namespace string
	tls       tlsFlags
	staleness time.Duration
}

const defaultEtcdNamespace = "sealring"

func (s *storeFlags) add(f *flagSet, prefix string) {
	s.prefix = prefix
	f.StringVar(&s.data, prefix+"data", "", "`FILE` that holds the store")
	f.Var(&s.etcd.endpoints, prefix+"etcd", "`URL` of a member of the etcd cluster that holds the store; may be repeated")
	f.StringVar(&s.etcd.namespace, prefix+"etcd-namespace", defaultEtcdNamespace, "what the store's keys in etcd begin with: a `NAME`")
	f.StringVar(&s.etcd.tls.ca, prefix+"etcd-cacert", "", "PEM `FILE` with the CA of etcd's certificates")
	f.StringVar(&s.etcd.tls.cert, prefix+"etcd-cert", "", "PEM `FILE` with the client certificate for etcd")
	f.StringVar(&s.etcd.tls.key, prefix+"etcd-key", "", "PEM `FILE` with its private key")
}

// check refuses flags that name no store, or two.
func (s *storeFlags) check(command string) error {
	named := 0
	for _, is := range []bool{s.data != "", len(s.etcd.endpoints) > 0, s.memory} {
		if is {
			named++
		}
	}
	if named != 1 {
		return usagef("%s: name one store: -%sdata FILE or -%setcd URL", command, s.prefix, s.prefix)
	}
	return nil
}

// open opens the store, which may be new only if create is set.
func (s *storeFlags) open(ctx context.Context, readOnly, create bool) (store.Store, error) {
	switch {
	case s.memory:
		return store.NewMemory(), nil
	case s.salvage && s.data != "":
		f, err := boltstore.Open(s.data, &boltstore.Options{Salvage: true})
		if err != nil {
			return nil, err
		}
		s.damage = f.Damage()
		return f, nil
	case s.data != "":
		return openFile(s.data, readOnly, create)
	default:
		return s.etcd.open(ctx)
	}
}

// openFile opens a store in a file.
func openFile(path string, readOnly, create bool) (*boltstore.Store, error) {
	if !create || readOnly {
		if _, err := os.Stat(path); err != nil { // not made by mistake
			return nil, err
		}
	}
	return boltstore.Open(path, &boltstore.Options{ReadOnly: readOnly})
}

// missing reports whether the store is a file that is not there yet.
func (s *storeFlags) missing() bool {
	if s.data == "" {
		return false
	}
	_, err := os.Stat(s.data)
	return errors.Is(err, fs.ErrNotExist)
}

// etcdDialTimeout is how long a cluster may take to answer at first.
const etcdDialTimeout = 10 * time.Second

func (e *etcdFlags) open(ctx context.Context) (store.Store, error) {
	security, err := e.tls.client()
	if err != nil {
		return nil, err
	}
	client, err := clientv3.New(clientv3.Config{
		Endpoints:            e.endpoints,
		TLS:                  security,
		DialTimeout:          etcdDialTimeout,
		DialKeepAliveTime:    10 * time.Second,
		DialKeepAliveTimeout: 5 * time.Second,
	})
	if err != nil {
		return nil, fmt.Errorf("etcd: %w", err)
	}
	opening, cancel := context.WithTimeout(ctx, etcdDialTimeout)
	defer cancel()
	o := &etcdstore.Options{Namespace: e.namespace, MaxStaleness: e.staleness}
	if e.staleness == 0 {
		o.MaxStaleness = etcdstore.Linearizable
	}
	s, err := etcdstore.Open(opening, client, o)
	if err != nil {
		return nil, errors.Join(err, client.Close())
	}
	return &clusterStore{s, client}, nil
}

// clusterStore is a store in etcd that owns its client.
type clusterStore struct {
	*etcdstore.Store
	client *clientv3.Client
}

// Close closes the store and the client.
func (s *clusterStore) Close() error { return errors.Join(s.Store.Close(), s.client.Close()) }
