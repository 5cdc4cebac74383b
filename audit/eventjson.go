package audit

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/sealring/sealring/internal/arn"
)

// internalCaller stands in records for a service that acted on its own.
const internalCaller = "AWS Internal"

// maxText is CloudTrail's bound for the user agent and the error message, in bytes.
// What is longer is cut off.
const maxText = 1024

// AppendJSON appends the event's JSON to b: one object without line breaks, the same
// bytes for the same event. It has the fields of a CloudTrail management event that an
// [Event] can fill; the encryption context stands alone in requestParameters, and
// eventTime keeps its milliseconds. A user agent or an error message of more than 1 KiB
// is cut, as CloudTrail does. The chain's link comes first if there is one.
func (e *Event) AppendJSON(b []byte) []byte {
	b = append(b, '{')
	if e.Chain != nil {
		b = e.Chain.appendJSON(b)
	}
	b = append(b, `"eventVersion":"1.11","userIdentity":`...)
	b = e.appendIdentity(b)
	b = append(b, `,"eventTime":"`...)
	b = e.Time.UTC().AppendFormat(b, time.RFC3339Nano)
	b = appendMember(append(b, '"'), `,"eventSource":`, e.Source)
	b = appendMember(b, `,"eventName":`, e.Name)
	b = appendMember(b, `,"awsRegion":`, e.Region)
	from, agent, kind := e.SourceIP, e.UserAgent, `,"eventType":"AwsApiCall"`
	if e.ofService() {
		from, agent, kind = internalCaller, internalCaller, `,"eventType":"AwsServiceEvent"`
	}
	b = appendOptional(b, `,"sourceIPAddress":`, from)
	b = appendOptional(b, `,"userAgent":`, cut(agent))
	b = appendOptional(b, `,"errorCode":`, e.ErrorCode)
	b = appendOptional(b, `,"errorMessage":`, cut(e.ErrorMessage))
	b = append(b, `,"requestParameters":`...)
	b = appendContext(b, e.EncryptionContext)
	b = append(b, `,"responseElements":null`...)
	b = appendMember(b, `,"requestID":`, e.RequestID)
	b = appendMember(b, `,"eventID":`, e.ID)
	b = append(b, `,"readOnly":`...)
	b = strconv.AppendBool(b, e.ReadOnly)
	b = appendResources(b, e.Resources)
	b = append(b, kind...)
	b = append(b, `,"managementEvent":true`...)
	b = appendOptional(b, `,"recipientAccountId":`, e.recipient())
	return append(b, `,"eventCategory":"Management"}`...)
}

// MarshalJSON returns what [Event.AppendJSON] appends.
func (e Event) MarshalJSON() ([]byte, error) {
	return e.AppendJSON(make([]byte, 0, 1024)), nil
}

// appendJSON appends the member with which the record of a chained event begins. Its
// exact bytes are part of the log's format.
func (l *Link) appendJSON(b []byte) []byte {
	b = appendMember(b, linkEngine, l.Engine)
	b = append(b, linkSeq...)
	b = strconv.AppendUint(b, l.Seq, 10)
	b = append(b, linkMAC...)
	b = hex.AppendEncode(b, l.MAC[:])
	return append(b, linkEnd...)
}

func (e *Event) appendIdentity(b []byte) []byte {
	id := &e.Identity
	if e.ofService() {
		b = append(b, '{')
		if id.Account != "" {
			b = append(appendMember(b, `"accountId":`, id.Account), ',')
		}
		return append(b, `"invokedBy":"`+internalCaller+`"}`...)
	}
	b = appendMember(b, `{"type":`, id.Type)
	b = appendOptional(b, `,"arn":`, id.ARN)
	b = appendOptional(b, `,"accountId":`, id.Account)
	b = appendOptional(b, `,"accessKeyId":`, id.AccessKeyID)
	if id.Type == "IAMUser" && strings.Contains(id.ARN, ":user/") {
		b = appendMember(b, `,"userName":`, id.ARN[strings.LastIndexByte(id.ARN, '/')+1:])
	}
	b = appendOptional(b, `,"invokedBy":`, id.InvokedBy)
	return append(b, '}')
}

// appendContext appends requestParameters, with the context's pairs in the order of
// their names.
func appendContext(b []byte, context map[string]string) []byte {
	if len(context) == 0 {
		return append(b, "null"...)
	}
	var few [8]string
	names := few[:0]
	for name := range context {
		names = append(names, name)
	}
	slices.Sort(names)
	b = append(b, `{"encryptionContext":`...)
	for i, name := range names {
		b = appendString(append(b, "{,"[min(i, 1)]), name)
		b = appendString(append(b, ':'), context[name])
	}
	return append(b, "}}"...)
}

func appendResources(b []byte, resources []string) []byte {
	if len(resources) == 0 {
		return b
	}
	b = append(b, `,"resources":`...)
	for i, r := range resources {
		b = append(append(b, "[,"[min(i, 1)]), '{')
		if a, ok := arn.Parse(r); ok {
			if a.Account != "" {
				b = append(appendMember(b, `"accountId":`, a.Account), ',')
			}
			if t := resourceType(a); t != "" {
				b = append(appendMember(b, `"type":`, t), ',')
			}
		}
		b = append(appendMember(b, `"ARN":`, r), '}')
	}
	return append(b, ']')
}

