package branchkey

import (
	"encoding/hex"
	"fmt"
)

// version is a branch key's version: the bytes of a UUID, as they stand in a message.
type version [16]byte

// parseVersion reads the text of a UUID in lower case, 8-4-4-4-12 digits, the one
// form that String gives. The error is ErrVersion.
func parseVersion(s string) (v version, err error) {
	if len(s) == 36 {
		digits := s[:8] + s[9:13] + s[14:18] + s[19:23] + s[24:]
		if _, err := hex.Decode(v[:], []byte(digits)); err == nil && v.String() == s {
			return v, nil
		}
	}
	return version{}, fmt.Errorf("%w: %.100q", ErrVersion, s)
}

// String returns the UUID's text.
func (v version) String() string {
	return fmt.Sprintf("%x-%x-%x-%x-%x", v[:4], v[4:6], v[6:8], v[8:10], v[10:])
}
