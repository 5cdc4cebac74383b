package s3crypto_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	kmstypes "github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/keyring"
	"github.com/sealring/sealring/s3crypto"
)

const (
	irelandARN   = "arn:aws:kms:eu-west-1:111122223333:key/11111111-1111-1111-1111-111111111111"
	frankfurtARN = "arn:aws:kms:eu-central-1:444455556666:key/22222222-2222-2222-2222-222222222222"
)

// region is the KMS of one Region, whose one key encrypts by remembering.
type region struct {
	arn  string
	fail func() error

	mu   sync.Mutex
	kept map[string]string // by ciphertext: the context and the plaintext
}

func newRegion(arn string) *region { return &region{arn: arn, kept: make(map[string]string)} }

func remembered(c map[string]string, plaintext string) string {
	text, err := json.Marshal(c)
	if err != nil {
		panic(err)
	}
	return string(text) + plaintext
}

func (r *region) Encrypt(_ context.Context, in *kms.EncryptInput, _ ...func(*kms.Options)) (*kms.EncryptOutput, error) {
	if r.fail != nil {
		if err := r.fail(); err != nil {
			return nil, err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	blob := randomBytes(100)
	r.kept[string(blob)] = remembered(in.EncryptionContext, string(in.Plaintext))
	return &kms.EncryptOutput{KeyId: &r.arn, CiphertextBlob: blob}, nil
}

func (r *region) Decrypt(_ context.Context, in *kms.DecryptInput, _ ...func(*kms.Options)) (*kms.DecryptOutput, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	kept, ok := r.kept[string(in.CiphertextBlob)]
	key, found := bytes.CutPrefix([]byte(kept), []byte(remembered(in.EncryptionContext, "")))
	if !ok || !found {
		return nil, &kmstypes.InvalidCiphertextException{}
	}
	return &kms.DecryptOutput{KeyId: &r.arn, Plaintext: key}, nil
}

func (r *region) GenerateDataKey(context.Context, *kms.GenerateDataKeyInput, ...func(*kms.Options)) (*kms.GenerateDataKeyOutput, error) {
	return nil, &kmstypes.DisabledException{}
}

func (r *region) wrapper(t testing.TB) *s3crypto.KMS {
	w, err := s3crypto.NewKMS(r, r.arn, nil)
	require.NoError(t, err)
	return w
}

func rewrapInput(key string) *s3crypto.RewrapInput {
	return &s3crypto.RewrapInput{Bucket: "bucket", Key: key}
}

func clientOf(t testing.TB, s s3crypto.API, w s3crypto.Wrapper) *s3crypto.Client {
	c, err := s3crypto.New(s, w, &s3crypto.Options{CommitmentPolicy: keyring.RequireEncryptAllowDecrypt, Concurrency: 3})
	require.NoError(t, err)
	return c
}

func otherAES(t testing.TB) s3crypto.Wrapper {
	w, err := s3crypto.NewAES(bytes.Repeat([]byte{9}, 32), nil)
	require.NoError(t, err)
	return w
}

var rsaKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

// TestRewrap has each kind of object go from AES to each kind of wrapper and back, and its
// content stay what it was.
func TestRewrap(t *testing.T) {
	t.Parallel()
	ireland := newRegion(irelandARN)
	rsaWrapper, err := s3crypto.NewRSA(&rsaKey().PublicKey, rsaKey(), nil)
	require.NoError(t, err)
	for _, kind := range kinds {
		for name, to := range map[string]s3crypto.Wrapper{"AES": otherAES(t), "RSA": rsaWrapper, "KMS": ireland.wrapper(t)} {
			t.Run(kind+" to "+name, func(t *testing.T) {
				t.Parallel()
				s, plaintext := newShelf(), numbered(1000)
				o := sealedAs(kind, plaintext)
				o.store(s, "a/key +ü?")
				s.get("a/key +ü?").extra = s3.HeadObjectOutput{ContentType: aws.String("text/plain"), CacheControl: aws.String("no-store"), StorageClass: types.StorageClassStandardIa}
				in := rewrapInput("a/key +ü?")
				c := lenientClient(t, s, nil)
				if !isGCM(kind) {
					_, err := c.Rewrap(t.Context(), in, to, nil)
					require.ErrorIs(t, err, s3crypto.ErrLegacy)
					return
				}
				out, err := c.Rewrap(t.Context(), in, to, &s3crypto.RewrapOptions{DryRun: true})
				require.NoError(t, err)
				for _, call := range s.called() {
					require.NotContains(t, call, "PUT")
					require.NotContains(t, call, "COPY")
				}
				dry := *out

				file, etag := s.get("a/key +ü?.instruction"), s.get("a/key +ü?").etag
				out, err = c.Rewrap(t.Context(), in, to, nil)
				require.NoError(t, err)
				require.Equal(t, dry.InstructionFile, out.InstructionFile)
				require.Equal(t, etag, s.get("a/key +ü?").etag)
				got := s.get("a/key +ü?")
				require.Equal(t, "text/plain", *got.extra.ContentType)
				require.Equal(t, "no-store", *got.extra.CacheControl)
				require.Equal(t, types.StorageClassStandardIa, got.extra.StorageClass)
				require.Equal(t, "entry", got.metadata["own"])
				if o.file != nil {
					require.Equal(t, "a/key +ü?.instruction", out.InstructionFile)
					require.NotEqual(t, file.etag, s.get(out.InstructionFile).etag)
					require.Equal(t, s.get(out.InstructionFile).etag, out.ETag)
					require.Contains(t, s.get(out.InstructionFile).metadata, "x-amz-crypto-instr-file")
				} else {
					require.Empty(t, out.InstructionFile)
					require.Equal(t, got.version, out.VersionID)
				}
				require.True(t, bytes.Equal(o.body, s.bytes("a/key +ü?")))

				_, err = c.Get(t.Context(), getInput("a/key +ü?"), nil)
				require.Error(t, err, "the old wrapper")
				again, err := c.Rewrap(t.Context(), in, to, nil)
				require.NoError(t, err)
				require.True(t, again.Already)

				back, err := clientOf(t, s, to).Rewrap(t.Context(), in, lenientAES(t), nil)
				require.NoError(t, err)
				require.False(t, back.Already)
				s.put("key", s.bytes("a/key +ü?"), s.get("a/key +ü?").metadata)
				if o.file != nil {
					s.put("key.instruction", s.bytes("a/key +ü?.instruction"), nil)
				}
				read, err := readAll(t, c, (*s3crypto.Client).Get, nil)
				require.NoError(t, err)
				require.Equal(t, plaintext, read)
			})
		}
	}
}

// TestRewrapContext goes from one Region's KMS to another's.
func TestRewrapContext(t *testing.T) {
	t.Parallel()
	ireland, frankfurt := newRegion(irelandARN), newRegion(frankfurtARN)
	tenant, other := map[string]string{"tenant": "42"}, map[string]string{"tenant": "43"}
	s := newShelf()
	sealedAs("V3", []byte("hello")).store(s, "key")
	_, err := lenientClient(t, s, nil).Rewrap(t.Context(), rewrapInput("key"), ireland.wrapper(t), &s3crypto.RewrapOptions{NewContext: tenant})
	require.NoError(t, err)

	source := clientOf(t, s, ireland.wrapper(t))
	_, err = source.Rewrap(t.Context(), rewrapInput("key"), frankfurt.wrapper(t), nil)
	require.ErrorIs(t, err, s3crypto.ErrContext)
	required := &s3crypto.RewrapOptions{GetOptions: s3crypto.GetOptions{Context: tenant}}
	_, err = source.Rewrap(t.Context(), rewrapInput("key"), otherAES(t), &s3crypto.RewrapOptions{GetOptions: required.GetOptions, NewContext: tenant})
	require.ErrorIs(t, err, s3crypto.ErrContext, "AES binds none")
	_, err = source.Rewrap(t.Context(), rewrapInput("key"), frankfurt.wrapper(t), required)
	require.NoError(t, err)

	target := clientOf(t, s, frankfurt.wrapper(t))
	got, err := readAll(t, target, (*s3crypto.Client).Get, &s3crypto.GetOptions{Context: tenant})
	require.NoError(t, err)
	require.Equal(t, "hello", string(got))
	_, err = readAll(t, target, (*s3crypto.Client).Get, nil)
	require.ErrorIs(t, err, s3crypto.ErrContext)
	_, err = readAll(t, target, (*s3crypto.Client).Get, &s3crypto.GetOptions{Context: other, AcceptStoredContext: true})
	require.ErrorIs(t, err, s3crypto.ErrContext)
	_, err = readAll(t, target, (*s3crypto.Client).Get, &s3crypto.GetOptions{AcceptStoredContext: true})
	require.NoError(t, err)
	_, encryption, err := target.Head(t.Context(), &s3.HeadObjectInput{Key: aws.String("key")}, nil)
	require.NoError(t, err)
	require.Equal(t, tenant, encryption.Description)

	_, err = target.Rewrap(t.Context(), rewrapInput("key"), ireland.wrapper(t), &s3crypto.RewrapOptions{GetOptions: required.GetOptions, NewContext: other})
	require.NoError(t, err)
	out, err := target.Rewrap(t.Context(), rewrapInput("key"), ireland.wrapper(t), &s3crypto.RewrapOptions{GetOptions: required.GetOptions, NewContext: other})
	require.NoError(t, err)
	require.True(t, out.Already)
	_, err = readAll(t, source, (*s3crypto.Client).Get, &s3crypto.GetOptions{Context: other})
	require.NoError(t, err)
}

func TestRewrapToShare(t *testing.T) {
	t.Parallel()
	s := newShelf()
	o := sealedAs("V3 with file", []byte("hello"))
	o.store(s, "key")
	c, partner := lenientClient(t, s, nil), clientOf(t, s, otherAES(t))
	share := &s3crypto.RewrapOptions{NewSuffix: ".partner"}
	for range 2 { // again, over the first one
		out, err := c.Rewrap(t.Context(), rewrapInput("key"), otherAES(t), share)
		require.NoError(t, err)
		require.Equal(t, "key.partner", out.InstructionFile)
	}
	require.Equal(t, o.file, s.bytes("key.instruction"))
	for _, reader := range []struct {
		c      *s3crypto.Client
		suffix string
	}{{c, ""}, {partner, ".partner"}} {
		got, err := readAll(t, reader.c, (*s3crypto.Client).Get, &s3crypto.GetOptions{InstructionSuffix: reader.suffix})
		require.NoError(t, err)
		require.Equal(t, "hello", string(got))
	}
	_, err := readAll(t, partner, (*s3crypto.Client).Get, nil)
	require.ErrorIs(t, err, s3crypto.ErrAuthentication)

	sealedAs("V3", nil).store(s, "key")
	_, err = c.Rewrap(t.Context(), rewrapInput("key"), otherAES(t), share)
	require.ErrorContains(t, err, "metadata")
}

func TestRewrapRefuses(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		kind   string
		tamper func(s *shelf, in *s3crypto.RewrapInput, o *s3crypto.RewrapOptions)
		want   error
		text   string
	}{
		"another commitment": {"V3", func(s *shelf, _ *s3crypto.RewrapInput, _ *s3crypto.RewrapOptions) {
			s.get("key").metadata["x-amz-d"] = base64Of(randomBytes(28))
		}, s3crypto.ErrCommitment, ""},
		"another data key in the file": {"V3 with file", func(s *shelf, _ *s3crypto.RewrapInput, _ *s3crypto.RewrapOptions) {
			s.put("key.instruction", sealedAs("V3 with file", nil).file, nil)
		}, s3crypto.ErrCommitment, ""},
		"more than S3 copies": {"V3", func(s *shelf, _ *s3crypto.RewrapInput, _ *s3crypto.RewrapOptions) {
			s.get("key").size = 5<<30 + 1
		}, s3crypto.ErrTooLarge, "5 GiB"},
		"missing metadata": {"V3", func(s *shelf, _ *s3crypto.RewrapInput, _ *s3crypto.RewrapOptions) {
			s.get("key").extra.MissingMeta = aws.Int32(1)
		}, s3crypto.ErrResponse, "metadata"},
		"no ETag": {"V3", func(s *shelf, _ *s3crypto.RewrapInput, _ *s3crypto.RewrapOptions) {
			s.get("key").etag = ""
		}, s3crypto.ErrResponse, "ETag"},
		"old version of the file": {"V3 with file", func(s *shelf, _ *s3crypto.RewrapInput, o *s3crypto.RewrapOptions) {
			o.InstructionVersionID = s.get("key.instruction").version
		}, nil, "old version of an instruction file"},
		"changed meanwhile": {"V3", func(s *shelf, _ *s3crypto.RewrapInput, _ *s3crypto.RewrapOptions) {
			s.before = func(call, _ string) error {
				if call == "COPY" {
					s.put("key", randomBytes(100), nil)
				}
				return nil
			}
		}, nil, "PreconditionFailed"},
		"file changed meanwhile": {"V3 with file", func(s *shelf, _ *s3crypto.RewrapInput, _ *s3crypto.RewrapOptions) {
			s.before = func(call, _ string) error {
				if call == "PUT" {
					s.put("key.instruction", randomBytes(100), nil)
				}
				return nil
			}
		}, nil, `"key.instruction"`},
		"no such object": {"V3", func(s *shelf, in *s3crypto.RewrapInput, _ *s3crypto.RewrapOptions) { in.Key = "none" }, nil, "NotFound"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newShelf()
			sealedAs(test.kind, numbered(10)).store(s, "key")
			in, o := rewrapInput("key"), &s3crypto.RewrapOptions{}
			test.tamper(s, in, o)
			_, err := lenientClient(t, s, nil).Rewrap(t.Context(), in, otherAES(t), o)
			require.Error(t, err)
			require.ErrorContains(t, err, test.text)
			if test.want != nil {
				require.ErrorIs(t, err, test.want)
				for _, call := range s.called() {
					require.Contains(t, []string{"HEAD key", "GET key.instruction"}, call)
				}
			}
		})
	}
	_, err := lenientClient(t, newShelf(), nil).Rewrap(t.Context(), rewrapInput("key"), nil, nil)
	require.ErrorContains(t, err, "wrapper")
}

