package s3crypto

import (
	"encoding/base64"
	"fmt"
	"maps"
	"strconv"
)

// metadata returns the user metadata of an object whose whole header is in there.
func (h *header) metadata() map[string]string {
	f := h.objectFields()
	maps.Copy(f, h.keyFields())
	return f
}

// split returns the user metadata of an object that has an instruction file, and the
// body of the file. The error is ErrMetadata for a file that is too large to be read.
func (h *header) split() (metadata map[string]string, file []byte, err error) {
	metadata, f := h.objectFields(), h.keyFields()
	if h.format != formatV3 {
		maps.Copy(f, metadata)
		metadata = fields{}
	}
	if file = appendJSON(nil, f); len(file) > maxInstructionFile {
		return nil, nil, fmt.Errorf("%w: instruction file of more than %d bytes", ErrMetadata, maxInstructionFile)
	}
	return metadata, file, nil
}

// objectFields returns what an instruction file does not take over in format V3.
func (h *header) objectFields() fields {
	if h.format == formatV3 {
		return fields{
			nameSuiteV3:      h.suite.name(),
			nameCommitmentV3: base64.StdEncoding.EncodeToString(h.commitment),
			nameMessageIDV3:  base64.StdEncoding.EncodeToString(h.messageID),
		}
	}
	f := fields{
		nameSuite:     h.suite.name(),
		nameIV:        base64.StdEncoding.EncodeToString(h.iv),
		nameTagLength: strconv.Itoa(8 * gcmTagSize),
	}
	if h.length >= 0 {
		f[nameLength] = strconv.FormatInt(h.length, 10)
	}
	return f
}

// keyFields returns the data key's part of the header.
func (h *header) keyFields() fields {
	edk, description := base64.StdEncoding.EncodeToString(h.edk), string(appendJSON(nil, h.description))
	if h.format != formatV3 {
		return fields{nameKeyV2: edk, nameWrap: wraps[h.wrap].name, nameDescription: description}
	}
	f := fields{nameKeyV3: edk, nameWrapV3: wraps[h.wrap].code}
	switch {
	case len(h.description) == 0:
	case h.wrap.byKMS():
		f[nameContextV3] = description
	default:
		f[nameDescriptionV3] = description
	}
	return f
}
