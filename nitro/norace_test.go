//go:build !race

package nitro_test

// stride is how many bits the tests that flip bits go on at a time: none is left out.
const stride = 1
