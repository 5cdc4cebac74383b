package s3crypto

import "fmt"

// suite is the algorithm of an object's content, by the number that the specification
// gives it ("Algorithm suites").
type suite uint16

const (
	// suiteCBC is AES-256-CBC with PKCS #7 padding: nothing authenticates it.
	suiteCBC suite = 0x0070
	// suiteGCM is AES-256-GCM under the data key itself.
	suiteGCM suite = 0x0072
	// suiteCommitting is AES-256-GCM under a key that is derived from the data key,
	// with a commitment to the data key.
	suiteCommitting suite = 0x0073
)

const (
	gcmNonceSize   = 12
	gcmTagSize     = 16
	cbcBlockSize   = 16
	messageIDSize  = 28
	commitmentSize = 28
)

// name is what stands for the suite in metadata. It is also what wraps bind.
func (s suite) name() string {
	switch s {
	case suiteCBC:
		return "AES/CBC/PKCS5Padding"
	case suiteGCM:
		return "AES/GCM/NoPadding"
	case suiteCommitting:
		return "115"
	}
	return fmt.Sprintf("suite 0x%04x", uint16(s))
}

// String returns the suite's name.
func (s suite) String() string { return s.name() }

// format returns the format that new objects of the suite have.
func (s suite) format() format {
	if s == suiteCommitting {
		return formatV3
	}
	return formatV2
}

// ivSize returns the length of the IV that an object of format V1 or V2 has.
func (s suite) ivSize() int {
	if s == suiteCBC {
		return cbcBlockSize
	}
	return gcmNonceSize
}
