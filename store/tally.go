package store

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"strings"

	"github.com/sealring/sealring/internal/wire"
)

// tallyKey is where a sealed store keeps its tally, sealed like any other record.
const tallyKey = Reserved + "tally"

const (
	tallyFormat = 1
	tallyLabel  = "sealring/store/tally/1"
	digestLabel = "sealring/store/digest/1"
)

// tally says which records a store holds, without naming them: for each epoch their
// number, and the sum modulo 2^256 of a MAC of each. Adding and taking away a record is
// the same work however many there are, and nobody without the sealing key can find
// two sets of records with one sum. Its encoding:
//
//	size
//	1    format, 1
//	     for each epoch that the head has, in its order
//	4      epoch
//	8      number of records
//	32     sum, big-endian, of HMAC-SHA256(epoch's tally key, term) of each record
//
//	term = u16 length, key; revision; tag
//	tally key = HKDF-Expand-SHA256(prk, info: tallyLabel)
//
// Who puts an older record back changes the sum by a difference that stays: the next
// update of that key takes away a record that the tally does not hold any more, and as
// every record has a nonce of its own none will ever make up for it.
type tally []epochTally

// epochTally is the part of one epoch. Where it is a difference of two tallies, the
// number is one modulo 2^64.
type epochTally struct {
	epoch uint32
	count uint64
	sum   sum256
}

// of returns the part of an epoch, which it adds if need be.
func (t *tally) of(epoch uint32) *epochTally {
	i, found := slices.BinarySearchFunc(*t, epoch, func(e epochTally, epoch uint32) int {
		return int(int64(e.epoch) - int64(epoch))
	})
	if !found {
		*t = slices.Insert(*t, i, epochTally{epoch: epoch})
	}
	return &(*t)[i]
}

// apply adds a difference.
func (t *tally) apply(difference tally) {
	for _, d := range difference {
		e := t.of(d.epoch)
		e.count += d.count
		e.sum = e.sum.plus(d.sum)
	}
}

// empty reports whether t holds no record, or as a difference changes nothing.
func (t tally) empty() bool {
	return !slices.ContainsFunc(t, func(e epochTally) bool { return e.count != 0 || e.sum != sum256{} })
}

// count returns the number of records.
func (t tally) count() (n uint64) {
	for _, e := range t {
		n += e.count
	}
	return n
}

// equal reports whether two tallies hold the same records. Parts that are empty do not
// matter.
func (t tally) equal(other tally) bool {
	t = slices.Clone(t)
	for _, e := range other {
		mine := t.of(e.epoch)
		mine.count -= e.count
		mine.sum = mine.sum.plus(e.sum.negative())
	}
	return t.empty()
}

func (t tally) encode() []byte {
	b := []byte{tallyFormat}
	for _, e := range t {
		b = binary.BigEndian.AppendUint32(b, e.epoch)
		b = binary.BigEndian.AppendUint64(b, e.count)
		b = e.sum.append(b)
	}
	return b
}

const epochTallyLen = 4 + 8 + sha256.Size

// parseTally reads what encode writes. The error matches [ErrDamaged].
func parseTally(b []byte) (tally, error) {
	r := wire.NewReader(b)
	if r.Uint8() != tallyFormat || r.Len() == 0 || r.Len() > maxEpochs*epochTallyLen {
		return nil, damaged(tallyKey)
	}
	var t tally
	for r.Len() > 0 {
		e := r.Bytes(epochTallyLen)
		if r.Err() != nil {
			return nil, damaged(tallyKey)
		}
		epoch := binary.BigEndian.Uint32(e)
		if len(t) > 0 && epoch <= t[len(t)-1].epoch {
			return nil, damaged(tallyKey)
		}
		t = append(t, epochTally{epoch, binary.BigEndian.Uint64(e[4:]), parseSum(e[12:])})
	}
	return t, nil
}

// digest names the tally as it was after the given revision.
func (k *sealKeys) digest(t tally, revision uint64) (string, error) {
	k.store.mu.RLock()
	defer k.store.mu.RUnlock()
	if k.store.closed {
		return "", ErrClosed
	}
	info := binary.BigEndian.AppendUint64([]byte(digestLabel), revision)
	return hex.EncodeToString(k.newest().expand(nil, append(info, t.encode()...))), nil
}

// teller makes the terms of records. It is for one goroutine.
type teller struct {
	keys *sealKeys
	term []byte
}

