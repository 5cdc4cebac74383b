package s3crypto_test

import (
	"bytes"
	"context"
	"crypto/fips140"
	"os"
	"os/exec"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/keyring"
	"github.com/sealring/sealring/s3crypto"
)

// fipsMode tells the test's own process, started anew, in which mode it runs: the mode
// cannot be changed while a process runs.
const fipsMode = "S3CRYPTO_TEST_FIPS140"

// TestFIPS140: with fips140=on everything works; with fips140=only nothing does, because
// the formats prescribe the nonces of their AES-GCM, and says so.
func TestFIPS140(t *testing.T) {
	t.Parallel()
	if mode := os.Getenv(fipsMode); mode != "" {
		require.True(t, fips140.Enabled())
		map[string]func(*testing.T){"on": checkFIPS, "only": checkFIPSOnly}[mode](t)
		return
	}
	self, err := os.Executable()
	require.NoError(t, err)
	for _, mode := range []string{"on", "only"} {
		c := exec.CommandContext(t.Context(), self, "-test.run=^TestFIPS140$", "-test.v")
		c.Env = append(os.Environ(), "GODEBUG=fips140="+mode, fipsMode+"="+mode)
		out, err := c.CombinedOutput()
		require.NoError(t, err, "%s", out)
		require.Contains(t, string(out), "--- PASS: TestFIPS140")
	}
}

// generatingKMS makes data keys, too.
type generatingKMS struct{ *region }

func (g generatingKMS) GenerateDataKey(ctx context.Context, in *kms.GenerateDataKeyInput, _ ...func(*kms.Options)) (*kms.GenerateDataKeyOutput, error) {
	key := randomBytes(32)
	out, err := g.Encrypt(ctx, &kms.EncryptInput{Plaintext: key, EncryptionContext: in.EncryptionContext})
	if err != nil {
		return nil, err
	}
	return &kms.GenerateDataKeyOutput{KeyId: out.KeyId, CiphertextBlob: out.CiphertextBlob, Plaintext: key}, nil
}

// fipsClients returns a client for each commitment policy that differs in what it writes.
func fipsClients(t *testing.T, w s3crypto.Wrapper) (clients []*s3crypto.Client, bucket *shelf) {
	bucket = newShelf()
	for _, p := range []keyring.CommitmentPolicy{keyring.RequireEncryptRequireDecrypt, keyring.ForbidEncryptAllowDecrypt} {
		c, err := s3crypto.New(bucket, w, &s3crypto.Options{CommitmentPolicy: p})
		require.NoError(t, err)
		clients = append(clients, c)
	}
	return clients, bucket
}

func fipsPut(t *testing.T, c *s3crypto.Client, plaintext []byte) error {
	_, err := c.Put(t.Context(), &s3.PutObjectInput{
		Bucket: aws.String("bucket"), Key: aws.String("key"), Body: bytes.NewReader(plaintext),
	}, nil)
	return err
}

func checkFIPS(t *testing.T) {
	aesWrapper, err := s3crypto.NewAES(wrappingKey, nil)
	require.NoError(t, err)
	rsaWrapper, err := s3crypto.NewRSA(&rsaKey().PublicKey, rsaKey(), nil)
	require.NoError(t, err)
	kmsWrapper, err := s3crypto.NewKMS(generatingKMS{newRegion(irelandARN)}, irelandARN, nil)
	require.NoError(t, err)
	plaintext := randomBytes(3 << 20)
	for _, w := range []s3crypto.Wrapper{aesWrapper, rsaWrapper, kmsWrapper} {
		clients, _ := fipsClients(t, w)
		for _, c := range clients {
			require.NoError(t, fipsPut(t, c, plaintext))
			for _, how := range readers {
				got, err := readAll(t, c, how.get, nil)
				require.NoError(t, err)
				require.True(t, bytes.Equal(plaintext, got))
			}
		}
	}
}

func checkFIPSOnly(t *testing.T) {
	_, err := s3crypto.NewAES(wrappingKey, nil)
	require.ErrorContains(t, err, "FIPS 140-only")
	kmsWrapper, err := s3crypto.NewKMS(generatingKMS{newRegion(irelandARN)}, irelandARN, nil)
	require.NoError(t, err)
	rsaWrapper, err := s3crypto.NewRSA(&rsaKey().PublicKey, rsaKey(), nil)
	require.NoError(t, err)
	for _, w := range []s3crypto.Wrapper{kmsWrapper, rsaWrapper} {
		clients, bucket := fipsClients(t, w)
		for _, c := range clients {
			require.ErrorContains(t, fipsPut(t, c, []byte("plaintext")), "FIPS 140-only")
			require.Empty(t, bucket.keys())
		}
	}
}
