package ecdhwrap

import (
	"bytes"
	"encoding/binary"
	"errors"
)

// ErrInfo is returned for provider info that has not the layout of [Info].
var ErrInfo = errors.New("ecdhwrap: malformed provider info")

// The providers of the encrypted data keys that are in this format. Each ECDH keyring
// reads both.
const (
	ProviderRaw = "raw-ecdh"
	ProviderKMS = "aws-kms-ecdh"
)

// IsProvider reports whether provider is one of the format's.
func IsProvider(provider string) bool { return provider == ProviderRaw || provider == ProviderKMS }

// infoVersion is the first byte of every provider info.
const infoVersion = 1

// Info is the provider info of an encrypted data key: whom it is for and whom it is
// from, as compressed points on one curve.
//
//	offset  bytes  meaning
//	     0      1  version, 1
//	     1      4  length n of the recipient's point: 33, 49 or 67
//	     5      n  the recipient's point
//	   5+n      4  length of the sender's point, n again
//	   9+n      n  the sender's point
//
// The specification's table has other lengths; these are the ones in the field.
type Info struct {
	Recipient, Sender []byte
}

// Bytes returns a new slice with the info's bytes.
func (i Info) Bytes() []byte {
	b := make([]byte, 0, 1+2*4+len(i.Recipient)+len(i.Sender))
	b = append(b, infoVersion)
	for _, point := range [][]byte{i.Recipient, i.Sender} {
		b = binary.BigEndian.AppendUint32(b, uint32(len(point)))
		b = append(b, point...)
	}
	return b
}

// ParseInfo reads provider info. The points alias b, and whether they are on a curve
// is left to [Curve.Decompress]. The error is [ErrInfo].
func ParseInfo(b []byte) (Info, error) {
	for c := range curves {
		n := curves[c].pointLen()
		if len(b) != 1+2*(4+n) {
			continue
		}
		recipient, sender := b[1:5+n], b[5+n:]
		length := uint32(n)
		if b[0] != infoVersion || binary.BigEndian.Uint32(recipient) != length || binary.BigEndian.Uint32(sender) != length {
			return Info{}, ErrInfo
		}
		return Info{recipient[4 : 4+n : 4+n], sender[4 : 4+n : 4+n]}, nil
	}
	return Info{}, ErrInfo
}

// Between reports whether the info's parties are those with the compressed points a
// and b, whichever of them is the sender.
func (i Info) Between(a, b []byte) bool {
	return bytes.Equal(i.Sender, a) && bytes.Equal(i.Recipient, b) ||
		bytes.Equal(i.Sender, b) && bytes.Equal(i.Recipient, a)
}
