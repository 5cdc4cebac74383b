package envelope

import (
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/keyring"
)

var update = flag.Bool("update", false, "write testdata/messages.json anew")

// pinned is a message that an earlier version of this package wrote.
type pinned struct {
	Suite     string                    `json:"suite"`
	Context   keyring.EncryptionContext `json:"context"`
	Plaintext string                    `json:"plaintext"`
	Message   string                    `json:"message"` // hexadecimal
}

// TestPinnedMessages decrypts messages that stay the same from version to version
// of this package. They are wrapped by aesManager's key.
func TestPinnedMessages(t *testing.T) {
	t.Parallel()
	path := filepath.Join("testdata", "messages.json")
	if *update {
		writePinned(t, path)
	}
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	var all []pinned
	require.NoError(t, json.Unmarshal(b, &all))
	require.Len(t, all, len(keyring.Suites()))
	for i, s := range keyring.Suites() {
		p := all[i]
		require.Equal(t, fmt.Sprintf("%04x", uint16(s)), p.Suite)
		message, err := hex.DecodeString(p.Message)
		require.NoError(t, err)
		o := readAll()
		o.Context = p.Context
		plaintext, h, err := Decrypt(t.Context(), aesManager(t), message, o)
		require.NoError(t, err, p.Suite)
		require.Equal(t, p.Plaintext, string(plaintext))
		require.Equal(t, s, h.Suite)
		size, err := EncryptedSize(h.Length(), s, int(h.FrameLength), int64(len(plaintext)))
		require.NoError(t, err)
		require.EqualValues(t, len(message), size)
	}
}

func writePinned(t *testing.T, path string) {
	var all []pinned
	for _, s := range keyring.Suites() {
		p := pinned{
			Suite:     fmt.Sprintf("%04x", uint16(s)),
			Context:   keyring.EncryptionContext{"purpose": "pin", "größe": "klein"},
			Plaintext: "two frames and a short one",
		}
		o := write(s, 10)
		o.Context = p.Context
		message, err := Encrypt(t.Context(), aesManager(t), []byte(p.Plaintext), o)
		require.NoError(t, err)
		p.Message = hex.EncodeToString(message)
		all = append(all, p)
	}
	b, err := json.MarshalIndent(all, "", "\t")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, append(b, '\n'), 0o644))
}
