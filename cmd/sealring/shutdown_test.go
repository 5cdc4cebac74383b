package main

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/stretchr/testify/require"
)

// folder writes files in a directory and returns its path.
func (b *bench) folder(name string, files map[string]string) string {
	b.t.Helper()
	for path, content := range files {
		path = filepath.Join(b.path(name), path)
		require.NoError(b.t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(b.t, os.WriteFile(path, []byte(content), 0o600))
	}
	return b.path(name)
}

// halfRequest sends a signed request without the end of its body, and returns how to
// send that and to read the answer.
func halfRequest(t *testing.T, address string, c credential) (finish func() (*http.Response, error)) {
	t.Helper()
	const body = `{"Limit":1}`
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+address+"/", strings.NewReader(body))
	require.NoError(t, err)
	r.Header.Set("X-Amz-Target", "TrentService.ListKeys")
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	sum := sha256.Sum256([]byte(body))
	err = v4.NewSigner().SignHTTP(t.Context(), aws.Credentials{AccessKeyID: c.id, SecretAccessKey: c.secret}, r, hex.EncodeToString(sum[:]), "kms", "eu-west-1", time.Now())
	require.NoError(t, err)
	conn, err := net.Dial("tcp", address)
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	head, rest := io.Pipe()
	go func() { rest.CloseWithError(r.Write(rest)) }()
	whole, err := io.ReadAll(head)
	require.NoError(t, err)
	_, err = conn.Write(whole[:len(whole)-1])
	require.NoError(t, err)
	return func() (*http.Response, error) {
		if _, err := conn.Write(whole[len(whole)-1:]); err != nil {
			return nil, err
		}
		return http.ReadResponse(bufio.NewReader(conn), r)
	}
}

// TestShutdownFinishesRequests stops a server while a request is under way.
func TestShutdownFinishesRequests(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	at := s.start(append(s.args, "-admin", "127.0.0.1:0")...)
	finish := halfRequest(t, at.address, s.credential)
	awaitInFlight(t, at, "1")
	at.stop()
	require.Eventually(t, func() bool {
		conn, err := net.Dial("tcp", at.address)
		if err == nil {
			conn.Close()
		}
		return err != nil
	}, 10*time.Second, 5*time.Millisecond, "no new connections")
	response, err := http.Get("http://" + at.admin + "/readyz")
	require.NoError(t, err)
	response.Body.Close()
	require.Equal(t, http.StatusServiceUnavailable, response.StatusCode, "it is not ready while it ends")

	response, err = finish()
	require.NoError(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, response.StatusCode, "%s", body)
	require.Contains(t, string(body), "Keys")
	require.Zero(t, at.end(), at.log)
	require.Contains(t, at.log.String(), "closed")
}

// TestShutdownIsBounded has a request that never ends.
func TestShutdownIsBounded(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	at := s.start(append(s.args, "-drain", "50ms", "-admin", "127.0.0.1:0")...)
	finish := halfRequest(t, at.address, s.credential)
	awaitInFlight(t, at, "1")
	require.Equal(t, exitFailed, at.end())
	require.Contains(t, at.log.String(), "requests were cut off")
	_, err := finish()
	require.Error(t, err)
	s.ok(append([]string{"verify", "-audit", s.path("audit.jsonl")}, s.opening()...)...)
}

func awaitInFlight(t *testing.T, at *running, n string) {
	t.Helper()
	require.Eventually(t, func() bool {
		return strings.Contains(get(t, http.DefaultClient, "http://"+at.admin+"/metrics"), "\nsealring_requests_in_flight "+n+"\n")
	}, 10*time.Second, 5*time.Millisecond)
}

// child is a server in a process of its own.
type child struct {
	command *exec.Cmd
	address string
}

// spawn starts the program as a server and waits until it listens.
func (s *site) spawn() *child {
	s.t.Helper()
	program, err := os.Executable()
	require.NoError(s.t, err)
	command := exec.CommandContext(s.t.Context(), program, append([]string{"serve", "-listen", "127.0.0.1:0", "-json"}, s.args...)...)
	command.Env = append(os.Environ(), asProgram+"=1")
	log, err := command.StderrPipe()
	require.NoError(s.t, err)
	require.NoError(s.t, command.Start())
	c := &child{command: command}
	lines := bufio.NewScanner(log)
	for lines.Scan() {
		var line struct{ Msg, Address string }
		require.NoError(s.t, json.Unmarshal(lines.Bytes(), &line), "%s", lines.Text())
		if line.Msg == "listening" {
			c.address = line.Address
			go func() { _, _ = io.Copy(io.Discard, log) }()
			return c
		}
	}
	s.t.Fatalf("the server did not start: %v", command.Wait())
	return nil
}

// TestKilledServerLosesNothing kills a server, which starts again on the same files.
func TestKilledServerLosesNothing(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	made := map[string][]byte{}
	for round := range 4 {
		c := s.spawn()
		api := client("http://"+c.address, s.credential, nil)
		for arn, ciphertext := range made {
			requireOpens(t, api, ciphertext)
			_, err := api.DescribeKey(t.Context(), &kms.DescribeKeyInput{KeyId: &arn})
			require.NoError(t, err)
		}
		arn, ciphertext := exchange(t, api, "alias/x"+string(rune('a'+round)))
		made[arn] = ciphertext
		if round < 3 {
			require.NoError(t, c.command.Process.Kill())
			require.Error(t, c.command.Wait())
			continue
		}
		require.NoError(t, c.command.Process.Signal(syscall.SIGTERM))
		require.NoError(t, c.command.Wait(), "a graceful end has the status 0")
	}
	list := s.ok(append([]string{"keys", "list"}, s.opening()...)...)
	for arn := range made {
		require.Contains(t, list, arn)
	}
	s.ok(append([]string{"verify", "-audit", s.path("audit.jsonl")}, s.opening()...)...)
}
