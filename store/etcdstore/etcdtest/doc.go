// Package etcdtest holds the tests of package etcdstore that need a cluster. They run
// etcd's own server in the process. It is a module of its own so that the server is in
// nobody's module graph but this one's.
package etcdtest
