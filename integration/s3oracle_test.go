package integration

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/keyring"
	"github.com/sealring/sealring/s3crypto"
)

// s3Sizes are the lengths of the plaintexts that are exchanged with other clients.
var s3Sizes = []int{0, 1, 15, 16, 17, 1000, 1<<20 + 1}

// s3Place is where an object has its data key: in its metadata, or in an instruction file
// with the usual suffix or its own.
type s3Place struct {
	name   string
	file   bool
	suffix string
}

var oraclePlaces = []s3Place{{name: "metadata"}, {name: "file", file: true}, {name: "own suffix", file: true, suffix: ".mine"}}

// s3Description is the material description of the objects that are written under the
// wrapping keys of an s3Cloud. It has to be escaped to be a header.
var s3Description = map[string]string{"key": "new", "owner": "Zoë =?x?= \"\\"}

// s3Context is their encryption context, under the key of KMS.
var s3Context = map[string]string{"tenant": "42", "größe": "L"}

// s3Cloud is an S3 server with a bucket, a KMS behind a server of its own, and wrapping
// keys of all kinds.
type s3Cloud struct {
	s3URL  string
	s3     *s3.Client
	kms    *endpoint
	sdkKMS *kms.Client
	kmsKey string // its ARN
	aes    []byte
	rsa    *rsa.PrivateKey
}

// otherRSA is a key that nothing is encrypted under.
var otherRSA = sync.OnceValue(newRSA)

func newRSA() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
}

func newS3Cloud(t *testing.T) s3Cloud {
	t.Helper()
	c := s3Cloud{s3URL: fakeS3(t), kms: newEndpoint(t), aes: random(32), rsa: newRSA()}
	c.s3 = newS3(c.s3URL)
	c.sdkKMS = kms.New(kms.Options{
		Region: region, BaseEndpoint: &c.kms.url,
		Credentials: credentials.StaticCredentialsProvider{Value: c.kms.creds},
	})
	out, err := c.sdkKMS.CreateKey(t.Context(), nil)
	require.NoError(t, err)
	c.kmsKey = aws.ToString(out.KeyMetadata.Arn)
	return c
}

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

// writer wraps with the cloud's key: aes, rsa or kms.
func (c s3Cloud) writer(t *testing.T, wrap string) s3crypto.Wrapper {
	t.Helper()
	var w s3crypto.Wrapper
	var err error
	switch wrap {
	case "aes":
		w, err = s3crypto.NewAES(c.aes, &s3crypto.AESOptions{Description: s3Description})
	case "rsa":
		w, err = s3crypto.NewRSA(&c.rsa.PublicKey, nil, &s3crypto.RSAOptions{Description: s3Description})
	default:
		w, err = s3crypto.NewKMS(c.sdkKMS, c.kmsKey, nil)
	}
	require.NoError(t, err)
	return w
}

// reader unwraps with the cloud's key. Raw ones are not the first of the reader's: the
// material description has to be found.
func (c s3Cloud) reader(t *testing.T, wrap string, legacy bool) s3crypto.Wrapper {
	t.Helper()
	var w s3crypto.Wrapper
	var err error
	switch wrap {
	case "aes":
		w, err = s3crypto.NewAES(random(32), &s3crypto.AESOptions{
			DecryptionKeys: []s3crypto.AESKey{{Description: s3Description, Key: c.aes}},
			AllowECB:       legacy,
		})
	case "rsa":
		w, err = s3crypto.NewRSA(nil, otherRSA(), &s3crypto.RSAOptions{
			DecryptionKeys: []s3crypto.RSAKey{{Description: s3Description, Key: c.rsa}},
			AllowPKCS1v15:  legacy,
		})
	default:
		w, err = s3crypto.NewKMS(c.sdkKMS, c.kmsKey, &s3crypto.KMSOptions{AllowWithoutContext: legacy})
	}
	require.NoError(t, err)
	return w
}

// client returns a client of ours.
func (c s3Cloud) client(t *testing.T, w s3crypto.Wrapper, o s3crypto.Options) *s3crypto.Client {
	t.Helper()
	client, err := s3crypto.New(c.s3, w, &o)
	require.NoError(t, err)
	return client
}

// oracleObject is an object that somebody has written.
type oracleObject struct {
	key       string
	wrap      string // aes, rsa or kms
	legacyKey bool   // its data key is wrapped in a way that binds nothing
	cbc       bool
	format    string
	place     s3Place
	context   map[string]string
	plaintext []byte
}

