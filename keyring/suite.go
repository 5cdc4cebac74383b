package keyring

import (
	"fmt"

	"github.com/sealring/sealring/internal/suite"
)

// Suite is an algorithm suite, by its two-byte id on the wire. The zero value
// stands for the default of the commitment policy in force.
type Suite uint16

// The algorithm suites of the AWS Encryption SDK (message format, "Supported
// algorithm suites"). The last two commit to the data key and are the only ones
// that the default commitment policy admits.
const (
	AES128GCMNoKDF                        Suite = 0x0014
	AES192GCMNoKDF                        Suite = 0x0046
	AES256GCMNoKDF                        Suite = 0x0078
	AES128GCMHKDFSHA256                   Suite = 0x0114
	AES192GCMHKDFSHA256                   Suite = 0x0146
	AES256GCMHKDFSHA256                   Suite = 0x0178
	AES128GCMHKDFSHA256ECDSAP256          Suite = 0x0214
	AES192GCMHKDFSHA384ECDSAP384          Suite = 0x0346
	AES256GCMHKDFSHA384ECDSAP384          Suite = 0x0378
	AES256GCMHKDFSHA512CommitKey          Suite = 0x0478
	AES256GCMHKDFSHA512CommitKeyECDSAP384 Suite = 0x0578
)

// Suites returns every known suite in ascending order of id.
func Suites() []Suite {
	var ids []Suite
	for _, s := range suite.All() {
		ids = append(ids, Suite(s.ID))
	}
	return ids
}

// DataKeyLen returns the length in bytes of the suite's data key, 0 for an
// unknown suite.
func (s Suite) DataKeyLen() int {
	if i := suite.Lookup(uint16(s)); i != nil {
		return i.KeyLen
	}
	return 0
}

// Committing reports whether the suite's messages commit to the data key, so
// that one message cannot decrypt to two plaintexts under two keys.
func (s Suite) Committing() bool {
	i := suite.Lookup(uint16(s))
	return i != nil && i.Committing
}

// Signed reports whether the suite's messages end in an ECDSA signature.
func (s Suite) Signed() bool {
	i := suite.Lookup(uint16(s))
	return i != nil && i.Signed()
}

// String returns the Encryption SDK's enumeration name, or the id in
// hexadecimal for an unknown suite.
func (s Suite) String() string {
	if i := suite.Lookup(uint16(s)); i != nil {
		return i.Name
	}
	return fmt.Sprintf("suite 0x%04X", uint16(s))
}

// CommitmentPolicy says which suites may be written and read. The zero value
// is the strictest. See the Encryption SDK specification, "Commitment policy".
type CommitmentPolicy int

const (
	// RequireEncryptRequireDecrypt writes and reads committing suites only.
	RequireEncryptRequireDecrypt CommitmentPolicy = iota
	// RequireEncryptAllowDecrypt writes committing suites only and reads all:
	// for data that older clients have written.
	RequireEncryptAllowDecrypt
	// ForbidEncryptAllowDecrypt writes suites without commitment only and reads
	// all: for readers that are too old to know commitment.
	ForbidEncryptAllowDecrypt
)

// String returns the policy's name in the Encryption SDK.
func (p CommitmentPolicy) String() string {
	switch p {
	case RequireEncryptRequireDecrypt:
		return "REQUIRE_ENCRYPT_REQUIRE_DECRYPT"
	case RequireEncryptAllowDecrypt:
		return "REQUIRE_ENCRYPT_ALLOW_DECRYPT"
	case ForbidEncryptAllowDecrypt:
		return "FORBID_ENCRYPT_ALLOW_DECRYPT"
	}
	return fmt.Sprintf("CommitmentPolicy(%d)", int(p))
}

// EncryptionSuite returns the suite to encrypt with when s is asked for: s
// itself, or the policy's default if s is zero. The error is
// [ErrCommitmentPolicy] if the policy forbids to write s, and [ErrUnknownSuite]
// if there is no such suite.
func (p CommitmentPolicy) EncryptionSuite(s Suite) (Suite, error) {
	committing := p != ForbidEncryptAllowDecrypt
	if s == 0 {
		if committing {
			return AES256GCMHKDFSHA512CommitKeyECDSAP384, p.known()
		}
		// The specification's text says 0078 here; every shipped
		// implementation writes 0378.
		return AES256GCMHKDFSHA384ECDSAP384, nil
	}
	if s.DataKeyLen() == 0 {
		return 0, fmt.Errorf("%w: %v", ErrUnknownSuite, s)
	}
	if s.Committing() != committing {
		return 0, fmt.Errorf("%w: %v does not encrypt with %v", ErrCommitmentPolicy, p, s)
	}
	return s, p.known()
}

// CheckDecryption returns [ErrCommitmentPolicy] if the policy forbids to read
// messages of suite s, and [ErrUnknownSuite] if there is no such suite.
func (p CommitmentPolicy) CheckDecryption(s Suite) error {
	if s.DataKeyLen() == 0 {
		return fmt.Errorf("%w: %v", ErrUnknownSuite, s)
	}
	if p == RequireEncryptRequireDecrypt && !s.Committing() {
		return fmt.Errorf("%w: %v does not decrypt %v", ErrCommitmentPolicy, p, s)
	}
	return p.known()
}

func (p CommitmentPolicy) known() error {
	if p < RequireEncryptRequireDecrypt || p > ForbidEncryptAllowDecrypt {
		return fmt.Errorf("%w: %v is not a policy", ErrCommitmentPolicy, p)
	}
	return nil
}
