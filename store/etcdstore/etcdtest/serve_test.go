package etcdtest

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/stretchr/testify/require"
	"go.etcd.io/etcd/client/pkg/v3/transport"
	"go.etcd.io/etcd/server/v3/embed"
)

// program is cmd/sealring, built, and what its commands have in common.
type program struct {
	t    *testing.T
	dir  string
	path string
}

func buildProgram(t *testing.T) program {
	t.Helper()
	dir := t.TempDir()
	p := program{t, dir, filepath.Join(dir, "sealring")}
	build := exec.CommandContext(t.Context(), "go", "build", "-o", p.path, ".")
	build.Dir = "../../../cmd/sealring"
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return p
}

// run runs a command and returns its status and what it printed.
func (p program) run(args ...string) (status int, stdout, stderr string) {
	p.t.Helper()
	command := exec.CommandContext(p.t.Context(), p.path, args...)
	command.Dir = p.dir
	var out, errs bytes.Buffer
	command.Stdout, command.Stderr = &out, &errs
	_ = command.Run()
	require.NotNil(p.t, command.ProcessState)
	return command.ProcessState.ExitCode(), out.String(), errs.String()
}

func (p program) ok(args ...string) string {
	p.t.Helper()
	status, out, errs := p.run(args...)
	require.Zero(p.t, status, "%v: %s%s", args, out, errs)
	return out
}

// serve starts a server and returns it with its address.
func (p program) serve(args ...string) (*exec.Cmd, string) {
	p.t.Helper()
	command := exec.CommandContext(p.t.Context(), p.path, append([]string{"serve", "-listen", "127.0.0.1:0", "-json", "-credentials", "credentials"}, args...)...)
	command.Dir = p.dir
	log, err := command.StderrPipe()
	require.NoError(p.t, err)
	require.NoError(p.t, command.Start())
	var seen strings.Builder
	for lines := bufio.NewScanner(log); lines.Scan(); {
		seen.WriteString(lines.Text() + "\n")
		var line struct{ Msg, Address string }
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "listening" {
			go func() { _, _ = io.Copy(io.Discard, log) }()
			return command, line.Address
		}
	}
	p.t.Fatalf("the server did not start: %v\n%s", command.Wait(), &seen)
	return nil, ""
}

// client returns a client with the access key in the credentials file.
func (p program) client(address string) *kms.Client {
	p.t.Helper()
	text, err := os.ReadFile(filepath.Join(p.dir, "credentials"))
	require.NoError(p.t, err)
	setting := func(name string) string {
		_, rest, ok := strings.Cut(string(text), name+" = ")
		require.True(p.t, ok)
		value, _, _ := strings.Cut(rest, "\n")
		return value
	}
	c := aws.Credentials{AccessKeyID: setting("aws_access_key_id"), SecretAccessKey: setting("aws_secret_access_key")}
	return kms.New(kms.Options{
		Region: "eu-west-1", BaseEndpoint: aws.String("http://" + address), Retryer: aws.NopRetryer{},
		Credentials: credentialsProvider(c),
	})
}

// certify writes a certificate for this machine, which is its own CA, and its key.
func (p program) certify() transport.TLSInfo {
	p.t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(p.t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "etcd"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	require.NoError(p.t, err)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(p.t, err)
	cert, key := filepath.Join(p.dir, "etcd.pem"), filepath.Join(p.dir, "etcd-key.pem")
	require.NoError(p.t, os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	require.NoError(p.t, os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}), 0o600))
	return transport.TLSInfo{CertFile: cert, KeyFile: key, TrustedCAFile: cert, ClientCertAuth: true}
}

