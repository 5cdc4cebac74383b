package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/envelope"
	"github.com/sealring/sealring/keyring"
	"github.com/sealring/sealring/local"
)

// pair writes a key pair as PEM files and returns their paths.
func (b *bench) pair(name string, private any, public any) (privatePath, publicPath string) {
	b.t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(b.t, err)
	privatePath = b.file(name+".key", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	der, err = x509.MarshalPKIXPublicKey(public)
	require.NoError(b.t, err)
	return privatePath, b.file(name+".pub", pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

// kmsKey makes a key in a KMS over HTTP and returns its ARN and the KMS's URL. The
// bench's credentials are good there.
func (b *bench) kmsKey() (arn, url string) {
	b.t.Helper()
	cloud, err := local.New(nil)
	require.NoError(b.t, err)
	b.t.Cleanup(func() { require.NoError(b.t, cloud.Close()) })
	server := httptest.NewServer(cloud.Handler())
	b.t.Cleanup(server.Close)
	b.aws = cloud.AWSConfig("eu-west-1")
	b.aws.HTTPClient = nil
	key, err := cloud.SDK("eu-west-1").CreateKey(b.t.Context(), &kms.CreateKeyInput{})
	require.NoError(b.t, err)
	return *key.KeyMetadata.Arn, server.URL
}

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

func TestRoundTrips(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.env[passphraseVariable] = "correct horse"
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	ecKey, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	require.NoError(t, err)
	rsaPrivate, rsaPublic := b.pair("rsa", rsaKey, rsaKey.Public())
	ecPrivate, ecPublic := b.pair("ec", ecKey, ecKey.Public())
	arn, url := b.kmsKey()
	key, raw := b.key("key"), b.file("raw", random(32))
	words := b.file("words", []byte("a passphrase\r\n"))
	for name, c := range map[string]struct{ encrypt, decrypt []string }{
		"key file":        {[]string{"-key-file", key}, nil},
		"raw key":         {[]string{"-key-file", raw, "-key-namespace", "fleet", "-key-name", "2026"}, nil},
		"passphrase":      {[]string{"-passphrase"}, nil},
		"passphrase file": {[]string{"-passphrase-file", words}, nil},
		"RSA":             {[]string{"-recipient", rsaPublic}, []string{"-identity", rsaPrivate}},
		"ECDH":            {[]string{"-recipient", ecPublic}, []string{"-identity", ecPrivate}},
		"KMS":             {[]string{"-kms-key", arn, "-kms-endpoint", url}, nil},
		"one of several":  {[]string{"-kms-key", arn, "-kms-endpoint", url, "-key-file", key, "-recipient", rsaPublic, "-recipient", ecPublic}, []string{"-identity", ecPrivate}},
		"unsigned":        {[]string{"-key-file", key, "-suite", "0478", "-frame-length", "100"}, []string{"-key-file", key}},
		"not committing":  {[]string{"-key-file", key, "-suite", "0x0178", "-commitment", "forbid"}, []string{"-key-file", key, "-commitment", "allow"}},
	} {
		if c.decrypt == nil {
			c.decrypt = c.encrypt
		}
		for _, n := range []int{0, 10_000} {
			if n == 0 && strings.HasPrefix(name, "passphrase") {
				continue // to derive a key takes time on purpose
			}
			plaintext := random(n)
			b.stdin = bytes.NewReader(plaintext)
			message := b.ok(append([]string{"encrypt", "-context", "a=1"}, c.encrypt...)...)
			require.NotContains(t, message, "correct horse")
			b.stdin = strings.NewReader(message)
			require.Equal(t, string(plaintext), b.ok(append([]string{"decrypt", "-context", "a=1"}, c.decrypt...)...), name)
			b.stdin = strings.NewReader(message)
			require.Equal(t, string(plaintext), b.ok(append([]string{"decrypt", "-verify-first"}, c.decrypt...)...), name)
			b.stdin = strings.NewReader(message)
			status, out, _ := b.run(append([]string{"decrypt", "-context", "a=2"}, c.decrypt...)...)
			require.Equal(t, exitFailed, status, "%s: another context", name)
			require.Empty(t, out)
		}
	}
}

// TestKeysInText reads the forms of a raw key, with the library as the other side.
func TestKeysInText(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	key := random(32)
	ring, err := keyring.NewRawAES("ns", "n", key)
	require.NoError(t, err)
	message, err := envelope.Encrypt(t.Context(), keyring.NewManager(ring), []byte("hello"), nil)
	require.NoError(t, err)
	path := b.file("message", message)
	forms := map[string]string{
		"raw": string(key), "hex": hex.EncodeToString(key), "hex line": hex.EncodeToString(key) + "\n",
		"base64": base64.StdEncoding.EncodeToString(key), "base64 line": base64.StdEncoding.EncodeToString(key) + "\r\n",
	}
	for name, text := range forms {
		require.Equal(t, "hello", b.ok("decrypt", "-key-file", b.file("k", []byte(text)), "-key-namespace", "ns", "-key-name", "n", path), name)
	}
	for name, text := range map[string]string{
		"empty": "", "short": string(key[:31]), "long": string(key) + "x", "bad hex": strings.Repeat("g", 64),
		"bad base64": strings.Repeat("=", 44),
	} {
		errs := b.fails(exitFailed, "decrypt", "-key-file", b.file("k", []byte(text)), path)
		if len(text) > 8 {
			require.NotContains(t, errs, text[:8], name)
		}
	}
	b.fails(exitFailed, "decrypt", "-key-file", b.file("k", []byte("sealring root key 2\nxxxx")), path)
}

func TestSecretFilesAreForTheirOwner(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	key, plain := b.key("key"), b.file("plain", []byte("x"))
	for _, mode := range []os.FileMode{0o604, 0o640, 0o620, 0o602, 0o644} {
		require.NoError(t, os.Chmod(key, mode))
		require.Contains(t, b.fails(exitFailed, "encrypt", "-key-file", key, plain), "others")
	}
	words := b.file("words", []byte("x"))
	require.NoError(t, os.Chmod(words, 0o644))
	require.Contains(t, b.fails(exitFailed, "encrypt", "-passphrase-file", words, plain), "chmod 600")
	require.Contains(t, b.fails(exitFailed, "encrypt", "-passphrase-file", b.dir, plain), "regular")
	require.Contains(t, b.fails(exitFailed, "encrypt", "-passphrase-file", b.file("none", []byte("\n")), plain), "empty")
	require.Contains(t, b.fails(exitFailed, "encrypt", "-passphrase-file", b.file("long", make([]byte, maxSecretFile+1)), plain), "longer")
}

func TestOutputFiles(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	key, plain := b.key("key"), b.file("plain", []byte("hello"))
	message := b.path("message")
	b.ok("encrypt", "-key-file", key, "-o", message, plain)
	info, err := os.Stat(message)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode())

	require.Contains(t, b.fails(exitFailed, "encrypt", "-key-file", key, "-o", message, plain), "-force replaces it")
	require.Contains(t, b.fails(exitFailed, "encrypt", "-key-file", key, "-force", "-o", plain, plain), "is the input")
	require.Contains(t, b.fails(exitFailed, "encrypt", "-key-file", key, "-o", b.dir, plain), "directory")
	require.Contains(t, b.fails(exitFailed, "encrypt", "-key-file", key, b.dir), "directory")
	b.fails(exitFailed, "encrypt", "-key-file", key, "-o", b.path("no/where"), plain)
	b.fails(exitFailed, "encrypt", "-key-file", key, b.path("nothing"))
	before := b.read("message")
	b.ok("encrypt", "-key-file", key, "-force", "-o", message, plain)
	require.NotEqual(t, before, b.read("message"))
	b.ok("decrypt", "-key-file", key, "-o", b.path("again"), message)
	require.Equal(t, "hello", string(b.read("again")))
	b.ok("decrypt", "-key-file", key, "-o", os.DevNull, message)
	require.ElementsMatch(t, []string{"key", "plain", "message", "again"}, b.names(), "nothing is left over")
}

func TestInPlace(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	key, file := b.key("key"), b.file("file", []byte("hello"))
	require.NoError(t, os.Chmod(file, 0o640))
	link := b.path("link")
	require.NoError(t, os.Symlink("file", link))
	b.ok("encrypt", "-key-file", key, "-in-place", link)
	require.NotEqual(t, "hello", string(b.read("file")))
	b.ok("inspect", file)
	b.ok("decrypt", "-key-file", key, "-in-place", file)
	require.Equal(t, "hello", string(b.read("file")))
	info, err := os.Lstat(link)
	require.NoError(t, err)
	require.NotZero(t, info.Mode()&os.ModeSymlink, "the link is a link still")
	info, err = os.Stat(file)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o640), info.Mode())

	b.fails(exitNotAuthentic, "decrypt", "-key-file", key, "-in-place", file)
	require.Equal(t, "hello", string(b.read("file")), "a failure leaves the file as it was")
	require.ElementsMatch(t, []string{"key", "file", "link"}, b.names())
}

