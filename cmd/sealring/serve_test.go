package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awscredentials "github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/stretchr/testify/require"
)

// lockedBuffer is a buffer that a server writes its log to.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// running is a server in this process.
type running struct {
	t              *testing.T
	address, admin string
	log            *lockedBuffer
	stop           context.CancelFunc
	status         chan int
	once           sync.Once
	result         int
}

// start starts a server and waits until it listens.
func (b *bench) start(args ...string) *running {
	b.t.Helper()
	ctx, stop := context.WithCancel(b.t.Context())
	s := &running{t: b.t, log: &lockedBuffer{}, stop: stop, status: make(chan int, 1)}
	p := b.process(io.Discard, s.log)
	listening := make(chan struct{})
	p.started = func(address, admin string) {
		s.address, s.admin = address, admin
		close(listening)
	}
	go func() { s.status <- run(ctx, append([]string{"serve", "-listen", "127.0.0.1:0"}, args...), p) }()
	select {
	case <-listening:
	case status := <-s.status:
		stop()
		b.t.Fatalf("serve ends with %d: %s", status, s.log)
	}
	b.t.Cleanup(func() { s.end() })
	return s
}

// end stops the server and returns its status.
func (s *running) end() int {
	s.once.Do(func() {
		s.stop()
		s.result = <-s.status
	})
	return s.result
}

// site is the files of a server.
type site struct {
	*bench
	credential credential
	args       []string // of serve
}

// newSite makes a key file, credentials and the flags that use them.
func newSite(t *testing.T) *site {
	t.Helper()
	b := newBench(t)
	b.ok("new", "credentials", b.path("credentials"))
	all, err := readCredentials(b.path("credentials"))
	require.NoError(t, err)
	return &site{b, all[0], []string{
		"-data", b.path("kms.db"), "-plain-root-key", b.key("root.key"),
		"-credentials", b.path("credentials"), "-audit", b.path("audit.jsonl"),
	}}
}

// opening returns flags that open the site's store, for other commands than serve.
func (s *site) opening() []string { return s.args[:4:4] }

// client returns a client of a server, with a credential and an http.Client.
func client(url string, c credential, h *http.Client) *kms.Client {
	o := kms.Options{
		Region: "eu-west-1", BaseEndpoint: aws.String(url), Retryer: aws.NopRetryer{},
		Credentials: awscredentials.NewStaticCredentialsProvider(c.id, c.secret, c.token),
	}
	if h != nil {
		o.HTTPClient = h
	}
	return kms.New(o)
}

func (s *site) client(at *running) *kms.Client {
	return client("http://"+at.address, s.credential, nil)
}

// exchange encrypts and decrypts under a new key with an alias, and returns the key's
// ARN and the ciphertext.
func exchange(t *testing.T, c *kms.Client, alias string) (arn string, ciphertext []byte) {
	t.Helper()
	key, err := c.CreateKey(t.Context(), &kms.CreateKeyInput{})
	require.NoError(t, err)
	_, err = c.CreateAlias(t.Context(), &kms.CreateAliasInput{AliasName: &alias, TargetKeyId: key.KeyMetadata.KeyId})
	require.NoError(t, err)
	sealed, err := c.Encrypt(t.Context(), &kms.EncryptInput{KeyId: &alias, Plaintext: []byte("hello")})
	require.NoError(t, err)
	requireOpens(t, c, sealed.CiphertextBlob)
	return *key.KeyMetadata.Arn, sealed.CiphertextBlob
}

func requireOpens(t *testing.T, c *kms.Client, ciphertext []byte) {
	t.Helper()
	opened, err := c.Decrypt(t.Context(), &kms.DecryptInput{CiphertextBlob: ciphertext})
	require.NoError(t, err)
	require.Equal(t, "hello", string(opened.Plaintext))
}

