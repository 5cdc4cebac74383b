package envelope

import (
	"bytes"
	"crypto/fips140"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/keyring"
)

// fipsMode tells the test's own process, started anew, in which mode it runs: the
// mode cannot be changed while a process runs.
const fipsMode = "ENVELOPE_TEST_FIPS140"

// TestFIPS140: with fips140=on everything works; with fips140=only nothing does,
// because the format prescribes the nonces of its AES-GCM, and says so.
func TestFIPS140(t *testing.T) {
	t.Parallel()
	if mode := os.Getenv(fipsMode); mode != "" {
		require.True(t, fips140.Enabled())
		map[string]func(*testing.T){"on": checkFIPS, "only": checkFIPSOnly}[mode](t)
		return
	}
	self, err := os.Executable()
	require.NoError(t, err)
	for _, mode := range []string{"on", "only"} {
		c := exec.CommandContext(t.Context(), self, "-test.run=^TestFIPS140$", "-test.v")
		c.Env = append(os.Environ(), "GODEBUG=fips140="+mode, fipsMode+"="+mode)
		out, err := c.CombinedOutput()
		require.NoError(t, err, "%s", out)
		require.Contains(t, string(out), "--- PASS: TestFIPS140")
	}
}

func checkFIPS(t *testing.T) {
	for _, m := range []keyring.Manager{aesManager(t), openManager} {
		for _, s := range keyring.Suites() {
			plaintext := counted(10_000)
			message, err := Encrypt(t.Context(), m, plaintext, write(s, 0))
			require.NoError(t, err)
			got, err := readBytes(t, m, message, readAll())
			require.NoError(t, err)
			require.True(t, bytes.Equal(plaintext, got))
			got, _, err = Decrypt(t.Context(), m, writeBy(t, m, plaintext, write(s, 0), 1000), readAll())
			require.NoError(t, err)
			require.True(t, bytes.Equal(plaintext, got))
		}
	}
}

func checkFIPSOnly(t *testing.T) {
	_, err := keyring.NewRawAES("fleet", "2026-01", counted(32))
	require.ErrorContains(t, err, "FIPS 140-only")
	for _, s := range keyring.Suites() {
		out, err := Encrypt(t.Context(), openManager, []byte("plaintext"), write(s, 0))
		require.ErrorContains(t, err, "FIPS 140-only", "%v", s)
		require.Nil(t, out)
	}
}
