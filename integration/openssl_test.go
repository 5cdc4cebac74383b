package integration

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sealring/sealring/internal/keyspec"
	"github.com/stretchr/testify/require"
)

// opensslAtLeast skips a test where there is no openssl command, or an older one. In CI
// there has to be one.
func opensslAtLeast(t *testing.T, major, minor int) {
	t.Helper()
	out, err := exec.Command("openssl", "version").Output()
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("the openssl command is not there: apt-get install openssl")
		}
		t.Skip("needs the openssl command")
	}
	var name string
	var x, y int
	_, err = fmt.Sscanf(string(out), "%s %d.%d", &name, &x, &y)
	require.NoError(t, err, "%s", out)
	if x < major || x == major && y < minor {
		t.Skipf("needs OpenSSL %d.%d and has %s", major, minor, strings.TrimSpace(string(out)))
	}
}

// openssl is a folder in which the command runs.
type openssl struct{ dir string }

func newOpenSSL(t *testing.T) openssl {
	t.Helper()
	opensslAtLeast(t, 3, 0)
	return openssl{t.TempDir()}
}

// write makes a file in the folder.
func (o openssl) write(t *testing.T, name string, content []byte) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(o.dir, name), content, 0o600))
}

// read returns what the command has written to a file.
func (o openssl) read(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(o.dir, name))
	require.NoError(t, err)
	return b
}

// run runs the command and returns its output, and whether it has succeeded.
func (o openssl) run(t *testing.T, args ...string) (string, bool) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "openssl", args...)
	cmd.Dir = o.dir
	out, err := cmd.CombinedOutput()
	return string(out), err == nil
}

// must runs the command, which has to succeed.
func (o openssl) must(t *testing.T, args ...string) {
	t.Helper()
	out, ok := o.run(t, args...)
	require.True(t, ok, "openssl %s\n%s", strings.Join(args, " "), out)
}

// newKey returns a new key of a spec, whose halves are in the folder as private.der and
// public.der.
func (o openssl) newKey(t *testing.T, name string) *keyspec.Key {
	t.Helper()
	s := spec(t, name)
	material, err := s.Generate()
	require.NoError(t, err)
	key, err := s.Parse(material)
	require.NoError(t, err)
	o.write(t, "private.der", material)
	o.write(t, "public.der", key.PublicKey())
	return key
}

// theirKey has the command make a key, whose public half is then in public.der, and
// returns it as a spec's.
func (o openssl) theirKey(t *testing.T, name string, args ...string) *keyspec.Key {
	t.Helper()
	o.must(t, append([]string{"genpkey", "-out", "private.pem"}, args...)...)
	o.must(t, "pkcs8", "-topk8", "-nocrypt", "-in", "private.pem", "-outform", "DER", "-out", "private.der")
	o.must(t, "pkey", "-inform", "DER", "-in", "private.der", "-pubout", "-outform", "DER", "-out", "public.der")
	key, err := spec(t, name).Parse(o.read(t, "private.der"))
	require.NoError(t, err)
	require.Equal(t, o.read(t, "public.der"), key.PublicKey())
	return key
}

// opensslKeys is how the command makes keys of each spec.
var opensslKeys = map[string][]string{
	"RSA_2048":              {"-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"},
	"ECC_NIST_P256":         {"-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"},
	"ECC_NIST_P384":         {"-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"},
	"ECC_NIST_P521":         {"-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-521"},
	"ECC_SECG_P256K1":       {"-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:secp256k1"},
	"ECC_NIST_EDWARDS25519": {"-algorithm", "ED25519"},
}

// digestOptions are what the command needs for a signing algorithm that hashes.
func digestOptions(algorithm string) []string {
	hash := "-sha" + algorithm[len(algorithm)-3:]
	if !strings.Contains(algorithm, "PSS") {
		return []string{hash}
	}
	size := map[string]string{"-sha256": "32", "-sha384": "48", "-sha512": "64"}[hash]
	return []string{hash, "-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:" + size, "-sigopt", "rsa_mgf1_md:" + hash[1:]}
}

// verify has the command verify a signature of the file message with public.der.
func (o openssl) verify(t *testing.T, algorithm string, signature []byte) bool {
	t.Helper()
	o.write(t, "signature", signature)
	args := append([]string{"dgst"}, digestOptions(algorithm)...)
	args = append(args, "-keyform", "DER", "-verify", "public.der", "-signature", "signature", "message")
	if strings.HasPrefix(algorithm, "ED25519") {
		args = strings.Fields("pkeyutl -verify -rawin -pubin -keyform DER -inkey public.der -sigfile signature -in message")
	}
	_, ok := o.run(t, args...)
	return ok
}

// sign has the command sign the file message with private.der.
func (o openssl) sign(t *testing.T, algorithm string) []byte {
	t.Helper()
	args := append([]string{"dgst"}, digestOptions(algorithm)...)
	args = append(args, "-keyform", "DER", "-sign", "private.der", "-out", "signature", "message")
	if strings.HasPrefix(algorithm, "ED25519") {
		args = strings.Fields("pkeyutl -sign -rawin -keyform DER -inkey private.der -out signature -in message")
	}
	o.must(t, args...)
	return o.read(t, "signature")
}

