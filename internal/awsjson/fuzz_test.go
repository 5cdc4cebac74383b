package awsjson_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/internal/awsjson"
)

func addBodies(f *testing.F) {
	for _, seed := range []string{
		``, `{}`, `{"Text":"a","Unknown":[1,{"x":null}]}`, `{"a":1,"a":2}`, `{"a":"\ud83d\ude00\ud800"}`,
		`{"Int":1,"Long":-2,"Float":1e3,"Double":0.25,"Time":1593622000.191,"Flag":true,"Blob":"AA=="}`,
		`{"Strings":["a","b"],"Map":{"k":"v"},"ListMap":{"k":["v"]},"StructMap":{"k":{"TagKey":"x"}}}`,
		`{"Self":{"Selves":[{},{"Struct":{"TagKey":"k","TagValue":"v"}}]},"Plain":{"TagKey":null}}`,
		`{"Text":"\u0000\n\\"}` + " \n", `{"x":01}`, `{"x":tru}`, "{\"x\":\"\x80\"}", "\ufeff{}",
		strings.Repeat(`{"Self":`, 65) + "1" + strings.Repeat("}", 65),
	} {
		f.Add([]byte(seed))
	}
}

// What Decode accepts, encoding/json reads as the same values, and what Append
// then writes is decoded to the same structure. What Decode refuses, it refuses
// with a position inside the body.
func FuzzDecode(f *testing.F) {
	addBodies(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		var got kinds
		if err := awsjson.Decode(body, &got); err != nil {
			var syntax *awsjson.SyntaxError
			require.ErrorAs(t, err, &syntax)
			require.True(t, syntax.Offset >= 0 && syntax.Offset <= len(body))
			return
		}
		if len(body) > 0 {
			var want map[string]any
			d := json.NewDecoder(bytes.NewReader(body))
			d.UseNumber()
			require.NoError(t, d.Decode(&want))
			requireSame(t, want, reflect.ValueOf(got))
		}
		again, err := awsjson.Append(nil, &got)
		require.NoError(t, err)
		require.True(t, json.Valid(again))
		var second kinds
		require.NoError(t, awsjson.Decode(again, &second))
		require.Equal(t, got, second)
	})
}

// requireSame checks that v is what the value j, read by encoding/json, means.
func requireSame(t *testing.T, j any, v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		requireSame(t, j, v.Elem())
	case reflect.String:
		require.Equal(t, j, v.String())
	case reflect.Bool:
		require.Equal(t, j, v.Bool())
	case reflect.Int32, reflect.Int64:
		n, err := j.(json.Number).Int64()
		require.NoError(t, err)
		require.Equal(t, n, v.Int())
	case reflect.Float32, reflect.Float64:
		n, err := strconv.ParseFloat(j.(json.Number).String(), v.Type().Bits())
		require.NoError(t, err)
		require.Equal(t, n, v.Float())
	case reflect.Slice:
		if blob, ok := v.Interface().([]byte); ok {
			require.Equal(t, j, base64.StdEncoding.EncodeToString(blob))
			return
		}
		require.Len(t, j, v.Len())
		for i, element := range j.([]any) {
			requireSame(t, element, v.Index(i))
		}
	case reflect.Map:
		require.Len(t, j, v.Len())
		for name, element := range j.(map[string]any) {
			requireSame(t, element, v.MapIndex(reflect.ValueOf(name).Convert(v.Type().Key())))
		}
	case reflect.Struct:
		requireSameStruct(t, j, v)
	}
}

func requireSameStruct(t *testing.T, j any, v reflect.Value) {
	if at, ok := v.Interface().(time.Time); ok {
		seconds, err := j.(json.Number).Float64()
		require.NoError(t, err)
		require.InDelta(t, seconds*1000, float64(at.UnixMilli()), 0.51)
		return
	}
	for i := range v.NumField() {
		name := v.Type().Field(i).Name
		if value := j.(map[string]any)[name]; value != nil && v.Type().Field(i).IsExported() && name != "ResultMetadata" {
			requireSame(t, value, v.Field(i))
		} else {
			require.True(t, v.Field(i).IsZero(), name)
		}
	}
}

// A structure without members accepts every object that is well-formed by the
// package's rules, and nothing else.
func FuzzSyntax(f *testing.F) {
	addBodies(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		if bytes.Contains(bytes.ToLower(body), []byte(`\ud`)) {
			return // may be half a surrogate pair, which encoding/json replaces
		}
		object := bytes.HasPrefix(bytes.TrimLeft(body, " \t\r\n"), []byte("{"))
		want := len(body) == 0 || object && utf8.Valid(body) && json.Valid(body) && wellFormed(body)
		require.Equal(t, want, awsjson.Decode(body, new(struct{})) == nil)
	})
}

// wellFormed checks what json.Valid does not: that no object names a member
// twice, and the depth.
func wellFormed(body []byte) bool {
	d := json.NewDecoder(bytes.NewReader(body))
	return wellFormedValue(d, 0)
}

func wellFormedValue(d *json.Decoder, depth int) bool {
	token, err := d.Token()
	if err != nil {
		return false
	}
	if token != json.Delim('{') && token != json.Delim('[') {
		return true
	}
	ok := depth < 64
	names := make(map[json.Token]bool)
	for d.More() {
		if token == json.Delim('{') {
			name, err := d.Token()
			if err != nil || names[name] {
				ok = false
			}
			names[name] = true
		}
		ok = wellFormedValue(d, depth+1) && ok
	}
	_, err = d.Token()
	return ok && err == nil
}

// Append writes valid JSON for any content, and Decode reads it back.
func FuzzRoundTrip(f *testing.F) {
	f.Add("key", []byte("plaintext"), "name", "value", int64(1593622000191), int32(7), true)
	f.Add("\xff\"\\\n", []byte{}, "", "\u2028\x00", int64(-1), int32(-1), false)
	f.Fuzz(func(t *testing.T, text string, blob []byte, name, value string, ms int64, n int32, flag bool) {
		at := time.UnixMilli(ms % 200_000_000_000_000 / 1000).UTC()
		body, err := awsjson.Append(nil, &kinds{
			Text: &text, Blob: blob, Map: map[string]string{name: value}, Time: &at, MaybeInt: &n,
			Flag: flag, Structs: []types.Tag{{TagKey: &name}, {TagValue: &value}}, Enum: types.KeySpec(value),
			StructMap: map[string]types.Tag{text: {TagKey: &text}}, Double: aws.Float64(float64(ms)),
		})
		require.NoError(t, err)
		require.True(t, json.Valid(body))

		name, value, text = valid(name), valid(value), valid(text)
		var got kinds
		require.NoError(t, awsjson.Decode(body, &got))
		require.Equal(t, kinds{
			Text: &text, Blob: blob, Map: map[string]string{name: value}, Time: &at, MaybeInt: &n,
			Flag: flag, Structs: []types.Tag{{TagKey: &name}, {TagValue: &value}}, Enum: types.KeySpec(value),
			StructMap: map[string]types.Tag{text: {TagKey: &text}}, Double: aws.Float64(float64(ms)),
		}, got)
	})
}

// valid returns s with U+FFFD for each byte that is not UTF-8.
func valid(s string) string { return string([]rune(s)) }
