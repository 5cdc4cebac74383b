package awsjson_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/internal/awsjson"
)

// The tests in this file hold the package against the SDK's own client, for
// every operation of KMS: what the client sends is decoded, and what Append
// writes is given to the client to read.

// operations is how many operations the KMS client has.
const operations = 56

// A wire answers a client's request with a body of the test's choosing.
type wire struct {
	status   int
	response []byte
	request  []byte // the body of the last request
}

func (w *wire) Do(r *http.Request) (*http.Response, error) {
	w.request = nil
	if r.Body != nil {
		var err error
		if w.request, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
	}
	return &http.Response{
		StatusCode: w.status,
		Header:     http.Header{"Content-Type": {"application/x-amz-json-1.1"}},
		Body:       io.NopCloser(bytes.NewReader(w.response)),
	}, nil
}

func newClient(w *wire) *kms.Client {
	return kms.New(kms.Options{
		Region:     "us-east-1",
		HTTPClient: w,
		Retryer:    aws.NopRetryer{},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "secret"}, nil
		}),
	})
}

// An operation is one method of the client, called with the given input.
type operation struct {
	name   string
	input  reflect.Type
	output reflect.Type
}

func (o operation) call(t *testing.T, w *wire, input any) (any, error) {
	method := reflect.ValueOf(newClient(w)).MethodByName(o.name)
	results := method.Call([]reflect.Value{reflect.ValueOf(t.Context()), reflect.ValueOf(input)})
	err, _ := results[1].Interface().(error)
	return results[0].Interface(), err
}

func forEachOperation(t *testing.T, test func(t *testing.T, o operation)) {
	client := reflect.TypeFor[*kms.Client]()
	count := 0
	for i := range client.NumMethod() {
		m := client.Method(i)
		if m.Type.NumIn() != 4 || m.Type.NumOut() != 2 {
			continue // an operation has receiver, context, input and options
		}
		o := operation{m.Name, m.Type.In(2).Elem(), m.Type.Out(0).Elem()}
		count++
		t.Run(o.name, func(t *testing.T) {
			t.Parallel()
			test(t, o)
		})
	}
	require.Equal(t, operations, count)
}

// A filler sets every member of a structure, to another value each time.
type filler struct {
	n     int
	empty bool // collections, blobs and strings behind pointers get no content
}

func (f *filler) new(t reflect.Type) any {
	p := reflect.New(t)
	f.fill(p.Elem())
	return p.Interface()
}

func (f *filler) fill(v reflect.Value) {
	f.n++
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		if f.empty && v.Type().Elem().Kind() == reflect.String {
			return
		}
		f.fill(v.Elem())
	case reflect.String:
		v.SetString("\"\\/\b\f\n\r\t\x00\u007f <&> \u2028 éß 漢 😀 " + strconv.Itoa(f.n))
	case reflect.Bool:
		v.SetBool(!f.empty)
	case reflect.Int32, reflect.Int64:
		v.SetInt(int64(f.n) * 1009)
	case reflect.Slice:
		f.fillSlice(v)
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for range f.size() {
			key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			f.fill(key)
			f.fill(value)
			v.SetMapIndex(key, value)
		}
	case reflect.Struct:
		f.fillStruct(v)
	default:
		panic("cannot fill " + v.Type().String())
	}
}

func (f *filler) size() int {
	if f.empty {
		return 0
	}
	return 2
}

func (f *filler) fillSlice(v reflect.Value) {
	if v.Type().Elem().Kind() == reflect.Uint8 {
		blob := make([]byte, f.n%7*f.size())
		for i := range blob {
			blob[i] = byte(f.n*31 + i*97)
		}
		v.SetBytes(blob)
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), f.size(), f.size()))
	for i := range v.Len() {
		f.fill(v.Index(i))
	}
}

func (f *filler) fillStruct(v reflect.Value) {
	if v.Type() == reflect.TypeFor[time.Time]() {
		v.Set(reflect.ValueOf(time.UnixMilli(1593622000191 + int64(f.n)*86399999).UTC()))
		return
	}
	for i := range v.NumField() {
		if f := v.Type().Field(i); !f.IsExported() || f.Name == "ResultMetadata" {
			continue
		}
		f.fill(v.Field(i))
	}
}

