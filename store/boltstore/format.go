package boltstore

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"slices"
	"strings"

	"github.com/sealring/sealring/store"
)

// formatVersion is the version that this package writes.
const formatVersion = 1

// A store's file has two buckets: one with the head alone, one with the records.
var (
	headBucket = []byte("sealring")
	dataBucket = []byte("data")
	headKey    = []byte("head")

	headMagic = [8]byte{'s', 'e', 'a', 'l', 'b', 'o', 'l', 't'}
	checksums = crc32.MakeTable(crc32.Castagnoli)
)

// head is what a store says of itself. Its bytes, big-endian:
//
//	offset size
//	 0      8    "sealbolt"
//	 8      4    format version
//	12      8    revision
//	20      8    number of records
//	28      8    sum of the records' checksums
//	36      4    CRC-32C of all before
//
// The first 12 bytes are the same in every version.
type head struct {
	revision uint64
	records  uint64
	sum      uint64
}

const headLen = 40

func (h head) encode() []byte {
	b := append(make([]byte, 0, headLen), headMagic[:]...)
	b = binary.BigEndian.AppendUint32(b, formatVersion)
	b = binary.BigEndian.AppendUint64(b, h.revision)
	b = binary.BigEndian.AppendUint64(b, h.records)
	b = binary.BigEndian.AppendUint64(b, h.sum)
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, checksums))
}

// headVersion returns the format version that a head of any version says.
func headVersion(b []byte) (uint32, error) {
	if len(b) < 12 || !bytes.Equal(b[:8], headMagic[:]) {
		return 0, fmt.Errorf("%w: its head is not that of a store", ErrFile)
	}
	return binary.BigEndian.Uint32(b[8:]), nil
}

func parseHead(b []byte) (head, error) {
	if len(b) != headLen || binary.BigEndian.Uint32(b[36:]) != crc32.Checksum(b[:36], checksums) {
		return head{}, fmt.Errorf("%w: its head is damaged", ErrFile)
	}
	return head{
		revision: binary.BigEndian.Uint64(b[12:]),
		records:  binary.BigEndian.Uint64(b[20:]),
		sum:      binary.BigEndian.Uint64(b[28:]),
	}, nil
}

// A record is kept under its key as
//
//	offset size
//	 0      8    revision at which it was written
//	 8      4    CRC-32C of the key, the revision and the value
//	12      n    value
const recordHeader = 12

func encodeRecord(c store.Change) []byte {
	b := make([]byte, recordHeader, recordHeader+len(c.Value))
	binary.BigEndian.PutUint64(b, c.Revision)
	b = append(b, c.Value...)
	binary.BigEndian.PutUint32(b[8:], checksum([]byte(c.Key), b))
	return b
}

// checksum returns the checksum that belongs into a record.
func checksum(key, record []byte) uint32 {
	sum := crc32.Update(0, checksums, key)
	sum = crc32.Update(sum, checksums, record[:8])
	return crc32.Update(sum, checksums, record[recordHeader:])
}

// recordSum returns the checksum that a record holds. bbolt gives records as they were in
// the file when it was checked, or were put.
func recordSum(record []byte) uint64 { return uint64(binary.BigEndian.Uint32(record[8:])) }

// contents is what a file holds.
type contents struct {
	version  uint32
	head     head
	snapshot *store.Snapshot
}

// read checks a whole file and returns what it holds. If the version is an earlier one,
// only the structure is checked and the version is all there is. problem is told of
// damage as in [pages]; what has no problem is returned.
func read(src io.ReaderAt, size int64, problem func(error) error) (*contents, error) {
	p, err := newPages(src, size, problem)
	if err != nil {
		return nil, err
	}
	r := reader{pages: p}
	var leaf []byte
	if err := p.tree(p.meta.root, span{}, 0, &leaf, r.bucket); err != nil {
		return nil, err
	}
	if p.problems == 0 { // or pages are missing that nobody could reach
		if err := p.free(); err != nil {
			return nil, err
		}
	}
	version, err := headVersion(r.head)
	if err != nil {
		if err = p.problem(err); err != nil {
			return nil, err
		}
		version = formatVersion
	}
	c := &contents{version: version}
	switch {
	case version > formatVersion:
		return nil, fmt.Errorf("%w is %d, this program knows those up to %d", ErrVersion, version, formatVersion)
	case version < formatVersion:
		return c, nil
	}
	return c, r.records(c)
}

// reader gathers what the buckets hold.
type reader struct {
	pages *pages
	head  []byte
	raw   []store.Change // values are whole records
}

// bucket reads one of the two buckets.
func (r *reader) bucket(b record) error {
	switch {
	case b.bucket && bytes.Equal(b.key, headBucket):
		return r.pages.bucket(string(b.key), b.value, func(e record) error {
			if !bytes.Equal(e.key, headKey) {
				return r.pages.problem(fmt.Errorf("%w: there is %q beside its head", ErrFile, e.key))
			}
			r.head = slices.Clone(e.value)
			return nil
		})
	case b.bucket && bytes.Equal(b.key, dataBucket):
		return r.pages.bucket(string(b.key), b.value, func(e record) error {
			r.raw = append(r.raw, store.Change{Key: string(e.key), Value: slices.Clone(e.value), Deleted: e.bucket})
			return nil
		})
	}
	return r.pages.problem(fmt.Errorf("%w: it has a bucket %q", ErrFile, b.key))
}

// records checks the records and the head against each other and fills c.
func (r *reader) records(c *contents) error {
	problem := r.pages.problem
	h, err := parseHead(r.head)
	if err != nil {
		if err := problem(err); err != nil {
			return err
		}
	}
	var found head
	whole := r.raw[:0]
	for _, e := range r.raw {
		ok := !e.Deleted && len(e.Key) <= store.MaxKey && len(e.Value) >= recordHeader &&
			binary.BigEndian.Uint32(e.Value[8:]) == checksum([]byte(e.Key), e.Value)
		if !ok {
			if err := problem(fmt.Errorf("%w: record %q is damaged", ErrFile, e.Key)); err != nil {
				return err
			}
			continue
		}
		found.records++
		found.sum += recordSum(e.Value)
		e.Revision = binary.BigEndian.Uint64(e.Value)
		found.revision = max(found.revision, e.Revision)
		e.Value = e.Value[recordHeader:]
		whole = append(whole, e)
	}
	switch {
	case found.records != h.records:
		err = problem(fmt.Errorf("%w: it has %d whole records of %d", ErrFile, found.records, h.records))
	case found.sum != h.sum:
		err = problem(fmt.Errorf("%w: its records are not those that its head counts", ErrFile))
	case found.revision > h.revision:
		err = problem(fmt.Errorf("%w: it has a record of revision %d, its own is %d", ErrFile, found.revision, h.revision))
	default:
		err = nil
	}
	if err != nil {
		return err
	}
	if r.pages.problems > 0 { // records may be out of order, or there twice
		slices.SortStableFunc(whole, func(a, b store.Change) int { return strings.Compare(a.Key, b.Key) })
		whole = slices.CompactFunc(whole, func(a, b store.Change) bool { return a.Key == b.Key })
	}
	found.revision = max(found.revision, h.revision)
	c.head = found
	c.snapshot, err = store.LoadSnapshot(found.revision, func(yield func(store.Change, error) bool) {
		for _, e := range whole {
			if !yield(e, nil) {
				return
			}
		}
	})
	return err
}
