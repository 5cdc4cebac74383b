package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/audit"
	"github.com/sealring/sealring/envelope"
	"github.com/sealring/sealring/keyring"
	"github.com/sealring/sealring/store"
	"github.com/sealring/sealring/store/boltstore"
)

// asProgram has the test binary be the program: for tests that kill it.
const asProgram = "SEALRING_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
	}
	os.Exit(m.Run())
}

// bench is a directory to run commands in.
type bench struct {
	t     *testing.T
	dir   string
	env   map[string]string
	stdin io.Reader
	aws   aws.Config
	ttys  []any // streams that are terminals
}

func newBench(t *testing.T) *bench {
	t.Helper()
	return &bench{t: t, dir: t.TempDir(), env: map[string]string{}, stdin: strings.NewReader("")}
}

// path returns the path of a file in the directory.
func (b *bench) path(name string) string { return filepath.Join(b.dir, name) }

// file writes a file that only its owner can read and returns its path.
func (b *bench) file(name string, content []byte) string {
	b.t.Helper()
	require.NoError(b.t, os.WriteFile(b.path(name), content, 0o600))
	return b.path(name)
}

func (b *bench) read(name string) []byte {
	b.t.Helper()
	content, err := os.ReadFile(b.path(name))
	require.NoError(b.t, err)
	return content
}

