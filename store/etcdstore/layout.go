package etcdstore

import (
	"fmt"
	"strings"

	"go.etcd.io/etcd/api/v3/mvccpb"

	"github.com/sealring/sealring/store"
)

// maxNamespace is the length of a namespace in bytes. With it the largest transaction
// stays below the 1.5 MB that a cluster accepts.
const maxNamespace = 128

// format begins the value of the key last: "1 " and the id of the store that wrote it.
const format = "1 "

// layout is the names of the keys in the cluster:
//
//	<namespace>/d/<key>           the value of key
//	<namespace>/e/<store>/<slot>  the id of the store's newest transaction in that slot
//	<namespace>/last              written by every transaction that changes data
//
// So the revision at which last was written is that of the namespace's newest change.
type layout struct {
	data, dataEnd string // the range of the data
	slots         string // the prefix of a store's slots
	last          string
}

// newLayout returns the keys of the store with the given id in the namespace. One
// namespace must not lie in the data of another.
func newLayout(namespace, id string) (layout, error) {
	namespace = strings.TrimSuffix(namespace, "/")
	inside := func(part string) bool { return strings.Contains(namespace+"/", part) }
	switch {
	case namespace == "":
		return layout{}, fmt.Errorf("etcdstore: a namespace is required")
	case len(namespace) > maxNamespace:
		return layout{}, fmt.Errorf("etcdstore: namespace of %d bytes, at most %d fit", len(namespace), maxNamespace)
	case inside("/d/"), inside("/e/"):
		return layout{}, fmt.Errorf("etcdstore: namespace %q: no part but the first may be d or e", namespace)
	}
	return layout{
		data:    namespace + "/d/",
		dataEnd: namespace + "/d0", // '0' follows '/'
		slots:   namespace + "/e/" + id + "/",
		last:    namespace + "/last",
	}, nil
}

// entry returns the change that kv is. ok is false for a key that no store has written.
func (l layout) entry(kv *mvccpb.KeyValue) (c store.Change, ok bool) {
	key, ok := strings.CutPrefix(string(kv.Key), l.data)
	value := kv.Value
	if value == nil {
		value = []byte{}
	}
	return store.Change{Revision: uint64(kv.ModRevision), Key: key, Value: value}, ok && key != ""
}

// scanned returns where the range begins and ends in the cluster.
func (l layout) scanned(r store.Range) (from, to string) {
	if r.To == "" {
		return l.data + r.From, l.dataEnd
	}
	return l.data + r.From, l.data + r.To
}