func (o oracleObject) input() *s3.GetObjectInput {
	return &s3.GetObjectInput{Bucket: aws.String(fakeBucket), Key: &o.key}
}

func (o oracleObject) options() *s3crypto.GetOptions {
	return &s3crypto.GetOptions{Context: o.context, InstructionSuffix: o.place.suffix}
}

// get reads an object into memory, with Get.
func (o oracleObject) get(t *testing.T, client *s3crypto.Client) ([]byte, error) {
	t.Helper()
	out, err := client.Get(t.Context(), o.input(), o.options())
	if err != nil {
		return nil, err
	}
	defer out.Body.Close()
	b, err := io.ReadAll(out.Body)
	require.NoError(t, err)
	require.EqualValues(t, len(b), *out.ContentLength)
	return b, nil
}

// requireReadable reads an object in every way that there is, and says that it is refused
// without any one of the options that it needs.
func (c s3Cloud) requireReadable(t *testing.T, o oracleObject) {
	t.Helper()
	admits := s3crypto.Options{CommitmentPolicy: keyring.RequireEncryptAllowDecrypt, AllowLegacyCBC: o.cbc}
	client := c.client(t, c.reader(t, o.wrap, o.legacyKey), admits)
	got, err := o.get(t, client)
	require.NoError(t, err)
	require.True(t, bytes.Equal(o.plaintext, got))
	o.requireStream(t, client)
	o.requireHead(t, client)
	o.requireParts(t, client)

	_, err = o.get(t, c.client(t, c.reader(t, o.wrap, o.legacyKey), s3crypto.Options{AllowLegacyCBC: o.cbc}))
	require.ErrorIs(t, err, s3crypto.ErrPolicy)
	if o.cbc {
		_, err = o.get(t, c.client(t, c.reader(t, o.wrap, o.legacyKey), s3crypto.Options{CommitmentPolicy: admits.CommitmentPolicy}))
		require.ErrorIs(t, err, s3crypto.ErrLegacy)
	}
	if o.legacyKey {
		_, err = o.get(t, c.client(t, c.reader(t, o.wrap, false), admits))
		require.ErrorIs(t, err, s3crypto.ErrLegacy)
	}
	if o.context != nil {
		other := o
		other.context = maps.Clone(o.context)
		other.context["tenant"] = "43"
		for _, other.context = range []map[string]string{nil, {}, other.context} {
			_, err = other.get(t, client)
			require.ErrorIs(t, err, s3crypto.ErrContext)
		}
	}
	if o.place.suffix != "" {
		o.place.suffix = ""
		_, err = o.get(t, client)
		require.ErrorIs(t, err, s3crypto.ErrNotEncrypted)
	}
}

func (o oracleObject) requireStream(t *testing.T, client *s3crypto.Client) {
	t.Helper()
	out, err := client.GetStream(t.Context(), o.input(), o.options())
	require.NoError(t, err)
	defer out.Body.Close()
	got, err := io.ReadAll(out.Body)
	require.NoError(t, err)
	require.True(t, bytes.Equal(o.plaintext, got))
	require.Equal(t, !o.cbc, out.Body.(*s3crypto.UnverifiedBody).Verified())
}

func (o oracleObject) requireHead(t *testing.T, client *s3crypto.Client) {
	t.Helper()
	_, e, err := client.Head(t.Context(), &s3.HeadObjectInput{Bucket: aws.String(fakeBucket), Key: &o.key}, o.options())
	require.NoError(t, err)
	require.Equal(t, o.format, e.Format)
	require.EqualValues(t, len(o.plaintext), e.Length)
	require.Equal(t, o.place.file, e.InstructionFile)
	want := s3Description
	if o.wrap == "kms" {
		want = o.context
	}
	require.Equal(t, len(want), len(e.Description))
	require.True(t, maps.Equal(want, e.Description), "%q", e.Description)
}

