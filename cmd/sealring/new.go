package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/sealring/sealring/endpoint"
	"github.com/sealring/sealring/identity"
	"github.com/sealring/sealring/local"
)

const newText = `
sealring new key FILE           makes a file with a new random 256-bit key
sealring new credentials FILE   makes an access key and adds it to a credentials file

Files are made with mode 0600, and a key file is never replaced. What is secret goes into
the file and nowhere else.
` + credentialsText

// runNew is sealring new.
func runNew(_ context.Context, p *process, args []string) error {
	var principal, name string
	f := p.flags("new", "[flags] key|credentials FILE", newText)
	f.StringVar(&principal, "principal", identity.Root(identity.DefaultAccount, "").Principal, "`ARN` of the user or root user whose access key it is")
	f.StringVar(&name, "profile", "default", "`NAME` of the profile in the credentials file")
	if help, err := f.parse(args, 2); help || err != nil {
		return err
	}
	if len(f.args) != 2 {
		return usagef("new: say what, and the file")
	}
	path := f.arg(1)
	switch f.arg(0) {
	case "key":
		if f.given("principal") || f.given("profile") {
			return usagef("new: a key belongs to nobody")
		}
		return local.CreateKeyFile(path)
	case "credentials":
		return newCredentials(p, path, name, principal)
	}
	return usagef("new: %q is neither key nor credentials", f.arg(0))
}

// newCredentials adds a profile with a new access key to a file, or makes the file.
func newCredentials(p *process, path, name, principal string) error {
	if strings.ContainsAny(name, "[]\r\n") || strings.TrimSpace(name) != name || name == "" {
		return usagef("new: %q cannot be the name of a profile", name)
	}
	caller, err := parsePrincipal(principal, "")
	if err != nil {
		return usagef("new: -principal: %v", err)
	}
	before, err := readSecretFile(path)
	found := err == nil
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	default:
		old, err := parseCredentials(before)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		for _, c := range old {
			if c.profile == name {
				return fmt.Errorf("%s: there is a profile %q already; -profile names another", path, name)
			}
		}
	}
	c := credential{profile: name, caller: caller}
	c.id, c.secret = (&endpoint.AccessKeys{}).Create(caller)
	out, err := p.create(path, found, 0o600)
	if err != nil {
		return err
	}
	defer out.abandon()
	if out.streams() {
		return fmt.Errorf("%s: %w", path, os.ErrInvalid)
	}
	if found {
		if before[len(before)-1] != '\n' {
			before = append(before, '\n')
		}
		if _, err := out.Write(append(before, '\n')); err != nil {
			return err
		}
	}
	if err := c.write(out); err != nil {
		return err
	}
	if err := out.commit(); err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.stdout, "%s: access key %s of %s\n", path, c.id, caller.Principal)
	return err
}
