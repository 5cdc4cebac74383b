package awskms

import (
	"strings"

	"github.com/sealring/sealring/internal/arn"
)

// NewMRK returns a keyring that is aware of multi-Region keys: the key with the
// given ARN, which is that of the replica in the API's Region, also decrypts what
// was encrypted under its replicas in other Regions (Encryption SDK framework,
// "AWS KMS MRK keyring"). KMS is always called in the API's Region. With a key that
// is not a multi-Region key it is as [New], whose rules for arguments hold.
func NewMRK(api API, keyARN string, o *Options) (*Keyring, error) {
	k, err := New(api, keyARN, o)
	if err != nil {
		return nil, err
	}
	k.anyRegion = true
	return k, nil
}

// parseMRK parses the ARN of a multi-Region key, and reports whether s is one. An
// alias is none, whatever its name (Encryption SDK framework, "AWS KMS MRK
// identifier").
func parseMRK(s string) (arn.ARN, bool) {
	a, kind, id, ok := arn.KMSKey(s)
	return a, ok && kind == "key" && strings.HasPrefix(id, "mrk-")
}

// sameMRK reports whether two ARNs name replicas of one multi-Region key, or the
// same one: all but the Region is equal (Encryption SDK framework, "AWS KMS MRK
// match for decrypt").
func sameMRK(a, b string) bool {
	x, ok := parseMRK(a)
	y, also := parseMRK(b)
	x.Region, y.Region = "", ""
	return ok && also && x == y
}
