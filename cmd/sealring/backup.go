package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"github.com/sealring/sealring/store/boltstore"
)

const backupText = `
Writes a copy of a store's file to the file named by -o, which appears only when it is
whole. The copy is as encrypted as the store is, and is opened by the same root key, which
is not in it: keep that too.

  sealring backup -data keys.db -o copy.db
        copies a file that no server uses
  sealring backup -admin http://127.0.0.1:4567 -admin-token-file token -o copy.db
        has a running server (serve -admin -admin-token-file) copy the file that it uses
`

// runBackup is sealring backup.
func runBackup(ctx context.Context, p *process, args []string) error {
	var (
		data, from, token, ca, out string
		force, asJSON              bool
	)
	f := p.flags("backup", "[flags] -o FILE", backupText)
	f.StringVar(&data, "data", "", "`FILE` that holds the store")
	f.StringVar(&from, "admin", "", "`URL` of a server's admin listener")
	f.StringVar(&token, "admin-token-file", "", "`FILE` with its token")
	f.StringVar(&ca, "admin-cacert", "", "PEM `FILE` with the CA of its certificate")
	f.StringVar(&out, "o", "", "`FILE` for the copy")
	f.BoolVar(&force, "force", false, "replace the file if it is there already")
	f.BoolVar(&asJSON, "json", false, "print JSON")
	if help, err := f.parse(args, 0); help || err != nil {
		return err
	}
	switch {
	case (data == "") == (from == ""):
		return usagef("backup: name a store with -data or a server with -admin")
	case (from == "") != (token == ""), ca != "" && from == "":
		return usagef("backup: -admin and -admin-token-file go together, and -admin-cacert is for them")
	case out == "" || out == "-":
		return usagef("backup: name a file with -o")
	}
	if force {
		if err := notInUse(out); err != nil {
			return err
		}
	}
	dst, err := p.create(out, force, 0o600)
	if err != nil {
		return forceable(err)
	}
	defer dst.abandon()
	if dst.streams() {
		return fmt.Errorf("%s: a backup wants a regular file", out)
	}
	var n int64
	if data != "" {
		n, err = backupFile(ctx, data, dst)
	} else {
		n, err = backupServer(ctx, from, token, ca, dst)
	}
	if err != nil {
		return err
	}
	// What was written is what counts: it has to be a store, every page of it.
	if err := checkStoreFile(dst.temporary.Name()); err != nil {
		return fmt.Errorf("the copy is not whole: %w", err)
	}
	if err := dst.commit(); err != nil {
		return err
	}
	return printCopied(p, out, n, asJSON)
}

// printCopied says which file was made.
func printCopied(p *process, file string, n int64, asJSON bool) error {
	if asJSON {
		return printJSON(p.stdout, struct {
			File  string `json:"file"`
			Bytes int64  `json:"bytes"`
		}{file, n})
	}
	_, err := fmt.Fprintf(p.stdout, "%s: %d bytes\n", file, n)
	return err
}

// notInUse refuses to replace the store of a running server: what that would write from
// then on would be in a file without a name.
func notInUse(path string) error {
	s, err := openFile(path, true, false)
	switch {
	case errors.Is(err, boltstore.ErrLocked):
		return fmt.Errorf("%w: a backup does not replace it", err)
	case err != nil:
		return nil // it is no store, or not there
	}
	return s.Close()
}

// backupFile copies the store in a file that nobody else writes.
func backupFile(ctx context.Context, path string, dst io.Writer) (int64, error) {
	s, err := openFile(path, true, false)
	if errors.Is(err, boltstore.ErrLocked) {
		return 0, fmt.Errorf("%w; a server that uses it can be asked for a backup, with -admin", err)
	}
	if err != nil {
		return 0, err
	}
	n, err := s.Backup(ctx, dst)
	return n, errors.Join(err, s.Close())
}

// backupServer has a server send a copy of the file that it uses.
func backupServer(ctx context.Context, from, tokenFile, ca string, dst io.Writer) (int64, error) {
	token, err := readToken(tokenFile)
	if err != nil {
		return 0, err
	}
	at, err := url.Parse(from)
	if err != nil || at.Host == "" || at.Scheme != "http" && at.Scheme != "https" {
		return 0, usagef("backup: -admin is a URL such as http://127.0.0.1:4567")
	}
	if isReadable(from) {
		return 0, usagef("backup: the token could be read on the way to %s: name an https URL", at.Host)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, at.JoinPath("backup").String(), nil)
	if err != nil {
		return 0, err
	}
	r.Header.Set("Authorization", "Bearer "+string(token))
	security, err := tlsFlags{ca: ca}.client()
	if err != nil {
		return 0, err
	}
	client := &http.Client{
		Transport: &http.Transport{TLSClientConfig: security},
		// The token is for this server.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	defer client.CloseIdleConnections()
	response, err := client.Do(r)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(response.Body, 200))
		return 0, fmt.Errorf("the server answers %s: %q", response.Status, text)
	}
	n, err := io.Copy(dst, response.Body)
	if err != nil {
		return 0, err
	}
	if want, err := strconv.ParseInt(response.Trailer.Get(backupEnd), 10, 64); err != nil || want != n {
		return 0, fmt.Errorf("the server did not finish: %d bytes came", n)
	}
	return n, nil
}

// checkStoreFile opens a file as a store, which looks at all of it.
func checkStoreFile(path string) error {
	s, err := openFile(path, true, false)
	if err != nil {
		return err
	}
	return s.Close()
}
