package audit

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
)

// The line of a chained event begins with its link, around which these stand:
//
//	{"chain":{"engine":"…","seq":1,"mac":"64 digits"},"eventVersion":…}
const (
	linkEngine = `"chain":{"engine":`
	linkSeq    = `,"seq":`
	linkMAC    = `,"mac":"`
	linkEnd    = `"},`

	lineChained = "{" + linkEngine // how the line of a chained event begins
	lineAlone   = `{"eventVersion":`

	maxEngine = 64              // bytes of an engine's name
	macDigits = 2 * sha256.Size // of a MAC in hexadecimal
)

// parseLink reads the link at the beginning of a line, in exactly the bytes that
// Link.appendJSON writes, and returns where in the line the MAC's digits begin.
func parseLink(line []byte) (l Link, macAt int, ok bool) {
	rest, ok := bytes.CutPrefix(line, []byte("{"+linkEngine+`"`))
	if !ok {
		return Link{}, 0, false
	}
	engine, rest, ok := bytes.Cut(rest, []byte(`"`))
	if !ok || !isEngine(engine) {
		return Link{}, 0, false
	}
	if rest, ok = bytes.CutPrefix(rest, []byte(linkSeq)); !ok {
		return Link{}, 0, false
	}
	digits, rest, ok := bytes.Cut(rest, []byte(linkMAC))
	if !ok || len(digits) == 0 || len(digits) > 20 || digits[0] == '0' {
		return Link{}, 0, false
	}
	l.Engine = string(engine)
	seq, err := strconv.ParseUint(string(digits), 10, 64)
	if err != nil || digits[0] == '+' || len(rest) < macDigits+len(linkEnd) {
		return Link{}, 0, false
	}
	l.Seq = seq
	macAt = len(line) - len(rest)
	mac, rest := rest[:macDigits], rest[macDigits:]
	for _, c := range mac {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return Link{}, 0, false
		}
	}
	if _, err := hex.Decode(l.MAC[:], mac); err != nil {
		return Link{}, 0, false
	}
	return l, macAt, bytes.HasPrefix(rest, []byte(linkEnd))
}

// isEngine reports whether b can name an engine: it stands in lines as it is.
func isEngine(b []byte) bool {
	if len(b) == 0 || len(b) > maxEngine {
		return false
	}
	for _, c := range b {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_', c == '.':
		default:
			return false
		}
	}
	return true
}

// position is where a chain stands between two events.
type position struct {
	seq uint64   // of the event before; 0 at the beginning
	mac [32]byte // of the event before; zeros at the beginning
	key [32]byte // for the event to come; secret
}

// ratchet is what a key is turned into the next one with. No MAC is computed over so few
// bytes: it begins with 32 of another MAC.
const ratchet = "sealring audit ratchet 1"

// mac returns the MAC of the next event, whose line has its MAC's digits at macAt: over
// the MAC before it and the line without these digits.
func (p *position) sum(line []byte, macAt int) (mac [32]byte) {
	h := hmac.New(sha256.New, p.key[:])
	h.Write(p.mac[:])
	h.Write(line[:macAt])
	h.Write(line[macAt+macDigits:])
	h.Sum(mac[:0])
	return mac
}

// next returns the position behind an event with that MAC. There is no way back from
// its key to the one before.
func (p *position) next(mac [32]byte) (after position) {
	h := hmac.New(sha256.New, p.key[:])
	h.Write([]byte(ratchet))
	h.Sum(after.key[:0])
	after.seq, after.mac = p.seq+1, mac
	return after
}

// accept moves p behind the event on the line if that is the one to come, unchanged.
func (p *position) accept(line []byte, l Link, macAt int) bool {
	if l.Seq != p.seq+1 {
		return false
	}
	mac := p.sum(line, macAt)
	if !hmac.Equal(mac[:], l.MAC[:]) {
		return false
	}
	*p = p.next(mac)
	return true
}