// resourceType returns the name of what the ARN is of, empty if it is not one of ours.
func resourceType(a arn.ARN) string {
	kind, _, _ := strings.Cut(a.Resource, "/")
	switch {
	case a.Service == "kms" && kind == "key":
		return "AWS::KMS::Key"
	case a.Service == "kms" && kind == "alias":
		return "AWS::KMS::Alias"
	case a.Service == "ssm" && kind == "parameter":
		return "AWS::SSM::Parameter"
	case a.Service == "secretsmanager" && strings.HasPrefix(a.Resource, "secret:"):
		return "AWS::SecretsManager::Secret"
	}
	return ""
}

// appendMember appends a member whose name, with its punctuation, is given as JSON.
func appendMember(b []byte, name, value string) []byte {
	return appendString(append(b, name...), value)
}

// appendOptional is appendMember unless the value is empty.
func appendOptional(b []byte, name, value string) []byte {
	if value == "" {
		return b
	}
	return appendMember(b, name, value)
}

// cut returns the beginning of s, whole characters of at most maxText bytes.
func cut(s string) string {
	if len(s) <= maxText {
		return s
	}
	n := maxText
	for n > maxText-utf8.UTFMax && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// appendString appends s as a JSON string. What is not UTF-8 becomes U+FFFD; nothing in
// it can end the line or be taken for markup.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); {
		if plain[s[i]] {
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case n == 1 && r != utf8.RuneError:
			b = appendEscape(append(b, s[start:i]...), s[i])
			start = i + n
		case n == 1:
			b = append(append(b, s[start:i]...), "\ufffd"...)
			start = i + n
		case r == '\u2028' || r == '\u2029': // line ends to some readers
			b = append(append(b, s[start:i]...), `\u202`...)
			b = append(b, hexDigits[r&0xf])
			start = i + n
		}
		i += n
	}
	return append(append(b, s[start:]...), '"')
}

// plain are the bytes that stand in a JSON string as they are.
var plain = func() (t [256]bool) {
	for c := ' '; c < 0x7f; c++ {
		t[c] = c != '"' && c != '\\' && c != '<' && c != '>' && c != '&'
	}
	return t
}()

const hexDigits = "0123456789abcdef"

func appendEscape(b []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(b, '\\', c)
	case '\n':
		return append(b, '\\', 'n')
	case '\t':
		return append(b, '\\', 't')
	case '\r':
		return append(b, '\\', 'r')
	}
	return append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&0xf])
}

// record is an event's JSON, to be read.
type record struct {
	Chain *struct {
		Engine string `json:"engine"`
		Seq    uint64 `json:"seq"`
		MAC    string `json:"mac"`
	} `json:"chain"`
	Identity struct {
		Type        string `json:"type"`
		ARN         string `json:"arn"`
		Account     string `json:"accountId"`
		AccessKeyID string `json:"accessKeyId"`
		InvokedBy   string `json:"invokedBy"`
	} `json:"userIdentity"`
	Time         time.Time `json:"eventTime"`
	Source       string    `json:"eventSource"`
	Name         string    `json:"eventName"`
	Region       string    `json:"awsRegion"`
	SourceIP     string    `json:"sourceIPAddress"`
	UserAgent    string    `json:"userAgent"`
	ErrorCode    string    `json:"errorCode"`
	ErrorMessage string    `json:"errorMessage"`
	Parameters   *struct {
		EncryptionContext map[string]string `json:"encryptionContext"`
	} `json:"requestParameters"`
	RequestID string `json:"requestID"`
	ID        string `json:"eventID"`
	ReadOnly  bool   `json:"readOnly"`
	Resources []struct {
		ARN string `json:"ARN"`
	} `json:"resources"`
}

// UnmarshalJSON reads what [Event.MarshalJSON] wrote.
func (e *Event) UnmarshalJSON(b []byte) error {
	var r record
	if err := json.Unmarshal(b, &r); err != nil {
		return fmt.Errorf("audit: event: %v", err)
	}
	*e = Event{
		ID: r.ID, RequestID: r.RequestID, Time: r.Time, Source: r.Source, Name: r.Name,
		Region: r.Region, ReadOnly: r.ReadOnly, Identity: Identity(r.Identity),
		SourceIP: r.SourceIP, UserAgent: r.UserAgent,
		ErrorCode: r.ErrorCode, ErrorMessage: r.ErrorMessage,
	}
	if e.Identity.Type == "" && e.Identity.InvokedBy == internalCaller {
		e.Identity.Type, e.Identity.InvokedBy = "AWSService", ""
		e.SourceIP, e.UserAgent = "", ""
	}
	if r.Parameters != nil {
		e.EncryptionContext = r.Parameters.EncryptionContext
	}
	for _, resource := range r.Resources {
		e.Resources = append(e.Resources, resource.ARN)
	}
	if c := r.Chain; c != nil {
		e.Chain = &Link{Engine: c.Engine, Seq: c.Seq}
		if n, err := hex.Decode(e.Chain.MAC[:], []byte(c.MAC[:min(len(c.MAC), 64)])); err != nil || n != 32 || len(c.MAC) != 64 {
			return fmt.Errorf("audit: event: MAC of the chain is not 64 hexadecimal digits")
		}
	}
	return nil
}