func TestServe(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	first := s.start(s.args...)
	arn, ciphertext := exchange(t, s.client(first), "alias/x")
	wrong := s.credential
	wrong.secret = "wrong"
	_, err := client("http://"+first.address, wrong, nil).ListKeys(t.Context(), &kms.ListKeysInput{})
	require.ErrorContains(t, err, "InvalidSignatureException")
	require.Contains(t, s.fails(exitInUse, append([]string{"keys", "list"}, s.opening()...)...), "in use")
	require.Contains(t, s.fails(exitInUse, "backup", "-data", s.path("kms.db"), "-o", s.path("copy")), "-admin")
	require.Zero(t, first.end(), first.log)
	require.Contains(t, first.log.String(), "a new store was made")
	require.Contains(t, first.log.String(), "UNSAFE: the root key is a plain file")
	require.NotContains(t, first.log.String(), s.credential.secret)

	second := s.start(s.args...)
	requireOpens(t, s.client(second), ciphertext)
	require.NotContains(t, second.log.String(), "a new store was made")
	require.Zero(t, second.end())

	require.Contains(t, s.ok(append([]string{"keys", "list"}, s.opening()...)...), arn)
	report := s.ok(append([]string{"verify", "-audit", s.path("audit.jsonl")}, s.opening()...)...)
	require.Contains(t, report, "are as they were recorded")
	require.NotContains(t, string(s.read("audit.jsonl")), s.credential.secret)
	require.Contains(t, string(s.read("audit.jsonl")), s.credential.id)
}

func TestServeInMemory(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.ok("new", "credentials", b.path("credentials"))
	all, err := readCredentials(b.path("credentials"))
	require.NoError(t, err)
	s := b.start("-memory", "-credentials", b.path("credentials"))
	exchange(t, client("http://"+s.address, all[0], nil), "alias/x")
	require.Zero(t, s.end())
	require.Contains(t, s.log.String(), "UNSAFE: all keys are lost")
	require.Contains(t, s.log.String(), "no audit log")
	require.Equal(t, []string{"credentials"}, b.names())
}

func TestServeWithPassphrase(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	words := s.file("words", []byte("correct horse\n"))
	args := []string{"-data", s.path("kms.db"), "-passphrase-file", words, "-credentials", s.path("credentials")}
	first := s.start(args...)
	_, ciphertext := exchange(t, s.client(first), "alias/x")
	require.Zero(t, first.end())
	require.NotContains(t, first.log.String(), "plain file")
	s.env[passphraseVariable] = "correct horse"
	second := s.start("-data", s.path("kms.db"), "-passphrase", "-credentials", s.path("credentials"))
	requireOpens(t, s.client(second), ciphertext)
	require.Zero(t, second.end())
	s.env[passphraseVariable] = "wrong"
	before := s.read("kms.db")
	errs := s.fails(exitNoKey, "serve", "-listen", "127.0.0.1:0", "-data", s.path("kms.db"), "-passphrase", "-credentials", s.path("credentials"))
	require.Contains(t, errs, "the root key does not open the store")
	require.Equal(t, before, s.read("kms.db"), "a wrong root key touches nothing")
}

// TestServeUnsealsByKMS has the root key in another KMS, which can be turned off.
func TestServeUnsealsByKMS(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	arn, url := s.kmsKey()
	root := kms.NewFromConfig(s.aws, func(o *kms.Options) { o.BaseEndpoint = &url; o.Region = "eu-west-1" })
	args := []string{"-data", s.path("kms.db"), "-root-kms-key", arn, "-root-kms-endpoint", url, "-credentials", s.path("credentials")}
	first := s.start(args...)
	_, ciphertext := exchange(t, s.client(first), "alias/x")
	require.Zero(t, first.end())
	_, err := root.DisableKey(t.Context(), &kms.DisableKeyInput{KeyId: &arn})
	require.NoError(t, err)
	errs := s.fails(exitNoKey, append([]string{"serve", "-listen", "127.0.0.1:0"}, args...)...)
	require.Contains(t, errs, "DisabledException")
	_, err = root.EnableKey(t.Context(), &kms.EnableKeyInput{KeyId: &arn})
	require.NoError(t, err)
	second := s.start(args...)
	requireOpens(t, s.client(second), ciphertext)
}

