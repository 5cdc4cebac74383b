package local_test

import (
	"bytes"
	"encoding/base64"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/envelope"
	"github.com/sealring/sealring/keyring"
	"github.com/sealring/sealring/local"
)

func TestKeyFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "root.key")
	_, err := local.ReadKeyFile(path)
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.NoError(t, local.CreateKeyFile(path))
	require.ErrorIs(t, local.CreateKeyFile(path), fs.ErrExist)
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, files, 1, "nothing is left behind")
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o600), info.Mode())

	ring, err := local.ReadKeyFile(path)
	require.NoError(t, err)
	message, err := envelope.Encrypt(t.Context(), keyring.NewManager(ring), []byte("x"), nil)
	require.NoError(t, err)
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	again, err := keyring.NewRawAES("sealring", "root", decode(t, content))
	require.NoError(t, err)
	plaintext, _, err := envelope.Decrypt(t.Context(), keyring.NewManager(again), message, nil)
	require.NoError(t, err)
	require.Equal(t, "x", string(plaintext))

	require.ErrorIs(t, local.CreateKeyFile(filepath.Join(dir, "none", "root.key")), fs.ErrNotExist)
}

func decode(t *testing.T, content []byte) []byte {
	t.Helper()
	lines := bytes.Split(content, []byte("\n"))
	require.Len(t, lines, 3)
	key, err := base64.StdEncoding.DecodeString(string(lines[1]))
	require.NoError(t, err)
	require.Len(t, key, 32)
	return key
}

func TestKeyFileRefusals(t *testing.T) {
	t.Parallel()
	good := "sealring root key 1\n" + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, 32)) + "\n"
	write := func(content string, mode fs.FileMode) string {
		path := filepath.Join(t.TempDir(), "key")
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		require.NoError(t, os.Chmod(path, mode))
		return path
	}
	_, err := local.ReadKeyFile(write(good, 0o600))
	require.NoError(t, err)
	_, err = local.ReadKeyFile(write(good, 0o400))
	require.NoError(t, err)
	for _, mode := range []fs.FileMode{0o604, 0o640, 0o620, 0o660, 0o644} {
		_, err := local.ReadKeyFile(write(good, mode))
		require.ErrorContains(t, err, "others than its owner", "%o", mode)
	}
	_, err = local.ReadKeyFile(t.TempDir())
	require.ErrorContains(t, err, "is not a file")
	for n := range good {
		_, err := local.ReadKeyFile(write(good[:n], 0o600))
		require.ErrorContains(t, err, "is not a key file", "%d bytes", n)
		require.NotContains(t, err.Error(), "BwcH")
	}
	for _, content := range []string{
		good + "\n", good + "x", "x" + good[1:], good[:30] + "!" + good[31:],
		"sealring root key 1\n" + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, 31)) + "\n",
		"sealring root key 1\n" + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, 33)) + "\n",
		good[:len(good)-3] + "d=\n", // bits behind the key
	} {
		_, err := local.ReadKeyFile(write(content, 0o600))
		require.ErrorContains(t, err, "is not a key file")
	}
}
