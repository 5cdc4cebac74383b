package keyrecord_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/internal/keyrecord"
)

const id = "12345678-1234-4234-8234-123456789abc"

var created = time.Date(2026, 1, 2, 3, 4, 5, 678_000_000, time.UTC)

func secret(b byte) []byte { return bytes.Repeat([]byte{b}, keyrecord.MaterialLen) }

func newKey() *keyrecord.Key {
	deletion := created.Add(time.Hour)
	return &keyrecord.Key{
		Account: "111122223333", Region: "eu-west-1", ID: id,
		Created: created, Enabled: true, Deletion: &keyrecord.Deletion{Days: 7, At: deletion},
		Spec: keyrecord.SpecSymmetric, Usage: "ENCRYPT_DECRYPT", Origin: "AWS_KMS",
		Local: keyrecord.Local{
			Description: "ключ", Policy: `{"<&>"}`,
			Tags: []keyrecord.Tag{{Seq: 1, Key: "a", Value: ""}, {Seq: 18446744073709551615, Key: "b", Value: "\u2028<&>"}}, TagSeq: 18446744073709551615,
			Aliases: []string{"alias/a", "alias/b"}, Notes: map[string]string{"x": "y"},
		},
		Materials: []keyrecord.Material{keyrecord.NewMaterial(id, secret(1), created), keyrecord.NewMaterial(id, secret(2), created)},
	}
}

func TestKeyRoundTrip(t *testing.T) {
	t.Parallel()
	for _, k := range []*keyrecord.Key{newKey(), {
		ID: id, Spec: "HMAC_224", Usage: "GENERATE_VERIFY_MAC", Origin: keyrecord.OriginExternal,
	}} {
		b, err := k.Marshal()
		require.NoError(t, err)
		require.Equal(t, 2, k.Version)
		got, err := keyrecord.UnmarshalKey(b)
		require.NoError(t, err)
		require.Equal(t, k.ARN(), got.ARN())
		again, err := got.Marshal()
		require.NoError(t, err)
		require.JSONEq(t, string(b), string(again))
		require.Equal(t, k.Materials, got.Materials)
		require.Zero(t, got.Local, "it has a record of its own")
	}
}

// TestKeyRecordIsPinned holds the names of the fields: stored records carry them.
func TestKeyRecordIsPinned(t *testing.T) {
	t.Parallel()
	k := newKey()
	k.Materials = k.Materials[:1]
	b, err := k.MarshalLocal()
	require.NoError(t, err)
	require.JSONEq(t, `{"v":2,"changes":1,"description":"ключ","policy":"{\"<&>\"}",
		"tags":[{"seq":1,"key":"a","value":""},{"seq":18446744073709551615,"key":"b","value":"\u2028<&>"}],"tagSeq":18446744073709551615,
		"aliases":["alias/a","alias/b"],"notes":{"x":"y"}}`, string(b))
	require.Contains(t, string(b), "<&>", "each is one byte")
	b, err = k.MarshalMaterials()
	require.NoError(t, err)
	require.Nil(t, b)
	b, err = k.Marshal()
	require.NoError(t, err)
	require.JSONEq(t, `{"v":2,"account":"111122223333","region":"eu-west-1","id":"12345678-1234-4234-8234-123456789abc",
		"created":"2026-01-02T03:04:05.678Z","enabled":true,"deletion":{"days":7,"at":"2026-01-02T04:04:05.678Z"},
		"spec":"SYMMETRIC_DEFAULT","usage":"ENCRYPT_DECRYPT","origin":"AWS_KMS",
		"localChanges":1,
		"materials":[{"id":"`+keyrecord.MaterialID(id, secret(1))+`","bytes":"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=","created":"2026-01-02T03:04:05.678Z"}]}`, string(b))

	k.MultiRegion = &keyrecord.MultiRegion{Primary: k.Region}
	b, err = k.MarshalMaterials()
	require.NoError(t, err)
	require.JSONEq(t, `{"v":2,"materials":[{"id":"`+keyrecord.MaterialID(id, secret(1))+`","bytes":"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=","created":"2026-01-02T03:04:05.678Z"}]}`, string(b))
	b, err = k.Marshal()
	require.NoError(t, err)
	require.NotContains(t, string(b), "materials")

	a := &keyrecord.Alias{Name: "alias/a", Target: id, Created: created, Updated: created.Add(time.Second)}
	b, err = a.Marshal()
	require.NoError(t, err)
	require.JSONEq(t, `{"v":1,"name":"alias/a","target":"12345678-1234-4234-8234-123456789abc",
		"created":"2026-01-02T03:04:05.678Z","updated":"2026-01-02T03:04:06.678Z"}`, string(b))
	got, err := keyrecord.UnmarshalAlias(b)
	require.NoError(t, err)
	require.Equal(t, a, got)
}

