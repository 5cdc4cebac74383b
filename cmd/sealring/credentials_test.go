package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const goodCredentials = `# a comment
[default]
aws_access_key_id = AKIAIOSFODNN7EXAMPLE
aws_secret_access_key = topsecret==
principal = arn:aws:iam::111122223333:root

; another
[ ann ]
aws_access_key_id=AKIAIOSFODNN7EXAMPL2
aws_secret_access_key=s
principal=arn:aws:iam::111122223333:user/eng/ann
[role]
aws_access_key_id = ASIAIOSFODNN7EXAMPL3
aws_secret_access_key = topsecret3
aws_session_token = token
principal = arn:aws:iam::111122223333:role/app/Svc
session_name = nightly
expiration = 2030-01-02T03:04:05Z
`

func TestParseCredentials(t *testing.T) {
	t.Parallel()
	all, err := parseCredentials([]byte(goodCredentials))
	require.NoError(t, err)
	require.Len(t, all, 3)
	require.Equal(t, "topsecret==", all[0].secret)
	require.True(t, all[0].caller.Root())
	require.Equal(t, "ann", all[1].profile)
	require.Equal(t, "arn:aws:iam::111122223333:user/eng/ann", all[1].caller.Principal)
	require.Equal(t, "arn:aws:sts::111122223333:assumed-role/Svc/nightly", all[2].caller.Principal)
	require.Equal(t, time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC), all[2].expires)
	require.Equal(t, "token", all[2].token)
	_, err = accessKeys(all)
	require.NoError(t, err)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		require.NotContains(t, fmt.Sprintf(verb, all), "topsecret")
	}
}

func TestParseCredentialsRefuses(t *testing.T) {
	t.Parallel()
	replace := func(old, new string) string { return strings.Replace(goodCredentials, old, new, 1) }
	for text, want := range map[string]string{
		"":         "no profile",
		"# only\n": "no profile",
		"aws_access_key_id = x\n" + goodCredentials:                                                    "line 1",
		goodCredentials + "[default]\n":                                                                "line 19",
		goodCredentials + "[\n":                                                                        "line 19",
		goodCredentials + "session_name = other\n":                                                     "set twice",
		goodCredentials + "topsecret4\n":                                                               "line 19: not of the form",
		goodCredentials + "region = topsecret4\n":                                                      "line 19: a setting of this name is not known",
		replace("topsecret==", ""):                                                                     "line 4",
		replace("principal = arn:aws:iam::111122223333:root\n", ""):                                    "principal is missing",
		replace("111122223333:root", "1111:root"):                                                      `profile "default"`,
		replace("111122223333:root", "111122223333:group/x"):                                           `profile "default"`,
		replace("AKIAIOSFODNN7EXAMPL2", "AKIAIOSFODNN7EXAMPLE"):                                        "same access key id",
		replace("aws_session_token = token\n", ""):                                                     "aws_session_token is missing",
		replace("expiration = 2030-01-02T03:04:05Z\n", ""):                                             "expiration is missing",
		replace("2030-01-02T03:04:05Z", "tomorrow"):                                                    "expiration is missing",
		replace("session_name = nightly\n", ""):                                                        `profile "role"`,
		replace("AKIAIOSFODNN7EXAMPLE\n", "AKIAIOSFODNN7EXAMPLE\nexpiration = 2030-01-02T03:04:05Z\n"): "aws_session_token is missing",
	} {
		_, err := parseCredentials([]byte(text))
		require.ErrorContains(t, err, want, "%s", text)
		require.NotContains(t, err.Error(), "topsecret")
	}
	bad, err := parseCredentials([]byte(replace("AKIAIOSFODNN7EXAMPLE", "short")))
	require.NoError(t, err)
	_, err = accessKeys(bad)
	require.ErrorContains(t, err, `profile "default"`)
}

func FuzzParseCredentials(f *testing.F) {
	f.Add([]byte(goodCredentials))
	f.Add([]byte("[a]\naws_access_key_id=\n"))
	f.Add([]byte("\xff[=]\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		all, err := parseCredentials(b)
		if err != nil {
			return
		}
		for _, c := range all {
			if c.id == "" || c.secret == "" || c.caller.Anonymous() || (c.token == "") != (c.caller.Session == nil && c.expires.IsZero()) {
				t.Fatalf("incomplete: %+v", c)
			}
		}
	})
}

func TestNewCredentials(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	path := b.path("credentials")
	first := b.ok("new", "credentials", path)
	require.Contains(t, first, "of arn:aws:iam::111122223333:root")
	second := b.ok("new", "credentials", path, "-profile", "ann", "-principal", "arn:aws:iam::444455556666:user/ann")
	require.Contains(t, b.fails(exitFailed, "new", "credentials", path), "already")
	all, err := readCredentials(path)
	require.NoError(t, err)
	require.Len(t, all, 2)
	require.Equal(t, "default", all[0].profile)
	require.Equal(t, "arn:aws:iam::444455556666:user/ann", all[1].caller.Principal)
	for i, out := range []string{first, second} {
		require.Contains(t, out, all[i].id)
		require.NotContains(t, out, all[i].secret)
	}
	require.Equal(t, []string{"credentials"}, b.names())

	other := b.file("other", []byte("[default]\nregion = x\n"))
	require.Contains(t, b.fails(exitFailed, "new", "credentials", other), "line 2")
	require.Equal(t, "[default]\nregion = x\n", string(b.read("other")))
}

func TestNewKeyReplacesNothing(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.key("key")
	before := b.read("key")
	b.fails(exitFailed, "new", "key", b.path("key"))
	require.Equal(t, before, b.read("key"))
}
