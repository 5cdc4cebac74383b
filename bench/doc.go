// Package bench measures the library beside the bare cryptography under it, and beside
// other libraries that do what it does. It is a module of its own, so that what is
// compared with never becomes a dependency.
//
//	go test -run '^$' -bench . -count 5
//
// Compare figures of one run only, as ratios of medians: the machines that these
// run on are small and shared.
package bench
