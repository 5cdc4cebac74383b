//lint:file-ignore SA1019 The old SDK and its old encryption client are what is tested against.

package integration

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go/aws"
	"github.com/aws/aws-sdk-go/aws/credentials"
	"github.com/aws/aws-sdk-go/aws/session"
	"github.com/aws/aws-sdk-go/service/kms"
	"github.com/aws/aws-sdk-go/service/s3"
	theirs "github.com/aws/aws-sdk-go/service/s3/s3crypto"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/keyring"
	"github.com/sealring/sealring/s3crypto"
)

// goV1 makes encryption clients of the AWS SDK for Go, version 1. They wrap with KMS only.
type goV1 struct {
	cloud   s3Cloud
	session *session.Session // of S3
	kms     *kms.KMS
}

func newGoV1(t *testing.T, cloud s3Cloud) goV1 {
	t.Helper()
	at := func(url string) *session.Session {
		s, err := session.NewSession(&aws.Config{
			Endpoint: &url, Region: aws.String(region), S3ForcePathStyle: aws.Bool(true), MaxRetries: aws.Int(0),
			Credentials: credentials.NewStaticCredentials(cloud.kms.creds.AccessKeyID, cloud.kms.creds.SecretAccessKey, ""),
		})
		require.NoError(t, err)
		return s
	}
	return goV1{cloud, at(cloud.s3URL), kms.New(at(cloud.kms.url))}
}

// goV1Writer is a way of theirs to write.
type goV1Writer struct {
	name      string
	cbc       bool
	legacyKey bool
	noContext bool // it gives none
	put       func(g goV1, in *s3.PutObjectInput, save theirs.SaveStrategy) error
	sizes     []int
}

func goV1Context() theirs.MaterialDescription {
	return aws.StringMap(s3Context)
}

// putV1 writes with the client of their first version.
func (g goV1) putV1(in *s3.PutObjectInput, save theirs.SaveStrategy, builder theirs.ContentCipherBuilder) error {
	client := theirs.NewEncryptionClient(g.session, builder, func(c *theirs.EncryptionClient) { c.SaveStrategy = save })
	_, err := client.PutObject(in)
	return err
}

var goV1Writers = []goV1Writer{
	{
		name: "version 1, GCM", legacyKey: true, noContext: true, sizes: s3Sizes,
		put: func(g goV1, in *s3.PutObjectInput, save theirs.SaveStrategy) error {
			return g.putV1(in, save, theirs.AESGCMContentCipherBuilder(theirs.NewKMSKeyGenerator(g.kms, g.cloud.kmsKey)))
		},
	},
	{
		name: "version 1, GCM, context", legacyKey: true, sizes: []int{17},
		put: func(g goV1, in *s3.PutObjectInput, save theirs.SaveStrategy) error {
			generator := theirs.NewKMSKeyGeneratorWithMatDesc(g.kms, g.cloud.kmsKey, goV1Context())
			return g.putV1(in, save, theirs.AESGCMContentCipherBuilder(generator))
		},
	},
	{
		name: "version 1, CBC", cbc: true, legacyKey: true, sizes: s3Sizes,
		put: func(g goV1, in *s3.PutObjectInput, save theirs.SaveStrategy) error {
			generator := theirs.NewKMSKeyGeneratorWithMatDesc(g.kms, g.cloud.kmsKey, goV1Context())
			return g.putV1(in, save, theirs.AESCBCContentCipherBuilder(generator, theirs.AESCBCPadder))
		},
	},
	{
		name: "version 1, CBC, PKCS7", cbc: true, legacyKey: true, noContext: true, sizes: []int{0, 16, 17},
		put: func(g goV1, in *s3.PutObjectInput, save theirs.SaveStrategy) error {
			generator := theirs.NewKMSKeyGenerator(g.kms, g.cloud.kmsKey)
			return g.putV1(in, save, theirs.AESCBCContentCipherBuilder(generator, theirs.NewPKCS7Padder(16)))
		},
	},
	{
		name: "version 2", sizes: s3Sizes,
		put: func(g goV1, in *s3.PutObjectInput, save theirs.SaveStrategy) error {
			generator := theirs.NewKMSContextKeyGenerator(g.kms, g.cloud.kmsKey, goV1Context())
			client, err := theirs.NewEncryptionClientV2(g.session, theirs.AESGCMContentCipherBuilderV2(generator),
				func(o *theirs.EncryptionClientOptions) { o.SaveStrategy = save })
			if err == nil {
				_, err = client.PutObject(in)
			}
			return err
		},
	},
}

func (g goV1) saves(place s3Place) theirs.SaveStrategy {
	if !place.file {
		return theirs.HeaderV2SaveStrategy{}
	}
	return theirs.S3SaveStrategy{Client: s3.New(g.session), InstructionFileSuffix: place.suffix}
}

