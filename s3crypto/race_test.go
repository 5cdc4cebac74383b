//go:build race

package s3crypto_test

// giantSize is the length of objects that do not fit into memory, here less than where
// nothing watches it: it takes many times as long.
const giantSize = 128 << 20
