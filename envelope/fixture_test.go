package envelope

import (
	"bytes"
	"context"
	"crypto/cipher"
	"crypto/ecdsa"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/internal/suite"
	"github.com/sealring/sealring/keyring"
)

// readAll are options under which every suite is read.
func readAll() *DecryptOptions {
	return &DecryptOptions{CommitmentPolicy: keyring.RequireEncryptAllowDecrypt}
}

// write returns options under which s is written.
func write(s Suite, frameLength int) *EncryptOptions {
	o := &EncryptOptions{Suite: s, FrameLength: frameLength}
	if !s.Committing() {
		o.CommitmentPolicy = keyring.ForbidEncryptAllowDecrypt
	}
	return o
}

// counted returns n bytes, no two runs of which are alike for long.
func counted(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i + i>>8*7)
	}
	return b
}

// aesManager returns a manager with a raw AES keyring of a fixed key.
func aesManager(t testing.TB) keyring.Manager {
	ring, err := keyring.NewRawAES("fleet", "2026-01", counted(32))
	require.NoError(t, err)
	return keyring.NewManager(ring)
}

// openRing is a keyring whose data key everyone knows, so that tests can build
// messages byte by byte. It takes any encrypted data key and so leaves all
// checking to the message.
type openRing struct{ keys int }

func knownKey(n int) []byte { return counted(40)[7 : 7+n] }

func (r openRing) OnEncrypt(_ context.Context, m *keyring.EncryptionMaterials) error {
	if err := m.SetDataKey(knownKey(m.Suite().DataKeyLen())); err != nil {
		return err
	}
	for i := range r.keys {
		k := keyring.EncryptedDataKey{Provider: "open", Info: fmt.Append(nil, i), Ciphertext: []byte("?")}
		if err := m.AddEncryptedDataKey(k); err != nil {
			return err
		}
	}
	return nil
}

func (r openRing) OnDecrypt(_ context.Context, m *keyring.DecryptionMaterials, _ []keyring.EncryptedDataKey) error {
	return m.SetDataKey(knownKey(m.Suite().DataKeyLen()))
}

var openManager = keyring.NewManager(openRing{keys: 1})

// requiring is a manager that keeps some pairs of the context out of the header.
type requiring struct {
	keyring.Manager
	keys []string
}

func (r requiring) EncryptionMaterials(ctx context.Context, q keyring.EncryptionRequest) (*keyring.EncryptionMaterials, error) {
	q.RequiredContextKeys = r.keys
	return r.Manager.EncryptionMaterials(ctx, q)
}

// forge builds messages for openManager piece by piece, the usual and the
// impossible ones. It shares no code for bodies with the package.
type forge struct {
	t     testing.TB
	suite *suite.Suite
	h     *Header
	aead  cipher.AEAD
	key   *ecdsa.PrivateKey
	out   []byte
}

// newForge makes an authentic header with frames of the given length, 0 for an
// unframed body. edit may change the header before it is serialised.
func newForge(t testing.TB, id Suite, frameLength uint32, edit func(*Header)) *forge {
	m, err := openManager.EncryptionMaterials(t.Context(), keyring.EncryptionRequest{
		Context: keyring.EncryptionContext{"a": "1", "b": "2"}, Suite: id, CommitmentPolicy: write(id, 0).CommitmentPolicy,
	})
	require.NoError(t, err)
	s := suite.Lookup(uint16(id))
	f := &forge{t: t, suite: s, key: m.SigningKey(), h: &Header{
		Version: int(s.Version), Suite: id, MessageID: counted(32)[:messageIDLen(s.Version)],
		Context: m.Context(), EncryptedDataKeys: m.EncryptedDataKeys(), FrameLength: frameLength, iv: make([]byte, 12),
	}}
	f.h.context, err = f.h.Context.AppendBinary(nil)
	require.NoError(t, err)
	if edit != nil {
		edit(f.h)
	}
	f.aead, f.h.commitment, err = derive(s, m.DataKey(), f.h.MessageID)
	require.NoError(t, err)
	f.h.serialize()
	return f.sealHeader()
}

func (f *forge) sealHeader() *forge {
	require.NoError(f.t, f.h.seal(f.aead, nil))
	f.out = bytes.Clone(f.h.raw)
	return f
}

func (f *forge) aad(content string, seq uint32, n int) []byte {
	b := append(bytes.Clone(f.h.MessageID), content...)
	b = binary.BigEndian.AppendUint32(b, seq)
	return binary.BigEndian.AppendUint64(b, uint64(n))
}

func nonce(seq uint32) []byte { return binary.BigEndian.AppendUint32(make([]byte, 8), seq) }

func (f *forge) regular(seq uint32, p []byte) *forge {
	f.out = binary.BigEndian.AppendUint32(f.out, seq)
	f.out = append(f.out, nonce(seq)...)
	f.out = f.aead.Seal(f.out, nonce(seq), p, f.aad("AWSKMSEncryptionClient Frame", seq, len(p)))
	return f
}

func (f *forge) final(seq uint32, p []byte) *forge {
	f.out = append(f.out, 0xFF, 0xFF, 0xFF, 0xFF)
	f.out = binary.BigEndian.AppendUint32(f.out, seq)
	f.out = append(f.out, nonce(seq)...)
	f.out = binary.BigEndian.AppendUint32(f.out, uint32(len(p)))
	f.out = f.aead.Seal(f.out, nonce(seq), p, f.aad("AWSKMSEncryptionClient Final Frame", seq, len(p)))
	return f
}

func (f *forge) unframed(p []byte) *forge {
	f.out = append(f.out, nonce(1)...)
	f.out = binary.BigEndian.AppendUint64(f.out, uint64(len(p)))
	f.out = f.aead.Seal(f.out, nonce(1), p, f.aad("AWSKMSEncryptionClient Single Block", 1, len(p)))
	return f
}

// message adds the footer that the suite wants and returns the message.
func (f *forge) message() []byte {
	if !f.suite.Signed() {
		return f.out
	}
	digest := f.suite.Signature.New()
	digest.Write(f.out)
	out, err := appendFooter(f.out, f.key, digest.Sum(nil), f.suite.SigLen)
	require.NoError(f.t, err)
	return out
}

// readBy decrypts a message through a Reader that is fed by and read with
// buffers of the given size, and returns all it released.
func readBy(ctx context.Context, m keyring.Manager, src io.Reader, o *DecryptOptions, size int) ([]byte, error) {
	r, err := NewReader(ctx, src, m, o)
	if err != nil {
		return nil, err
	}
	var out []byte
	p := make([]byte, size)
	for idle := 0; idle < 2; {
		n, err := r.Read(p)
		out = append(out, p[:n]...)
		if err == io.EOF {
			return out, nil
		}
		if err != nil {
			return out, err
		}
		if idle++; n > 0 {
			idle = 0
		}
	}
	return out, io.ErrNoProgress
}

func readBytes(t testing.TB, m keyring.Manager, message []byte, o *DecryptOptions) ([]byte, error) {
	return readBy(t.Context(), m, iotest.OneByteReader(bytes.NewReader(message)), o, 1)
}

func encodeBase64(b []byte) []byte { return base64.StdEncoding.AppendEncode(nil, b) }
