package s3crypto

import (
	"encoding/base64"
	"fmt"
	"maps"
	"strings"
)

// The names of user metadata and of the members of instruction files (S3 Encryption
// Client specification, "Content metadata mapkeys").
const (
	nameKeyV1       = "x-amz-key"
	nameKeyV2       = "x-amz-key-v2"
	nameIV          = "x-amz-iv"
	nameDescription = "x-amz-matdesc"
	nameWrap        = "x-amz-wrap-alg"
	nameSuite       = "x-amz-cek-alg"
	nameTagLength   = "x-amz-tag-len"
	nameLength      = "x-amz-unencrypted-content-length"

	nameKeyV3         = "x-amz-3"
	nameWrapV3        = "x-amz-w"
	nameDescriptionV3 = "x-amz-m" // of raw wraps
	nameContextV3     = "x-amz-t" // of KMS
	nameSuiteV3       = "x-amz-c"
	nameCommitmentV3  = "x-amz-d"
	nameMessageIDV3   = "x-amz-i"

	// nameInstruction marks an instruction file in its own metadata, where the writer
	// cared to.
	nameInstruction = "x-amz-crypto-instr-file"
)

// keyNames has the name of each format's encrypted data key.
var keyNames = [...]string{formatV1: nameKeyV1, formatV2: nameKeyV2, formatV3: nameKeyV3}

const (
	inV1 = 1 << formatV1
	inV2 = 1 << formatV2
	inV3 = 1 << formatV3
)

// nameFormats says in which formats a name may have a value. Python's client leaves the
// tag length on objects of format V3.
var nameFormats = map[string]int{
	nameKeyV1: inV1, nameKeyV2: inV2, nameKeyV3: inV3,
	nameIV: inV1 | inV2, nameDescription: inV1 | inV2,
	nameWrap: inV2, nameSuite: inV2,
	nameTagLength: inV1 | inV2 | inV3, nameLength: inV1 | inV2 | inV3,
	nameWrapV3: inV3, nameDescriptionV3: inV3, nameContextV3: inV3,
	nameSuiteV3: inV3, nameCommitmentV3: inV3, nameMessageIDV3: inV3,
}

// maxFields is how many bytes the names and values together may have.
const maxFields = 64 << 10

// fields are the names and values of one place, metadata or an instruction file: names in
// lower case, known ones only, and no empty values.
type fields map[string]string

// put adds a field. An empty value is none at all: some writers leave those.
func (f fields) put(name, value string) error {
	name = strings.ToLower(name)
	if _, known := nameFormats[name]; !known || value == "" {
		return nil
	}
	if _, twice := f[name]; twice {
		return fmt.Errorf("%w: %s twice", ErrMetadata, name)
	}
	f[name] = value
	return nil
}

// format returns the format that the encrypted data key belongs to, or 0 if there is
// none. The error is ErrMetadata if there are several, or a field of another format.
func (f fields) format() (found format, err error) {
	for i, name := range keyNames {
		if f[name] == "" {
			continue
		}
		if found != 0 {
			return 0, fmt.Errorf("%w: data keys of %v and of %v", ErrMetadata, found, format(i))
		}
		found = format(i)
	}
	for name := range f {
		if found != 0 && nameFormats[name]&(1<<found) == 0 {
			return 0, fmt.Errorf("%w: %s in format %v", ErrMetadata, name, found)
		}
	}
	return found, nil
}

// bytes decodes a value. There is one way only to write bytes: padded, and with no spare
// bits set.
func (f fields) bytes(name string) ([]byte, error) {
	value := f[name]
	b, err := base64.StdEncoding.Strict().DecodeString(value)
	if err != nil || len(b) == 0 || strings.ContainsAny(value, "\r\n") {
		return nil, fmt.Errorf("%w: %s is missing or is not base64", ErrMetadata, name)
	}
	return b, nil
}

// iv decodes an IV or message id of size bytes. One of zeros was never set.
func (f fields) iv(name string, size int) ([]byte, error) {
	b, err := f.bytes(name)
	if err != nil {
		return nil, err
	}
	if len(b) != size || isZero(b) {
		return nil, fmt.Errorf("%w: %s has %d bytes, or only zeros; want %d", ErrMetadata, name, len(b), size)
	}
	return b, nil
}

func isZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}

// isHeaderName reports whether a name of user metadata belongs to the formats.
func isHeaderName(name string) bool {
	name = strings.ToLower(name)
	_, known := nameFormats[name]
	return known || name == nameInstruction
}

// withHeader returns a caller's user metadata with an object's. The error is ErrMetadata
// if the caller's has one of the formats' names.
func withHeader(users, header map[string]string) (map[string]string, error) {
	all := make(map[string]string, len(users)+len(header))
	maps.Copy(all, header)
	for name, value := range users {
		if isHeaderName(name) {
			return nil, fmt.Errorf("%w: %q is not the caller's", ErrMetadata, name)
		}
		all[name] = value
	}
	return all, nil
}

// withoutHeader returns the part of an object's user metadata that is the caller's.
func withoutHeader(metadata map[string]string) map[string]string {
	users := maps.Clone(metadata)
	maps.DeleteFunc(users, func(name, _ string) bool { return isHeaderName(name) })
	return users
}