// requireParts reads ranges, and all of the object in ranges.
func (o oracleObject) requireParts(t *testing.T, client *s3crypto.Client) {
	t.Helper()
	n := len(o.plaintext)
	if o.cbc {
		in := o.input()
		in.Range = aws.String("bytes=0-0")
		_, err := client.GetRangeUnauthenticated(t.Context(), in, o.options())
		require.ErrorIs(t, err, s3crypto.ErrLegacy)
		return
	}
	whole := &writerAt{}
	_, err := client.Download(t.Context(), o.input(), whole, o.options())
	require.NoError(t, err)
	require.True(t, bytes.Equal(o.plaintext, whole.b))
	if n == 0 {
		return
	}
	for _, r := range [][2]int{{0, 0}, {n / 3, 2 * n / 3}, {n - 1, n - 1}} {
		in := o.input()
		in.Range = aws.String(fmt.Sprintf("bytes=%d-%d", r[0], r[1]))
		out, err := client.GetRangeUnauthenticated(t.Context(), in, o.options())
		require.NoError(t, err)
		got, err := io.ReadAll(out.Body)
		require.NoError(t, err)
		require.NoError(t, out.Body.Close())
		require.True(t, bytes.Equal(o.plaintext[r[0]:r[1]+1], got))
	}
}

// writerAt keeps in memory what is written.
type writerAt struct {
	mu sync.Mutex
	b  []byte
}

func (w *writerAt) WriteAt(p []byte, off int64) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if end := int(off) + len(p); end > len(w.b) {
		w.b = append(w.b, make([]byte, end-len(w.b))...)
	}
	return copy(w.b[off:], p), nil
}

// s3Way is a way to write an object.
type s3Way struct {
	name  string
	sizes []int
	put   func(*testing.T, *s3crypto.Client, oracleObject)
}

var s3Ways = []s3Way{
	{"seekable", s3Sizes, func(t *testing.T, client *s3crypto.Client, o oracleObject) {
		o.put(t, client, bytes.NewReader(o.plaintext))
	}},
	{"unseekable", []int{0, 17, 2*s3PartSize + 1}, func(t *testing.T, client *s3crypto.Client, o oracleObject) {
		o.put(t, client, io.MultiReader(bytes.NewReader(o.plaintext)))
	}},
	{"parts", []int{1, 2 * s3PartSize}, putParts},
}

func (o oracleObject) putOptions() *s3crypto.PutOptions {
	return &s3crypto.PutOptions{Context: o.context, InstructionFile: &o.place.file, InstructionSuffix: o.place.suffix}
}

func (o oracleObject) put(t *testing.T, client *s3crypto.Client, body io.Reader) {
	t.Helper()
	_, err := client.Put(t.Context(), &s3.PutObjectInput{
		Bucket: aws.String(fakeBucket), Key: &o.key, Body: body,
		Metadata: map[string]string{"mine": "too"},
	}, o.putOptions())
	require.NoError(t, err)
}

// putParts sends the last part first.
func putParts(t *testing.T, client *s3crypto.Client, o oracleObject) {
	t.Helper()
	in := &s3.CreateMultipartUploadInput{Bucket: aws.String(fakeBucket), Key: &o.key}
	u, err := client.CreateUpload(t.Context(), in, o.putOptions())
	require.NoError(t, err)
	parts := slices.Collect(slices.Chunk(o.plaintext, s3PartSize))
	for i, part := range slices.Backward(parts) {
		require.NoError(t, u.Part(t.Context(), int32(i+1), bytes.NewReader(part)))
	}
	_, err = u.Complete(t.Context(), nil)
	require.NoError(t, err)
}

// writeV2 writes objects of format V2 with every wrap in every place and every way.
func (c s3Cloud) writeV2(t *testing.T, wraps []string) []oracleObject {
	t.Helper()
	var all []oracleObject
	for _, wrap := range wraps {
		client := c.client(t, c.writer(t, wrap), s3crypto.Options{
			CommitmentPolicy: keyring.ForbidEncryptAllowDecrypt, PartSize: s3PartSize,
		})
		for _, way := range s3Ways {
			for i, n := range way.sizes {
				for _, place := range oraclePlaces {
					if n > s3PartSize && place != oraclePlaces[i%len(oraclePlaces)] {
						continue // large ones are in one place each
					}
					o := oracleObject{
						key:  fmt.Sprintf("%s/%s/%s/%d", wrap, way.name, place.name, n),
						wrap: wrap, place: place, plaintext: random(n),
					}
					if wrap == "kms" {
						o.context = s3Context
					}
					way.put(t, client, o)
					all = append(all, o)
				}
			}
		}
	}
	return all
}
