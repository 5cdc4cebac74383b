package endpoint_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const uuidPattern = `^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`

// object parses an answer's body.
func object(t *testing.T, a answer) map[string]any {
	t.Helper()
	require.Equal(t, http.StatusOK, a.status, a.body)
	var v map[string]any
	require.NoError(t, json.Unmarshal([]byte(a.body), &v), "%q", a.body)
	return v
}

func TestMetadataOnTheWire(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	material := object(t, s.post(t, "DescribeKey", `{"KeyId":"alias/site"}`))["KeyMetadata"].(map[string]any)["CurrentKeyMaterialId"].(string)
	require.Regexp(t, "^[0-9a-f]{64}$", material)

	enabled := `{"KeyMetadata":{
		"AWSAccountId": "111122223333",
		"Arn": "` + s.key + `",
		"CreationDate": 1767225600,
		"CurrentKeyMaterialId": "` + material + `",
		"CustomerMasterKeySpec": "SYMMETRIC_DEFAULT",
		"Description": "",
		"Enabled": true,
		"EncryptionAlgorithms": ["SYMMETRIC_DEFAULT"],
		"KeyId": "` + s.keyID() + `",
		"KeyManager": "CUSTOMER",
		"KeySpec": "SYMMETRIC_DEFAULT",
		"KeyState": "Enabled",
		"KeyUsage": "ENCRYPT_DECRYPT",
		"MultiRegion": false,
		"Origin": "AWS_KMS"}}`
	require.JSONEq(t, enabled, s.post(t, "DescribeKey", `{"KeyId":"`+s.key+`"}`).body)

	s.Advance(191 * time.Millisecond)
	a := s.post(t, "ScheduleKeyDeletion", `{"KeyId":"`+s.keyID()+`","PendingWindowInDays":7}`)
	require.Equal(t, http.StatusOK, a.status)
	require.JSONEq(t, `{"DeletionDate":1767830400.191,"KeyId":"`+s.key+`","KeyState":"PendingDeletion","PendingWindowInDays":7}`, a.body)
	require.Contains(t, a.body, "1767830400.191", "a number with its milliseconds, not a rounded or a longer one")

	pending := strings.NewReplacer(
		`"Enabled": true`, `"Enabled": false`,
		`"Enabled",`, `"PendingDeletion",`,
		`"Description": "",`, `"Description": "", "DeletionDate": 1767830400.191,`,
	).Replace(enabled)
	require.JSONEq(t, pending, s.post(t, "DescribeKey", `{"KeyId":"alias/site"}`).body)
}

func TestCryptographyOnTheWire(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	plaintext := []byte{0, 0xff, 0xfe, '"', '\\', '<', 0x7f, 0x80} // + and / occur in its base64
	text := base64.StdEncoding.EncodeToString(plaintext)

	sealed := object(t, s.post(t, "Encrypt", `{"KeyId":"alias/site","Plaintext":"`+text+`","EncryptionContext":{"a":"\u00e9<"}}`))
	blob := sealed["CiphertextBlob"].(string)
	require.Equal(t, map[string]any{"CiphertextBlob": blob, "EncryptionAlgorithm": "SYMMETRIC_DEFAULT", "KeyId": s.key}, sealed)
	raw, err := base64.StdEncoding.Strict().DecodeString(blob)
	require.NoError(t, err)
	require.NotContains(t, string(raw), string(plaintext))

	opened := object(t, s.post(t, "Decrypt", `{"CiphertextBlob":"`+blob+`","EncryptionContext":{"a":"é<"}}`))
	require.Equal(t, map[string]any{
		"EncryptionAlgorithm": "SYMMETRIC_DEFAULT", "KeyId": s.key, "KeyMaterialId": opened["KeyMaterialId"], "Plaintext": text,
	}, opened)

	random := object(t, s.post(t, "GenerateRandom", `{"NumberOfBytes":5}`))
	require.Len(t, random, 1)
	require.Regexp(t, `^[A-Za-z0-9+/]{7}=$`, random["Plaintext"])
}

func TestListsOnTheWire(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	entry := `{"KeyArn":"` + s.key + `","KeyId":"` + s.keyID() + `"}`
	require.JSONEq(t, `{"Keys":[`+entry+`],"Truncated":false}`, s.post(t, "ListKeys", `{}`).body)
	require.JSONEq(t, `{"Tags":[],"Truncated":false}`, s.post(t, "ListResourceTags", `{"KeyId":"`+s.key+`"}`).body)
	require.JSONEq(t, `{"Aliases":[{
		"AliasArn": "arn:aws:kms:us-east-1:111122223333:alias/site",
		"AliasName": "alias/site",
		"CreationDate": 1767225600,
		"LastUpdatedDate": 1767225600,
		"TargetKeyId": "`+s.keyID()+`"}],"Truncated":false}`, s.post(t, "ListAliases", `{}`).body)

	require.Equal(t, http.StatusOK, s.post(t, "CreateKey", `{}`).status)
	page := object(t, s.post(t, "ListKeys", `{"Limit":1}`))
	require.Len(t, page, 3)
	require.Equal(t, true, page["Truncated"])
	rest := object(t, s.post(t, "ListKeys", `{"Limit":1,"Marker":"`+page["NextMarker"].(string)+`"}`))
	require.Equal(t, false, rest["Truncated"])
	require.NotContains(t, rest, "NextMarker")
	require.NotEqual(t, page["Keys"], rest["Keys"])
}

