package keyring

import (
	"crypto/rand"
	"crypto/sha512"
	"encoding/binary"
	"slices"
	"time"
)

// cacheID names an entry of a [MaterialsCache]: the SHA-384 hash of all on which the
// materials depend. No two different requests have the same bytes hashed, because
// every part of variable length follows its length or count:
//
//	scope       1 byte: 1 for a partition with a name, 0 for one of a manager's own;
//	            partition; u64 maximum age in nanoseconds
//	u8          1 for encryption, 2 for decryption
//	u64         commitment policy
//	u16         suite as it was asked for, 0 for the policy's default
//
//	encryption  count, required keys in ascending order; context
//	decryption  count, of each encrypted data key, in the message's order,
//	            provider, info, ciphertext; stored context; reproduced context
//
// Numbers are big-endian. Strings follow their length, contexts the u16 length of
// their serialisation; other lengths, and counts, are uvarints, because most requests
// then fit one block of the hash. The framework's ids (Encryption SDK framework,
// "Caching cryptographic materials manager", "Cache entry identifiers") lack the policy,
// the required keys and the reproduced context, without which one caller could be given
// what was checked for another.
type cacheID [sha512.Size384]byte

// The kinds of entries.
const (
	encryptionEntry = 1
	decryptionEntry = 2
)

// newScope returns how the ids of a manager begin. A manager without a partition
// gets one that no other has.
func newScope(partition string, maxAge time.Duration) []byte {
	named := []byte{1}
	if partition == "" {
		named[0], partition = 0, rand.Text()
	}
	return binary.BigEndian.AppendUint64(appendPart(named, partition), uint64(maxAge))
}

// encryptionID returns the id of the entry that answers r. It fails if r's context
// cannot be serialised.
func (c *MaterialsCache) encryptionID(scope []byte, r *EncryptionRequest) (cacheID, error) {
	buffer := c.buffers.Get().(*[]byte)
	defer c.buffers.Put(buffer)
	var err error
	*buffer, err = appendEncryptionRequest(append((*buffer)[:0], scope...), r)
	return sha512.Sum384(*buffer), err
}

// decryptionID returns the id of the entry that answers r. It fails if r's contexts
// cannot be serialised.
func (c *MaterialsCache) decryptionID(scope []byte, r *DecryptionRequest) (cacheID, error) {
	buffer := c.buffers.Get().(*[]byte)
	defer c.buffers.Put(buffer)
	var err error
	*buffer, err = appendDecryptionRequest(append((*buffer)[:0], scope...), r)
	return sha512.Sum384(*buffer), err
}

func appendEncryptionRequest(b []byte, r *EncryptionRequest) ([]byte, error) {
	b = appendSuite(append(b, encryptionEntry), r.CommitmentPolicy, r.Suite)
	required := r.RequiredContextKeys
	if !slices.IsSorted(required) {
		required = slices.Sorted(slices.Values(required))
	}
	b = binary.AppendUvarint(b, uint64(len(required)))
	for _, k := range required {
		b = appendPart(b, k)
	}
	return appendContext(b, r.Context)
}

func appendDecryptionRequest(b []byte, r *DecryptionRequest) ([]byte, error) {
	b = appendSuite(append(b, decryptionEntry), r.CommitmentPolicy, r.Suite)
	b = binary.AppendUvarint(b, uint64(len(r.EncryptedDataKeys)))
	for _, k := range r.EncryptedDataKeys {
		b = appendPart(appendPart(appendPart(b, k.Provider), k.Info), k.Ciphertext)
	}
	b, err := appendContext(b, r.Context)
	if err != nil {
		return b, err
	}
	return appendContext(b, r.Reproduced)
}

func appendSuite(b []byte, p CommitmentPolicy, s Suite) []byte {
	return binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint64(b, uint64(p)), uint16(s))
}

// appendPart appends the length of part and part.
func appendPart[T string | []byte](b []byte, part T) []byte {
	return append(binary.AppendUvarint(b, uint64(len(part))), part...)
}

// appendContext appends the length of c's serialisation and that.
func appendContext(b []byte, c EncryptionContext) ([]byte, error) {
	length := len(b)
	b, err := c.AppendBinary(append(b, 0, 0))
	binary.BigEndian.PutUint16(b[length:], uint16(len(b)-length-2)) // AppendBinary bounds it
	return b, err
}
