package main

import (
	"bytes"
	"crypto/rand"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRun(t *testing.T) {
	for name, size := range map[string]int{"empty": 0, "one byte": 1, "one frame": 4096, "many frames": 1<<20 + 3} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "file")
			content := make([]byte, size)
			rand.Read(content)
			require.NoError(t, os.WriteFile(file, content, 0o600))
			var out bytes.Buffer
			require.NoError(t, run(t.Context(), &out, "", "", []string{file}))
			for _, want := range []string{
				"ALG_AES_256_GCM_HKDF_SHA512_COMMIT_KEY_ECDSA_P384",
				"the same as the file",
				"message is not authentic",
				`value for key "file" is not the required one`,
				"DisabledException",
			} {
				require.Contains(t, out.String(), want)
			}
		})
	}
}

func TestRunRefusesHalfAnEndpoint(t *testing.T) {
	var out bytes.Buffer
	require.ErrorContains(t, run(t.Context(), &out, "http://127.0.0.1:1", "", nil), "go together")
	require.ErrorContains(t, run(t.Context(), &out, "", "arn:aws:kms:eu-west-1:111122223333:key/x", nil), "go together")
}

func TestRunMissingFile(t *testing.T) {
	var out bytes.Buffer
	require.ErrorIs(t, run(t.Context(), &out, "", "", []string{filepath.Join(t.TempDir(), "none")}), os.ErrNotExist)
}
