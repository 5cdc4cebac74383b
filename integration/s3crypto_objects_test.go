package integration

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"maps"
	mathrand "math/rand/v2"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/keyring"
	"github.com/sealring/sealring/local"
	"github.com/sealring/sealring/s3crypto"
)

const (
	s3PartSize  = 5 << 20 // of all parts in these tests, the least that S3 takes
	s3ChunkSize = 1 << 20 // in which bodies that can seek are encrypted
)

// s3Formats are the policies that write format V3 and V2.
var s3Formats = []s3crypto.CommitmentPolicy{keyring.RequireEncryptAllowDecrypt, keyring.ForbidEncryptAllowDecrypt}

// s3Wrap is a way to wrap data keys.
type s3Wrap struct {
	name        string // as Encryption.WrapAlgorithm has it
	wrapper     s3crypto.Wrapper
	context     map[string]string // encryption context
	description map[string]string // material description
}

// newS3Wraps returns all ways to wrap data keys. KMS is the local one.
func newS3Wraps(t *testing.T) []s3Wrap {
	t.Helper()
	description := map[string]string{"name": "Schlüssel 1", "empty": ""}
	key := make([]byte, 32)
	rand.Read(key)
	aesWrapper, err := s3crypto.NewAES(key, &s3crypto.AESOptions{Description: description})
	require.NoError(t, err)
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	rsaWrapper, err := s3crypto.NewRSA(&private.PublicKey, private, &s3crypto.RSAOptions{Description: description})
	require.NoError(t, err)
	cloud, err := local.New(nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, cloud.Close()) })
	kmsWrapper := newKMSWrapper(t, cloud, region)
	return []s3Wrap{
		{"AES/GCM", aesWrapper, nil, description},
		{"RSA-OAEP-SHA1", rsaWrapper, nil, description},
		{"kms+context", kmsWrapper, map[string]string{"tenant": "Österreich", "class": "a\tb"}, nil},
	}
}

// newKMSWrapper returns a wrapper for a new key of the local KMS.
func newKMSWrapper(t *testing.T, cloud *local.Cloud, region string) *s3crypto.KMS {
	t.Helper()
	client := cloud.SDK(region)
	key, err := client.CreateKey(t.Context(), &kms.CreateKeyInput{})
	require.NoError(t, err)
	w, err := s3crypto.NewKMS(client, *key.KeyMetadata.Arn, nil)
	require.NoError(t, err)
	return w
}

// s3Object is an object that is written or was written.
type s3Object struct {
	server  *s3Server
	wrap    s3Wrap
	policy  s3crypto.CommitmentPolicy
	key     string
	content []byte
	put     s3crypto.PutOptions // but for the context

	checksum types.ChecksumAlgorithm // of the SDK's; empty is its default
}

// ownMetadata is what the callers' metadata is.
var ownMetadata = map[string]string{"colour": "blue", "empty": ""}

const ownContentType = "application/x-test"

// client returns a client for the object.
func (o *s3Object) client(t *testing.T, adjust ...func(*s3crypto.Options)) *s3crypto.Client {
	t.Helper()
	return o.clientAt(t, o.server.client(), adjust...)
}

func (o *s3Object) clientAt(t *testing.T, api s3crypto.API, adjust ...func(*s3crypto.Options)) *s3crypto.Client {
	t.Helper()
	options := &s3crypto.Options{CommitmentPolicy: o.policy, PartSize: s3PartSize}
	for _, a := range adjust {
		a(options)
	}
	c, err := s3crypto.New(api, o.wrap.wrapper, options)
	require.NoError(t, err)
	return c
}

// putOptions returns what the object is written with.
func (o *s3Object) putOptions() *s3crypto.PutOptions {
	put := o.put
	put.Context = o.wrap.context
	return &put
}

// getOptions returns what the object is read with.
func (o *s3Object) getOptions() *s3crypto.GetOptions {
	return &s3crypto.GetOptions{Context: o.wrap.context, InstructionSuffix: o.put.InstructionSuffix}
}

func (o *s3Object) putInput() *s3.PutObjectInput {
	return &s3.PutObjectInput{
		Bucket: &o.server.bucket, Key: &o.key,
		Metadata: maps.Clone(ownMetadata), ContentType: aws.String(ownContentType), ChecksumAlgorithm: o.checksum,
	}
}

func (o *s3Object) createInput() *s3.CreateMultipartUploadInput {
	return &s3.CreateMultipartUploadInput{
		Bucket: &o.server.bucket, Key: &o.key,
		Metadata: maps.Clone(ownMetadata), ContentType: aws.String(ownContentType), ChecksumAlgorithm: o.checksum,
	}
}

func (o *s3Object) getInput() *s3.GetObjectInput {
	return &s3.GetObjectInput{Bucket: &o.server.bucket, Key: &o.key}
}

func (o *s3Object) headInput() *s3.HeadObjectInput {
	return &s3.HeadObjectInput{Bucket: &o.server.bucket, Key: &o.key}
}

// fileKey returns the key of the object's instruction file, if it has one.
func (o *s3Object) fileKey() (key string, there bool) {
	if o.put.InstructionFile == nil || !*o.put.InstructionFile {
		return "", false
	}
	if o.put.InstructionSuffix != "" {
		return o.key + o.put.InstructionSuffix, true
	}
	return o.key + ".instruction", true
}

// s3Bytes returns n bytes that look random and are always the same.
func s3Bytes(n int) []byte {
	b := make([]byte, n)
	mathrand.NewChaCha8([32]byte{7}).Read(b)
	return b
}

// listKeys returns what the bucket has.
func (s *s3Server) listKeys(t *testing.T) (keys []string) {
	t.Helper()
	for pages := s3.NewListObjectsV2Paginator(s.client(), &s3.ListObjectsV2Input{Bucket: &s.bucket}); pages.HasMorePages(); {
		page, err := pages.NextPage(context.WithoutCancel(t.Context()))
		require.NoError(t, err)
		for _, object := range page.Contents {
			keys = append(keys, *object.Key)
		}
	}
	return keys
}

// listUploads returns the ids of the uploads that were not completed.
func (s *s3Server) listUploads(t *testing.T) (ids []string) {
	t.Helper()
	out, err := s.client().ListMultipartUploads(t.Context(), &s3.ListMultipartUploadsInput{Bucket: &s.bucket})
	if s.name == gofakes3Name && err != nil {
		requireCode(t, "NoSuchUpload", err) // which it says of a bucket where none was ever begun
		return nil
	}
	require.NoError(t, err)
	require.False(t, aws.ToBool(out.IsTruncated))
	for _, upload := range out.Uploads {
		ids = append(ids, *upload.UploadId)
	}
	return ids
}
