package envelope

import (
	"archive/zip"
	"bytes"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"encoding/pem"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/internal/suite"
	"github.com/sealring/sealring/keyring"
)

// archive reads a published set of messages. The sets are not part of the
// project.
func archive(t *testing.T, name string) map[string][]byte {
	dir := os.Getenv("SEALRING_VECTORS")
	if dir == "" {
		dir = filepath.Join("..", "..", "shared", "vectors")
	}
	z, err := zip.OpenReader(filepath.Join(dir, "esdk", name))
	if os.IsNotExist(err) && os.Getenv("CI") == "" {
		t.Skipf("the published vectors are not here (set SEALRING_VECTORS): %v", err)
	}
	require.NoError(t, err)
	defer z.Close()
	files := make(map[string][]byte)
	for _, f := range z.File {
		r, err := f.Open()
		require.NoError(t, err)
		files[f.Name], err = io.ReadAll(r)
		require.NoError(t, err)
		require.NoError(t, r.Close())
	}
	return files
}

type vector struct {
	Ciphertext string
	MasterKeys []masterKey `json:"master-keys"`
	CMM        string
	Context    keyring.EncryptionContext `json:"encryption-context"`
	Result     struct{ Output struct{ Plaintext string } }
}

type masterKey struct {
	Type, Key   string
	Provider    string `json:"provider-id"`
	Algorithm   string `json:"encryption-algorithm"`
	PaddingHash string `json:"padding-hash"`
}

func (v vector) offline() bool {
	for _, k := range v.MasterKeys {
		if k.Type != "raw" {
			return false
		}
	}
	return true
}

type vectorKey struct {
	ID       string `json:"key-id"`
	Type     string
	Material string
}

func decodeJSON(t *testing.T, b []byte, into any) {
	require.NotEmpty(t, b)
	require.NoError(t, json.Unmarshal(b, into))
}

// vectorKeyring makes the keyring of one master key.
func vectorKeyring(t *testing.T, k masterKey, keys map[string]vectorKey) keyring.Keyring {
	material, id := keys[k.Key].Material, keys[k.Key].ID
	if k.Algorithm == "aes" {
		key, err := base64.StdEncoding.DecodeString(material)
		require.NoError(t, err)
		ring, err := keyring.NewRawAES(k.Provider, id, key)
		require.NoError(t, err)
		return ring
	}
	padding := map[string]keyring.RSAPadding{
		"sha256": keyring.OAEPSHA256, "sha512": keyring.OAEPSHA512,
	}[k.PaddingHash]
	block, _ := pem.Decode([]byte(material))
	require.NotNil(t, block)
	var public *rsa.PublicKey
	var private *rsa.PrivateKey
	if keys[k.Key].Type == "public" {
		key, err := x509.ParsePKIXPublicKey(block.Bytes)
		require.NoError(t, err)
		public = key.(*rsa.PublicKey)
	} else {
		key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		require.NoError(t, err)
		private = key.(*rsa.PrivateKey)
	}
	ring, err := keyring.NewRawRSA(k.Provider, id, padding, public, private)
	require.NoError(t, err)
	return ring
}

// TestPublishedMessages decrypts every message of the newest published set that
// needs no AWS account, whole and byte by byte.
func TestPublishedMessages(t *testing.T) {
	t.Parallel()
	files := archive(t, "v4-Net-4.0.1.zip")
	var manifest struct{ Tests map[string]vector }
	decodeJSON(t, files["manifest.json"], &manifest)
	var keys struct{ Keys map[string]vectorKey }
	decodeJSON(t, files["keys.json"], &keys)
	suites := make(map[Suite]int)
	for name, v := range manifest.Tests {
		if !v.offline() {
			continue
		}
		var rings []keyring.Keyring
		for _, k := range v.MasterKeys {
			rings = append(rings, vectorKeyring(t, k, keys.Keys))
		}
		ring, err := keyring.NewMulti(nil, rings...)
		require.NoError(t, err)
		m := keyring.NewManager(ring)
		o := readAll()
		o.Context = v.Context
		message := files[strings.TrimPrefix(v.Ciphertext, "file://")]
		want := files[strings.TrimPrefix(v.Result.Output.Plaintext, "file://")]
		require.Len(t, want, 10240)

		got, h, err := Decrypt(t.Context(), m, message, o)
		require.NoError(t, err, name)
		require.True(t, bytes.Equal(want, got), name)
		got, err = readBytes(t, m, message, o)
		require.NoError(t, err, name)
		require.True(t, bytes.Equal(want, got), name)
		suites[h.Suite]++

		if len(v.Context) > 0 {
			o.Context = map[string]string{"key1": "another"}
			_, _, err = Decrypt(t.Context(), m, message, o)
			require.Error(t, err, name)
			if v.CMM == "RequiredEncryptionContext" {
				require.Empty(t, h.Context["key1"], name)
				_, _, err = Decrypt(t.Context(), m, message, readAll())
				require.Error(t, err, name)
			}
		}
	}
	total := 0
	for _, s := range keyring.Suites() {
		require.Equal(t, 9, suites[s], "%v", s)
		total += suites[s]
	}
	require.Equal(t, 99, total)
}

