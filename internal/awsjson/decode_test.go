package awsjson_test

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/internal/awsjson"
)

// kinds has a member of every kind that the services' structures use.
type kinds struct {
	Text      *string
	Enum      types.KeySpec
	Flag      bool
	MaybeFlag *bool
	Int       int32
	MaybeInt  *int32
	Long      int64
	Float     float32
	Double    *float64
	Time      *time.Time
	Blob      []byte
	Struct    *types.Tag
	Plain     types.Tag
	Strings   []string
	Enums     []types.KeySpec
	Structs   []types.Tag
	Blobs     [][]byte
	Lists     [][]string
	Times     []time.Time
	Map       map[string]string
	EnumMap   map[types.KeySpec]string
	ListMap   map[string][]string
	StructMap map[string]types.Tag
	Self      *kinds
	Selves    []kinds

	ResultMetadata func() // never looked at
	hidden         any
}

func TestEveryKind(t *testing.T) {
	t.Parallel()
	const body = `{"Text":"t","Enum":"e","Flag":true,"MaybeFlag":false,"Int":-2147483648,"MaybeInt":0,` +
		`"Long":9223372036854775807,"Float":1.5,"Double":-1e+300,"Time":1.5,"Blob":"AP8=","Struct":{"TagKey":"k"},` +
		`"Plain":{"TagValue":"v"},"Strings":["a",""],"Enums":["b"],"Structs":[{},{"TagKey":"k2"}],"Blobs":["","AQ=="],` +
		`"Lists":[[],["x"]],"Times":[0,-1.001],"Map":{"":"","a":"b"},"EnumMap":{"c":"d"},` +
		`"ListMap":{"e":["f","g"],"h":[]},"StructMap":{"i":{"TagKey":"j"}},` +
		`"Self":{"Flag":false,"Int":1,"Long":2,"Float":0,"Plain":{},` +
		`"Selves":[{"Flag":false,"Int":0,"Long":0,"Float":0,"Plain":{}}]}}`
	want := kinds{
		Text: aws.String("t"), Enum: "e", Flag: true, MaybeFlag: aws.Bool(false), Int: -1 << 31,
		MaybeInt: aws.Int32(0), Long: 1<<63 - 1, Float: 1.5, Double: aws.Float64(-1e300),
		Time: aws.Time(time.UnixMilli(1500).UTC()), Blob: []byte{0, 255},
		Struct: &types.Tag{TagKey: aws.String("k")}, Plain: types.Tag{TagValue: aws.String("v")},
		Strings: []string{"a", ""}, Enums: []types.KeySpec{"b"},
		Structs: []types.Tag{{}, {TagKey: aws.String("k2")}}, Blobs: [][]byte{{}, {1}},
		Lists: [][]string{{}, {"x"}}, Times: []time.Time{time.UnixMilli(0).UTC(), time.UnixMilli(-1001).UTC()},
		Map: map[string]string{"": "", "a": "b"}, EnumMap: map[types.KeySpec]string{"c": "d"},
		ListMap:   map[string][]string{"e": {"f", "g"}, "h": {}},
		StructMap: map[string]types.Tag{"i": {TagKey: aws.String("j")}},
		Self:      &kinds{Int: 1, Long: 2, Selves: []kinds{{}}},
	}
	var got kinds
	require.NoError(t, awsjson.Decode([]byte(body), &got))
	require.Nil(t, got.hidden)
	require.Equal(t, want, got)

	again, err := awsjson.Append(nil, &want)
	require.NoError(t, err)
	require.Equal(t, body, string(again))
}

func TestUnsupported(t *testing.T) {
	t.Parallel()
	for _, v := range []any{
		&struct{ Union any }{},
		&struct{ F func() }{},
		&struct{ UnionPointer *any }{},
		&struct{ Small uint8 }{},
		&struct{ Array [2]string }{},
		&struct{ IntMap map[int32]string }{},
		&struct{ PointerList []*string }{},
		&struct{ PointerMap map[string]*string }{},
		&struct{ ListPointer *[]string }{},
		&struct {
			Deep []struct{ M map[string]chan int }
		}{},
		tooManyMembers(),
		kinds{},
		(*kinds)(nil),
		new(string),
		nil,
	} {
		dst, err := awsjson.Append([]byte("kept"), v)
		require.ErrorContains(t, err, "awsjson: ")
		require.Equal(t, "kept", string(dst))
		err = awsjson.Decode([]byte("{}"), v)
		require.ErrorContains(t, err, "awsjson: ")
		var syntax *awsjson.SyntaxError
		require.NotErrorAs(t, err, &syntax)
	}
}

