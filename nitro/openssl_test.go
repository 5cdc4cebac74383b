package nitro_test

import (
	"bytes"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/nitro"
)

// openssl is a directory with a key and its certificate.
type openssl struct{ dir string }

func newOpenSSL(t *testing.T) openssl {
	t.Helper()
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("no openssl here")
	}
	key := rsaKey()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "enclave"},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(time.Hour),
		SubjectKeyId: []byte("key identifier"),
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	o := openssl{t.TempDir()}
	o.write(t, "key.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}))
	o.write(t, "certificate.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate}))
	return o
}

func (o openssl) write(t *testing.T, name string, content []byte) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(o.dir, name), content, 0o600))
}

// cms runs a command with a file as its input and returns what it writes.
func (o openssl) cms(t *testing.T, input []byte, args ...string) []byte {
	t.Helper()
	o.write(t, "in", input)
	cmd := exec.CommandContext(t.Context(), "openssl", append([]string{"cms", "-in", "in", "-out", "out"}, args...)...)
	cmd.Dir = o.dir
	message, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", message)
	out, err := os.ReadFile(filepath.Join(o.dir, "out"))
	require.NoError(t, err)
	return out
}

func TestOpenSSLOpensWhatSealMakes(t *testing.T) {
	t.Parallel()
	o := newOpenSSL(t)
	for _, n := range []int{0, 1, 16, 32, 1000, 70000} {
		plaintext := bytes.Repeat([]byte{0xa5}, n)
		envelope, err := nitro.Seal(spki(t, &rsaKey().PublicKey), plaintext)
		require.NoError(t, err)
		got := o.cms(t, envelope, "-decrypt", "-binary", "-inform", "DER", "-inkey", "key.pem")
		require.Equal(t, plaintext, append([]byte{}, got...), "%d bytes", n)
	}
}

func TestOpenOpensWhatOpenSSLMakes(t *testing.T) {
	t.Parallel()
	o := newOpenSSL(t)
	args := []string{"-encrypt", "-binary", "-outform", "DER", "-aes-256-cbc", "-recip", "certificate.pem", "-keyid",
		"-keyopt", "rsa_padding_mode:oaep", "-keyopt", "rsa_oaep_md:sha256"}
	for name, more := range map[string][]string{
		"definite":         nil,
		"indefinite":       {"-stream"},
		"mask hash spelt":  {"-keyopt", "rsa_mgf1_md:sha256"},
		"indefinite again": {"-indef", "-keyopt", "rsa_mgf1_md:sha256"},
	} {
		for _, n := range []int{0, 1, 16, 32, 1000, 70000} {
			plaintext := bytes.Repeat([]byte{0xa5}, n)
			envelope := o.cms(t, plaintext, append(args, more...)...)
			got, err := nitro.Open(rsaKey(), envelope)
			require.NoError(t, err, "%s, %d bytes", name, n)
			require.Equal(t, plaintext, append([]byte{}, got...))
		}
	}
	for name, other := range map[string][]string{
		"SHA-1":        {"-keyopt", "rsa_padding_mode:oaep", "-keyid", "-aes-256-cbc"},
		"PKCS #1 v1.5": {"-keyid", "-aes-256-cbc"},
		"AES-128":      {"-keyopt", "rsa_padding_mode:oaep", "-keyopt", "rsa_oaep_md:sha256", "-keyid", "-aes-128-cbc"},
		"an issuer":    {"-keyopt", "rsa_padding_mode:oaep", "-keyopt", "rsa_oaep_md:sha256", "-aes-256-cbc"},
	} {
		envelope := o.cms(t, []byte("x"), append([]string{"-encrypt", "-binary", "-outform", "DER", "-recip", "certificate.pem"}, other...)...)
		_, err := nitro.Open(rsaKey(), envelope)
		require.Equal(t, nitro.ErrOpen, err, name)
	}
}
