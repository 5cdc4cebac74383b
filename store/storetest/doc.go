// Package storetest checks implementations of [store.Store].
//
// [Run] is the conformance kit: what package store promises, as test cases that
// every implementation has to pass.
//
//	func TestConformance(t *testing.T) {
//		storetest.Run(t, func(t *testing.T) store.Store { return mystore.New(t.TempDir()) })
//	}
//
// [RunDurable] adds what a store promises whose contents outlast it, and [RunShared]
// what several stores promise that share their contents.
//
// Some cases are scenes of two transactions, one begun while the function of the other
// runs; each rules out one anomaly by name. Others let many goroutines loose on a few
// keys. One records what random transactions see, and checks that they could have been
// done one after another in the order of their revisions, each after all that had ended
// when it began.
//
// [Twice], [FailAt] and [Stall] are wrappers for the tests of packages that use a store:
// the first runs every update's function twice, as a store may after a conflict, the
// second fails at a chosen call, and the third holds calls up. [Handles] makes several
// stores of one.
//
// A store is expected to give every run of a function one unchanging state to read, even
// a run whose result is thrown away because of a conflict; a function may rely on what
// it has read without fear of an impossible state. And nobody is shown what could still
// be lost: neither by a View or a Watch, nor by an Update that only reads, nor by the
// error of a function.
//
// Not asserted, because stores may differ in it: how much history Watch keeps, by
// how much the revision grows, and whether updates wait for each other or end with
// [store.ErrConflict] after several attempts. No case measures time, but some wait for
// a moment to let transactions meet; where a machine is slow they show less.
package storetest