// TestEmptyBodies goes over the network, where an absent body and an empty one are
// told apart by the Content-Length.
func TestEmptyBodies(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	url := s.serve(t)
	id := s.keyID()
	for _, c := range []struct{ operation, body string }{
		{"CreateAlias", `{"AliasName":"alias/other","TargetKeyId":"` + id + `"}`},
		{"UpdateAlias", `{"AliasName":"alias/other","TargetKeyId":"` + id + `"}`},
		{"DeleteAlias", `{"AliasName":"alias/other"}`},
		{"DisableKey", `{"KeyId":"` + id + `"}`},
		{"EnableKey", `{"KeyId":"` + id + `"}`},
		{"TagResource", `{"KeyId":"` + id + `","Tags":[{"TagKey":"a","TagValue":""}]}`},
		{"UntagResource", `{"KeyId":"` + id + `","TagKeys":["a"]}`},
		{"UpdateKeyDescription", `{"KeyId":"` + id + `","Description":""}`},
	} {
		r := newRequest(c.operation, c.body)
		sign(t, r, c.body, signature{})
		a := send(t, url, r)
		require.Equal(t, http.StatusOK, a.status, a.body)
		require.Empty(t, a.body, c.operation)
		require.Equal(t, []string{"0"}, a.header["Content-Length"])
	}
	a := s.post(t, "EnableKey", `{"KeyId":"`+id+`"}`)
	require.Equal(t, "0", a.header.Get("Content-Length"), "also without a server that counts")
	a = s.post(t, "CancelKeyDeletion", `{"KeyId":"`+id+`"}`)
	requireError(t, a, 400, "KMSInvalidStateException", s.key+" is not pending deletion.")
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	url := s.serve(t)
	seen := map[string]bool{}
	for _, c := range []struct {
		name, operation, body, code string
		recorded                    bool
	}{
		{"object", "ListKeys", `{}`, "", true},
		{"empty", "EnableKey", `{"KeyId":"` + s.keyID() + `"}`, "", true},
		{"refusal", "DescribeKey", `{"KeyId":"alias/none"}`, "NotFoundException", true},
		{"no message", "Decrypt", `{"CiphertextBlob":"AAAA"}`, "InvalidCiphertextException", true},
		{"bad body", "ListKeys", `{`, "SerializationException", false},
		{"no operation", "Sign2", `{}`, "UnknownOperationException", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := len(s.Events())
			r := newRequest(c.operation, c.body)
			sign(t, r, c.body, signature{})
			a := send(t, url, r)
			require.Equal(t, []string{"application/x-amz-json-1.1"}, a.header["Content-Type"])
			require.Equal(t, []string{"no-cache, no-store, must-revalidate, private"}, a.header["Cache-Control"])
			require.Equal(t, []string{"0"}, a.header["Expires"])
			require.Equal(t, []string{"no-cache"}, a.header["Pragma"])
			require.Equal(t, c.code, a.header.Get("X-Amzn-Errortype"))
			require.NotContains(t, a.header, "X-Amz-Crc32")
			date, err := http.ParseTime(a.header.Get("Date"))
			require.NoError(t, err)
			require.WithinDuration(t, time.Now(), date, time.Minute)

			id := a.header.Get("X-Amzn-Requestid")
			require.Regexp(t, uuidPattern, id)
			require.False(t, seen[id])
			seen[id] = true
			events := s.Events()[before:]
			if !c.recorded {
				require.Empty(t, events)
				return
			}
			require.Len(t, events, 1)
			require.Equal(t, id, events[0].RequestID)
			require.Equal(t, c.operation, events[0].Name)
			require.Equal(t, c.code, events[0].ErrorCode)
			require.Equal(t, "127.0.0.1", events[0].SourceIP)
			require.Equal(t, rootID, events[0].Identity.AccessKeyID)
		})
	}
}

func TestErrorBodies(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	a := s.post(t, "DescribeKey", `{"KeyId":"alias/none"}`)
	require.Equal(t, `{"__type":"NotFoundException","message":"Alias arn:aws:kms:us-east-1:111122223333:alias/none is not found."}`, a.body)
	require.Equal(t, http.StatusBadRequest, a.status)
	a = s.post(t, "Decrypt", `{"CiphertextBlob":"AAAA"}`)
	require.Equal(t, `{"__type":"InvalidCiphertextException"}`, a.body)
	require.Equal(t, http.StatusBadRequest, a.status)
}

func TestUserAgentIsRecordedWithinBounds(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	for sent, kept := range map[string]string{
		"aws-cli/2":                       "aws-cli/2",
		strings.Repeat("a", 255) + "é":    strings.Repeat("a", 255),
		strings.Repeat("b", 100) + "\xff": strings.Repeat("b", 100),
	} {
		r := newRequest("ListKeys", "")
		r.Header.Set("User-Agent", sent)
		sign(t, r, "", signature{})
		before := len(s.Events())
		require.Equal(t, http.StatusOK, s.do(r).status)
		require.Equal(t, kept, s.Events()[before].UserAgent)
	}
}