// TestRefused plants the word "secret" where a value stands and checks that no
// error repeats it.
func TestRefused(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat(`[`, 70) + strings.Repeat(`]`, 70)
	for _, test := range []struct{ body, path, reason string }{
		// Not one object.
		{` `, "", "unexpected end of body"},
		{`null`, "", "NULL_VALUE cannot be converted to Structure"},
		{`"secret"`, "", "STRING_VALUE cannot be converted to Structure"},
		{`[{}]`, "", "Start of list found where not expected"},
		{`{`, "", "unexpected end of body"},
		{`{}{}`, "", "unexpected data behind the object"},
		{`{} secret`, "", "unexpected data behind the object"},
		{"\ufeff{}", "", "unexpected character"},
		{"{}\x00", "", "unexpected data behind the object"},
		// Syntax.
		{`{"Text"}`, "", "want ':'"},
		{`{"Text":}`, "Text", "want a value"},
		{`{"Text":"secret"`, "", "want ',' or '}'"},
		{`{"Text":"secret`, "Text", "want a closing quote"},
		{`{"Text":"secret\`, "Text", "unexpected end of body in an escape"},
		{`{"Text":"secret",}`, "", "want a name in quotes"},
		{`{,"Text":"secret"}`, "", "want a name in quotes"},
		{`{Text:"secret"}`, "", "want a name in quotes"},
		{`{'Text':"secret"}`, "", "want a name in quotes"},
		{`{"Text":'secret'}`, "Text", "want a value"},
		{`{"Text":"secret" "Enum":"x"}`, "", "want ',' or '}'"},
		{`{"Text":nulL}`, "Text", "want a value"},
		{`{"Text":nul`, "Text", "want a value"},
		{`{"Flag":True}`, "Flag", "want a value"},
		{`{"Flag":tru}`, "Flag", "want a value"},
		{`{"Strings":["secret",]}`, "Strings[1]", "want a value"},
		{`{"Strings":[,"secret"]}`, "Strings[0]", "want a value"},
		{`{"Strings":["secret"}`, "Strings", "want ',' or ']'"},
		{"{\"Text\":\"secret\n\"}", "Text", "control character"},
		{"{\"Text\":\"\\n\x1f\"}", "Text", "control character"},
		{`{"Text":"\xsecret"}`, "Text", "unknown escape"},
		{`{"Text":"\u12"}`, "Text", "bad unicode escape"},
		{`{"Text":"\u12g4"}`, "Text", "bad unicode escape"},
		{`{/* secret */}`, "", "want a name in quotes"},
		// Text that is not Unicode.
		{"{\"Text\":\"\xff\"}", "", "invalid UTF-8"},
		{"{\"Unknown\":\"\xc0\xaf\"}", "", "invalid UTF-8"},
		{"{\"\xed\xa0\x80\":1}", "", "invalid UTF-8"},
		{`{"Text":"\ud800"}`, "Text", "unpaired surrogate"},
		{`{"Text":"\ud800\u0041"}`, "Text", "unpaired surrogate"},
		{`{"Text":"\ud800x\udc00"}`, "Text", "unpaired surrogate"},
		{`{"Text":"\udc00\ud800"}`, "Text", "unpaired surrogate"},
		{`{"Unknown":["\udfff"]}`, "", "unpaired surrogate"},
		{`{"\ud800":1}`, "", "unpaired surrogate"},
		// Duplicates.
		{`{"Text":"secret","Text":"secret"}`, "", "member given twice"},
		{`{"Text":null,"Text":"secret"}`, "", "member given twice"},
		{`{"Text":"secret","T\u0065xt":"secret"}`, "", "member given twice"},
		{`{"Unknown":1,"Text":"secret","Unknown":1}`, "", "member given twice"},
		{`{"Unknown":{"a":1,"b":2,"\u0061":3}}`, "", "member given twice"},
		{`{"Unknown":[{"a":{"b":1,"b":2}}]}`, "", "member given twice"},
		{`{"Struct":{"TagKey":"secret","TagKey":"secret"}}`, "Struct", "member given twice"},
		{`{"Map":{"secret":"1","secret":"2"}}`, "Map", "key given twice"},
		{`{"Map":{"secret":"1","\u0073ecret":"2"}}`, "Map", "key given twice"},
		{`{"ListMap":{"secret":[],"secret":[]}}`, "ListMap", "key given twice"},
		// Types.
		{`{"Text":1}`, "Text", "NUMBER_VALUE cannot be converted to String"},
		{`{"Text":true}`, "Text", "TRUE_VALUE cannot be converted to String"},
		{`{"Text":["secret"]}`, "Text", "Start of list found where not expected"},
		{`{"Text":{"secret":1}}`, "Text", "Start of structure or map found where not expected"},
		{`{"Flag":"true"}`, "Flag", "STRING_VALUE cannot be converted to Boolean"},
		{`{"Flag":1}`, "Flag", "NUMBER_VALUE cannot be converted to Boolean"},
		{`{"Int":"1"}`, "Int", "STRING_VALUE cannot be converted to Integer"},
		{`{"Int":false}`, "Int", "FALSE_VALUE cannot be converted to Integer"},
		{`{"Double":"NaN"}`, "Double", "STRING_VALUE cannot be converted to Float"},
		{`{"Double":NaN}`, "Double", "want a value"},
		{`{"Double":-Infinity}`, "Double", "want a digit"},
		{`{"Time":"2020-01-01T00:00:00Z"}`, "Time", "STRING_VALUE cannot be converted to Timestamp"},
		{`{"Blob":[1,2]}`, "Blob", "Start of list found where not expected"},
		{`{"Struct":"secret"}`, "Struct", "STRING_VALUE cannot be converted to Structure"},
		{`{"Struct":[]}`, "Struct", "Start of list found where not expected"},
		{`{"Strings":"secret"}`, "Strings", "STRING_VALUE cannot be converted to List"},
		{`{"Strings":{}}`, "Strings", "Start of structure or map found where not expected"},
		{`{"Strings":["secret",7]}`, "Strings[1]", "NUMBER_VALUE cannot be converted to String"},
		{`{"Map":[]}`, "Map", "Start of list found where not expected"},
		{`{"Map":{"secret":1}}`, "Map.value", "NUMBER_VALUE cannot be converted to String"},
		{`{"StructMap":{"secret":{"TagKey":1}}}`, "StructMap.value.TagKey", "NUMBER_VALUE"},
		{`{"Structs":[{},{"TagValue":1}]}`, "Structs[1].TagValue", "NUMBER_VALUE"},
		{`{"Lists":[[],["secret",{}]]}`, "Lists[1][1]", "Start of structure"},
		// Null has no meaning inside a collection.
		{`{"Strings":[null]}`, "Strings[0]", "NULL_VALUE"},
		{`{"Structs":[null]}`, "Structs[0]", "NULL_VALUE"},
		{`{"Map":{"secret":null}}`, "Map.value", "NULL_VALUE"},
		{`{"ListMap":{"secret":null}}`, "ListMap.value", "NULL_VALUE"},
		// Numbers.
		{`{"Int":2147483648}`, "Int", "out of range"},
		{`{"Int":-2147483649}`, "Int", "out of range"},
		{`{"Long":9223372036854775808}`, "Long", "out of range"},
		{`{"Int":1.0}`, "Int", "not an integer"},
		{`{"Int":1e2}`, "Int", "not an integer"},
		{`{"Int":01}`, "Int", "leading zero"},
		{`{"Int":+1}`, "Int", "want a value"},
		{`{"Int":-}`, "Int", "want a digit"},
		{`{"Double":.5}`, "Double", "want a value"},
		{`{"Double":5.}`, "Double", "want a digit"},
		{`{"Double":5e}`, "Double", "want a digit"},
		{`{"Double":1e999}`, "Double", "out of range"},
		{`{"Float":1e39}`, "Float", "out of range"},
		{`{"Unknown":-01}`, "", "leading zero"},
		{`{"Int":0x10}`, "", "want ',' or '}'"},
		{`{"Int":1_000}`, "", "want ',' or '}'"},
		{`{"Time":253402300800}`, "Time", "time out of range"},
		{`{"Time":-62135596801}`, "Time", "time out of range"},
		{`{"Time":1e400}`, "Time", "time out of range"},
		// Base64.
		{`{"Blob":"secret"}`, "Blob", "bad base64"},
		{`{"Blob":"AA"}`, "Blob", "bad base64"},
		{`{"Blob":"AA="}`, "Blob", "bad base64"},
		{`{"Blob":"AB=="}`, "Blob", "bad base64"},
		{`{"Blob":"AA==AA=="}`, "Blob", "bad base64"},
		{`{"Blob":"AA==\n"}`, "Blob", "bad base64"},
		{`{"Blob":"A\r\nA=="}`, "Blob", "bad base64"},
		{`{"Blob":"_-8="}`, "Blob", "bad base64"},
		{`{"Blob":" AA=="}`, "Blob", "bad base64"},
		// Depth.
		{`{"Unknown":` + deep + `}`, "", "too many nested"},
		{strings.Repeat(`{"Self":`, 70) + `{}` + strings.Repeat(`}`, 70),
			strings.TrimSuffix(strings.Repeat("Self.", 64), "."), "too many nested"},
		{strings.Repeat(`{"Self":`, 63) + `{"Strings":[`, strings.Repeat("Self.", 63) + "Strings", "too many nested"},
		{strings.Repeat(`{"Self":`, 63) + `{"Map":{`, strings.Repeat("Self.", 63) + "Map", "too many nested"},
		{strings.Repeat(`{"x":`, 64) + `[`, "", "too many nested"},
		// Faults behind a map's key.
		{`{"Map":{"secret" "x"}}`, "Map", "want ':'"},
		{`{"Map":{secret:1}}`, "Map", "want a name in quotes"},
	} {
		err := awsjson.Decode([]byte(test.body), new(kinds))
		var syntax *awsjson.SyntaxError
		require.ErrorAs(t, err, &syntax, "%s", test.body)
		require.Contains(t, syntax.Reason, test.reason, "%s", test.body)
		require.Equal(t, test.path, syntax.Path, "%s", test.body)
		require.LessOrEqual(t, syntax.Offset, len(test.body))
		require.NotContains(t, err.Error(), "secret")
		require.Contains(t, err.Error(), syntax.Path)
	}
}

func TestOffset(t *testing.T) {
	t.Parallel()
	for body, offset := range map[string]int{
		`[]`:                             0,
		`{"Flag" : 7}`:                   10,
		"{\"Text\":\"é\xff\"}":           11,
		`{"Text":"a\u12"}`:               10,
		`{"Strings":["a","b",1]}`:        20,
		`{"Flag":true} x`:                14,
		`{"Flag":true,"Unknown":[1,2,]}`: 28,
	} {
		var syntax *awsjson.SyntaxError
		require.ErrorAs(t, awsjson.Decode([]byte(body), new(kinds)), &syntax)
		require.Equal(t, offset, syntax.Offset, "%q", body)
	}
}

// Every proper prefix of a body is refused.
func TestTruncated(t *testing.T) {
	t.Parallel()
	body := []byte(`{"Text":"a\u00e9\ud83d\ude00","Int":-12,"Unknown":[1.5e-3,{"x":null},false],` +
		`"Map":{"k":"v"},"Blob":"AQID","Structs":[{"TagKey":"k"}]}`)
	require.NoError(t, awsjson.Decode(body, new(kinds)))
	for n := 1; n < len(body); n++ {
		var syntax *awsjson.SyntaxError
		require.ErrorAs(t, awsjson.Decode(body[:n], new(kinds)), &syntax, "%s", body[:n])
	}
}

func TestAccepted(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat(`[`, 63) + strings.Repeat(`]`, 63)
	wide := `[` + strings.Repeat(`[],{},`, 100) + `{}]`
	for _, test := range []struct {
		body string
		want kinds
	}{
		{``, kinds{}},
		{`{}`, kinds{}},
		{" \t\r\n{ \n} ", kinds{}},
		{`{"Unknown":[],"other":{"a":[1,-0.5E+7,"x",null,true,false,{}]}}`, kinds{}},
		{`{"Unknown":` + deep + `}`, kinds{}},
		{`{"Unknown":` + wide + `}`, kinds{}},
		{`{"text":"x","TEXT":"y","Text ":"z"}`, kinds{}},
		{`{"ResultMetadata":{},"hidden":1,"":2}`, kinds{}},
		{`{"Text":null,"Enum":null,"Flag":null,"Int":null,"Blob":null,"Map":null,"Struct":null}`, kinds{}},
		{`{"T\u0065xt":"\u0000\u00e9\ud83d\ude00\"\\\/\b\f\n\r\t"}`, kinds{Text: aws.String("\x00é😀\"\\/\b\f\n\r\t")}},
		{`{"Text":"\uFFFD` + "\ufffd\x7f" + `"}`, kinds{Text: aws.String("\ufffd\ufffd\x7f")}},
		{`{"Text":""}`, kinds{Text: aws.String("")}},
		{`{"Int":-0}`, kinds{}},
		{`{"Blob":""}`, kinds{Blob: []byte{}}},
		{`{"Blob":"\/\/8="}`, kinds{Blob: []byte{255, 255}}},
		{`{"Strings":[ ]}`, kinds{Strings: []string{}}},
		{`{"Map":{ }}`, kinds{Map: map[string]string{}}},
		{`{"Map":{"b":"1","a":"2"}}`, kinds{Map: map[string]string{"a": "2", "b": "1"}}},
		{`{"Map":{"a":"1","A":"2"}}`, kinds{Map: map[string]string{"a": "1", "A": "2"}}},
		{`{"Double":1E0}`, kinds{Double: aws.Float64(1)}},
		{`{"Double":1e-999}`, kinds{Double: aws.Float64(0)}},
		{`{"Time":1593622000.191}`, kinds{Time: aws.Time(time.UnixMilli(1593622000191).UTC())}},
		{`{"Time":1.593622000191E9}`, kinds{Time: aws.Time(time.UnixMilli(1593622000191).UTC())}},
		{`{"Time":1565000000.0}`, kinds{Time: aws.Time(time.Unix(1565000000, 0).UTC())}},
		{`{"Time":0.0006}`, kinds{Time: aws.Time(time.UnixMilli(1).UTC())}},
		{`{"Time":-62135596800}`, kinds{Time: &time.Time{}}},
		{`{"Time":253402300799}`, kinds{Time: aws.Time(time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC))}},
	} {
		var got kinds
		require.NoError(t, awsjson.Decode([]byte(test.body), &got), "%s", test.body)
		require.Equal(t, test.want, got, "%s", test.body)
	}
}

// Nothing that was decoded changes when the body's buffer is used again.
func TestDecodeCopies(t *testing.T) {
	t.Parallel()
	body := []byte(`{"KeyId":"key","Plaintext":"c2VjcmV0","EncryptionContext":{"name":"value"},` +
		`"EncryptionAlgorithm":"SYMMETRIC_DEFAULT","GrantTokens":["token"]}`)
	var got kms.EncryptInput
	require.NoError(t, awsjson.Decode(body, &got))
	for i := range body {
		body[i] = 'x'
	}
	require.Equal(t, kms.EncryptInput{
		KeyId:               aws.String("key"),
		Plaintext:           []byte("secret"),
		EncryptionContext:   map[string]string{"name": "value"},
		EncryptionAlgorithm: types.EncryptionAlgorithmSpecSymmetricDefault,
		GrantTokens:         []string{"token"},
	}, got)
}