// TestUnsafeModesAreRefused names each of them only half.
func TestUnsafeModesAreRefused(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	words := s.file("words", []byte("x"))
	data, key, known := s.path("new.db"), s.path("root.key"), s.path("credentials")
	cert, certKey := s.certificate("server", nil)
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"-credentials", known}, "or -memory"},
		{[]string{"-data", data, "-credentials", known}, "-plain-root-key"},
		{[]string{"-data", data, "-plain-root-key", key, "-passphrase-file", words, "-credentials", known}, "one root key"},
		{[]string{"-data", data, "-memory", "-credentials", known}, "one store"},
		{[]string{"-memory", "-plain-root-key", key, "-passphrase-file", words, "-credentials", known}, "one root key"},
		{[]string{"-memory"}, "-credentials"},
		{[]string{"-memory", "-credentials", known, "-listen", "0.0.0.0:0"}, "-insecure-http"},
		{[]string{"-memory", "-credentials", known, "-listen", ":0"}, "-insecure-http"},
		{[]string{"-memory", "-credentials", known, "-admin", "0.0.0.0:0"}, "-insecure-http"},
		{[]string{"-memory", "-insecure-dev", "-listen", "0.0.0.0:0"}, "-insecure-http"},
		{[]string{"-memory", "-insecure-dev", "-insecure-http", "-listen", "0.0.0.0:0"}, "this machine"},
		{[]string{"-memory", "-insecure-dev", "-tls-cert", cert, "-tls-key", certKey, "-listen", "0.0.0.0:0"}, "this machine"},
		{[]string{"-memory", "-credentials", known, "-tls-cert", cert}, "-tls-key"},
		{[]string{"-memory", "-credentials", known, "-tls-client-ca", cert}, "-tls-cert"},
		{[]string{"-memory", "-credentials", known, "-admin-token-file", words}, "-admin"},
		{[]string{"-memory", "-credentials", known, "-audit-name", "x"}, "-audit"},
		{[]string{"-memory", "-credentials", known, "-drain", "-1s"}, "below zero"},
		{[]string{"-memory", "-credentials", known, "argument"}, "too many"},
	} {
		args := append([]string{"serve", "-listen", "127.0.0.1:0"}, c.args...)
		require.Contains(t, s.fails(exitUsage, args...), c.want, "%v", args)
	}
	for _, c := range [][]string{
		{"-memory", "-credentials", s.path("nothing")},
		{"-memory", "-credentials", key},
		{"-memory", "-credentials", known, "-identities", s.path("nothing")},
		{"-memory", "-credentials", known, "-admin", "127.0.0.1:0", "-admin-token-file", words},
		{"-memory", "-credentials", known, "-tls-cert", certKey, "-tls-key", certKey},
		{"-memory", "-credentials", known, "-tls-cert", cert, "-tls-key", certKey, "-tls-client-ca", key},
		{"-memory", "-credentials", known, "-audit", s.path("no/where")},
		{"-memory", "-credentials", known, "-audit", s.path("new.jsonl"), "-audit-name", "a/b"},
		{"-data", s.path("no/where"), "-plain-root-key", key, "-credentials", known},
	} {
		s.fails(exitFailed, append([]string{"serve", "-listen", "127.0.0.1:0"}, c...)...)
	}
	require.NoFileExists(t, data)
	require.NoFileExists(t, data+".lock")
}

// TestUnsafeModesAreLogged names them.
func TestUnsafeModesAreLogged(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	open := s.start("-memory", "-credentials", s.path("credentials"), "-insecure-http", "-listen", "0.0.0.0:0", "-json")
	require.Contains(t, open.log.String(), `"msg":"UNSAFE: plain HTTP beyond this machine (-insecure-http)"`)
	require.Zero(t, open.end())

	dev := s.start("-memory", "-insecure-dev")
	require.Contains(t, dev.log.String(), "UNSAFE: any signature is accepted (-insecure-dev)")
	anybody := credential{id: "AKIAIOSFODNN7EXAMPLE", secret: "anything"}
	exchange(t, client("http://"+dev.address, anybody, nil), "alias/x")
	require.Zero(t, dev.end())

	safe := s.start("-memory", "-credentials", s.path("credentials"), "-audit", s.path("memory.jsonl"))
	require.NotContains(t, safe.log.String(), "-insecure")
}

