package nitro_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/nitro"
)

var update = flag.Bool("update", false, "write testdata/pins.json anew")

var pinsPath = filepath.Join("testdata", "pins.json")

// pinned holds keys that are of no use but here, and what an earlier version of this
// package has made with them.
type pinned struct {
	Root, Middle, Signer []byte // certificates
	Key                  []byte // the signer's, PKCS #8
	Enclave              []byte // an RSA key, PKCS #8

	Document []byte // of hypervisor.fields
	Envelope []byte // by Seal, of pinnedPlaintext
}

const pinnedPlaintext = "what an enclave was told"

// pins reads the file.
var pins = sync.OnceValue(func() *pinned {
	var p pinned
	b, err := os.ReadFile(pinsPath)
	if err == nil {
		err = json.Unmarshal(b, &p)
	}
	if err != nil {
		panic(err)
	}
	return &p
})

// Documents and envelopes are read as long as there are any.
func TestPins(t *testing.T) {
	t.Parallel()
	if *update {
		writePins(t)
	}
	p := pins()
	d, err := shared().verifier().Verify(p.Document)
	require.NoError(t, err)
	require.Equal(t, []byte("user data"), d.UserData)
	require.Equal(t, shared().fields()["pcrs"], d.PCRs)
	plaintext, err := nitro.Open(rsaKey(), p.Envelope)
	require.NoError(t, err)
	require.Equal(t, pinnedPlaintext, string(plaintext))
}

func writePins(t *testing.T) {
	h := newHypervisor(t, plan{})
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	p := pinned{
		Root: h.root.Raw, Middle: h.middle.Raw, Signer: h.signer.Raw,
		Document: h.document(t, h.fields()),
	}
	p.Key, err = x509.MarshalPKCS8PrivateKey(h.key)
	require.NoError(t, err)
	p.Enclave, err = x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	p.Envelope, err = nitro.Seal(spki(t, &key.PublicKey), []byte(pinnedPlaintext))
	require.NoError(t, err)
	b, err := json.MarshalIndent(p, "", "\t")
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll("testdata", 0o755))
	require.NoError(t, os.WriteFile(pinsPath, append(b, '\n'), 0o644))
}