// names returns the names of all files in the directory.
func (b *bench) names() []string {
	b.t.Helper()
	entries, err := os.ReadDir(b.dir)
	require.NoError(b.t, err)
	names := []string{}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func (b *bench) process(stdout, stderr io.Writer) *process {
	return &process{
		stdin: b.stdin, stdout: stdout, stderr: stderr,
		getenv: func(name string) string { return b.env[name] },
		terminal: func(stream any) bool {
			for _, t := range b.ttys {
				if stream == t {
					return true
				}
			}
			return false
		},
		awsConfig: func(_ context.Context, region string) (aws.Config, error) {
			c := b.aws.Copy()
			c.Region = region
			if c.Credentials == nil {
				c.Credentials = credentials.NewStaticCredentialsProvider("AKIAIOSFODNN7EXAMPLE", "secret", "")
			}
			return c, nil
		},
	}
}

// run runs a command and returns its status and what it has printed.
func (b *bench) run(args ...string) (status int, stdout, stderr string) {
	b.t.Helper()
	var out, errs bytes.Buffer
	status = run(b.t.Context(), args, b.process(&out, &errs))
	return status, out.String(), errs.String()
}

// ok runs a command that has to succeed and returns what it has printed.
func (b *bench) ok(args ...string) string {
	b.t.Helper()
	status, out, errs := b.run(args...)
	require.Zero(b.t, status, "%v: %s", args, errs)
	return out
}

// fails runs a command that has to end with a status, and returns what it has printed on
// standard error.
func (b *bench) fails(status int, args ...string) string {
	b.t.Helper()
	got, out, errs := b.run(args...)
	require.Equal(b.t, status, got, "%v: %s%s", args, out, errs)
	require.NotEmpty(b.t, errs, "%v", args)
	return errs
}

// key makes a key file and returns its path.
func (b *bench) key(name string) string {
	b.t.Helper()
	b.ok("new", "key", b.path(name))
	return b.path(name)
}

func TestHelp(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	all := b.ok("help")
	require.Equal(t, all, b.ok("-h"))
	require.Contains(t, all, "Exit status")
	for _, c := range commands() {
		require.Contains(t, all, c.name)
		require.Contains(t, all, c.summary)
		text := b.ok("help", c.name)
		require.True(t, strings.HasPrefix(text, "Usage: sealring "+c.name+" "), text)
		require.Equal(t, text, b.ok(c.name, "-h"))
	}
	require.Empty(t, b.names(), "help does nothing")
}

func TestWrongUsage(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	plain, key := b.file("plain", []byte("x")), b.key("key")
	status, out, errs := b.run()
	require.Equal(t, exitUsage, status)
	require.Empty(t, out)
	require.Contains(t, errs, "Usage:")
	for _, args := range [][]string{
		{"nothing"},
		{"help", "nothing"},
		{"encrypt", "-nothing"},
		{"encrypt", "-key-file"},
		{"encrypt", plain},
		{"encrypt", "-key-file", key, plain, plain},
		{"encrypt", "-key-file", key, "-context", "x", plain},
		{"encrypt", "-key-file", key, "-context", "a=1", "-context", "a=2", plain},
		{"encrypt", "-key-file", key, "-suite", "9999", plain},
		{"encrypt", "-key-file", key, "-commitment", "maybe", plain},
		{"encrypt", "-key-file", key, "-frame-length", "-1", plain},
		{"encrypt", "-key-file", key, "-in-place"},
		{"encrypt", "-key-file", key, "-in-place", "-o", b.path("out"), plain},
		{"encrypt", "-key-file", key, "-in-place", os.DevNull},
		{"encrypt", "-passphrase", plain},
		{"encrypt", "-kms-key", "alias/x", plain},
		{"encrypt", "-kms-key", "arn:aws:kms:eu-west-1:111122223333:alias/x", plain},
		{"decrypt", plain},
		{"new"},
		{"new", "key"},
		{"new", "thing", b.path("out")},
		{"new", "key", b.path("out"), "-profile", "x"},
		{"new", "credentials", b.path("out"), "-profile", "a]b"},
		{"new", "credentials", b.path("out"), "-principal", "arn:aws:iam::111122223333:role/x"},
		{"keys"},
		{"keys", "list"},
		{"keys", "list", "-data", plain},
		{"keys", "list", "-plain-root-key", key},
		{"keys", "list", "-data", plain, "-etcd", "http://127.0.0.1:1", "-plain-root-key", key},
		{"keys", "list", "-data", plain, "-plain-root-key", key, "-root-kms-key", "x"},
		{"keys", "describe", "-data", plain, "-plain-root-key", key},
		{"backup", "-o", b.path("out")},
		{"backup", "-data", plain},
		{"backup", "-data", plain, "-admin", "http://127.0.0.1:1", "-o", b.path("out")},
		{"backup", "-admin", "http://127.0.0.1:1", "-o", b.path("out")},
		{"restore", "-data", b.path("out")},
		{"restore", "-data", b.path("out"), "-at-least", "1", plain},
		{"verify", "-data", plain, "-plain-root-key", key, "-anchor", "x:1:00"},
		{"verify", "-data", plain, "-plain-root-key", key, "-audit", plain, "-anchor", "x:1:00"},
		{"rekey", "-data", plain, "-plain-root-key", key},
		{"migrate"},
		{"migrate", "-data", plain, "-plain-root-key", key},
		{"migrate", "-data", plain, "-to-data", b.path("out")},
	} {
		errs := b.fails(exitUsage, args...)
		require.Contains(t, errs, "See: sealring help", "%v", args)
	}
	require.ElementsMatch(t, []string{"plain", "key"}, b.names())
	require.Equal(t, "x", string(b.read("plain")))
}

func TestFlagsAndArgumentsMayBeMixed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args []string
		flag string
		want []string
	}{
		{nil, "", nil},
		{[]string{"a", "-x", "1", "b"}, "1", []string{"a", "b"}},
		{[]string{"-x", "1", "--", "-x", "2"}, "1", []string{"-x", "2"}},
		{[]string{"a", "--", "-x"}, "", []string{"a", "-x"}},
		{[]string{"-", "-x=1"}, "1", []string{"-"}},
	} {
		var x string
		f := newBench(t).process(io.Discard, io.Discard).flags("test", "", "")
		f.StringVar(&x, "x", "", "")
		help, err := f.parse(c.args, 2)
		require.NoError(t, err)
		require.False(t, help)
		require.Equal(t, c.want, f.args, "%q", c.args)
		require.Equal(t, c.flag, x)
	}
}

func TestExitStatuses(t *testing.T) {
	t.Parallel()
	for want, errs := range map[int][]error{
		exitOK:           {nil},
		exitFailed:       {io.ErrClosedPipe, fs.ErrNotExist, context.Canceled, errFindings},
		exitUsage:        {usagef("x")},
		exitNotAuthentic: {envelope.ErrAuth, envelope.ErrTruncated, envelope.ErrTrailingData, envelope.ErrMalformed, store.ErrDamaged, store.ErrRollback, boltstore.ErrFile, &audit.Fault{}},
		exitNoKey:        {&keyring.NoMatchError{}, store.ErrRootKey},
		exitInUse:        {boltstore.ErrLocked, audit.ErrLocked},
	} {
		for _, err := range errs {
			require.Equal(t, want, exitCode(err), "%v", err)
			if err != nil {
				require.Equal(t, want, exitCode(errors.Join(io.EOF, fmt.Errorf("x: %w", err))), "%v", err)
			}
		}
	}
}