func TestRewrapVersions(t *testing.T) {
	t.Parallel()
	s := newShelf()
	sealedAs("V3", nil).store(s, "key")
	in := rewrapInput("key")
	in.VersionID = s.get("key").version
	var source string
	s.copied = func(in *s3.CopyObjectInput) { source = *in.CopySource }
	c := lenientClient(t, s, nil)
	_, err := c.Rewrap(t.Context(), in, otherAES(t), nil)
	require.NoError(t, err)
	require.Equal(t, "bucket/key?versionId="+in.VersionID, source)

	// An old version, which the shelf does not have: it answers with the newest one.
	in.VersionID = s.get("key").version
	heads := 0
	s.before = func(call, _ string) error {
		if heads++; call == "HEAD" && heads == 2 {
			s.get("key").version = "newer"
		}
		return nil
	}
	_, err = c.Rewrap(t.Context(), in, lenientAES(t), nil)
	require.ErrorContains(t, err, "old version")
}

// TestRewrapCopiesAll looks at what goes into the copy of an object.
func TestRewrapCopiesAll(t *testing.T) {
	t.Parallel()
	s := newShelf()
	sealedAs("V2", nil).store(s, "dir/a+b c")
	until := time.Now().Add(time.Hour)
	head := s3.HeadObjectOutput{
		CacheControl: aws.String("1"), ContentDisposition: aws.String("2"), ContentEncoding: aws.String("3"), ContentLanguage: aws.String("4"),
		ContentType: aws.String("5"), WebsiteRedirectLocation: aws.String("6"), SSEKMSKeyId: aws.String("7"), BucketKeyEnabled: aws.Bool(true),
		ServerSideEncryption: types.ServerSideEncryptionAwsKms, StorageClass: types.StorageClassGlacierIr,
		ObjectLockMode: types.ObjectLockModeGovernance, ObjectLockRetainUntilDate: &until, ObjectLockLegalHoldStatus: types.ObjectLockLegalHoldStatusOn,
		ExpiresString: aws.String("Sun, 06 Nov 1994 08:49:37 GMT"),
	}
	s.get("dir/a+b c").extra = head
	var got s3.CopyObjectInput
	s.copied = func(in *s3.CopyObjectInput) { got = *in }
	in := rewrapInput("dir/a+b c")
	in.ExpectedBucketOwner, in.RequestPayer = "111122223333", types.RequestPayerRequester
	etag := s.get("dir/a+b c").etag
	c := lenientClient(t, s, nil)
	_, err := c.Rewrap(t.Context(), in, otherAES(t), nil)
	require.NoError(t, err)
	require.Equal(t, "bucket/dir/a%2Bb%20c", *got.CopySource)
	require.Equal(t, etag, *got.IfMatch)
	require.Equal(t, etag, *got.CopySourceIfMatch)
	require.Equal(t, types.MetadataDirectiveReplace, got.MetadataDirective)
	require.Equal(t, types.TaggingDirectiveCopy, got.TaggingDirective)
	require.Equal(t, "entry", got.Metadata["own"])
	require.Equal(t, head, s3.HeadObjectOutput{
		CacheControl: got.CacheControl, ContentDisposition: got.ContentDisposition, ContentEncoding: got.ContentEncoding, ContentLanguage: got.ContentLanguage,
		ContentType: got.ContentType, WebsiteRedirectLocation: got.WebsiteRedirectLocation, SSEKMSKeyId: got.SSEKMSKeyId, BucketKeyEnabled: got.BucketKeyEnabled,
		ServerSideEncryption: got.ServerSideEncryption, StorageClass: got.StorageClass,
		ObjectLockMode: got.ObjectLockMode, ObjectLockRetainUntilDate: got.ObjectLockRetainUntilDate, ObjectLockLegalHoldStatus: got.ObjectLockLegalHoldStatus,
		ExpiresString: head.ExpiresString,
	})
	require.Equal(t, 1994, got.Expires.Year())
	require.Equal(t, "111122223333", *got.ExpectedBucketOwner)
	require.Equal(t, "111122223333", *got.ExpectedSourceBucketOwner)
	require.Equal(t, types.RequestPayerRequester, got.RequestPayer)

	in = rewrapInput("dir/a+b c")
	in.Bucket = "arn:aws:s3:eu-west-1:111122223333:accesspoint/mine"
	_, err = clientOf(t, s, otherAES(t)).Rewrap(t.Context(), in, lenientAES(t), nil)
	require.ErrorContains(t, err, "NoSuchKey", "the shelf has no access points")
	require.Equal(t, "arn:aws:s3:eu-west-1:111122223333:accesspoint/mine/object/dir/a%2Bb%20c", *got.CopySource)

	sealedAs("V2", nil).store(s, "key")
	past := time.Now().Add(-time.Hour)
	s.get("key").extra = s3.HeadObjectOutput{ObjectLockMode: types.ObjectLockModeGovernance, ObjectLockRetainUntilDate: &past}
	_, err = c.Rewrap(t.Context(), rewrapInput("key"), otherAES(t), nil)
	require.NoError(t, err)
	require.Empty(t, got.ObjectLockMode, "S3 refuses a date in the past")
	require.Nil(t, got.ObjectLockRetainUntilDate)
}
