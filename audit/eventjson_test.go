package audit_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/audit"
)

func TestEventHasTheShapeOfCloudTrail(t *testing.T) {
	t.Parallel()
	refused := event(1)
	refused.ErrorCode, refused.ErrorMessage, refused.UserAgent = "AccessDenied", "not you", "aws-cli/2"
	refused.Resources = append(refused.Resources, "arn:aws:kms:us-west-2:444455556666:alias/a", "*")
	b, err := json.Marshal(refused)
	require.NoError(t, err)
	require.JSONEq(t, `{
		"eventVersion": "1.11",
		"userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/Alice", "accountId": "111122223333", "accessKeyId": "AKIAEXAMPLE", "userName": "Alice"},
		"eventTime": "2026-01-02T15:04:06.678Z",
		"eventSource": "kms.amazonaws.com",
		"eventName": "Encrypt",
		"awsRegion": "us-west-2",
		"sourceIPAddress": "192.0.2.1",
		"userAgent": "aws-cli/2",
		"errorCode": "AccessDenied",
		"errorMessage": "not you",
		"requestParameters": {"encryptionContext": {"a": "1", "b": "2"}},
		"responseElements": null,
		"requestID": "request-1",
		"eventID": "event-1",
		"readOnly": false,
		"resources": [
			{"accountId": "111122223333", "type": "AWS::KMS::Key", "ARN": "`+keyARN+`"},
			{"accountId": "444455556666", "type": "AWS::KMS::Alias", "ARN": "arn:aws:kms:us-west-2:444455556666:alias/a"},
			{"ARN": "*"}
		],
		"eventType": "AwsApiCall",
		"managementEvent": true,
		"recipientAccountId": "111122223333",
		"eventCategory": "Management"
	}`, string(b))
}

func TestServiceEventHasTheShapeOfCloudTrail(t *testing.T) {
	t.Parallel()
	e := audit.Event{
		ID: "1", RequestID: "2", Time: start, Source: "kms.amazonaws.com", Name: "RotateKey", Region: "us-west-2",
		Identity: audit.Identity{Type: "AWSService", Account: "111122223333"}, Resources: []string{keyARN},
	}
	b, err := json.Marshal(e)
	require.NoError(t, err)
	require.JSONEq(t, `{
		"eventVersion": "1.11",
		"userIdentity": {"accountId": "111122223333", "invokedBy": "AWS Internal"},
		"eventTime": "2026-01-02T15:04:05.678Z",
		"eventSource": "kms.amazonaws.com",
		"eventName": "RotateKey",
		"awsRegion": "us-west-2",
		"sourceIPAddress": "AWS Internal",
		"userAgent": "AWS Internal",
		"requestParameters": null,
		"responseElements": null,
		"requestID": "2",
		"eventID": "1",
		"readOnly": false,
		"resources": [{"accountId": "111122223333", "type": "AWS::KMS::Key", "ARN": "`+keyARN+`"}],
		"eventType": "AwsServiceEvent",
		"managementEvent": true,
		"recipientAccountId": "111122223333",
		"eventCategory": "Management"
	}`, string(b))
}

func TestEventIsReadBack(t *testing.T) {
	t.Parallel()
	chained := event(3)
	chained.Chain = &audit.Link{Engine: "e-1", Seq: 18446744073709551615, MAC: [32]byte{1, 31: 0xff}}
	service := event(4)
	service.Identity = audit.Identity{Type: "AWSService", InvokedBy: "s3.amazonaws.com"}
	own := event(5)
	own.Identity, own.SourceIP = audit.Identity{Type: "AWSService"}, ""
	for _, e := range []audit.Event{{}, event(1), chained, service, own, {Identity: audit.Identity{Type: "Anonymous"}, ReadOnly: true, ErrorCode: "c"}} {
		b, err := json.Marshal(e)
		require.NoError(t, err)
		var got audit.Event
		require.NoError(t, json.Unmarshal(b, &got))
		require.Equal(t, e, got)
		require.Equal(t, b, got.AppendJSON(nil), "the same event has the same bytes")
	}
}

func TestEventRefusesAMalformedLink(t *testing.T) {
	t.Parallel()
	for _, mac := range []string{"", "00", strings.Repeat("0", 63), strings.Repeat("0", 65), strings.Repeat("0", 66), strings.Repeat("g", 64)} {
		var e audit.Event
		require.Error(t, json.Unmarshal([]byte(`{"chain":{"engine":"e","seq":1,"mac":"`+mac+`"}}`), &e), "%q", mac)
	}
	var e audit.Event
	require.Error(t, e.UnmarshalJSON([]byte(`{`)))
}

func TestEventCutsLongTexts(t *testing.T) {
	t.Parallel()
	for n := range 5 { // the cut falls on each byte of a character
		long := strings.Repeat("x", 1021+n) + "\U0001F511" + strings.Repeat("y", 5000)
		e := audit.Event{UserAgent: long, ErrorMessage: long}
		b := e.AppendJSON(nil)
		require.True(t, utf8.Valid(b))
		require.NotContains(t, string(b), "\ufffd")
		require.Less(t, len(b), 2700)
		var got audit.Event
		require.NoError(t, json.Unmarshal(b, &got))
		require.True(t, strings.HasPrefix(long, got.UserAgent))
		require.GreaterOrEqual(t, len(got.UserAgent), 1021)
		require.LessOrEqual(t, len(got.UserAgent), 1024)
		require.Equal(t, got.UserAgent, got.ErrorMessage)
	}
}

func FuzzEventJSON(f *testing.F) {
	f.Add("plain", "\x00\x1f\n\r\t\"\\<>&\x7f", "\xff\xc0\u2028\u2029\ufffd\U0001F511", int64(1767366245678))
	f.Add("arn:aws:kms:eu-west-1:1:key/x", "", "é", int64(0))
	f.Add("x", "\"\xd9", "\xa9", int64(24)) // a character in two halves
	f.Fuzz(func(t *testing.T, a, b, c string, ms int64) {
		e := audit.Event{
			ID: a, RequestID: b, Time: time.UnixMilli(ms % 1e14).UTC(), Source: c, Name: a, Region: b, SourceIP: c,
			UserAgent: a, ErrorCode: b, ErrorMessage: c, Resources: []string{a, b},
			Identity:          audit.Identity{Type: c, ARN: a, Account: b, AccessKeyID: c, InvokedBy: a},
			EncryptionContext: map[string]string{a: b, b: c, c: a},
		}
		line := e.AppendJSON(nil)
		if !json.Valid(line) || !utf8.Valid(line) {
			t.Fatalf("not JSON: %q", line)
		}
		for _, c := range line {
			if c < ' ' {
				t.Fatalf("control character in %q", line)
			}
		}
		var got audit.Event
		require.NoError(t, json.Unmarshal(line, &got))
		valid := func(s string) string { return strings.ToValidUTF8(s, "\ufffd") }
		if utf8.ValidString(a) && utf8.ValidString(b) && utf8.ValidString(c) {
			require.Equal(t, e.ID, got.ID)
			require.Equal(t, e.EncryptionContext, got.EncryptionContext)
			require.Equal(t, e.Resources, got.Resources)
			require.True(t, e.Time.Equal(got.Time))
		}
		require.Equal(t, len(valid(a)) == 0, len(got.ID) == 0)
	})
}
