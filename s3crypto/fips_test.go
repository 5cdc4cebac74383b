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

// TestFIPS140: with fips140=on everything works; with fips140=only everything but RSA, which
// is with SHA-1 here, and says so.
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

func fipsWrappers(t *testing.T) (aesWrapper, kmsWrapper, rsaWrapper s3crypto.Wrapper) {
	aesWrapper, err := s3crypto.NewAES(wrappingKey, nil)
	require.NoError(t, err)
	kmsWrapper, err = s3crypto.NewKMS(generatingKMS{newRegion(irelandARN)}, irelandARN, nil)
	require.NoError(t, err)
	rsaWrapper, err = s3crypto.NewRSA(&rsaKey().PublicKey, rsaKey(), nil)
	require.NoError(t, err)
	return aesWrapper, kmsWrapper, rsaWrapper
}

func requireFIPSRead(t *testing.T, c *s3crypto.Client, plaintext []byte) {
	for _, how := range readers {
		got, err := readAll(t, c, how.get, nil)
		require.NoError(t, err)
		require.True(t, bytes.Equal(plaintext, got))
	}
}

func checkFIPS(t *testing.T) {
	a, k, r := fipsWrappers(t)
	plaintext := randomBytes(3 << 20)
	for _, w := range []s3crypto.Wrapper{a, k, r} {
		clients, _ := fipsClients(t, w)
		for _, c := range clients {
			require.NoError(t, fipsPut(t, c, plaintext))
			requireFIPSRead(t, c, plaintext)
		}
	}
}

// checkFIPSOnly reads in the mode what was written in it and outside, and the other way
// round.
func checkFIPSOnly(t *testing.T) {
	require.True(t, fips140.Enforced())
	a, k, r := fipsWrappers(t)
	plaintext := randomBytes(3 << 20)
	for _, w := range []s3crypto.Wrapper{a, k} {
		clients, _ := fipsClients(t, w)
		for _, c := range clients {
			require.NoError(t, fipsPut(t, c, plaintext))
			requireFIPSRead(t, c, plaintext)
			fips140.WithoutEnforcement(func() {
				requireFIPSRead(t, c, plaintext)
				require.NoError(t, fipsPut(t, c, plaintext))
			})
			requireFIPSRead(t, c, plaintext)
		}
		requireFIPSUpload(t, w)
	}
	for i := range 2 {
		clients, bucket := fipsClients(t, r)
		c := clients[i]
		require.ErrorContains(t, fipsPut(t, c, plaintext), "FIPS 140-only")
		require.Empty(t, bucket.keys())
		fips140.WithoutEnforcement(func() { require.NoError(t, fipsPut(t, c, plaintext)) })
		for _, how := range readers {
			_, err := readAll(t, c, how.get, nil)
			require.ErrorContains(t, err, "FIPS 140-only")
			require.NotErrorIs(t, err, s3crypto.ErrAuthentication)
		}
		fips140.WithoutEnforcement(func() { requireFIPSRead(t, c, plaintext) })
	}
}

// requireFIPSUpload writes an object in parts, with a state.
func requireFIPSUpload(t *testing.T, w s3crypto.Wrapper) {
	bucket := newFakeBucket()
	c, err := s3crypto.New(bucket, w, nil)
	require.NoError(t, err)
	in := &s3.CreateMultipartUploadInput{Bucket: aws.String("bucket"), Key: aws.String("key")}
	u, err := c.CreateUpload(t.Context(), in, nil)
	require.NoError(t, err)
	state, err := u.State()
	require.NoError(t, err)
	u, err = c.ResumeUpload(t.Context(), in, state, nil)
	require.NoError(t, err)
	plaintext := randomBytes(1000)
	require.NoError(t, u.Part(t.Context(), 1, bytes.NewReader(plaintext)))
	_, err = u.Complete(t.Context(), nil)
	require.NoError(t, err)

	object, reading := bucket.current("key"), newShelf()
	reading.put("key", object.body, object.metadata)
	c, err = s3crypto.New(reading, w, nil)
	require.NoError(t, err)
	requireFIPSRead(t, c, plaintext)
}
