package kvstore

import (
	"errors"
	"fmt"

	"github.com/sealring/sealring/internal/wire"
	"github.com/sealring/sealring/keyring"
	"github.com/sealring/sealring/keyring/branchkey"
)

// ErrRecord is returned for a record that was not written by this package, and for an
// item that does not fit into one.
var ErrRecord = errors.New("kvstore: not the record of a branch key")

// recordVersion is the first byte of every record:
//
//	u8 1, u16 length, ciphertext, attributes
//
// The attributes are serialised as an encryption context is: u16 count, then for each
// in ascending order of the name's bytes u16 length, name, u16 length, value.
const recordVersion = 1

func appendRecord(item branchkey.Item) ([]byte, error) {
	record, fits := wire.AppendField16([]byte{recordVersion}, item.Ciphertext)
	if !fits {
		return nil, fmt.Errorf("%w: a ciphertext of %d bytes", ErrRecord, len(item.Ciphertext))
	}
	record, err := keyring.EncryptionContext(item.Attributes).AppendBinary(record)
	if err != nil {
		return nil, fmt.Errorf("%w: attributes: %v", ErrRecord, err)
	}
	return record, nil
}

// parseRecord returns the item of a record, which it aliases.
func parseRecord(b []byte) (branchkey.Item, error) {
	r := wire.NewReader(b)
	if v := r.Uint8(); v != recordVersion {
		return branchkey.Item{}, fmt.Errorf("%w: version %d", ErrRecord, v)
	}
	ciphertext := r.Field16()
	if r.Err() != nil {
		return branchkey.Item{}, fmt.Errorf("%w: it ends in the ciphertext", ErrRecord)
	}
	attributes, err := keyring.ParseEncryptionContext(r.Bytes(r.Len()))
	if err != nil {
		return branchkey.Item{}, fmt.Errorf("%w: attributes: %v", ErrRecord, err)
	}
	return branchkey.Item{Attributes: attributes, Ciphertext: ciphertext}, nil
}