func TestDecodeWhatTheSDKSends(t *testing.T) {
	t.Parallel()
	for name, empty := range map[string]bool{"full": false, "empty": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			forEachOperation(t, func(t *testing.T, o operation) {
				input := (&filler{empty: empty}).new(o.input)
				w := &wire{status: http.StatusOK, response: []byte("{}")}
				_, err := o.call(t, w, input)
				require.NoError(t, err)

				got := reflect.New(o.input).Interface()
				require.NoError(t, awsjson.Decode(w.request, got))
				require.Equal(t, input, got)

				// What Append writes means the same as what the SDK writes,
				// apart from the false booleans that the SDK leaves out.
				if empty {
					return
				}
				body, err := awsjson.Append(nil, input)
				require.NoError(t, err)
				require.JSONEq(t, string(w.request), string(body))
			})
		})
	}
}

func TestSDKReadsWhatAppendWrites(t *testing.T) {
	t.Parallel()
	for name, empty := range map[string]bool{"full": false, "empty": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			forEachOperation(t, func(t *testing.T, o operation) {
				output := (&filler{empty: empty}).new(o.output)
				body, err := awsjson.Append(nil, output)
				require.NoError(t, err)
				require.True(t, json.Valid(body))

				got, err := o.call(t, &wire{status: http.StatusOK, response: body}, (&filler{}).new(o.input))
				require.NoError(t, err)
				reflect.ValueOf(got).Elem().FieldByName("ResultMetadata").SetZero()
				require.Equal(t, output, got)

				again := reflect.New(o.output).Interface()
				require.NoError(t, awsjson.Decode(body, again))
				require.Equal(t, output, again)
			})
		})
	}
}

func TestSDKReadsErrors(t *testing.T) {
	t.Parallel()
	require.Len(t, kms.TypeRegistry.Entries, 48)
	for id, entry := range kms.TypeRegistry.Entries {
		_, code, _ := strings.Cut(id, "#")
		for _, message := range []string{"", "a \"quoted\" text"} {
			w := &wire{status: http.StatusBadRequest, response: awsjson.AppendError(nil, code, message)}
			_, err := newClient(w).ListKeys(t.Context(), nil)
			var api smithy.APIError
			require.ErrorAs(t, err, &api)
			require.IsType(t, entry.New(), api)
			require.Equal(t, code, api.ErrorCode())
			require.Equal(t, message, api.ErrorMessage())
		}
	}
}

// TestSnapshots reads the bodies that come with the SDK as examples of its wire
// format, and writes them again.
func TestSnapshots(t *testing.T) {
	t.Parallel()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/aws/aws-sdk-go-v2/service/kms").Output()
	require.NoError(t, err)
	dir := strings.TrimSpace(string(out))

	forEachOperation(t, func(t *testing.T, o operation) {
		for _, s := range []struct {
			file string
			typ  reflect.Type
		}{
			{"request_snapshot/" + o.name + ".request.snap", o.input},
			{"response_snapshot/" + o.name + ".response.snap", o.output},
		} {
			body := snapshotBody(t, filepath.Join(dir, s.file))
			v := reflect.New(s.typ).Interface()
			require.NoError(t, awsjson.Decode(body, v))
			got, err := awsjson.Append(nil, v)
			require.NoError(t, err)
			if len(body) == 0 {
				body = []byte("{}")
			}
			require.JSONEq(t, string(body), string(got))
		}
	})

	files, err := filepath.Glob(filepath.Join(dir, "response_snapshot", "*.error.snap"))
	require.NoError(t, err)
	require.Len(t, files, 48)
	for _, file := range files {
		code := strings.TrimSuffix(filepath.Base(file), ".error.snap")
		require.JSONEq(t, string(snapshotBody(t, file)), string(awsjson.AppendError(nil, code, "__Message__")))
	}
}

// snapshotBody returns what stands behind the headers in a snapshot.
func snapshotBody(t *testing.T, file string) []byte {
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	end := bytes.LastIndex(text, []byte("\n\n"))
	require.Positive(t, end, "no body in %s", file)
	return text[end+2:]
}

func TestAppendAlwaysSendsPlainBooleans(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		v    any
		want string
	}{
		{&kms.ListKeysOutput{}, `{"Truncated":false}`},
		{&kms.GetKeyRotationStatusOutput{}, `{"KeyRotationEnabled":false}`},
		{&kms.VerifyOutput{}, `{"SignatureValid":false}`},
		{&kms.EncryptOutput{}, `{}`},
		{&kms.ConnectCustomKeyStoreOutput{}, `{}`},
	} {
		got, err := awsjson.Append([]byte("x"), test.v)
		require.NoError(t, err)
		require.Equal(t, "x"+test.want, string(got))
	}
}
