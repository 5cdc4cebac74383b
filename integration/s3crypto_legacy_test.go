package integration

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/s3crypto"
)

// padded appends PKCS #7 padding.
func padded(content []byte) []byte {
	n := aes.BlockSize - len(content)%aes.BlockSize
	return append(slices.Clip(content), bytes.Repeat([]byte{byte(n)}, n)...)
}

// putV1 writes an object as the first generation of clients did: AES in CBC mode, under a
// data key that is encrypted in ECB mode.
func putV1(t *testing.T, s *s3Server, wrapping []byte, key string, inFile bool, content []byte) {
	t.Helper()
	dataKey, iv := make([]byte, 32), make([]byte, aes.BlockSize)
	rand.Read(dataKey)
	rand.Read(iv)
	block, err := aes.NewCipher(dataKey)
	require.NoError(t, err)
	sealed := padded(content)
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(sealed, sealed)
	kek, err := aes.NewCipher(wrapping)
	require.NoError(t, err)
	wrapped := padded(dataKey)
	for i := 0; i < len(wrapped); i += aes.BlockSize {
		kek.Encrypt(wrapped[i:], wrapped[i:])
	}
	header := map[string]string{
		"x-amz-key": base64.StdEncoding.EncodeToString(wrapped), "x-amz-iv": base64.StdEncoding.EncodeToString(iv),
		"x-amz-matdesc": "{}",
	}
	in := &s3.PutObjectInput{
		Bucket: &s.bucket, Key: &key, Body: bytes.NewReader(sealed),
		Metadata: map[string]string{"x-amz-unencrypted-content-length": strconv.Itoa(len(content))},
	}
	if inFile {
		file, err := json.Marshal(header)
		require.NoError(t, err)
		_, err = s.client().PutObject(t.Context(), &s3.PutObjectInput{
			Bucket: &s.bucket, Key: aws.String(key + ".instruction"), Body: bytes.NewReader(file),
			Metadata: map[string]string{"x-amz-crypto-instr-file": ""},
		})
		require.NoError(t, err)
	} else {
		for name, value := range header {
			in.Metadata[name] = value
		}
	}
	_, err = s.client().PutObject(t.Context(), in)
	require.NoError(t, err)
}

func requireV1(t *testing.T, s *s3Server, lengths []int) {
	t.Helper()
	wrapping := make([]byte, 32)
	rand.Read(wrapping)
	strict, err := s3crypto.NewAES(wrapping, nil)
	require.NoError(t, err)
	lenient, err := s3crypto.NewAES(wrapping, &s3crypto.AESOptions{AllowECB: true})
	require.NoError(t, err)
	for _, n := range lengths {
		for _, inFile := range []bool{false, true} {
			o := &s3Object{server: s, policy: s3Formats[0], wrap: s3Wrap{wrapper: lenient}, key: fmt.Sprint("v1/", n, inFile), content: s3Bytes(n)}
			putV1(t, s, wrapping, o.key, inFile, o.content)
			for _, spooled := range []bool{false, true} {
				c := o.client(t, func(options *s3crypto.Options) {
					if options.AllowLegacyCBC = true; spooled {
						options.MaxBuffered, options.TempDir = 1, t.TempDir()
					}
				})
				content, err := drain(c.Get(t.Context(), o.getInput(), nil))
				require.NoError(t, err)
				requireSame(t, o.content, content, o.key)
				out, err := c.GetStream(t.Context(), o.getInput(), nil)
				require.NoError(t, err)
				content, err = drain(out, nil)
				require.NoError(t, err)
				requireSame(t, o.content, content, o.key)
				require.False(t, out.Body.(*s3crypto.UnverifiedBody).Verified())
				head, e, err := c.Head(t.Context(), o.headInput(), nil)
				require.NoError(t, err)
				require.EqualValues(t, n, aws.ToInt64(head.ContentLength))
				require.Equal(t, "V1", e.Format)
			}
			for _, r := range s3Readers { // without the option for the content
				_, err := r.read(t.Context(), t, o, s.client())
				require.ErrorIs(t, err, s3crypto.ErrLegacy, r.name)
			}
			o.wrap.wrapper = strict
			c := o.client(t, func(o *s3crypto.Options) { o.AllowLegacyCBC = true })
			_, err := c.Get(t.Context(), o.getInput(), nil)
			require.ErrorIs(t, err, s3crypto.ErrLegacy)
		}
	}
}

func TestVersityGWLegacy(t *testing.T) {
	t.Parallel()
	requireV1(t, versityGW(t, versityOptions{}), []int{0, 1, 15, 16, 17, s3PartSize + 1})
}

func TestFakeS3Legacy(t *testing.T) {
	t.Parallel()
	requireV1(t, fakeS3Server(t), []int{0, 17})
}
