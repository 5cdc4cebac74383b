// Package audit records what was asked of the local cloud and what was answered,
// one [Event] for each request, in the shape of AWS CloudTrail.
//
// A service writes the event after it has decided a request and before it stores
// or answers anything: a [Sink] that fails makes the request fail. Events hold
// names, never plaintext, key bytes, ciphertext or tokens.
package audit

import (
	"context"
	"time"
)

// Event is one request and its outcome. Field names in JSON are CloudTrail's.
//
// Two events may share an ID when a decision had to be taken back: the store
// refused to commit it, or another writer came first. The last one counts.
type Event struct {
	ID        string    `json:"eventID"`
	RequestID string    `json:"requestID"`
	Time      time.Time `json:"eventTime"`
	Source    string    `json:"eventSource"` // such as "kms.amazonaws.com"
	Name      string    `json:"eventName"`   // the operation
	Region    string    `json:"awsRegion"`
	ReadOnly  bool      `json:"readOnly"`
	Identity  Identity  `json:"userIdentity"`
	SourceIP  string    `json:"sourceIPAddress,omitempty"`
	UserAgent string    `json:"userAgent,omitempty"`

	// Resources are the ARNs that the decision was about.
	Resources []string `json:"resources,omitempty"`
	// EncryptionContext is the request's; it is not secret.
	EncryptionContext map[string]string `json:"encryptionContext,omitempty"`

	// ErrorCode and ErrorMessage say why the request was refused; both are empty
	// for a success.
	ErrorCode    string `json:"errorCode,omitempty"`
	ErrorMessage string `json:"errorMessage,omitempty"`
}

// Identity is the principal of a request.
type Identity struct {
	Type        string `json:"type"` // "Root", "IAMUser", "AWSService" … or "Anonymous"
	ARN         string `json:"arn,omitempty"`
	Account     string `json:"accountId,omitempty"`
	AccessKeyID string `json:"accessKeyId,omitempty"`

	// InvokedBy is the service that made the request, for itself or in the principal's
	// name; empty if the principal made it.
	InvokedBy string `json:"invokedBy,omitempty"`
}

// Sink takes events. Record returns nil only when the event is as safe as the
// sink makes it; the caller fails the request otherwise. The sink may keep e: its
// slices and maps are never changed, neither by the sink nor by the caller. A sink is
// safe for concurrent use.
type Sink interface {
	Record(ctx context.Context, e Event) error
}