// add counts the record of key in t, or takes it out. The error matches [ErrDamaged] if
// the record is of no epoch that the store has.
func (c *teller) add(t *tally, key string, record []byte, out bool) error {
	mark, ok := parseMark(record)
	if !ok {
		return damaged(key)
	}
	c.term, _ = wire.AppendField16(c.term[:0], key) // of MaxKey bytes at most
	c.term = binary.BigEndian.AppendUint64(c.term, mark.revision)
	c.term = append(c.term, mark.tag...)
	mac, err := c.keys.mac(mark.epoch, c.term)
	if err != nil {
		return err
	} else if mac == nil {
		return damaged(key)
	}
	sum, e := parseSum(mac), t.of(mark.epoch)
	if out {
		e.count, e.sum = e.count-1, e.sum.plus(sum.negative())
	} else {
		e.count, e.sum = e.count+1, e.sum.plus(sum)
	}
	return nil
}

// mac returns the MAC of a term of an epoch in the term's own memory, or nil if the store
// has no such epoch.
func (k *sealKeys) mac(epoch uint32, term []byte) ([]byte, error) {
	k.store.mu.RLock()
	defer k.store.mu.RUnlock()
	s := k.sealer(epoch)
	switch {
	case k.store.closed:
		return nil, ErrClosed
	case s == nil:
		return nil, nil
	}
	return s.tally.Append(term[:0], term), nil
}

// loadTally returns the tally that tx reads and the revision of its record.
func (k *sealKeys) loadTally(tx Tx) (tally, uint64, error) {
	record, err := tx.Get(tallyKey)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return nil, 0, err
	}
	return k.openTally(record)
}

// openTally returns the tally in a record, which is nil if there is none, and the
// record's revision. It has to be of the same epochs as the head: head and tally are
// written together when these change.
func (k *sealKeys) openTally(record []byte) (tally, uint64, error) {
	if record == nil {
		return nil, 0, fmt.Errorf("%w: its tally is gone", ErrRollback)
	}
	encoded, err := k.open(tallyKey, record)
	var t tally
	if err == nil {
		t, err = parseTally(encoded)
	}
	if errors.Is(err, ErrDamaged) {
		return nil, 0, fmt.Errorf("%w: its tally is damaged; %w", ErrRollback, err)
	} else if err != nil {
		return nil, 0, err
	}
	fits := func(e epochTally, s *sealer) bool { return e.epoch == s.epoch }
	if !slices.EqualFunc(t, k.sealers, fits) {
		return nil, 0, fmt.Errorf("%w: head and tally do not fit together", ErrRollback)
	}
	mark, _ := parseMark(record)
	return t, mark.revision, nil
}

// saveTally writes t in the newest epoch.
func (k *sealKeys) saveTally(tx Tx, t tally) error {
	record, err := k.seal(tallyKey, tx.Revision(), t.encode())
	if err != nil {
		return err
	}
	return tx.Put(tallyKey, record)
}

// compare returns nil if the records are those that the tally holds. The error matches
// [ErrRollback] and says what is known.
func (t tally) compare(found tally) error {
	difference := int64(found.count() - t.count())
	switch {
	case t.equal(found):
		return nil
	case difference < 0:
		return fmt.Errorf("%w: of %d records %d are missing", ErrRollback, t.count(), -difference)
	case difference > 0:
		return fmt.Errorf("%w: %d records instead of %d", ErrRollback, found.count(), t.count())
	}
	return fmt.Errorf("%w: the number of records is right", ErrRollback)
}

// sum256 is a number modulo 2^256, the least significant part first.
type sum256 [4]uint64

func (s sum256) plus(o sum256) (r sum256) {
	var carry uint64
	for i := range s {
		r[i], carry = bits.Add64(s[i], o[i], carry)
	}
	return r
}

func (s sum256) negative() (r sum256) {
	var borrow uint64
	for i := range s {
		r[i], borrow = bits.Sub64(0, s[i], borrow)
	}
	return r
}

func (s sum256) append(b []byte) []byte {
	for _, v := range slices.Backward(s[:]) {
		b = binary.BigEndian.AppendUint64(b, v)
	}
	return b
}

// parseSum reads the 32 bytes that append writes.
func parseSum(b []byte) (s sum256) {
	for i := range s {
		s[i] = binary.BigEndian.Uint64(b[8*(len(s)-1-i):])
	}
	return s
}

// reserved reports whether key is one of the store's own.
func reserved(key string) bool { return strings.HasPrefix(key, Reserved) }
