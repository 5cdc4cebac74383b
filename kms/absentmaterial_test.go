package kms_test

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"
)

// Material that is known but not there, as it was deleted, has expired or is to be
// imported, has no bytes. A blob under it would be under a key that anybody can compute.

// forged returns the blob that everybody can make of material without bytes.
func forged(t *testing.T, keyID, materialID string, plaintext []byte) []byte {
	t.Helper()
	id, err := hex.DecodeString(materialID)
	require.NoError(t, err)
	b := append([]byte("\x01\x02\x02\x00\x78\x01"+account+keyID), id...)
	salt := make([]byte, 16)
	b = append(b, salt...)
	h := hmac.New(sha256.New, nil)
	h.Write([]byte("\x00\x00\x00\x01sealring/kms/ciphertext\x00"))
	h.Write(salt)
	h.Write([]byte("\x00\x00\x01\x00"))
	block, err := aes.NewCipher(h.Sum(nil))
	require.NoError(t, err)
	aead, err := cipher.NewGCM(block)
	require.NoError(t, err)
	return aead.Seal(b, make([]byte, 12), plaintext, append(b[:len(b):len(b)], 0, 0, 0, 0))
}

// TestPendingMaterialThatHasExpired leaves the id of a pending material behind.
func TestPendingMaterialThatHasExpired(t *testing.T) {
	t.Parallel()
	r := newRig(t, false, 0)
	r.external(t, sdk.CreateKeyInput{})
	i := r.importer(t)
	importID(t, r.api, i.imported(t, random(32)))
	in := i.as(t, asNew, random(32))
	in.ExpirationModel, in.ValidTo = types.ExpirationModelTypeKeyMaterialExpires, aws.Time(r.clock().Add(time.Hour))
	pending := importID(t, r.api, in)
	r.advance(2 * time.Hour)
	succeeds(t, r.api, &sdk.UpdateKeyDescriptionInput{KeyId: &r.id, Description: aws.String("written again")})
	refused(t, r.api, &sdk.DecryptInput{CiphertextBlob: forged(t, r.id, pending, []byte("x"))}, "InvalidCiphertextException", "")
}

// TestPendingMaterialOfAReplica has a replica that knows of material which it never had.
func TestPendingMaterialOfAReplica(t *testing.T) {
	t.Parallel()
	r := newRig(t, false, 0)
	r.external(t, sdk.CreateKeyInput{MultiRegion: aws.Bool(true)})
	material := random(32)
	i := r.importer(t)
	importID(t, r.api, i.imported(t, material))
	r.replicate(t, "eu-west-1")
	replica := r.in("eu-west-1")
	importID(t, replica, importerFor(t, replica, r.id, oaep256, rsa2048).as(t, asExisting, material))
	pending := importID(t, r.api, i.as(t, asNew, random(32)))
	refused(t, replica, &sdk.DecryptInput{CiphertextBlob: forged(t, r.id, pending, []byte("x"))}, "InvalidCiphertextException", "")
}

// TestExpiredMaterialWhileUpdating has the material of a key expire while its role
// changes: it waits for an import like any other key.
func TestExpiredMaterialWhileUpdating(t *testing.T) {
	t.Parallel()
	r := newRig(t, false, time.Hour)
	r.external(t, sdk.CreateKeyInput{MultiRegion: aws.Bool(true)})
	material := random(32)
	in := r.importer(t).imported(t, material)
	in.ExpirationModel, in.ValidTo = types.ExpirationModelTypeKeyMaterialExpires, aws.Time(r.clock().Add(3*time.Hour))
	importID(t, r.api, in)
	r.replicate(t, "eu-west-1")
	r.advance(2 * time.Hour)
	replica := r.in("eu-west-1")
	importID(t, replica, importerFor(t, replica, r.id, oaep256, rsa2048).as(t, asExisting, material))
	r.advance(30 * time.Minute)
	succeeds(t, r.api, &sdk.UpdatePrimaryRegionInput{KeyId: &r.id, PrimaryRegion: aws.String("eu-west-1")})
	encrypt := &sdk.EncryptInput{KeyId: &r.id, Plaintext: []byte("secret")}
	succeeds(t, r.api, encrypt)
	r.advance(40 * time.Minute)
	refused(t, r.api, encrypt, "KMSInvalidStateException", r.arn+" is pending import.")
	succeeds(t, r.api, &sdk.UpdateKeyDescriptionInput{KeyId: &r.id, Description: aws.String("written again")})
	refused(t, r.api, encrypt, "KMSInvalidStateException", r.arn+" is pending import.")
}
