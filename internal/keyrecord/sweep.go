package keyrecord

import (
	"encoding/json"
	"fmt"
	"time"
)

// Deleted stands where a key was, from the moment at which the key's own record is deleted
// until all the others are. Without it nobody could tell what is left of a key that was
// deleted from what is left of one that was lost.
type Deleted struct {
	Version int       `json:"v"`
	Date    time.Time `json:"date"`    // of the deletion, as it was scheduled
	Removed time.Time `json:"removed"` // when it came to pass
}

// DeletedName is the store key of the record that stands for a deleted key.
func DeletedName(account, region, id string) string {
	return DeletedPrefix(account, region) + id
}

// DeletedPrefix starts the store keys of the records that stand for deleted keys; the key
// id follows.
func DeletedPrefix(account, region string) string {
	return "kms/" + account + "/" + region + "/deleted/"
}

// Sweep is the last sweep of the store: when it began, by the clock of who did it, and
// whether that clock was trusted. Where it was not, nobody else can rely on the time.
type Sweep struct {
	Version int       `json:"v"`
	Time    time.Time `json:"time"`
	Trusted bool      `json:"trusted"`
}

// SweepName is the store key of the record of the last sweep.
const SweepName = "kms/sweep"

// Marshal returns the record of d.
func (d *Deleted) Marshal() ([]byte, error) {
	d.Version = version
	return json.Marshal(d)
}

// UnmarshalDeleted reads the record that stands for a deleted key.
func UnmarshalDeleted(b []byte) (*Deleted, error) {
	var d Deleted
	if err := json.Unmarshal(b, &d); err != nil {
		return nil, fmt.Errorf("keyrecord: deleted key: %w", err)
	}
	if d.Version != version {
		return nil, fmt.Errorf("keyrecord: deleted key of format %d, this program knows %d", d.Version, version)
	}
	return &d, nil
}

// Marshal returns the record of s.
func (s *Sweep) Marshal() ([]byte, error) {
	s.Version = version
	return json.Marshal(s)
}

// UnmarshalSweep reads the record of a sweep.
func UnmarshalSweep(b []byte) (*Sweep, error) {
	var s Sweep
	if err := json.Unmarshal(b, &s); err != nil {
		return nil, fmt.Errorf("keyrecord: sweep: %w", err)
	}
	if s.Version != version {
		return nil, fmt.Errorf("keyrecord: sweep of format %d, this program knows %d", s.Version, version)
	}
	return &s, nil
}