// TestNothingUnauthenticIsLeft flips and cuts a message at many places. A file, or a
// pipe of which all is verified first, gets nothing.
func TestNothingUnauthenticIsLeft(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	key, plain := b.key("key"), b.file("plain", random(1000))
	for _, suite := range []string{"0578", "0478"} {
		b.ok("encrypt", "-key-file", key, "-force", "-suite", suite, "-frame-length", "100", "-o", b.path("message"), plain)
		message := b.read("message")
		for i := 0; i < len(message); i += 67 {
			flipped := bytes.Clone(message)
			flipped[i] ^= 1
			for _, bad := range [][]byte{flipped, message[:i], append(bytes.Clone(message), 0)} {
				path := b.file("bad", bad)
				status, _, _ := b.run("decrypt", "-key-file", key, "-o", b.path("out"), path)
				require.Contains(t, []int{exitNotAuthentic, exitNoKey, exitFailed}, status)
				require.NoFileExists(t, b.path("out"))
				status, out, _ := b.run("decrypt", "-key-file", key, "-verify-first", path)
				require.NotZero(t, status)
				require.Empty(t, out)
				b.stdin = bytes.NewReader(bad)
				status, out, _ = b.run("decrypt", "-key-file", key, "-verify-first")
				require.NotZero(t, status)
				require.Empty(t, out)
			}
		}
		require.Equal(t, exitNotAuthentic, func() int {
			s, _, _ := b.run("decrypt", "-key-file", key, b.file("bad", message[:len(message)-1]))
			return s
		}())
	}
	require.ElementsMatch(t, []string{"key", "plain", "message", "bad"}, b.names())
}

