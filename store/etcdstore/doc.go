// Package etcdstore is a [store.Store] on an etcd cluster, which any number of
// processes use at once.
//
//	client, err := clientv3.New(clientv3.Config{Endpoints: endpoints, TLS: tls})
//	inner, err := etcdstore.Open(ctx, client, &etcdstore.Options{Namespace: "sealring/prod"})
//	s, err := store.Seal(ctx, inner, root, &store.SealOptions{AllowRollback: true})
//
// The client is the caller's, with its endpoints, certificates and credentials; the
// store never closes it. transport.TLSInfo of go.etcd.io/etcd/client/pkg/v3 makes a
// tls.Config of certificate files.
//
// # Reading
//
// A store keeps all of its namespace in memory and follows the cluster's changes with
// a watch, so a View costs what it costs in a store in memory, and the price is that
// memory. A View answers only while it is certain that the copy holds every change that
// was committed [Options].MaxStaleness before the View began. The certainty comes from
// a linearizable read of the namespace's newest revision, asked for in the background
// while the store is in use; if it is lacking, the View asks itself, and fails with
// [ErrStale] if the cluster does not answer in time. Only differences of this machine's
// monotonic clock are used; the clocks of other machines and the time of day play no
// part. A machine that sleeps stops that clock: after it has woken up, its copy can
// be older than the bound by the time that it slept, for the length of the bound.
//
// # Writing
//
// An Update is one transaction of etcd that compares the revision of every key that the
// function read and of every range that it scanned. If one has changed the function
// runs again on the newer state, [store.ErrConflict] being the end after many attempts.
// An Update that has returned is seen by every later View of the same store.
//
// When the answer to a transaction is lost, its outcome is read back: each transaction
// also writes its id to a key that this store alone uses, on condition that nothing was
// written there meanwhile. If the id is found there, the Update was committed. If not,
// another id is written under the same condition, and then the transaction, should it
// still be on its way, can no longer be committed. Only a cluster that stays away
// leaves an Update [ErrInDoubt].
//
// # What the cluster needs
//
// The keys of a namespace begin with its name and a slash: the data under "d/", the
// newest revision in "last", the stores' own keys, which end with their lease, under
// "e/". A user of etcd's role based access control needs to read and write that prefix.
// No one else may write there. Compaction is the cluster's business and does no harm; a
// quota that is used up gives [ErrFull].
package etcdstore
