package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"

	"golang.org/x/term"
)

// maxSecretFile bounds a file that holds a key, a passphrase, a token or credentials.
const maxSecretFile = 1 << 20

// readSecretFile reads a file that nobody but its owner may read.
func readSecretFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: not a regular file", path)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 && runtime.GOOS != "windows" {
		return nil, fmt.Errorf("%s: others may use it (mode %04o): chmod 600", path, mode)
	}
	b, err := io.ReadAll(io.LimitReader(f, maxSecretFile+1))
	if err != nil {
		return nil, err
	}
	if len(b) > maxSecretFile {
		return nil, fmt.Errorf("%s: longer than %d bytes", path, maxSecretFile)
	}
	return b, nil
}

// readKeyFile reads a 256-bit key: 32 bytes, or the same in hexadecimal or base64 with or
// without a line break behind it.
func readKeyFile(path string) ([]byte, error) {
	b, err := readSecretFile(path)
	if err != nil {
		return nil, err
	}
	defer clear(b)
	key, ok := parseKey(b)
	if !ok {
		return nil, fmt.Errorf("%s: not a 256-bit key: 32 bytes, or their hexadecimal or base64", path)
	}
	return key, nil
}

func parseKey(b []byte) (key []byte, ok bool) {
	const n = 32
	if len(b) == n {
		return bytes.Clone(b), true
	}
	text := bytes.TrimRight(b, "\r\n")
	var err error
	switch len(text) {
	case hex.EncodedLen(n):
		key = make([]byte, n)
		_, err = hex.Decode(key, text)
	case base64.StdEncoding.EncodedLen(n):
		key, err = base64.StdEncoding.Strict().AppendDecode(nil, text)
	default:
		return nil, false
	}
	return key, err == nil && len(key) == n
}

// passphrase returns the passphrase in the file, or if there is none in the environment
// variable, or what is typed on a terminal. twice has it typed twice: for one that
// something will be encrypted with.
func (p *process) passphrase(ctx context.Context, file, variable string, twice bool) ([]byte, error) {
	var b []byte
	switch value := p.getenv(variable); {
	case file != "":
		secret, err := readSecretFile(file)
		if err != nil {
			return nil, err
		}
		b = bytes.TrimRight(secret, "\r\n")
		if len(b) == 0 {
			return nil, fmt.Errorf("%s: an empty passphrase", file)
		}
	case value != "":
		b = []byte(value)
	case p.terminal(p.stdin) && p.terminal(p.stderr):
		return p.typedPassphrase(ctx, twice)
	default:
		return nil, usagef("no passphrase: it is not in a file, not in %s, and this is no terminal", variable)
	}
	return b, nil
}

func (p *process) typedPassphrase(ctx context.Context, twice bool) ([]byte, error) {
	terminal, ok := p.stdin.(*os.File)
	if !ok {
		return nil, errors.New("no terminal")
	}
	ask := func(prompt string) ([]byte, error) {
		fmt.Fprint(p.stderr, prompt)
		b, err := readPassword(ctx, int(terminal.Fd()))
		fmt.Fprintln(p.stderr)
		return b, err
	}
	b, err := ask("Passphrase: ")
	if err != nil {
		return nil, err
	}
	if len(b) == 0 {
		return nil, errors.New("an empty passphrase")
	}
	if !twice {
		return b, nil
	}
	again, err := ask("The same again: ")
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(b, again) {
		return nil, errors.New("the passphrases differ")
	}
	return b, nil
}

// readPassword reads a line from a terminal that does not show it meanwhile. If ctx ends
// the wait, the terminal shows again what is typed.
func readPassword(ctx context.Context, terminal int) ([]byte, error) {
	before, err := term.GetState(terminal)
	if err != nil {
		return nil, err
	}
	type result struct {
		line []byte
		err  error
	}
	read := make(chan result, 1)
	go func() {
		line, err := term.ReadPassword(terminal)
		read <- result{line, err}
	}()
	select {
	case r := <-read:
		return r.line, r.err
	case <-ctx.Done():
		return nil, errors.Join(ctx.Err(), term.Restore(terminal, before))
	}
}
