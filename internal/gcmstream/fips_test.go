package gcmstream_test

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/fips140"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/internal/gcmstream"
)

// fipsMode is set in the test's own process, started anew with fips140=only: the mode cannot
// be changed while a process runs.
const fipsMode = "GCMSTREAM_TEST_FIPS140"

// TestFIPS140Only runs the other tests again, but for one that takes long, where the standard
// library takes no nonces.
func TestFIPS140Only(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	require.NoError(t, err)
	c := exec.CommandContext(t.Context(), self, "-test.run=^Test", "-test.skip=^(TestFIPS140Only|TestEverySplit)$", "-test.v")
	c.Env = append(os.Environ(), "GODEBUG=fips140=only", fipsMode+"=only")
	out, err := c.CombinedOutput()
	require.NoError(t, err, "%s", out)
	for _, name := range []string{"TestInMode", "TestWholeMessages", "TestManyPiecesInAnyOrder"} {
		require.Contains(t, string(out), "--- PASS: "+name+" ")
	}
}

// TestInMode says in which mode the process is, and that messages do not depend on it.
func TestInMode(t *testing.T) {
	t.Parallel()
	only := os.Getenv(fipsMode) != ""
	require.Equal(t, only, fips140.Enforced())
	block, err := aes.NewCipher(filled(1, 32))
	require.NoError(t, err)
	_, err = cipher.NewGCM(block)
	require.Equal(t, only, err != nil)

	// A message that is begun where the mode is not enforced goes on where it is.
	message := func() *gcmstream.Message {
		m, err := gcmstream.NewMessage(filled(1, 32), filled(2, 12), nil)
		require.NoError(t, err)
		return m
	}
	enforced := message()
	var free *gcmstream.Message
	fips140.WithoutEnforcement(func() { free = message() })
	plaintext := filled(3, 1000)
	a, whole, err := enforced.Seal(nil, plaintext, 16)
	require.NoError(t, err)
	b, same, err := free.Seal(nil, plaintext, 16)
	require.NoError(t, err)
	require.Equal(t, a, b)
	require.Equal(t, enforced.Tag(whole), free.Tag(same))
}
