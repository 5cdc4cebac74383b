package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/sealring/sealring/endpoint"
	"github.com/sealring/sealring/identity"
	"github.com/sealring/sealring/internal/arn"
)

// credential is one access key of a credentials file, and who makes the requests that are
// signed with it.
type credential struct {
	profile string
	id      string
	secret  string
	token   string    // of a session
	expires time.Time // of a session
	caller  identity.Caller
}

// Format prints the profile and the access key id, whatever the verb.
func (c credential) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "[%s] %s", c.profile, c.id) }

// The settings of a profile. The AWS CLI reads the first three in its own file of this
// form and leaves the others alone, so that one file can serve both.
const (
	settingID      = "aws_access_key_id"
	settingSecret  = "aws_secret_access_key"
	settingToken   = "aws_session_token"
	settingWho     = "principal"
	settingSession = "session_name"
	settingExpires = "expiration"
)

const credentialsText = `
A credentials file has the form of the AWS CLI's, with one setting more that says who
makes the requests that are signed with the key:

  [default]
  aws_access_key_id = AKIA…
  aws_secret_access_key = …
  principal = arn:aws:iam::111122223333:root

A principal is an account's root user (…:root), a user (…:user/ann) or a role
(…:role/app/Svc). A role's key is that of a session and has aws_session_token,
session_name and expiration (2006-01-02T15:04:05Z) too.
`

// readCredentials reads a credentials file, which nobody but its owner may read.
func readCredentials(path string) ([]credential, error) {
	b, err := readSecretFile(path)
	if err != nil {
		return nil, err
	}
	all, err := parseCredentials(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return all, nil
}

// parseCredentials reads the text of a credentials file. Errors name lines and profiles,
// and show nothing of what may be secret.
func parseCredentials(b []byte) ([]credential, error) {
	profiles, err := parseProfiles(b)
	if err != nil {
		return nil, err
	}
	var all []credential
	ids := map[string]bool{}
	for _, p := range profiles {
		c, err := p.credential()
		if err != nil {
			return nil, fmt.Errorf("profile %q: %w", p.name, err)
		}
		if ids[c.id] {
			return nil, fmt.Errorf("profile %q: another one has the same access key id", p.name)
		}
		ids[c.id] = true
		all = append(all, c)
	}
	if len(all) == 0 {
		return nil, errors.New("no profile")
	}
	return all, nil
}

// profile is a section of a credentials file.
type profile struct {
	name     string
	settings map[string]string
}

func parseProfiles(b []byte) ([]profile, error) {
	var all []profile
	names := map[string]bool{}
	number := 0
	for line := range strings.Lines(string(b)) {
		number++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' || line[0] == ';' {
			continue
		}
		if line[0] == '[' {
			name, ok := strings.CutSuffix(line[1:], "]")
			name = strings.TrimSpace(name)
			if !ok || name == "" || names[name] {
				return nil, fmt.Errorf("line %d: not the name of a new profile", number)
			}
			names[name] = true
			all = append(all, profile{name, map[string]string{}})
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		switch {
		case !ok || value == "":
			return nil, fmt.Errorf("line %d: not of the form setting = value", number)
		case len(all) == 0:
			return nil, fmt.Errorf("line %d: a setting before the first [profile]", number)
		}
		settings := all[len(all)-1].settings
		switch key {
		case settingID, settingSecret, settingToken, settingWho, settingSession, settingExpires:
		default:
			return nil, fmt.Errorf("line %d: a setting of this name is not known", number)
		}
		if _, twice := settings[key]; twice {
			return nil, fmt.Errorf("line %d: %s is set twice", number, key)
		}
		settings[key] = value
	}
	return all, nil
}

// credential checks that the settings are complete and fit each other.
func (p profile) credential() (credential, error) {
	c := credential{profile: p.name, id: p.settings[settingID], secret: p.settings[settingSecret], token: p.settings[settingToken]}
	for _, name := range []string{settingID, settingSecret, settingWho} {
		if p.settings[name] == "" {
			return c, fmt.Errorf("%s is missing", name)
		}
	}
	var err error
	if c.caller, err = parsePrincipal(p.settings[settingWho], p.settings[settingSession]); err != nil {
		return c, err
	}
	expires := p.settings[settingExpires]
	if c.token == "" {
		if expires != "" || c.caller.Session != nil {
			return c, fmt.Errorf("%s is missing", settingToken)
		}
		return c, nil
	}
	if c.expires, err = time.Parse(time.RFC3339, expires); err != nil {
		return c, fmt.Errorf("%s is missing, or not of the form 2006-01-02T15:04:05Z", settingExpires)
	}
	return c, nil
}

// parsePrincipal returns the caller with an ARN: a root user, a user, or, with a session
// name, a session of a role.
func parsePrincipal(principal, session string) (identity.Caller, error) {
	if session != "" {
		return identity.AssumedRole(principal, session, nil)
	}
	if a, ok := arn.Parse(principal); ok && a.Resource == "root" && arn.IsAccount(a.Account) {
		if root := identity.Root(a.Account, ""); root.Principal == principal {
			return root, nil
		}
	}
	return identity.User(principal)
}

// accessKeys returns the access keys for an endpoint.
func accessKeys(all []credential) (*endpoint.AccessKeys, error) {
	keys := &endpoint.AccessKeys{}
	for _, c := range all {
		var err error
		if c.token == "" {
			err = keys.Add(c.id, c.secret, c.caller)
		} else {
			err = keys.AddSession(c.id, c.secret, c.token, c.caller, c.expires)
		}
		if err != nil {
			return nil, fmt.Errorf("profile %q: %w", c.profile, err)
		}
	}
	return keys, nil
}

// write writes a long-term credential as a profile.
func (c credential) write(w io.Writer) error {
	b := &bytes.Buffer{}
	fmt.Fprintf(b, "[%s]\n%s = %s\n%s = %s\n%s = %s\n", c.profile,
		settingID, c.id, settingSecret, c.secret, settingWho, c.caller.Principal)
	_, err := w.Write(b.Bytes())
	return err
}