func TestAnotherKey(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	message := b.path("message")
	b.ok("encrypt", "-key-file", b.key("a"), "-o", message, b.file("plain", []byte("x")))
	require.Contains(t, b.fails(exitNoKey, "decrypt", "-key-file", b.key("b"), message), "no encrypted data key")
	b.env[passphraseVariable] = "x"
	b.fails(exitNoKey, "decrypt", "-passphrase", message)
}

func TestMessagesAreNotForTerminals(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	key, plain := b.key("key"), b.file("plain", []byte("x"))
	var out, errs bytes.Buffer
	p := b.process(&out, &errs)
	b.ttys = []any{p.stdout}
	require.Equal(t, exitUsage, run(t.Context(), []string{"encrypt", "-key-file", key, plain}, p))
	require.Empty(t, out.String())
	require.Zero(t, run(t.Context(), []string{"encrypt", "-key-file", key, "-o", "-", plain}, p))
	require.NotEmpty(t, out.String())
}

func TestInspect(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	key := b.key("key")
	for _, n := range []int{0, 1, 99, 100, 101, 1000} {
		for _, suite := range []string{"0578", "0478", "0178"} {
			policy := "require"
			if suite == "0178" {
				policy = "forbid"
			}
			b.ok("encrypt", "-key-file", key, "-context", "tenant=\x1b[31m", "-suite", suite, "-commitment", policy,
				"-frame-length", "100", "-force", "-o", b.path("message"), b.file("plain", random(n)))
			var h header
			require.NoError(t, json.Unmarshal([]byte(b.ok("inspect", "-json", b.path("message"))), &h))
			require.False(t, h.Authentic)
			require.Equal(t, suite, h.Suite)
			require.Equal(t, "\x1b[31m", h.Context["tenant"])
			require.Equal(t, uint32(100), h.FrameLength)
			require.Equal(t, int64(len(b.read("message"))), *h.Message)
			require.Equal(t, int64(n), *h.Plaintext)
			require.Equal(t, "sealring", h.DataKeys[0].Provider)
			require.Equal(t, suite == "0578", h.Signed)
			require.Equal(t, suite != "0178", h.Committing)
		}
	}
	text := b.ok("inspect", b.path("message"))
	require.Contains(t, text, "Nothing of this has been verified.")
	require.NotContains(t, text, "\x1b", "a terminal is not written to by a message")
	b.stdin = bytes.NewReader(b.read("message"))
	require.NotContains(t, b.ok("inspect"), "plaintext", "of a pipe the length is not known")
	b.fails(exitNotAuthentic, "inspect", b.path("plain"))
	b.fails(exitNotAuthentic, "inspect", b.file("empty", nil))
	b.fails(exitFailed, "inspect", b.path("nothing"))
}
