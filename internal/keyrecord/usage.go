package keyrecord

import (
	"encoding/json"
	"fmt"
	"time"
)

// Usage is the last use of a key for cryptography.
type Usage struct {
	Version   int       `json:"v"`
	Operation string    `json:"operation"`
	Time      time.Time `json:"time"`
	RequestID string    `json:"requestId"`
	EventID   string    `json:"eventId"` // of the audit record
}

// UsageName is the store key of a key's last use.
func UsageName(account, region, keyID string) string {
	return "kms/" + account + "/" + region + "/usage/" + keyID
}

// Marshal returns the record of u.
func (u *Usage) Marshal() ([]byte, error) {
	u.Version = version
	return json.Marshal(u)
}

// UnmarshalUsage reads the record of a use.
func UnmarshalUsage(b []byte) (*Usage, error) {
	var u Usage
	if err := json.Unmarshal(b, &u); err != nil {
		return nil, fmt.Errorf("keyrecord: usage: %w", err)
	}
	if u.Version != version {
		return nil, fmt.Errorf("keyrecord: usage of format %d, this program knows %d", u.Version, version)
	}
	return &u, nil
}
