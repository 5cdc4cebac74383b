package audit

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Origin is where a chain begins: its engine and the first key. It is what a chain is
// verified with. Who has it can also write another log that verifies, except for what
// anchors elsewhere hold fast.
type Origin struct {
	Engine string
	key    [32]byte
}

// Anchor is a point of a chain that the log must reach unchanged. It is not secret. Its
// text, also in JSON, is the engine, the number, the MAC in hexadecimal and the time in
// RFC 3339, with spaces between them.
type Anchor struct {
	Engine string
	Seq    uint64 // of the event anchored
	MAC    [32]byte
	Time   time.Time // when it was anchored
}

// String returns the anchor's text.
func (a Anchor) String() string {
	return fmt.Sprintf("%s %d %x %s", a.Engine, a.Seq, a.MAC, a.Time.UTC().Format(time.RFC3339Nano))
}

// MarshalText returns the anchor's text.
func (a Anchor) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText reads the anchor's text.
func (a *Anchor) UnmarshalText(text []byte) error {
	parts := strings.Split(string(text), " ")
	if len(parts) != 4 || !isEngine([]byte(parts[0])) {
		return fmt.Errorf("audit: %q is no anchor", text)
	}
	seq, seqErr := strconv.ParseUint(parts[1], 10, 64)
	mac, macErr := hex.DecodeString(parts[2])
	at, timeErr := time.Parse(time.RFC3339Nano, parts[3])
	if seqErr != nil || macErr != nil || len(mac) != len(a.MAC) || timeErr != nil {
		return fmt.Errorf("audit: %q is no anchor", text)
	}
	*a = Anchor{Engine: parts[0], Seq: seq, MAC: [32]byte(mac), Time: at.UTC()}
	return nil
}

// Head is where a chain stood when it was anchored: what it needs to go on. Its key
// makes the MACs of later events, and none of earlier ones.
type Head struct {
	Anchor
	key    [32]byte
	closed bool // by Close: no event came after
}

// ChainState keeps, encrypted, what a chain needs beside its log. It is not called
// concurrently by one chain.
type ChainState interface {
	// Load returns the head that was stored last and the origin of its chain. Without a
	// head they are the zero values.
	Load(ctx context.Context) (Origin, Head, error)
	// StoreOrigin keeps the origin of a new chain, durably and beside those of chains
	// before, by their engines, so that all of them can be verified.
	StoreOrigin(ctx context.Context, o Origin) error
	// StoreHead replaces the head, durably.
	StoreHead(ctx context.Context, h Head) error
}

// The encodings begin with these; the digit is the version.
const (
	originMagic = "SRAO1"
	headMagic   = "SRAH1"
)

// errState is returned for an encoding that cannot be read. It does not tell what is in
// it.
var errState = errors.New("audit: malformed state of a chain")

// MarshalBinary returns the origin to be stored: "SRAO1", the key (32 bytes) and the
// engine's name. It is secret.
func (o Origin) MarshalBinary() ([]byte, error) {
	b := append([]byte(originMagic), o.key[:]...)
	return append(b, o.Engine...), nil
}

// UnmarshalBinary reads what MarshalBinary returned.
func (o *Origin) UnmarshalBinary(b []byte) error {
	rest, ok := bytes.CutPrefix(b, []byte(originMagic))
	if !ok || len(rest) < len(o.key) || !isEngine(rest[len(o.key):]) {
		return errState
	}
	*o = Origin{Engine: string(rest[len(o.key):]), key: [32]byte(rest)}
	return nil
}

// MarshalBinary returns the head to be stored: "SRAH1", the event's number (8 bytes, big
// endian), its MAC and the key (32 bytes each), the time in Unix nanoseconds (8 bytes),
// 1 if the chain was closed there or else 0, and the engine's name. It is secret.
func (h Head) MarshalBinary() ([]byte, error) {
	b := binary.BigEndian.AppendUint64([]byte(headMagic), h.Seq)
	b = append(b, h.MAC[:]...)
	b = append(b, h.key[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(h.Time.UnixNano()))
	closed := byte(0)
	if h.closed {
		closed = 1
	}
	return append(append(b, closed), h.Engine...), nil
}

// UnmarshalBinary reads what MarshalBinary returned.
func (h *Head) UnmarshalBinary(b []byte) error {
	const fixed = 8 + 32 + 32 + 8 + 1
	rest, ok := bytes.CutPrefix(b, []byte(headMagic))
	if !ok || len(rest) < fixed || !isEngine(rest[fixed:]) || rest[fixed-1] > 1 {
		return errState
	}
	*h = Head{
		Anchor: Anchor{
			Engine: string(rest[fixed:]),
			Seq:    binary.BigEndian.Uint64(rest),
			MAC:    [32]byte(rest[8:]),
			Time:   time.Unix(0, int64(binary.BigEndian.Uint64(rest[72:]))).UTC(),
		},
		key:    [32]byte(rest[40:]),
		closed: rest[fixed-1] == 1,
	}
	return nil
}

// String tells the engine, and not the key.
func (o Origin) String() string { return "origin of the chain of " + o.Engine }

// GoString is String: the key is not to be printed.
func (o Origin) GoString() string { return o.String() }

// String tells the anchor, and not the key.
func (h Head) String() string {
	return fmt.Sprintf("head of the chain of %s at event %d", h.Engine, h.Seq)
}

// GoString is String: the key is not to be printed.
func (h Head) GoString() string { return h.String() }

// position returns where the chain goes on from h.
func (h *Head) position() position {
	return position{seq: h.Seq, mac: h.MAC, key: h.key}
}
