// Package boltstore is a [store.Store] in one file, on go.etcd.io/bbolt.
//
//	s, err := boltstore.Open("keys.db", nil)
//	sealed, err := store.Seal(ctx, s, root, nil) // what the file holds is not encrypted by itself
//
// When [Store.Update] returns nil, its writes are on the disk: they survive the end of
// the process and the loss of power, as far as the disk keeps what it was told to
// flush. Updates that come at the same time share one flush.
//
// The whole contents are also kept in memory, as [store.Memory] keeps them, so a View
// never waits for the disk or for writers. The price is memory: what the keys and values
// take, and some hundred bytes for each. Open reads the file once from beginning to end.
//
// # What is checked
//
// Open checks the file before it believes it: its length, the structure of every page, a
// checksum of each record, and the number and sum of all of them. A file that is cut off
// or has decayed gives an error that matches [ErrFile] and names what is wrong, never
// fewer records than there were. [Options.Salvage] reads what is left of it. The checksums
// are against accidents: who can write the file can also write checksums, and
// [store.Seal] is what protects against that.
//
// # Files and processes
//
// One process at a time may have the file open for writing, or any number for reading.
// The lock belongs to the operating system and ends with the process. Beside the file,
// with ".tmp-" and digits after its name, lie the files that are about to become it or a
// backup; those of a process that has died are removed at the next Open.
//
// The file belongs to machines of one byte order. Where the system is not a Unix, the
// entry of a new file in its directory cannot be flushed, and [Store.Compact] may not be
// possible, because a file that is open cannot be replaced.
package boltstore
