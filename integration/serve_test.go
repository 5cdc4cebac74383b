package integration

import (
	"bytes"
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// buildSealring builds the program of the module cmd/sealring into a directory where the
// AWS CLI is too, and returns the directory.
func buildSealring(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	build := exec.CommandContext(t.Context(), "go", "build", "-o", filepath.Join(dir, "sealring"), ".")
	build.Dir = "../cmd/sealring"
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.NoError(t, os.Symlink(awsProgram(t), filepath.Join(dir, "aws")))
	return dir
}

// transcript reads the console session under a heading of README.md: the commands, and
// what they print.
func transcript(t *testing.T, heading string) (commands []string, want string) {
	t.Helper()
	readme, err := os.ReadFile("../README.md")
	require.NoError(t, err)
	_, text, ok := strings.Cut(string(readme), "\n## "+heading+"\n")
	require.True(t, ok, "README.md has no heading %q", heading)
	_, text, ok = strings.Cut(text, "\n```console\n")
	require.True(t, ok)
	text, _, ok = strings.Cut(text, "```\n")
	require.True(t, ok)
	for line := range strings.Lines(text) {
		if command, ok := strings.CutPrefix(line, "$ "); ok {
			commands = append(commands, strings.TrimSuffix(command, "\n"))
			continue
		}
		want += line
	}
	require.NotEmpty(t, commands)
	return commands, want
}

// freePort returns a port of the loopback interface that nobody listens at.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	return port
}

// TestREADMETranscript types what README.md shows of the server, and compares what comes
// back. Only the ports are others, since these may be in use.
func TestREADMETranscript(t *testing.T) {
	t.Parallel()
	commands, want := transcript(t, "Run it as a server")
	script := "set -e\n" + strings.Join(commands, "\n") + "\nkill $server\nwait $server\n"
	script = strings.ReplaceAll(script, "kill -9 $server; wait $server", "kill -9 $server; wait $server || true")
	main, admin := freePort(t), freePort(t)
	require.Contains(t, script, "sealring serve ")
	script = strings.ReplaceAll(script, "sealring serve ", "sealring serve -listen 127.0.0.1:4566 ")
	script = strings.NewReplacer("127.0.0.1:4566", "127.0.0.1:"+main, "127.0.0.1:4567", "127.0.0.1:"+admin).Replace(script)

	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	home := t.TempDir()
	shell := exec.CommandContext(ctx, "bash", "-c", script)
	shell.Dir = home
	shell.Env = []string{
		"PATH=" + buildSealring(t) + ":/usr/local/bin:/usr/bin:/bin", "HOME=" + home, "LANG=C.UTF-8",
		"AWS_EC2_METADATA_DISABLED=true", "AWS_PAGER=",
	}
	// Whatever the script has started ends with it.
	shell.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	shell.Cancel = func() error { return syscall.Kill(-shell.Process.Pid, syscall.SIGKILL) }
	t.Cleanup(func() {
		if shell.Process != nil {
			_ = syscall.Kill(-shell.Process.Pid, syscall.SIGKILL)
		}
	})
	var out, errs bytes.Buffer
	shell.Stdout, shell.Stderr = &out, &errs
	shell.WaitDelay = 5 * time.Second
	err := shell.Run()
	log, _ := os.ReadFile(filepath.Join(home, "serve.log"))
	require.NoError(t, err, "%s\n%s", &errs, log)
	require.Equal(t, want, out.String())
	require.NotContains(t, string(log), "UNSAFE")
}