func TestRefusedRecords(t *testing.T) {
	t.Parallel()
	material := func(n int) string {
		b, err := json.Marshal(make([]byte, n))
		require.NoError(t, err)
		return `{"id":"x","bytes":` + string(b) + `}`
	}
	const symmetric = `"spec":"SYMMETRIC_DEFAULT","usage":"ENCRYPT_DECRYPT","origin":"AWS_KMS"`
	for record, want := range map[string]string{
		``:                                   "keyrecord: key: unexpected end of JSON input",
		`[]`:                                 "keyrecord: key: json: cannot unmarshal",
		`{"v":2} x`:                          "keyrecord: key: invalid character",
		`{"v":"1"}`:                          "keyrecord: key: json: cannot unmarshal",
		`{}`:                                 "keyrecord: key of format 0, this program knows 2",
		`{"v":9,"materials":1}`:              "keyrecord: key: json: cannot unmarshal",
		`{"v":9}`:                            "keyrecord: key of format 9, this program knows 2",
		`{"v":2,"id":"k"}`:                   "keyrecord: key k has no spec, usage or origin",
		`{"v":2,"id":"k",` + symmetric + `}`: "keyrecord: key k has no material",
		`{"v":2,"id":"k",` + symmetric + `,"materials":[]}`:                                         "keyrecord: key k has no material",
		`{"v":2,"id":"k",` + symmetric + `,"materials":[` + material(31) + `]}`:                     "keyrecord: key k has material of 31 bytes",
		`{"v":2,"id":"k",` + symmetric + `,"materials":[` + material(32) + `,` + material(0) + `]}`: "keyrecord: key k has lost its material x",
		`{"v":2,"id":"k",` + symmetric + `,"deletion":{"days":7}}`:                                  "keyrecord: key k is to be deleted at no date",
	} {
		_, err := keyrecord.UnmarshalKey([]byte(record))
		require.ErrorContains(t, err, want, record)
	}
	for record, want := range map[string]string{
		``:        "keyrecord: alias: unexpected end of JSON input",
		`null`:    "keyrecord: alias of format 0, this program knows 1",
		`{"v":9}`: "keyrecord: alias of format 9, this program knows 1",
	} {
		_, err := keyrecord.UnmarshalAlias([]byte(record))
		require.ErrorContains(t, err, want, record)
	}
}

func FuzzUnmarshal(f *testing.F) {
	b, err := newKey().Marshal()
	require.NoError(f, err)
	f.Add(b)
	f.Add([]byte(`{"v":1,"name":"alias/a","target":"x","created":"2026-01-02T03:04:05Z"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if k, err := keyrecord.UnmarshalKey(b); err == nil {
			again, err := k.Marshal()
			require.NoError(t, err)
			got, err := keyrecord.UnmarshalKey(again)
			require.NoError(t, err)
			require.Equal(t, k.Current(), got.Current())
			require.Equal(t, k.ARN(), got.ARN())
		}
		if a, err := keyrecord.UnmarshalAlias(b); err == nil {
			again, err := a.Marshal()
			require.NoError(t, err)
			_, err = keyrecord.UnmarshalAlias(again)
			require.NoError(t, err)
		}
	})
}

func TestMaterials(t *testing.T) {
	t.Parallel()
	k := newKey()
	require.Equal(t, secret(2), k.Current().Bytes)
	for i := range k.Materials {
		require.Same(t, &k.Materials[i], k.Material(k.Materials[i].ID))
	}
	require.Nil(t, k.Material(""))
	require.Nil(t, k.Material(strings.ToUpper(k.Materials[0].ID)))
}

func TestMaterialID(t *testing.T) {
	t.Parallel()
	// pinned: blobs and answers carry it
	require.Equal(t, "04807175d99fcfe75cbfe8b12dad413bae8b37f87e2a8dc10c62ed020567f06c", keyrecord.MaterialID(id, secret(1)))
	seen := map[string]bool{}
	for _, keyID := range []string{id, "mrk-0123456789abcdef0123456789abcdef"} {
		for m := range byte(3) {
			sum := keyrecord.MaterialID(keyID, secret(m))
			require.Regexp(t, `^[0-9a-f]{64}$`, sum)
			require.NotContains(t, sum, hex.EncodeToString(secret(m))[:16])
			seen[sum] = true
		}
	}
	require.Len(t, seen, 6)
}

func TestMaterialIsNotPrinted(t *testing.T) {
	t.Parallel()
	marker := []byte("MATERIAL-marker-0123456789abcdef")
	m := keyrecord.NewMaterial(id, marker, created)
	k := &keyrecord.Key{ID: id, Materials: []keyrecord.Material{m}}
	for _, v := range []any{m, &m, []keyrecord.Material{m}, k, *k, struct{ K keyrecord.Key }{*k}, k.Current()} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
			text := strings.ToLower(fmt.Sprintf(verb, v))
			require.NotContains(t, text, "marker", verb)
			require.NotContains(t, text, hex.EncodeToString(marker[:8]), verb)
			require.NotContains(t, text, "77, 65, 84", verb)
			require.NotContains(t, text, "77 65 84", verb)
			require.NotContains(t, text, "0x4d, 0x41", verb)
		}
	}
	require.Equal(t, "material "+m.ID, fmt.Sprint(m))
}

func TestNames(t *testing.T) {
	t.Parallel()
	require.Equal(t, "arn:aws:kms:eu-west-1:111122223333:key/"+id, newKey().ARN())
	require.Equal(t, "arn:aws-cn:kms:cn-north-1:111122223333:key/"+id, keyrecord.KeyARN("cn-north-1", "111122223333", id))
	require.Equal(t, "arn:aws-us-gov:kms:us-gov-west-1:111122223333:alias/a/b", keyrecord.AliasARN("us-gov-west-1", "111122223333", "alias/a/b"))
	require.Equal(t, "kms/111122223333/eu-west-1/key/", keyrecord.KeyPrefix("111122223333", "eu-west-1"))
	require.Equal(t, "kms/111122223333/eu-west-1/alias/", keyrecord.AliasPrefix("111122223333", "eu-west-1"))
}
