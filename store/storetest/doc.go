// Package storetest checks implementations of [store.Store].
//
// [Run] is the conformance kit: what package store promises, as test cases that
// every implementation has to pass.
//
//	func TestConformance(t *testing.T) {
//		storetest.Run(t, func(t *testing.T) store.Store { return mystore.New(t.TempDir()) })
//	}
//
// [Twice] and [FailAt] are wrappers for the tests of packages that use a store: the
// one runs every update's function twice, as a store may after a conflict, and the
// other fails at a chosen call.
//
// Not asserted, because stores may differ in it: how much history Watch keeps, by
// how much the revision grows, and whether updates wait for each other or end with
// [store.ErrConflict] after several attempts.
package storetest
