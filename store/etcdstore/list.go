package etcdstore

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/sealring/sealring/store"
)

// How a namespace is read: in pages of about pageBytes, and from the start again if the
// cluster was compacted meanwhile, listTries times in all.
const (
	firstPage = 64 // keys
	maxPage   = 8192
	pageBytes = 4 << 20
	listTries = 5
)

// listing is all of a namespace at one revision of the cluster.
type listing struct {
	snapshot *store.Snapshot
	revision int64 // the cluster's
	last     int64 // when last was written, 0 if never
	cluster  uint64
}

// list reads the namespace.
func (s *Store) list(ctx context.Context) (*listing, error) {
	var err error
	for range listTries {
		var l *listing
		if l, err = s.listOnce(ctx); err == nil {
			return l, nil
		}
		if !errors.Is(rpctypes.Error(err), rpctypes.ErrCompacted) {
			break
		}
	}
	if errors.Is(err, ErrFormat) {
		return nil, err
	}
	return nil, during(ctx, failure(err))
}

func (s *Store) listOnce(ctx context.Context) (*listing, error) {
	l := &listing{}
	head, err := s.newestChange(ctx)
	if err != nil {
		return nil, err
	}
	l.revision, l.cluster = head.Header.Revision, head.Header.ClusterId
	if len(head.Kvs) > 0 {
		l.last = head.Kvs[0].ModRevision
		if !strings.HasPrefix(string(head.Kvs[0].Value), format) {
			return nil, fmt.Errorf("%w: %q holds %.40q", ErrFormat, s.keys.last, head.Kvs[0].Value)
		}
	}
	entries, err := s.pages(ctx, l.revision)
	if err != nil {
		return nil, err
	}
	newest := uint64(l.last)
	for _, e := range entries {
		newest = max(newest, e.Revision)
	}
	l.snapshot, err = store.LoadSnapshot(newest, func(yield func(store.Change, error) bool) {
		for _, e := range entries {
			if !yield(e, nil) {
				return
			}
		}
	})
	return l, err
}

// newestChange reads last. The answer is linearizable, and so is the revision in its
// header.
func (s *Store) newestChange(ctx context.Context) (*clientv3.GetResponse, error) {
	ctx, cancel := context.WithTimeout(clientv3.WithRequireLeader(ctx), s.timeout)
	defer cancel()
	return s.client.Get(ctx, s.keys.last)
}

// pages returns the namespace's data at the given revision, in order of key.
func (s *Store) pages(ctx context.Context, revision int64) ([]store.Change, error) {
	var entries []store.Change
	from, limit, size := s.keys.data, int64(firstPage), 0
	for {
		page, err := s.page(ctx, from, revision, limit)
		if err != nil {
			return nil, err
		}
		for _, kv := range page.Kvs {
			size += len(kv.Key) + len(kv.Value)
			if e, ok := s.keys.entry(kv); ok {
				entries = append(entries, e)
			}
		}
		if !page.More || len(page.Kvs) == 0 {
			return entries, nil
		}
		from = string(page.Kvs[len(page.Kvs)-1].Key) + "\x00"
		limit = min(max(pageBytes/int64(size/max(len(entries), 1)+1), 1), maxPage)
	}
}

func (s *Store) page(ctx context.Context, from string, revision, limit int64) (*clientv3.GetResponse, error) {
	ctx, cancel := context.WithTimeout(clientv3.WithRequireLeader(ctx), s.timeout)
	defer cancel()
	return s.client.Get(ctx, from, clientv3.WithRange(s.keys.dataEnd),
		clientv3.WithRev(revision), clientv3.WithLimit(limit))
}