// TestServersShareACluster has two servers on a cluster that wants client certificates.
// What one writes the other has, one is killed, and the store moves to a file and back.
// It builds a program, and so does not run beside tests that cut clusters apart.
func TestServersShareACluster(t *testing.T) {
	p := buildProgram(t)
	security := p.certify()
	c := newCluster(t, 1, func(config *embed.Config) {
		config.UnsafeNoFsync = true
		config.ClientTLSInfo = security
		config.ListenClientUrls[0].Scheme = "https"
	})
	url := "https://" + c.endpoints()[0]
	cluster := []string{"-etcd", url, "-etcd-cacert", security.TrustedCAFile, "-etcd-cert", security.CertFile, "-etcd-key", security.KeyFile}
	open := append(cluster[:len(cluster):len(cluster)], "-plain-root-key", "root.key")
	p.ok("new", "key", "root.key")
	p.ok("new", "credentials", "credentials")
	status, _, errs := p.run(append([]string{"keys", "list"}, open...)...)
	require.Equal(t, 1, status)
	require.Contains(t, errs, "there is no store")

	first, address := p.serve(append(open, "-audit", "a.jsonl", "-audit-name", "a")...)
	one := p.client(address)
	second, address := p.serve(append(open, "-audit", "b.jsonl", "-audit-name", "b", "-staleness", "0")...)
	two := p.client(address)
	key, err := one.CreateKey(t.Context(), &kms.CreateKeyInput{})
	require.NoError(t, err)
	arn := key.KeyMetadata.Arn
	sealed, err := two.Encrypt(t.Context(), &kms.EncryptInput{KeyId: arn, Plaintext: []byte("hello")})
	require.NoError(t, err, "with no staleness at all, it is there at once")
	_, err = two.CreateAlias(t.Context(), &kms.CreateAliasInput{AliasName: aws.String("alias/x"), TargetKeyId: arn})
	require.NoError(t, err)
	eventually(t, func() bool {
		_, err := one.DescribeKey(t.Context(), &kms.DescribeKeyInput{KeyId: aws.String("alias/x")})
		return err == nil
	})
	require.NoError(t, first.Process.Kill())
	_ = first.Wait()
	opened, err := two.Decrypt(t.Context(), &kms.DecryptInput{CiphertextBlob: sealed.CiphertextBlob})
	require.NoError(t, err)
	require.Equal(t, "hello", string(opened.Plaintext))
	require.Contains(t, p.ok(append([]string{"keys", "list"}, open...)...), "alias/x", "while a server uses it")
	require.NoError(t, second.Process.Signal(syscall.SIGTERM))
	require.NoError(t, second.Wait())

	for _, name := range []string{"a", "b"} {
		report := p.ok(append([]string{"verify", "-audit", name + ".jsonl", "-audit-name", name}, open...)...)
		require.Contains(t, report, "no tally")
		require.Contains(t, report, "are as they were recorded")
	}
	p.ok(append([]string{"migrate", "-to-data", "kms.db"}, open...)...)
	require.Contains(t, p.ok("verify", "-data", "kms.db", "-plain-root-key", "root.key"), "tally matches")
	back := []string{"migrate", "-data", "kms.db", "-plain-root-key", "root.key", "-to-etcd", url, "-to-etcd-cacert", security.TrustedCAFile,
		"-to-etcd-cert", security.CertFile, "-to-etcd-key", security.KeyFile}
	status, _, errs = p.run(back...)
	require.Equal(t, 1, status)
	require.Contains(t, errs, "not empty")
	p.ok(append(back, "-to-etcd-namespace", "other")...)
	_, address = p.serve(append(open, "-etcd-namespace", "other")...)
	opened, err = p.client(address).Decrypt(t.Context(), &kms.DecryptInput{CiphertextBlob: sealed.CiphertextBlob})
	require.NoError(t, err)
	require.Equal(t, "hello", string(opened.Plaintext))

	status, _, errs = p.run("keys", "list", "-etcd", url, "-etcd-cacert", security.TrustedCAFile, "-plain-root-key", "root.key")
	require.Equal(t, 1, status, "no client certificate: %s", errs)
}

// credentialsProvider returns a provider of c.
func credentialsProvider(c aws.Credentials) aws.CredentialsProvider {
	return aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return c, nil })
}
