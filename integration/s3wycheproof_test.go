package integration

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"io"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/internal/gcmstream"
	"github.com/sealring/sealring/keyring"
	"github.com/sealring/sealring/s3crypto"
)

// s3WycheproofFiles are those for what s3crypto does by itself: AES-GCM in pieces, and the
// legacy wraps that it unwraps. Those that are not run have nonces of another length.
var s3WycheproofFiles = []wycheproofFile{
	{"aes_gcm", gcmPieces, 197, 316},
	{"aes_wrap", s3KeyWrap, 165, 165},
	{"rsa_oaep_2048_sha256_mgf1sha1", s3OAEP, 31, 31},
	{"rsa_oaep_3072_sha256_mgf1sha1", s3OAEP, 32, 32},
	{"rsa_oaep_4096_sha256_mgf1sha1", s3OAEP, 32, 32},
}

func TestWycheproofS3(t *testing.T) {
	t.Parallel()
	runWycheproof(t, s3WycheproofFiles)
}

// gcmPieces encrypts, authenticates and decrypts in pieces of each length that there is,
// the last one first.
func gcmPieces(t *testing.T, g *group) func(*vector) verdict {
	if g.IVSize != 8*gcmstream.NonceSize || g.TagSize != 8*gcmstream.TagSize {
		return func(*vector) verdict { return notRun }
	}
	return func(v *vector) verdict {
		m, err := gcmstream.NewMessage(v.Key, v.IV, v.AAD)
		require.NoError(t, err)
		var valid []bool
		for size := gcmstream.BlockSize; size < len(v.Msg)+2*gcmstream.BlockSize; size += gcmstream.BlockSize {
			ciphertext, tag := sealPieces(t, m, v.Msg, size)
			require.Equal(t, []byte(v.Ct), ciphertext, v.TcID)
			plaintext, found := openPieces(t, m, v.Ct, size)
			require.Equal(t, []byte(v.Msg), plaintext, v.TcID)
			require.Equal(t, tag, found, v.TcID)
			valid = append(valid, bytes.Equal(tag, v.Tag))
		}
		require.Len(t, slices.Compact(slices.Clone(valid)), 1, v.TcID)
		return verdictOf(valid[0])
	}
}

func sealPieces(t *testing.T, m *gcmstream.Message, plaintext []byte, size int) (ciphertext, tag []byte) {
	t.Helper()
	ciphertext = make([]byte, len(plaintext), len(plaintext)+gcmstream.TagSize)
	var whole gcmstream.Piece
	for at := (len(plaintext) - 1) / size * size; at >= 0; at -= size {
		sealed, piece, err := m.Seal(nil, plaintext[at:min(at+size, len(plaintext))], int64(at))
		require.NoError(t, err)
		copy(ciphertext[at:], sealed)
		whole, err = m.Join(piece, whole)
		require.NoError(t, err)
	}
	sum := m.Tag(whole)
	return ciphertext, sum[:]
}

func openPieces(t *testing.T, m *gcmstream.Message, ciphertext []byte, size int) (plaintext, tag []byte) {
	t.Helper()
	plaintext = make([]byte, len(ciphertext))
	var whole gcmstream.Piece
	for at := (len(ciphertext) - 1) / size * size; at >= 0; at -= size {
		piece := ciphertext[at:min(at+size, len(ciphertext))]
		joined, err := m.Join(m.Hash(piece), whole)
		require.NoError(t, err)
		whole = joined
		// Decryption need not begin at a block.
		odd := min(at+3, len(ciphertext))
		require.NoError(t, m.XORKeyStream(plaintext[odd:], ciphertext[odd:], int64(odd)))
	}
	first := min(3, len(ciphertext))
	require.NoError(t, m.XORKeyStream(plaintext[:first], ciphertext[:first], 0))
	sum := m.Tag(whole)
	return plaintext, sum[:]
}

// oneObject is S3 with one object.
type oneObject struct {
	s3crypto.API
	metadata map[string]string
	body     []byte
}

func (o oneObject) GetObject(context.Context, *s3.GetObjectInput, ...func(*s3.Options)) (*s3.GetObjectOutput, error) {
	return &s3.GetObjectOutput{
		Metadata: o.metadata, Body: io.NopCloser(bytes.NewReader(o.body)), ContentLength: aws.Int64(int64(len(o.body))),
	}, nil
}

// unwraps reads an object of format V2 whose wrapped data key is a vector's ciphertext,
// and whose content is encrypted under the vector's plaintext, or, if that is no data key,
// under another one. It reports whether the object can be read.
func unwraps(t *testing.T, w s3crypto.Wrapper, algorithm string, v *vector) bool {
	t.Helper()
	key := []byte(v.Msg)
	if len(key) != 32 {
		key = make([]byte, 32)
	}
	block, err := aes.NewCipher(key)
	require.NoError(t, err)
	aead, err := cipher.NewGCM(block)
	require.NoError(t, err)
	iv, plaintext := random(12), []byte("content")
	object := oneObject{body: aead.Seal(nil, iv, plaintext, nil), metadata: map[string]string{
		"x-amz-key-v2": base64.StdEncoding.EncodeToString(v.Ct), "x-amz-wrap-alg": algorithm,
		"x-amz-cek-alg": "AES/GCM/NoPadding", "x-amz-tag-len": "128",
		"x-amz-iv": base64.StdEncoding.EncodeToString(iv), "x-amz-matdesc": "{}",
	}}
	client, err := s3crypto.New(object, w, &s3crypto.Options{CommitmentPolicy: keyring.RequireEncryptAllowDecrypt})
	require.NoError(t, err)
	out, err := client.Get(t.Context(), &s3.GetObjectInput{}, nil)
	if err != nil {
		require.True(t, errors.Is(err, s3crypto.ErrAuthentication) || errors.Is(err, s3crypto.ErrMetadata), "%v", err)
		return false
	}
	got, err := io.ReadAll(out.Body)
	require.NoError(t, err)
	require.Equal(t, plaintext, got)
	return true
}

// unwrapVerdict says that what is wrapped is refused if it is no data key.
func unwrapVerdict(t *testing.T, w s3crypto.Wrapper, algorithm string, v *vector) verdict {
	t.Helper()
	read := unwraps(t, w, algorithm, v)
	if len(v.Msg) != 32 || len(v.Label) != 0 {
		require.False(t, read, v.TcID)
		return mustRefuse
	}
	return verdictOf(read)
}

func s3KeyWrap(t *testing.T, _ *group) func(*vector) verdict {
	return func(v *vector) verdict {
		w, err := s3crypto.NewAES(v.Key, &s3crypto.AESOptions{AllowKeyWrap: true})
		require.NoError(t, err)
		return unwrapVerdict(t, w, "AESWrap", v)
	}
}

func s3OAEP(t *testing.T, g *group) func(*vector) verdict {
	key, err := x509.ParsePKCS8PrivateKey(g.PrivateKeyPkcs8)
	require.NoError(t, err)
	w, err := s3crypto.NewRSA(nil, key.(*rsa.PrivateKey), &s3crypto.RSAOptions{AllowOAEPSHA256: true})
	require.NoError(t, err)
	return func(v *vector) verdict {
		return unwrapVerdict(t, w, "RSA/ECB/OAEPWithSHA-256AndMGF1Padding", v)
	}
}
