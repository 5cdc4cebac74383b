package s3crypto

import (
	"encoding/json"
	"fmt"
)

// instructionSuffix is appended to an object's key to name its instruction file.
const instructionSuffix = ".instruction"

// maxInstructionFile is the size of the largest instruction file that is read.
const maxInstructionFile = maxFields

// parseInstructionFile completes the header of an object whose own metadata gave h. On
// error h is unusable.
func (h *header) parseInstructionFile(body []byte) error {
	f, err := instructionFields(body)
	if err != nil {
		return err
	}
	found, err := f.format()
	if err != nil {
		return err
	}
	for _, name := range [...]string{nameSuiteV3, nameCommitmentV3, nameMessageIDV3} {
		if _, has := f[name]; has {
			return fmt.Errorf("%w: instruction file has %s", ErrMetadata, name)
		}
	}
	h.inFile = true
	switch {
	case found == 0:
		return fmt.Errorf("%w: instruction file has no data key", ErrMetadata)
	case h.complete():
		return fmt.Errorf("%w: data keys in metadata and in the instruction file", ErrMetadata)
	case h.format == formatV3 && found == formatV3:
		if err := h.parseKeyV3(f); err != nil {
			return err
		}
		if err := h.parseLength(f); err != nil {
			return err
		}
		return h.check()
	case h.format == formatV3 || found == formatV3:
		return fmt.Errorf("%w: instruction file of format %v does not go with the object", ErrMetadata, found)
	}
	return h.parse(f, found)
}

// instructionFields reads an instruction file: a JSON object of strings. Two members may
// be numbers, as some writers have them.
func instructionFields(body []byte) (fields, error) {
	if len(body) > maxInstructionFile {
		return nil, fmt.Errorf("%w: instruction file of more than %d bytes", ErrMetadata, maxInstructionFile)
	}
	f := fields{}
	err := parseObject(body, func(name string, value any) error {
		switch v := value.(type) {
		case nil:
			return nil
		case string:
			return f.put(name, v)
		case json.Number:
			if name == nameTagLength || name == nameLength {
				return f.put(name, v.String())
			}
		}
		return fmt.Errorf("%.64q is not a string", name)
	})
	if err != nil {
		return nil, fmt.Errorf("%w: instruction file: %v", ErrMetadata, err)
	}
	return f, nil
}
