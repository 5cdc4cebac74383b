package local

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"github.com/sealring/sealring/internal/syncdir"
	"github.com/sealring/sealring/keyring"
)

// keyFileHeader is the first line of a key file, and the second one is 32 bytes in
// base64. Nothing follows.
const keyFileHeader = "sealring root key 1\n"

// keyFileLen is the length of a key file.
var keyFileLen = len(keyFileHeader) + base64.StdEncoding.EncodedLen(32) + 1

// CreateKeyFile makes a random root key and writes it to a new file that only its owner
// may read (mode 0600). It never replaces a file: the error matches [fs.ErrExist] then.
// The file is whole when it appears, and on the disk when CreateKeyFile returns.
//
// Whoever can read the file can open every copy of the store. A passphrase
// ([keyring.NewPassphrase]) or a key in KMS leaves nothing to be read beside the store.
func CreateKeyFile(path string) error {
	key := make([]byte, 32)
	rand.Read(key)
	defer clear(key)
	content := base64.StdEncoding.AppendEncode([]byte(keyFileHeader), key)
	content = append(content, '\n')
	defer clear(content)
	return createPrivate(path, content)
}

// createPrivate makes a file with mode 0600 that is whole when it appears.
func createPrivate(path string, content []byte) error {
	temporary, err := os.CreateTemp(filepath.Dir(path), ".sealring-*") // mode 0600
	if err != nil {
		return fmt.Errorf("local: %w", err)
	}
	defer os.Remove(temporary.Name())
	_, err = temporary.Write(content)
	err = errors.Join(err, temporary.Sync(), temporary.Close())
	if err == nil {
		err = os.Link(temporary.Name(), path) // fails if path exists, unlike Rename
	}
	if err == nil {
		err = syncdir.Sync(filepath.Dir(path))
	}
	if err != nil {
		return fmt.Errorf("local: %w", err)
	}
	return nil
}

// ReadKeyFile returns the keyring for the key in a file that [CreateKeyFile] has
// written. A file that others than its owner may read or write is refused. The error
// never shows what is in the file.
func ReadKeyFile(path string) (keyring.Keyring, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("local: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, fmt.Errorf("local: %w", err)
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("local: key file %q is not a file", path)
	case runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0:
		return nil, fmt.Errorf("local: key file %q may be used by others than its owner (mode %#o); want 0600", path, info.Mode().Perm())
	}
	content := make([]byte, keyFileLen+1) // one more, to see the end
	defer clear(content)
	n, err := io.ReadFull(f, content)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("local: %w", err)
	}
	encoded, ok := bytes.CutPrefix(content[:n], []byte(keyFileHeader))
	encoded, newline := bytes.CutSuffix(encoded, []byte("\n"))
	key := make([]byte, 33)
	defer clear(key)
	decoded, err := base64.StdEncoding.Strict().Decode(key, encoded)
	if !ok || !newline || err != nil || decoded != 32 || n != keyFileLen {
		return nil, fmt.Errorf("local: %q is not a key file", path)
	}
	return keyring.NewRawAES("sealring", "root", key[:32])
}

// openKeyFile reads the key file of a store, or makes one if the store is new: a key
// file that is gone is not replaced by one that opens nothing.
func openKeyFile(path string, fresh bool) (keyring.Keyring, error) {
	if fresh {
		if err := CreateKeyFile(path); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
	}
	return ReadKeyFile(path)
}
