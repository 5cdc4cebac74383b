//go:build race

package nitro_test

// stride is how many bits the tests that flip bits go on at a time. The race detector
// makes a verification six times slower, and there is nothing to race for.
const stride = 13
