package main

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestVerifyAuditLog(t *testing.T) {
	t.Parallel()
	s, _, _ := used(t, 2)
	args := append([]string{"-audit", s.path("audit.jsonl")}, s.opening()...)
	good := s.verify(exitOK, args...)
	require.Len(t, good.Audit.Chains, 1)
	chain := good.Audit.Chains[0]
	require.Equal(t, uint64(8), chain.Proven, "four requests for each key")
	require.Equal(t, chain.Proven, chain.Anchored)

	log := s.read("audit.jsonl")
	lines := bytes.SplitAfter(log, []byte("\n"))
	for name, bad := range map[string][]byte{
		"edited":    bytes.Replace(log, []byte("CreateKey"), []byte("CreateKeX"), 1),
		"deleted":   bytes.Join(append(append([][]byte{}, lines[:2]...), lines[3:]...), nil),
		"truncated": bytes.Join(lines[:len(lines)-2], nil),
		"empty":     nil,
	} {
		require.NoError(t, os.WriteFile(s.path("audit.jsonl"), bad, 0o600))
		found := s.verify(exitFailed, args...)
		require.NotEmpty(t, found.Audit.Fault, name)
		require.True(t, found.Store.OK, name)
		if name == "truncated" {
			errs := s.fails(exitNotAuthentic, append([]string{"serve", "-listen", "127.0.0.1:0"}, s.args...)...)
			require.Contains(t, errs, "-audit-new-chain", "a server does not go on with it")
		}
	}
	require.NoError(t, os.WriteFile(s.path("audit.jsonl"), log, 0o600))
	s.verify(exitOK, args...)
}

// TestVerifyWantsTheLog has verify find nothing where there should be something: a name or
// a path with a typing mistake, a log that is gone, a chain that only an anchor knows of.
func TestVerifyWantsTheLog(t *testing.T) {
	t.Parallel()
	s, _, _ := used(t, 1)
	found := s.verify(exitFailed, append([]string{"-audit", s.path("none.jsonl"), "-audit-name", "defualt"}, s.opening()...)...)
	require.Contains(t, found.Audit.Fault, `"defualt"`)
	require.True(t, found.Store.OK)
	found = s.verify(exitFailed, append([]string{"-audit", s.path("none.jsonl")}, s.opening()...)...)
	require.Contains(t, found.Audit.Fault, s.path("none.jsonl"))
	strange := "00000000-0000-4000-8000-000000000000:7:" + strings.Repeat("0a", 32)
	found = s.verify(exitFailed, append([]string{"-audit", s.path("audit.jsonl"), "-anchor", strange}, s.opening()...)...)
	require.Contains(t, found.Audit.Fault, "foreign event 7 of engine")
	require.Equal(t, uint64(4), found.Audit.Chains[0].Proven, "the rest is verified all the same")
	require.Contains(t, s.fails(exitFailed, append([]string{"verify", "-audit", s.path("none.jsonl")}, s.opening()...)...), "see above")
}

// TestAnchorsAreLogged takes one from the server's own log.
func TestAnchorsAreLogged(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	at := s.start(s.args...)
	exchange(t, s.client(at), "alias/x")
	require.Zero(t, at.end())
	_, anchor, found := strings.Cut(at.log.String(), "anchor=")
	require.True(t, found)
	anchor, _, _ = strings.Cut(anchor, "\n")
	args := append([]string{"-audit", s.path("audit.jsonl")}, s.opening()...)
	s.verify(exitOK, append(args, "-anchor", anchor)...)
	other := anchor[:len(anchor)-1] + string("0123456789abcdef"[(strings.IndexByte("0123456789abcdef", anchor[len(anchor)-1])+1)%16])
	s.verify(exitFailed, append(args, "-anchor", other)...)
}

// TestNewChain has a log be cut, understood, set aside and followed by another. What is
// found in the next one does not hide behind the first.
func TestNewChain(t *testing.T) {
	t.Parallel()
	s, _, _ := used(t, 2)
	args := append([]string{"-audit", s.path("audit.jsonl")}, s.opening()...)
	old := s.verify(exitOK, args...).Audit.Chains[0].Engine
	first, _, _ := bytes.Cut(s.read("audit.jsonl"), []byte("\n"))
	s.file("old.jsonl", append(first, '\n'))
	require.NoError(t, os.Remove(s.path("audit.jsonl")))
	s.fails(exitNotAuthentic, append([]string{"serve", "-listen", "127.0.0.1:0"}, s.args...)...)
	at := s.start(append(s.args, "-audit-new-chain")...)
	require.Contains(t, at.log.String(), "-audit-new-chain")
	exchange(t, s.client(at), "alias/next")
	require.Zero(t, at.end())

	require.Contains(t, s.verify(exitFailed, args...).Audit.Fault, old)
	args = append(args, "-audit-without", old)
	found := s.verify(exitOK, args...).Audit
	require.Len(t, found.Chains, 1)
	require.Equal(t, uint64(4), found.Chains[0].Proven)
	require.Equal(t, []string{old}, found.Without)
	require.Contains(t, s.ok(append([]string{"verify"}, args...)...), "chain "+old+" was left out")
	require.Contains(t, s.fails(exitUsage, append([]string{"verify", "-audit-without", "typo"}, args...)...), `"typo"`)

	log := s.read("audit.jsonl")
	s.file("audit.jsonl", append(s.read("old.jsonl"), log...))
	require.Contains(t, s.verify(exitFailed, args...).Audit.Fault, "foreign", "what is left out is not in the log")
	s.file("audit.jsonl", bytes.Replace(log, []byte("CreateKey"), []byte("CreateKeX"), 1))
	require.Contains(t, s.verify(exitFailed, args...).Audit.Fault, "altered event 1")
}

// TestVerifyPrunedLog has the first line of a log gone, as its oldest file would be.
func TestVerifyPrunedLog(t *testing.T) {
	t.Parallel()
	s, _, _ := used(t, 1)
	args := append([]string{"-audit", s.path("audit.jsonl")}, s.opening()...)
	log := s.read("audit.jsonl")
	_, rest, _ := bytes.Cut(log, []byte("\n"))
	s.file("audit.jsonl", rest)
	s.verify(exitFailed, args...)
	args = append(args, "-audit-pruned")
	require.True(t, s.verify(exitOK, args...).Audit.Chains[0].FirstUnproven)
	require.Contains(t, s.ok(append([]string{"verify"}, args...)...), "except for event 2,")

	fresh := newSite(t)
	require.Zero(t, fresh.start(fresh.args...).end())
	text := fresh.ok(append([]string{"verify", "-audit", fresh.path("audit.jsonl")}, fresh.opening()...)...)
	require.Contains(t, text, ", no events\n")
}

// TestAuditIsNoOtherFile names a file of the server's as the audit log, by mistake.
func TestAuditIsNoOtherFile(t *testing.T) {
	t.Parallel()
	s, _, _ := used(t, 1)
	for _, name := range []string{"kms.db", "root.key", "credentials"} {
		before := s.read(name)
		args := append(s.opening(), "-listen", "127.0.0.1:0", "-credentials", s.path("credentials"), "-audit", s.path(name))
		require.Contains(t, s.fails(exitFailed, append([]string{"serve"}, args...)...), "is no log")
		require.Equal(t, before, s.read(name), name)
	}
}