func (g goV1) loads(place s3Place) theirs.LoadStrategy {
	if !place.file {
		return theirs.HeaderV2LoadStrategy{}
	}
	return theirs.S3LoadStrategy{Client: s3.New(g.session), InstructionFileSuffix: place.suffix}
}

// TestGoV1WritesS3 reads what the clients of the old SDK write.
func TestGoV1WritesS3(t *testing.T) {
	t.Parallel()
	g := newGoV1(t, newS3Cloud(t))
	for _, w := range goV1Writers {
		for _, place := range oraclePlaces {
			for _, n := range w.sizes {
				o := oracleObject{
					key:  fmt.Sprintf("%s/%s/%d", w.name, place.name, n),
					wrap: "kms", place: place, plaintext: random(n), format: "V2",
					cbc: w.cbc, legacyKey: w.legacyKey, context: s3Context,
				}
				if w.noContext {
					o.context = nil
				}
				t.Run(o.key, func(t *testing.T) {
					in := &s3.PutObjectInput{Bucket: aws.String(fakeBucket), Key: &o.key, Body: bytes.NewReader(o.plaintext)}
					require.NoError(t, w.put(g, in, g.saves(place)))
					g.cloud.requireReadable(t, o)
				})
			}
		}
	}
}

// get reads an object with their client of version 1 or 2.
func (g goV1) get(t *testing.T, version int, o oracleObject) ([]byte, error) {
	t.Helper()
	registry := theirs.NewCryptoRegistry()
	require.NoError(t, theirs.RegisterKMSContextWrapWithCMK(registry, g.kms, g.cloud.kmsKey))
	require.NoError(t, theirs.RegisterAESGCMContentCipher(registry))
	in := &s3.GetObjectInput{Bucket: aws.String(fakeBucket), Key: &o.key}
	var out *s3.GetObjectOutput
	var err error
	if version == 1 {
		client := theirs.NewDecryptionClient(g.session, func(c *theirs.DecryptionClient) {
			c.LoadStrategy = g.loads(o.place)
			c.WrapRegistry[theirs.KMSContextWrap], _ = registry.GetWrap(theirs.KMSContextWrap) // which asks our KMS
		})
		out, err = client.GetObject(in)
	} else {
		client, made := theirs.NewDecryptionClientV2(g.session, registry, func(c *theirs.DecryptionClientOptions) {
			c.LoadStrategy = g.loads(o.place)
		})
		require.NoError(t, made)
		out, err = client.GetObject(in)
	}
	if err != nil {
		return nil, err
	}
	defer out.Body.Close()
	return io.ReadAll(out.Body)
}

// TestGoV1ReadsS3 has the old SDK's client read what we write in format V2.
func TestGoV1ReadsS3(t *testing.T) {
	t.Parallel()
	g := newGoV1(t, newS3Cloud(t))
	for _, o := range g.cloud.writeV2(t, []string{"kms"}) {
		for version := 1; version <= 2; version++ {
			got, err := g.get(t, version, o)
			require.NoError(t, err, "%s, version %d", o.key, version)
			require.True(t, bytes.Equal(o.plaintext, got), o.key)
		}
	}
}

// TestGoV1TamperedS3 has nobody read what was altered in objects of theirs and of ours.
func TestGoV1TamperedS3(t *testing.T) {
	t.Parallel()
	g := newGoV1(t, newS3Cloud(t))
	c := g.cloud
	ours := c.client(t, c.writer(t, "kms"), s3crypto.Options{CommitmentPolicy: keyring.ForbidEncryptAllowDecrypt})
	for _, place := range oraclePlaces[:2] {
		var objects []oracleObject
		for number := range 4 {
			o := oracleObject{
				key:  fmt.Sprintf("%s/%d", place.name, number),
				wrap: "kms", place: place, plaintext: random(50), context: s3Context,
			}
			if number%2 == 0 {
				o.put(t, ours, bytes.NewReader(o.plaintext))
			} else {
				in := &s3.PutObjectInput{Bucket: aws.String(fakeBucket), Key: &o.key, Body: bytes.NewReader(o.plaintext)}
				require.NoError(t, goV1Writers[len(goV1Writers)-1].put(g, in, g.saves(place)))
			}
			objects = append(objects, o)
		}
		for i, o := range objects {
			got, err := g.get(t, 2, o)
			require.NoError(t, err)
			require.Equal(t, o.plaintext, got)
			for _, altered := range c.tamper(t, o, objects[(i+2)%4]) {
				c.requireRefused(t, altered)
				_, err := g.get(t, 2, altered)
				ignored := strings.HasSuffix(altered.key, "/tag length") // they do not look at it
				require.Equal(t, !ignored, err != nil, "%s: %v", altered.key, err)
			}
		}
	}
}