// TestPublishedStructure takes all published messages apart, those included whose
// data keys only AWS KMS can unwrap, and verifies their signatures.
func TestPublishedStructure(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]struct{ messages, unframed, signed int }{
		"python-1.3.5.zip": {360, 72, 120},
		"v4-Net-4.0.1.zip": {132, 0, 48},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			messages, unframed, signed := 0, 0, 0
			for path, message := range archive(t, name) {
				if !strings.HasPrefix(path, "ciphertexts/") || len(message) == 0 {
					continue
				}
				messages++
				b := walk(t, message)
				require.True(t, b.plainIVs, path)
				require.Equal(t, 10240, b.plain, path)
				if b.header.FrameLength == 0 {
					unframed++
				}
				if b.header.Suite.Signed() {
					signed++
					require.True(t, b.verifies, path)
				}
				require.Equal(t, message[:b.header.Length()], reencode(b.header), path)
			}
			require.Equal(t, want.messages, messages)
			require.Equal(t, want.unframed, unframed)
			require.Equal(t, want.signed, signed)
		})
	}
}

// body is what walk finds in a message.
type body struct {
	header   *Header
	frames   int
	plain    int  // bytes of plaintext
	last     int  // of them in the last piece
	plainIVs bool // every IV is the frame's number
	verifies bool // the signature does, with the key that the header claims
}

// walk takes a message apart, to its last byte, without decrypting it.
func walk(t *testing.T, message []byte) body {
	in := newInput(message)
	o := &DecryptOptions{}
	h, err := readHeader(in, o.limits())
	require.NoError(t, err)
	op := newWalker(in, h, o.limits())
	b := body{header: h, plainIVs: true}
	for !op.ended {
		p, err := op.next(t.Context(), 1)
		require.NoError(t, err)
		at := map[string]int{regularContent: 4, finalContent: 8, unframedContent: 0}[p.kind]
		seq := binary.BigEndian.AppendUint32(make([]byte, 8), op.seq)
		b.plainIVs = b.plainIVs && bytes.Equal(in.buffered()[at:at+12], seq)
		if op.digest != nil {
			op.digest.Write(in.buffered()[:p.size])
		}
		in.skip(p.size)
		op.seq++
		op.ended = p.kind != regularContent
		b.frames, b.plain, b.last = b.frames+1, b.plain+p.plain, p.plain
	}
	if s := suite.Lookup(uint16(h.Suite)); s.Signed() {
		m, err := keyring.NewDecryptionMaterials(keyring.DecryptionRequest{
			Suite: h.Suite, CommitmentPolicy: keyring.RequireEncryptAllowDecrypt, Context: h.Context,
		})
		require.NoError(t, err)
		footer := in.buffered()
		require.Len(t, footer, 2+s.SigLen)
		b.verifies = ecdsa.VerifyASN1(m.VerificationKey(), op.digest.Sum(nil), footer[2:])
		in.skip(len(footer))
	}
	_, err = op.next(t.Context(), 1)
	require.Equal(t, io.EOF, err)
	return b
}

// reencode serialises a header from its fields.
func reencode(h *Header) []byte {
	c := *h
	c.serialize()
	return append(c.raw, h.tag...)
}
