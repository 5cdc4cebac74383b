package integration

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/keyring"
	"github.com/sealring/sealring/s3crypto"
)

// rawObject is an object as S3 has it.
type rawObject struct {
	metadata map[string]string
	body     []byte
	file     map[string]string // the instruction file, or nil
}

// header is where the data key and the rest of format V2 is.
func (r *rawObject) header() map[string]string {
	if r.file != nil {
		return r.file
	}
	return r.metadata
}

// flip alters a bit of a value in base64.
func (r *rawObject) flip(name string) {
	b, err := base64.StdEncoding.DecodeString(r.header()[name])
	if err != nil || len(b) == 0 {
		panic(name)
	}
	b[len(b)-1] ^= 1
	r.header()[name] = base64.StdEncoding.EncodeToString(b)
}

// s3Alteration does something to an object of format V2 that has content of two blocks or
// more.
type s3Alteration struct {
	name string
	do   func(r *rawObject, wrap string)
}

var s3Alterations = []s3Alteration{
	{"first byte", func(r *rawObject, _ string) { r.body[0] ^= 1 }},
	{"last byte of content", func(r *rawObject, _ string) { r.body[len(r.body)-17] ^= 1 }},
	{"first byte of tag", func(r *rawObject, _ string) { r.body[len(r.body)-16] ^= 128 }},
	{"last byte of tag", func(r *rawObject, _ string) { r.body[len(r.body)-1] ^= 1 }},
	{"byte less", func(r *rawObject, _ string) { r.body = r.body[:len(r.body)-1] }},
	{"byte more", func(r *rawObject, _ string) { r.body = append(r.body, 0) }},
	{"block less", func(r *rawObject, _ string) { r.body = r.body[16:] }},
	{"no tag", func(r *rawObject, _ string) { r.body = r.body[:len(r.body)-16] }},
	{"too short for a tag", func(r *rawObject, _ string) { r.body = r.body[:15] }},
	{"nothing", func(r *rawObject, _ string) { r.body = nil }},
	{"IV", func(r *rawObject, _ string) { r.flip("x-amz-iv") }},
	{"data key", func(r *rawObject, _ string) { r.flip("x-amz-key-v2") }},
	{"content algorithm", func(r *rawObject, _ string) { r.header()["x-amz-cek-alg"] = "AES/CBC/PKCS5Padding" }},
	{"unknown content algorithm", func(r *rawObject, _ string) { r.header()["x-amz-cek-alg"] = "AES/CCM/NoPadding" }},
	{"tag length", func(r *rawObject, _ string) { r.header()["x-amz-tag-len"] = "96" }},
	{"wrap algorithm", func(r *rawObject, wrap string) {
		other := map[string]string{"aes": "RSA-OAEP-SHA1", "rsa": "AES/GCM", "kms": "AES/GCM"}
		r.header()["x-amz-wrap-alg"] = other[wrap]
	}},
	{"description", func(r *rawObject, wrap string) {
		if wrap == "kms" {
			r.header()["x-amz-matdesc"] = strings.Replace(r.header()["x-amz-matdesc"], `"42"`, `"43"`, 1)
			return
		}
		r.header()["x-amz-matdesc"] = "{}" // another key's
	}},
	{"no data key", func(r *rawObject, _ string) { delete(r.header(), "x-amz-key-v2") }},
}

// raw returns an object as S3 has it.
func (c s3Cloud) raw(t *testing.T, o oracleObject) rawObject {
	t.Helper()
	var r rawObject
	r.metadata, r.body = c.rawGet(t, o.key)
	if o.place.file {
		_, text := c.rawGet(t, o.key+".instruction")
		require.NoError(t, json.Unmarshal(text, &r.file))
	}
	return r
}

func (c s3Cloud) rawGet(t *testing.T, key string) (metadata map[string]string, body []byte) {
	t.Helper()
	out, err := c.s3.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String(fakeBucket), Key: &key})
	require.NoError(t, err)
	defer out.Body.Close()
	body, err = io.ReadAll(out.Body)
	require.NoError(t, err)
	return out.Metadata, body
}

func (c s3Cloud) rawPut(t *testing.T, key string, metadata map[string]string, body []byte) {
	t.Helper()
	_, err := c.s3.PutObject(t.Context(), &s3.PutObjectInput{
		Bucket: aws.String(fakeBucket), Key: &key, Metadata: metadata, Body: bytes.NewReader(body),
	})
	require.NoError(t, err)
}

// tamper puts an altered copy of an object beside it, for each alteration, and one whose
// header is that of other.
func (c s3Cloud) tamper(t *testing.T, o, other oracleObject) []oracleObject {
	t.Helper()
	require.GreaterOrEqual(t, len(o.plaintext), 32)
	foreign := c.raw(t, other)
	swap := s3Alteration{"header of another object", func(r *rawObject, _ string) {
		maps.Copy(r.header(), foreign.header())
	}}
	var all []oracleObject
	for _, alteration := range slices.Concat(s3Alterations, []s3Alteration{swap}) {
		altered, r := o, c.raw(t, o)
		altered.key += "/" + alteration.name
		alteration.do(&r, o.wrap)
		c.rawPut(t, altered.key, r.metadata, r.body)
		if r.file != nil {
			text, err := json.Marshal(r.file)
			require.NoError(t, err)
			c.rawPut(t, altered.key+".instruction", nil, text)
		}
		all = append(all, altered)
	}
	return all
}

// requireRefused says that an object cannot be read, and that nothing of it is released
// in the verified mode, by a client that admits all there is.
func (c s3Cloud) requireRefused(t *testing.T, o oracleObject) {
	t.Helper()
	client := c.client(t, c.reader(t, o.wrap, true), s3crypto.Options{
		CommitmentPolicy: keyring.RequireEncryptAllowDecrypt, AllowLegacyCBC: true,
	})
	_, err := o.get(t, client)
	require.Error(t, err, o.key)

	out, err := client.GetStream(t.Context(), o.input(), o.options())
	if err == nil {
		_, err = io.Copy(io.Discard, out.Body)
		out.Body.Close()
	}
	require.Error(t, err, o.key)

	_, err = client.Download(t.Context(), o.input(), &writerAt{}, o.options())
	require.Error(t, err, o.key)
}
