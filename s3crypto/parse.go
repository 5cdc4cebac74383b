package s3crypto

import (
	"fmt"
	"strconv"
)

// parseMetadata reads the header from an object's own metadata, as S3 returns it. A header
// that is not complete has format V3 if the rest of it is in an instruction file, and
// none if all of it is there or the object is not encrypted.
func parseMetadata(metadata map[string]string) (*header, error) {
	f, size := fields{}, 0
	for name, value := range metadata {
		if size += len(name) + len(value); size > maxFields {
			return nil, fmt.Errorf("%w: more than %d bytes", ErrMetadata, maxFields)
		}
		if err := f.put(name, value); err != nil {
			return nil, err
		}
	}
	for _, name := range [...]string{nameDescription, nameDescriptionV3, nameContextV3} {
		if _, has := f[name]; !has {
			continue
		}
		decoded, err := decodeWords(f[name])
		if err != nil {
			return nil, fmt.Errorf("%w: %s", err, name)
		}
		f[name] = decoded
	}
	found, err := f.format()
	if err != nil {
		return nil, err
	}
	h := &header{length: -1}
	if found == 0 {
		err = h.parsePart(f)
	} else {
		err = h.parse(f, found)
	}
	if err != nil {
		return nil, err
	}
	return h, nil
}

// parse reads a header that is in one place.
func (h *header) parse(f fields, found format) error {
	h.format = found
	steps := []func(fields) error{h.parseV2}
	switch found {
	case formatV1:
		steps = []func(fields) error{h.parseV1}
	case formatV3:
		steps = []func(fields) error{h.parseV3, h.parseKeyV3}
	}
	for _, step := range append(steps, h.parseLength) {
		if err := step(f); err != nil {
			return err
		}
	}
	return h.check()
}

// parsePart reads what the metadata of an object without a data key has.
func (h *header) parsePart(f fields) error {
	part := 0
	for name := range f {
		switch name {
		case nameSuiteV3, nameCommitmentV3, nameMessageIDV3:
			part++
		case nameLength, nameTagLength:
		default:
			return fmt.Errorf("%w: %s, but no data key", ErrMetadata, name)
		}
	}
	if part > 0 {
		h.format = formatV3
		if err := h.parseV3(f); err != nil {
			return err
		}
	}
	return h.parseLength(f)
}

// parseV1 reads format V1. How the data key is wrapped is told by its length.
func (h *header) parseV1(f fields) (err error) {
	h.suite, h.wrap = suiteCBC, wrapAESECB
	if h.edk, err = f.bytes(nameKeyV1); err != nil {
		return err
	}
	if len(h.edk) > ecbSize {
		h.wrap = wrapRSAPKCS1
	}
	if h.iv, err = f.iv(nameIV, h.suite.ivSize()); err != nil {
		return err
	}
	h.description, err = parseDescription(f[nameDescription])
	return err
}

// namePKCS7 is what aws-sdk-go 1 calls content in CBC mode if its user has chosen the
// padder of that name, which does the same as the other one.
const namePKCS7 = "AES/CBC/PKCS7Padding"

func (h *header) parseV2(f fields) (err error) {
	tag, name := f[nameTagLength], f[nameSuite]
	if name == namePKCS7 {
		name = suiteCBC.name()
	}
	switch {
	case name == suiteGCM.name() && (tag == "" || tag == "128"):
		h.suite = suiteGCM
	case name == suiteCBC.name() && (tag == "" || tag == "0"): // "0" is what the C++ client writes
		h.suite = suiteCBC
	case name == suiteGCM.name() || name == suiteCBC.name():
		return fmt.Errorf("%w: a tag of %.64q bits for %s", ErrMetadata, tag, name)
	default:
		return fmt.Errorf("%w: unknown content algorithm %.64q", ErrMetadata, name)
	}
	if h.wrap = wrapNamed(formatV2, f[nameWrap]); h.wrap == 0 {
		return fmt.Errorf("%w: unknown wrap algorithm %.64q", ErrMetadata, f[nameWrap])
	}
	if h.edk, err = f.bytes(nameKeyV2); err != nil {
		return err
	}
	if h.iv, err = f.iv(nameIV, h.suite.ivSize()); err != nil {
		return err
	}
	h.description, err = parseDescription(f[nameDescription])
	return err
}

// parseV3 reads what an object of format V3 has in its own metadata always.
func (h *header) parseV3(f fields) (err error) {
	if f[nameSuiteV3] != suiteCommitting.name() {
		return fmt.Errorf("%w: unknown content algorithm %.64q", ErrMetadata, f[nameSuiteV3])
	}
	h.suite = suiteCommitting
	if h.commitment, err = f.bytes(nameCommitmentV3); err != nil {
		return err
	}
	if len(h.commitment) != commitmentSize {
		return ErrCommitment
	}
	h.messageID, err = f.iv(nameMessageIDV3, messageIDSize)
	return err
}

// parseKeyV3 reads what an object of format V3 has in an instruction file if there is one.
func (h *header) parseKeyV3(f fields) (err error) {
	if h.wrap = wrapNamed(formatV3, f[nameWrapV3]); h.wrap == 0 {
		return fmt.Errorf("%w: unknown wrap algorithm %.64q", ErrMetadata, f[nameWrapV3])
	}
	if h.edk, err = f.bytes(nameKeyV3); err != nil {
		return err
	}
	description := f[nameContextV3]
	if own := f[nameDescriptionV3]; !h.wrap.byKMS() && own != "" {
		description = own // the C++ client writes the other one for all wraps
	}
	h.description, err = parseDescription(description)
	return err
}

// parseLength reads the plaintext's length, if it is stored.
func (h *header) parseLength(f fields) error {
	value := f[nameLength]
	if value == "" {
		return nil
	}
	length, err := strconv.ParseUint(value, 10, 63)
	if err != nil || h.length >= 0 && h.length != int64(length) {
		return fmt.Errorf("%w: %s is %.64q", ErrMetadata, nameLength, value)
	}
	h.length = int64(length)
	return nil
}
