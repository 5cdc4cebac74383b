//go:build !race

package s3crypto_test

// giantSize is the length of objects that do not fit into memory.
const giantSize = 1 << 30
