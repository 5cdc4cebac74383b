package awsjson_test

import (
	"encoding/json"
	"math"
	"reflect"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	smithytime "github.com/aws/smithy-go/time"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/internal/awsjson"
)

func tooManyMembers() any {
	fields := make([]reflect.StructField, 129)
	for i := range fields {
		fields[i] = reflect.StructField{Name: "F" + strconv.Itoa(i), Type: reflect.TypeFor[string]()}
	}
	return reflect.New(reflect.StructOf(fields)).Interface()
}

func TestAppendEscapes(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"":                    `""`,
		"plain":               `"plain"`,
		"\"\\/":               `"\"\\/"`,
		"\b\f\n\r\t":          `"\b\f\n\r\t"`,
		"\x00\x1f\x7f":        `"\u0000\u001f` + "\x7f\"",
		"<é&漢>😀\u2028\ufffd":  "\"<é&漢>😀\u2028\ufffd\"",
		"a\xffb\xc3":          "\"a\ufffdb\ufffd\"",
		"\xed\xa0\x80":        "\"\ufffd\ufffd\ufffd\"",
		"end with a quote \"": `"end with a quote \""`,
	} {
		got, err := awsjson.Append(nil, &struct{ S *string }{&in})
		require.NoError(t, err)
		require.Equal(t, `{"S":`+want+`}`, string(got))
	}
}

func TestAppendFloat(t *testing.T) {
	t.Parallel()
	for want, f := range map[string]float64{
		"0": 0, "-1.5": -1.5, "1e+300": 1e300, "0.1": 0.1,
		`"NaN"`: math.NaN(), `"Infinity"`: math.Inf(1), `"-Infinity"`: math.Inf(-1),
	} {
		got, err := awsjson.Append(nil, &struct{ F float64 }{f})
		require.NoError(t, err)
		require.Equal(t, `{"F":`+want+`}`, string(got))
	}
	got, err := awsjson.Append(nil, &struct{ F float32 }{0.1})
	require.NoError(t, err)
	require.Equal(t, `{"F":0.1}`, string(got))
}

func TestAppendTime(t *testing.T) {
	t.Parallel()
	for want, at := range map[string]time.Time{
		"1593622000.191": time.UnixMilli(1593622000191),
		"1593622000.19":  time.UnixMilli(1593622000190).Add(999_999),
		"1593622000.1":   time.UnixMilli(1593622000100),
		"1593622000.001": time.UnixMilli(1593622000001),
		"1593622000.01":  time.UnixMilli(1593622000010),
		"1593622000.101": time.UnixMilli(1593622000101),
		"1593622000":     time.Unix(1593622000, 0),
		"0":              time.Unix(0, 0),
		"-0.001":         time.Unix(0, -1),
		"-1.5":           time.UnixMilli(-1500),
		"-62135596800":   {},
	} {
		got, err := awsjson.Append(nil, &struct{ T *time.Time }{&at})
		require.NoError(t, err)
		require.Equal(t, `{"T":`+want+`}`, string(got))
	}
}

// The SDK multiplies the seconds by 1000 as a float64 and cuts off what is behind
// the point, which loses a millisecond now and then, but for none of the times
// that the service will have to send before October 2037.
func TestSDKReadsTimesExactly(t *testing.T) {
	t.Parallel()
	start := time.Date(2005, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli()
	end := time.Date(2037, 10, 1, 0, 0, 0, 0, time.UTC).UnixMilli()
	buf := make([]byte, 0, 64)
	for ms := start; ms < end; ms += 10_000_019 {
		at := time.UnixMilli(ms).UTC()
		body, err := awsjson.Append(buf, &struct{ T *time.Time }{&at})
		require.NoError(t, err)
		seconds, err := strconv.ParseFloat(string(body[len(`{"T":`):len(body)-1]), 64)
		require.NoError(t, err)
		require.Equal(t, at, smithytime.ParseEpochSeconds(seconds))
	}
}

func TestAppendError(t *testing.T) {
	t.Parallel()
	require.Equal(t, `{"__type":"InvalidCiphertextException"}`,
		string(awsjson.AppendError(nil, "InvalidCiphertextException", "")))
	require.Equal(t, `>{"__type":"NotFoundException","message":"no \"key\""}`,
		string(awsjson.AppendError([]byte(">"), "NotFoundException", `no "key"`)))
	body := awsjson.AppendError(nil, "NotFoundException", "a\"b\xff\n")
	var got map[string]string
	require.NoError(t, json.Unmarshal(body, &got))
	require.Equal(t, map[string]string{"__type": "NotFoundException", "message": "a\"b\ufffd\n"}, got)
}

// Many goroutines may use a type for the first time at once.
func TestConcurrentFirstUse(t *testing.T) {
	t.Parallel()
	type fresh struct {
		Name *string
		Next *fresh
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			want := fresh{aws.String("a"), &fresh{Name: aws.String("b")}}
			body, err := awsjson.Append(nil, &want)
			if err != nil {
				t.Error(err)
			}
			var got fresh
			if err := awsjson.Decode(body, &got); err != nil {
				t.Error(err)
			}
			if !reflect.DeepEqual(want, got) {
				t.Errorf("got %s", body)
			}
		}()
	}
	wg.Wait()
}
