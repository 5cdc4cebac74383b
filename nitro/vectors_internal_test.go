package nitro

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"
	"github.com/stretchr/testify/require"
)

// vector reads a file of nitro/ in the folder of published test vectors, which are not
// part of this module.
func vector(t *testing.T, name string) []byte {
	t.Helper()
	folder := os.Getenv("SEALRING_VECTORS")
	if folder == "" {
		folder = "../../shared/vectors"
	}
	b, err := os.ReadFile(filepath.Join(folder, "nitro", name))
	if os.IsNotExist(err) {
		if os.Getenv("CI") != "" {
			t.Fatalf("CI needs the published vectors: %v", err)
		}
		t.Skipf("no published vectors here: %v", err)
	}
	require.NoError(t, err)
	return b
}

// A document of an enclave of AWS, made on 2024-09-17.
func TestVerifyReadsADocumentOfAWS(t *testing.T) {
	t.Parallel()
	document := vector(t, "attestation-2024.cbor")
	var parts []any
	require.NoError(t, cbor.Unmarshal(document, &parts))
	var payload struct {
		Bundle [][]byte `cbor:"cabundle"`
	}
	require.NoError(t, cbor.Unmarshal(parts[2].([]byte), &payload))
	// What AWS publishes as the SHA-256 of CN=aws.nitro-enclaves.
	fingerprint := sha256.Sum256(payload.Bundle[0])
	require.Equal(t, "641a0321a3e244efe456463195d606317ed7cdcc3c1756e09893f3c68f79bb5b", hex.EncodeToString(fingerprint[:]))
	root, err := x509.ParseCertificate(payload.Bundle[0])
	require.NoError(t, err)

	made := time.Date(2024, 9, 17, 0, 47, 59, 695e6, time.UTC)
	v := &Verifier{Roots: x509.NewCertPool(), Now: func() time.Time { return made.Add(30 * time.Second) }}
	_, err = v.Verify(document)
	require.ErrorContains(t, err, "do not chain")
	v.Roots.AddCert(root)
	d, err := v.Verify(document)
	require.NoError(t, err)
	require.Equal(t, "i-0bbf1bfe232b8c2ce-enc0191fc27458c1d41", d.ModuleID)
	require.Equal(t, made, d.Timestamp)
	require.Len(t, d.PCRs, 16)
	require.Equal(t, make([]byte, 48), d.PCRs[0], "it ran in debug mode")
	require.Equal(t, []byte{0x67, 0x1c, 0xa1}, d.PCRs[3][:3])
	require.Equal(t, []byte("dummy"), d.PublicKey)
	require.Len(t, d.UserData, 68)
	require.Len(t, d.Nonce, 20)
	_, err = Seal(d.PublicKey, nil)
	require.Equal(t, ErrPublicKey, err)

	v.Now = nil
	_, err = v.Verify(document)
	require.ErrorContains(t, err, "expired")
}

// An envelope of AWS KMS in its CiphertextForRecipient, whose private key is not known.
func TestDecodeReadsAnEnvelopeOfAWS(t *testing.T) {
	t.Parallel()
	envelope := vector(t, "kms-recipient.ber")
	wrapped, iv, content, ok := decode(envelope)
	require.True(t, ok)
	require.Len(t, wrapped, 256)
	require.Len(t, iv, 16)
	require.Len(t, content, 16)

	// Of ours, the recipient and the cipher are the same to the byte.
	i := bytes.Index(envelope, []byte("\x02\x01\x02\x31")) // version, recipients
	recipients := newBER(envelope[i+3:])
	set := recipients.take(tagSet)
	id := newBER(set).rest[4+3+2:][:32]
	require.True(t, recipients.ok())
	ours := encode(id, wrapped, iv, content)
	require.True(t, bytes.Contains(ours, set))
	require.True(t, bytes.Contains(ours, der(tagSequence, der(tagOID, []byte(oidAES256CBC)), der(tagOctetString, iv))))
	require.True(t, bytes.Contains(envelope, der(tagSequence, der(tagOID, []byte(oidAES256CBC)), der(tagOctetString, iv))))

	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	_, err = Open(key, envelope)
	require.Equal(t, ErrOpen, err)
	for n := range len(envelope) {
		_, _, _, ok := decode(envelope[:n])
		require.False(t, ok, "%d bytes", n)
	}
}