// certificate makes a certificate for this machine, signed by itself or by a CA, and
// returns the paths of it and its key.
func (b *bench) certificate(name string, ca *tls.Certificate) (cert, key string) {
	b.t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(b.t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: ca == nil, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	parent, signer := template, any(private)
	if ca != nil {
		parent, signer = ca.Leaf, ca.PrivateKey
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, private.Public(), signer)
	require.NoError(b.t, err)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(b.t, err)
	cert = b.file(name+".pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	return cert, b.file(name+"-key.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}))
}

func TestServeOverTLS(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	cert, key := s.certificate("server", nil)
	clientCert, clientKey := s.certificate("client", nil)
	pool, err := readCertificates(cert)
	require.NoError(t, err)
	own, err := tls.LoadX509KeyPair(clientCert, clientKey)
	require.NoError(t, err)
	over := func(c *tls.Config) *http.Client {
		transport := &http.Transport{TLSClientConfig: c, ForceAttemptHTTP2: true}
		t.Cleanup(transport.CloseIdleConnections)
		return &http.Client{Transport: transport}
	}

	one := s.start(append(s.args, "-tls-cert", cert, "-tls-key", key, "-admin", "127.0.0.1:0")...)
	exchange(t, client("https://"+one.address, s.credential, over(&tls.Config{RootCAs: pool})), "alias/x")
	_, err = client("https://"+one.address, s.credential, over(&tls.Config{})).ListKeys(t.Context(), &kms.ListKeysInput{})
	require.Error(t, err, "a stranger's certificate")
	require.Equal(t, "ok\n", get(t, over(&tls.Config{RootCAs: pool}), "https://"+one.admin+"/healthz"))
	require.NotContains(t, one.log.String(), "-insecure-http")
	require.Zero(t, one.end())

	both := s.start(append(s.args, "-tls-cert", cert, "-tls-key", key, "-tls-client-ca", clientCert)...)
	_, err = client("https://"+both.address, s.credential, over(&tls.Config{RootCAs: pool})).ListKeys(t.Context(), &kms.ListKeysInput{})
	require.Error(t, err, "no client certificate")
	mutual := over(&tls.Config{RootCAs: pool, Certificates: []tls.Certificate{own}})
	_, err = client("https://"+both.address, s.credential, mutual).ListKeys(t.Context(), &kms.ListKeysInput{})
	require.NoError(t, err)
}

func get(t *testing.T, h *http.Client, url string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	response, err := h.Do(r)
	require.NoError(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, response.StatusCode, "%s", body)
	return string(body)
}

// TestIdentities has a user who may do what a policy in a folder says.
func TestIdentities(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.ok("new", "credentials", s.path("credentials"), "-profile", "ann", "-principal", "arn:aws:iam::111122223333:user/ann")
	all, err := readCredentials(s.path("credentials"))
	require.NoError(t, err)
	dir := s.folder("identities", map[string]string{
		"aws/111122223333/user/ann/List.policy.json": `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"kms:ListKeys","Resource":"*"}}`,
	})
	at := s.start(append(s.args, "-identities", dir)...)
	ann := client("http://"+at.address, all[1], nil)
	_, err = ann.ListKeys(t.Context(), &kms.ListKeysInput{})
	require.NoError(t, err)
	_, err = ann.CreateKey(t.Context(), &kms.CreateKeyInput{})
	require.ErrorContains(t, err, "AccessDeniedException")
	require.True(t, strings.Contains(string(s.read("audit.jsonl")), "AccessDenied"), "the refusal is recorded")
}
