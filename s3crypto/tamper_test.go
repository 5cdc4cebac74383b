package s3crypto_test

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/keyring"
	"github.com/sealring/sealring/s3crypto"
)

// TestTampering has the rows of what must fail, and how.
func TestTampering(t *testing.T) {
	t.Parallel()
	strict := func(o *s3crypto.Options) {
		o.CommitmentPolicy, o.AllowLegacyCBC = keyring.RequireEncryptRequireDecrypt, true
	}
	forbid := func(o *s3crypto.Options) {
		o.CommitmentPolicy, o.AllowLegacyCBC = keyring.ForbidEncryptAllowDecrypt, false
	}
	id := base64Of(randomBytes(28))
	for name, test := range map[string]struct {
		kind   string
		set    func(*s3crypto.Options)
		tamper func(*sealedObject)
		want   error
		text   string
	}{
		"V2 dressed as V3":                                {"V2", strict, func(o *sealedObject) { o.metadata["x-amz-c"] = "115" }, s3crypto.ErrMetadata, "x-amz-c"},
		"V2 dressed as V3, with a wrap":                   {"V2", nil, func(o *sealedObject) { o.metadata["x-amz-w"] = "02" }, s3crypto.ErrMetadata, "x-amz-w"},
		"V2 under a strict policy":                        {"V2", strict, nil, s3crypto.ErrPolicy, ""},
		"V2 with file under it":                           {"V2 with file", strict, nil, s3crypto.ErrPolicy, ""},
		"CBC under it":                                    {"V2 CBC", strict, nil, s3crypto.ErrPolicy, ""},
		"CBC without its option":                          {"V2 CBC", forbid, nil, s3crypto.ErrLegacy, "AllowLegacyCBC"},
		"V1 without the option":                           {"V1", forbid, nil, s3crypto.ErrLegacy, "AllowLegacyCBC"},
		"two data keys":                                   {"V3", nil, func(o *sealedObject) { o.metadata["x-amz-key-v2"] = o.metadata["x-amz-3"] }, s3crypto.ErrMetadata, "V2"},
		"unknown algorithm":                               {"V3", nil, func(o *sealedObject) { o.metadata["x-amz-c"] = "114" }, s3crypto.ErrMetadata, "unknown"},
		"other commitment":                                {"V3", nil, func(o *sealedObject) { o.metadata["x-amz-d"] = id }, s3crypto.ErrCommitment, ""},
		"short commitment":                                {"V3", nil, func(o *sealedObject) { o.metadata["x-amz-d"] = base64Of(randomBytes(27)) }, s3crypto.ErrCommitment, ""},
		"long commitment":                                 {"V3", nil, func(o *sealedObject) { o.metadata["x-amz-d"] = base64Of(randomBytes(29)) }, s3crypto.ErrCommitment, ""},
		"other message id":                                {"V3", nil, func(o *sealedObject) { o.metadata["x-amz-i"] = id }, s3crypto.ErrCommitment, ""},
		"commitment moved to the file":                    {"V3 with file", nil, func(o *sealedObject) { o.move("x-amz-d"); o.move("x-amz-c"); o.move("x-amz-i") }, s3crypto.ErrMetadata, "instruction file"},
		"commitment in the file, under the laxest policy": {"V3 with file", forbid, func(o *sealedObject) { o.add("x-amz-d", id) }, s3crypto.ErrMetadata, "x-amz-d"},
		"commitment removed":                              {"V3 with file", nil, func(o *sealedObject) { clear(o.metadata) }, s3crypto.ErrMetadata, "V3"},
		"no data key":                                     {"V3", nil, func(o *sealedObject) { delete(o.metadata, "x-amz-3"); delete(o.metadata, "x-amz-w") }, s3crypto.ErrMetadata, "key.instruction"},
		"no file for V3":                                  {"V3 with file", nil, func(o *sealedObject) { o.file = nil }, s3crypto.ErrMetadata, "key.instruction"},
		"no file for V2":                                  {"V2 with file", nil, func(o *sealedObject) { o.file = nil }, s3crypto.ErrNotEncrypted, "key.instruction"},
		"plain":                                           {"V3", nil, func(o *sealedObject) { clear(o.metadata) }, s3crypto.ErrNotEncrypted, ""},
		"attacker's key in the file of V3": {"V3 with file", nil, func(o *sealedObject) {
			o.add("x-amz-3", wrapped(wrappingKey, randomBytes(32), "115"))
		}, s3crypto.ErrCommitment, ""},
		"attacker's key in the file of V2": {"V2 with file", nil, func(o *sealedObject) {
			o.add("x-amz-key-v2", wrapped(wrappingKey, randomBytes(32), "AES/GCM/NoPadding"))
		}, s3crypto.ErrAuthentication, ""},
		"another wrapping key": {"V3", nil, func(o *sealedObject) {
			o.metadata["x-amz-3"] = wrapped(randomBytes(32), randomBytes(32), "115")
		}, s3crypto.ErrAuthentication, ""},
		"short IV":                                {"V2", nil, func(o *sealedObject) { o.metadata["x-amz-iv"] = base64Of(randomBytes(11)) }, s3crypto.ErrMetadata, "x-amz-iv"},
		"GCM renamed CBC":                         {"V2", nil, func(o *sealedObject) { o.metadata["x-amz-cek-alg"] = "AES/CBC/PKCS5Padding" }, s3crypto.ErrMetadata, ""},
		"GCM renamed CBC, with its IV":            {"V2", nil, func(o *sealedObject) { o.relabelCBC() }, s3crypto.ErrMetadata, "AES/GCM"},
		"V3 dressed as V2, under a strict policy": {"V3", strict, func(o *sealedObject) { o.downgrade() }, s3crypto.ErrPolicy, ""},
		"V3 dressed as V2":                        {"V3", nil, func(o *sealedObject) { o.downgrade() }, s3crypto.ErrAuthentication, ""},
		"huge file":                               {"V3 with file", nil, func(o *sealedObject) { o.add("x", strings.Repeat("x", 64<<10)) }, s3crypto.ErrMetadata, ""},
		"file that is no file":                    {"V3 with file", nil, func(o *sealedObject) { o.file = o.body }, s3crypto.ErrMetadata, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := sealedAs(test.kind, numbered(100))
			if test.tamper != nil {
				test.tamper(o)
			}
			s := newShelf()
			o.store(s, "key")
			c := lenientClient(t, s, test.set)
			ranged := func(c *s3crypto.Client, ctx context.Context, in *s3.GetObjectInput, o *s3crypto.GetOptions) (*s3.GetObjectOutput, error) {
				in.Range = aws.String("bytes=0-9")
				return c.GetRangeUnauthenticated(ctx, in, o)
			}
			gets := map[string]getter{"get": (*s3crypto.Client).Get, "stream": (*s3crypto.Client).GetStream, "range": ranged}
			if name == "attacker's key in the file of V2" {
				delete(gets, "range") // nothing tells
			}
			for way, get := range gets {
				got, err := readAll(t, c, get, nil)
				require.ErrorIs(t, err, test.want, way)
				require.ErrorContains(t, err, test.text, way)
				require.Empty(t, got, way)
			}
		})
	}
}

func (o *sealedObject) add(name, value string) {
	o.file = bytes.Replace(o.file, []byte(`"`+name+`"`), []byte(`"ignored"`), 1)
	o.file = append([]byte(`{"`+name+`":"`+value+`",`), o.file[1:]...)
}

func (o *sealedObject) move(name string) {
	o.add(name, o.metadata[name])
	delete(o.metadata, name)
}

func (o *sealedObject) relabelCBC() {
	o.metadata["x-amz-cek-alg"], o.metadata["x-amz-iv"] = "AES/CBC/PKCS5Padding", base64Of(randomBytes(16))
	delete(o.metadata, "x-amz-tag-len")
}

// downgrade makes an object of format V3 look like one of V2, as far as that can be had
// without a key.
func (o *sealedObject) downgrade() {
	o.metadata = map[string]string{
		"x-amz-key-v2": o.metadata["x-amz-3"], "x-amz-iv": base64Of(bytes.Repeat([]byte{1}, 12)), "x-amz-matdesc": "{}",
		"x-amz-wrap-alg": "AES/GCM", "x-amz-cek-alg": "AES/GCM/NoPadding", "x-amz-tag-len": "128",
	}
}
