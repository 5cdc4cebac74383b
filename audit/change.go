package audit

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"
	"time"

	"github.com/sealring/sealring/internal/arn"
)

// The detail types of the changes that a local cloud publishes: those that AWS KMS
// sends to EventBridge by itself, and the two that come by way of CloudTrail.
const (
	KeyRotated         = "KMS CMK Rotation"
	KeyMaterialExpired = "KMS Imported Key Material Expiration"
	KeyDeleted         = "KMS CMK Deletion"
	APICall            = "AWS API Call via CloudTrail"
	ServiceEvent       = "AWS Service Event via CloudTrail"
)

// ChangeEvent says that something has changed, in the shape of an EventBridge event,
// which is also its JSON.
type ChangeEvent struct {
	// ID is the same whenever the same change is published, so that who gets it twice,
	// from two engines on one store for instance, can tell.
	ID         string
	DetailType string    // [KeyRotated] and so on
	Source     string    // such as "aws.kms"
	Account    string    // the account of what changed
	Time       time.Time // when it changed; the JSON has whole seconds, as AWS has
	Region     string
	Resources  []string // ARNs of what changed
	Detail     any      // a [KeyDetail] or, by way of CloudTrail, an [Event]
}

// KeyDetail is the detail of [KeyRotated], [KeyMaterialExpired] and [KeyDeleted].
type KeyDetail struct {
	KeyID string `json:"key-id"` // without the rest of the ARN
}

// ChangeSink takes changes. It is told of a change after the change was made, once in
// most cases, but a crash in between loses the change and two engines may both tell of
// it. Publish must not wait for long: the request that made the change waits for it. An
// error is for the sink's own account; the request succeeds all the same. The sink may
// keep e, whose slices and maps are never changed. It is safe for concurrent use.
type ChangeSink interface {
	Publish(ctx context.Context, e ChangeEvent) error
}

// KeyChange returns the event of a change of the KMS key with that ARN. The type is
// [KeyRotated], [KeyMaterialExpired] or [KeyDeleted]; at is when it happened, for an
// expiry or a deletion the time that was set for it, so that everyone who notices it
// publishes the same event.
func KeyChange(detailType, keyARN string, at time.Time) ChangeEvent {
	e := ChangeEvent{
		ID:         changeID(detailType, keyARN, at.UTC().Format(time.RFC3339Nano)),
		DetailType: detailType,
		Source:     "aws.kms",
		Time:       at,
		Resources:  []string{keyARN},
	}
	if a, _, id, ok := arn.KMSKey(keyARN); ok {
		e.Account, e.Region, e.Detail = a.Account, a.Region, KeyDetail{KeyID: id}
	}
	return e
}

// Recorded returns the event that tells of an audited request by way of CloudTrail:
// [APICall], or [ServiceEvent] for what a service did on its own. EventBridge leaves
// out what only reads; so should the caller.
func Recorded(e Event) ChangeEvent {
	c := ChangeEvent{
		ID:         changeID(APICall, e.ID, e.ErrorCode),
		DetailType: APICall,
		Source:     "aws." + strings.TrimSuffix(e.Source, ".amazonaws.com"),
		Account:    e.recipient(),
		Time:       e.Time,
		Region:     e.Region,
		Detail:     e,
	}
	if e.ofService() {
		c.DetailType = ServiceEvent
	}
	return c
}

// MarshalJSON returns the event as EventBridge delivers it.
func (e ChangeEvent) MarshalJSON() ([]byte, error) {
	resources := e.Resources
	if resources == nil {
		resources = []string{}
	}
	detail := e.Detail
	if detail == nil {
		detail = struct{}{}
	}
	return json.Marshal(struct {
		Version    string   `json:"version"`
		ID         string   `json:"id"`
		DetailType string   `json:"detail-type"`
		Source     string   `json:"source"`
		Account    string   `json:"account"`
		Time       string   `json:"time"`
		Region     string   `json:"region"`
		Resources  []string `json:"resources"`
		Detail     any      `json:"detail"`
	}{
		"0", e.ID, e.DetailType, e.Source, e.Account,
		e.Time.UTC().Format(time.RFC3339), e.Region, resources, detail,
	})
}

// changeID derives a UUID of version 8 (RFC 9562 §5.8) from what makes a change the
// change it is.
func changeID(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	sum[6], sum[8] = sum[6]&0x0f|0x80, sum[8]&0x3f|0x80
	h := hex.EncodeToString(sum[:16])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}