// TestOpenSSLSignatures verifies both ways, with keys that either side has made.
func TestOpenSSLSignatures(t *testing.T) {
	t.Parallel()
	for name, args := range opensslKeys {
		for maker, newKey := range map[string]func(openssl) *keyspec.Key{
			"our key":   func(o openssl) *keyspec.Key { return o.newKey(t, name) },
			"their key": func(o openssl) *keyspec.Key { return o.theirKey(t, name, args...) },
		} {
			t.Run(name+" "+maker, func(t *testing.T) {
				t.Parallel()
				o := newOpenSSL(t)
				key := newKey(o)
				for _, algorithm := range key.Spec().Algorithms("SIGN_VERIFY") {
					// The command has Ed25519ph from version 3.2 on, and no way to give
					// it a digest.
					if algorithm != "ED25519_PH_SHA_512" {
						o.requireSameSignatures(t, key, algorithm)
					}
				}
			})
		}
	}
}

// requireSameSignatures signs on each side what the other verifies.
func (o openssl) requireSameSignatures(t *testing.T, key *keyspec.Key, algorithm string) {
	t.Helper()
	message := []byte("a message for " + algorithm)
	o.write(t, "message", message)
	ours, err := key.Sign(algorithm, "RAW", message)
	require.NoError(t, err)
	require.True(t, o.verify(t, algorithm, ours), algorithm)
	theirs := o.sign(t, algorithm)
	valid, err := key.Verify(algorithm, "RAW", message, theirs)
	require.NoError(t, err)
	require.True(t, valid, algorithm)

	ours[len(ours)-1] ^= 1
	require.False(t, o.verify(t, algorithm, ours), algorithm)
}

func TestOpenSSLOAEP(t *testing.T) {
	t.Parallel()
	for algorithm, hash := range map[string]string{"RSAES_OAEP_SHA_1": "sha1", "RSAES_OAEP_SHA_256": "sha256"} {
		t.Run(algorithm, func(t *testing.T) {
			t.Parallel()
			o := newOpenSSL(t)
			key := o.newKey(t, "RSA_2048")
			options := strings.Fields("-keyform DER -pkeyopt rsa_padding_mode:oaep -pkeyopt rsa_oaep_md:" + hash + " -pkeyopt rsa_mgf1_md:" + hash)
			plaintext := []byte("plaintext for " + algorithm)

			ciphertext, err := key.Encrypt(algorithm, plaintext)
			require.NoError(t, err)
			o.write(t, "ciphertext", ciphertext)
			o.must(t, append(strings.Fields("pkeyutl -decrypt -inkey private.der -in ciphertext -out plaintext"), options...)...)
			require.Equal(t, plaintext, o.read(t, "plaintext"))

			o.must(t, append(strings.Fields("pkeyutl -encrypt -pubin -inkey public.der -in plaintext -out ciphertext"), options...)...)
			got, err := key.Decrypt(algorithm, o.read(t, "ciphertext"))
			require.NoError(t, err)
			require.Equal(t, plaintext, got)
		})
	}
}

func TestOpenSSLAgreement(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"ECC_NIST_P256", "ECC_NIST_P384", "ECC_NIST_P521"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOpenSSL(t)
			ours := o.newKey(t, name)
			o.write(t, "peer.der", ours.PublicKey())
			theirs := o.theirKey(t, name, opensslKeys[name]...)
			o.must(t, strings.Fields("pkeyutl -derive -keyform DER -inkey private.der -peerform DER -peerkey peer.der -out secret")...)
			secret, err := ours.Agree(theirs.PublicKey())
			require.NoError(t, err)
			require.Equal(t, o.read(t, "secret"), secret)
		})
	}
}

// TestOpenSSLPostQuantum uses what OpenSSL has from version 3.5 on.
func TestOpenSSLPostQuantum(t *testing.T) {
	t.Parallel()
	opensslAtLeast(t, 3, 5)
	for _, name := range []string{"ML_DSA_44", "ML_DSA_65", "ML_DSA_87"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOpenSSL(t)
			key := o.newKey(t, name)
			message := []byte("a message")
			o.write(t, "message", message)
			ours, err := key.Sign(mldsaAlgorithm, "RAW", message)
			require.NoError(t, err)
			o.write(t, "signature", ours)
			o.must(t, strings.Fields("pkeyutl -verify -pubin -keyform DER -inkey public.der -sigfile signature -in message")...)
			o.must(t, strings.Fields("pkeyutl -sign -keyform DER -inkey private.der -out signature -in message")...)
			valid, err := key.Verify(mldsaAlgorithm, "RAW", message, o.read(t, "signature"))
			require.NoError(t, err)
			require.True(t, valid)
		})
	}
	for _, name := range []string{"ML_KEM_512", "ML_KEM_768", "ML_KEM_1024"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOpenSSL(t)
			key := o.newKey(t, name)
			secret, ciphertext, err := key.Encapsulate()
			require.NoError(t, err)
			o.write(t, "ciphertext", ciphertext)
			o.must(t, strings.Fields("pkeyutl -decap -keyform DER -inkey private.der -in ciphertext -secret secret")...)
			require.Equal(t, secret, o.read(t, "secret"))
			o.must(t, strings.Fields("pkeyutl -encap -pubin -keyform DER -inkey public.der -out ciphertext -secret secret")...)
			secret, err = key.Decapsulate(o.read(t, "ciphertext"))
			require.NoError(t, err)
			require.True(t, bytes.Equal(secret, o.read(t, "secret")))
		})
	}
}
