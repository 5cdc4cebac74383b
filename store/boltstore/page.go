package boltstore

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"io"
	"slices"
)

// bbolt maps its file into memory and believes what is in it: a damaged page makes it
// read elsewhere, panic or overwrite pages in use. So a file is read here first, with
// every number checked, and is given to bbolt only if it is whole.
//
// The file is a sequence of pages. All numbers are in the byte order of the machine.
//
//	page header   8 page number, 2 kind, 2 count, 4 number of further pages that belong to it
//	meta          4 magic, 4 version, 4 page size, 4 flags, 8 root page, 8 sequence,
//	              8 page of the freelist, 8 pages in use, 8 transaction, 8 FNV-1a of all before
//	branch        for each child: 4 offset of its least key from here, 4 length, 8 page
//	leaf          for each record: 4 flags, 4 offset of its key from here, 4 and 4 lengths;
//	              the value follows the key
//	freelist      8 for each free page; if the count is FFFF, the first is the count
//
// Pages 0 and 1 are metas, which transactions write by turns.
const (
	pageHeader   = 16
	pageElement  = 16
	metaLen      = 64
	metaMagic    = 0xED0CDAED
	metaVersion  = 2
	noFreelist   = ^uint64(0)
	bucketHeader = 16 // 8 root page, 0 if a leaf follows; 8 sequence
	bucketFlag   = 1
	maxDepth     = 64

	pageBranch   = 1
	pageLeaf     = 2
	pageFreelist = 16
)

var native = binary.NativeEndian

// meta is what one of the two meta pages says.
type meta struct {
	pageSize             int64
	root, freelist, high uint64 // high is the number of pages in use
	tx                   uint64
}

// parseMeta reads a meta page from its beginning. It reports whether it is whole.
func parseMeta(b []byte) (m meta, ok bool) {
	if len(b) < pageHeader+metaLen {
		return m, false
	}
	b = b[pageHeader:]
	sum := fnv.New64a()
	sum.Write(b[:metaLen-8])
	m = meta{
		pageSize: int64(native.Uint32(b[8:])),
		root:     native.Uint64(b[16:]),
		freelist: native.Uint64(b[32:]),
		high:     native.Uint64(b[40:]),
		tx:       native.Uint64(b[48:]),
	}
	ok = native.Uint32(b) == metaMagic && native.Uint32(b[4:]) == metaVersion &&
		native.Uint64(b[56:]) == sum.Sum64() &&
		m.pageSize >= 1<<10 && m.pageSize <= 1<<24 && m.pageSize&(m.pageSize-1) == 0
	return m, ok
}

// readMetas returns the meta pages of a file, those that are whole. The second one's
// place depends on the page size, which only a meta page tells.
func readMetas(src io.ReaderAt, size int64) (metas []meta, err error) {
	read := func(at int64) (meta, bool) {
		b := make([]byte, pageHeader+metaLen)
		n, e := src.ReadAt(b, at)
		if e != nil && e != io.EOF {
			err = e
		}
		return parseMeta(b[:n])
	}
	if first, ok := read(0); ok {
		metas = append(metas, first)
		if second, ok := read(first.pageSize); ok && second.pageSize == first.pageSize {
			metas = append(metas, second)
		}
		return metas, err
	}
	for at := int64(1 << 10); at <= 1<<24 && at < size; at <<= 1 {
		if second, ok := read(at); ok && second.pageSize == at {
			return append(metas, second), err
		}
	}
	return nil, err
}

// newest returns the meta page of the newest transaction.
func newest(metas []meta) meta {
	return slices.MaxFunc(metas, func(a, b meta) int { return cmp.Compare(a.tx, b.tx) })
}

// pages reads the pages of one state of a file.
type pages struct {
	src  io.ReaderAt
	meta meta
	used []bool // by page: it was reached, or is free

	problems int
	report   func(error) error
}

// problem reports damage. If it returns an error, that ends the reading; if not, what is
// damaged is to be left out.
func (p *pages) problem(err error) error {
	p.problems++
	return p.report(err)
}

// newPages begins with the newest meta page. A damaged one is a problem, because it may
// have been the newest.
func newPages(src io.ReaderAt, size int64, report func(error) error) (*pages, error) {
	if size == 0 {
		return nil, fmt.Errorf("%w: it is empty", ErrFile)
	}
	metas, err := readMetas(src, size)
	if err != nil {
		return nil, fmt.Errorf("boltstore: %w", err)
	}
	if len(metas) == 0 {
		return nil, fmt.Errorf("%w: it has no meta page", ErrFile)
	}
	p := &pages{src: src, meta: newest(metas), report: report}
	if len(metas) == 1 {
		err := fmt.Errorf("%w: one of its two meta pages is damaged, maybe the newest; the other is of transaction %d",
			ErrFile, p.meta.tx)
		if err := p.problem(err); err != nil {
			return nil, err
		}
	}
	if has := uint64(size / p.meta.pageSize); p.meta.high > has {
		err := fmt.Errorf("%w: it is cut off: it has %d of %d pages", ErrFile, has, p.meta.high)
		if err := p.problem(err); err != nil {
			return nil, err
		}
		p.meta.high = has
	}
	p.used = make([]bool, p.meta.high)
	return p, nil
}

// bad is a problem with a page.
func (p *pages) bad(id uint64, format string, args ...any) error {
	return p.problem(fmt.Errorf("%w: page %d %s", ErrFile, id, fmt.Sprintf(format, args...)))
}

// page returns a page with those that belong to it, or nil if it is damaged.
func (p *pages) page(id uint64, into []byte) ([]byte, error) {
	if id < 2 || id >= p.meta.high {
		return nil, p.bad(id, "is not among the %d pages in use", p.meta.high)
	}
	b, err := p.read(id, 1, into)
	if err != nil || b == nil {
		return nil, err
	}
	if is := native.Uint64(b); is != id {
		return nil, p.bad(id, "says that it is page %d", is)
	}
	more := uint64(native.Uint32(b[12:]))
	if more >= p.meta.high-id {
		return nil, p.bad(id, "is said to have %d more", more)
	}
	for i := id; i <= id+more; i++ {
		if p.used[i] {
			return nil, p.bad(i, "is used twice")
		}
		p.used[i] = true
	}
	if more == 0 {
		return b, nil
	}
	return p.read(id, 1+more, b)
}

// read reads n pages, which are known to be in the file. It returns nil if it cannot.
func (p *pages) read(id, n uint64, into []byte) ([]byte, error) {
	size := int(int64(n) * p.meta.pageSize)
	if cap(into) < size {
		into = make([]byte, size)
	}
	into = into[:size]
	if _, err := p.src.ReadAt(into, int64(id)*p.meta.pageSize); err != nil {
		return nil, p.problem(fmt.Errorf("%w: page %d: %w", ErrFile, id, err))
	}
	return into, nil
}

// span is the keys from lo to hi, exclusive; nil is without bound.
type span struct{ lo, hi []byte }

func (s span) has(key []byte) bool {
	return bytes.Compare(key, s.lo) >= 0 && (s.hi == nil || bytes.Compare(key, s.hi) < 0)
}

// record is an element of a leaf page.
type record struct {
	key, value []byte // as long as the function runs that gets them
	bucket     bool
}

// tree calls fn with the records below a page, in ascending order of their keys unless there
// was a problem.
func (p *pages) tree(id uint64, within span, depth int, leaf *[]byte, fn func(record) error) error {
	// The leaf pages share a buffer; a branch page's keys bound what is below it.
	b, err := p.page(id, *leaf)
	if err != nil || b == nil {
		return err
	}
	*leaf = b
	switch kind := native.Uint16(b[8:]); {
	case kind == pageLeaf:
		return p.leaf(id, b, within, fn)
	case kind != pageBranch:
		return p.bad(id, "is of kind %d in a tree", kind)
	case depth == maxDepth:
		return p.bad(id, "is too deep in a tree")
	}
	*leaf = nil
	return p.branch(id, b, within, func(child uint64, within span) error {
		return p.tree(child, within, depth+1, leaf, fn)
	})
}

// branch calls fn with the children of a branch page.
func (p *pages) branch(id uint64, b []byte, within span, fn func(child uint64, within span) error) error {
	count := int(native.Uint16(b[10:]))
	if count == 0 || pageHeader+count*pageElement > len(b) {
		return p.bad(id, "has %d children", count)
	}
	keys := make([][]byte, count+1)
	keys[count] = within.hi
	for i := range count {
		at := pageHeader + i*pageElement
		key, ok := slice(b, at, count, native.Uint32(b[at:]), native.Uint32(b[at+4:]))
		if !ok || !within.has(key) || i > 0 && bytes.Compare(keys[i-1], key) >= 0 {
			return p.bad(id, "has a damaged child %d", i)
		}
		keys[i] = key
	}
	for i := range count {
		child := native.Uint64(b[pageHeader+i*pageElement+8:])
		if err := fn(child, span{keys[i], keys[i+1]}); err != nil {
			return err
		}
	}
	return nil
}

// leaf calls fn with the records of a leaf page.
func (p *pages) leaf(id uint64, b []byte, within span, fn func(record) error) error {
	count := int(native.Uint16(b[10:]))
	if pageHeader+count*pageElement > len(b) {
		return p.bad(id, "has %d records", count)
	}
	var last []byte
	for i := range count {
		at := pageHeader + i*pageElement
		flags, keyLen := native.Uint32(b[at:]), native.Uint32(b[at+8:])
		key, ok := slice(b, at, count, native.Uint32(b[at+4:]), keyLen)
		value, fits := slice(b, at, count, native.Uint32(b[at+4:])+keyLen, native.Uint32(b[at+12:]))
		if !ok || !fits || flags > bucketFlag || keyLen == 0 || !within.has(key) {
			if err := p.bad(id, "has a damaged record %d", i); err != nil {
				return err
			}
			continue
		}
		if bytes.Compare(last, key) >= 0 { // this key is damaged, or the one before
			if err := p.bad(id, "has a record %d that is out of order", i); err != nil {
				return err
			}
		}
		last = key
		if err := fn(record{key, value, flags == bucketFlag}); err != nil {
			return err
		}
	}
	return nil
}

// slice returns what lies at an offset from the element at the place at of a page that
// has count elements. It reports whether that is behind the elements and in the page.
func slice(b []byte, at, count int, offset, n uint32) ([]byte, bool) {
	from := uint64(at) + uint64(offset)
	to := from + uint64(n)
	if from < uint64(pageHeader+count*pageElement) || to > uint64(len(b)) {
		return nil, false
	}
	return b[from:to:to], true
}

// bucket calls fn with the records of the bucket that a record's value describes.
func (p *pages) bucket(name string, value []byte, fn func(record) error) error {
	damaged := func() error { return p.problem(fmt.Errorf("%w: bucket %q is damaged", ErrFile, name)) }
	if len(value) < bucketHeader {
		return damaged()
	}
	root, inline := native.Uint64(value), value[bucketHeader:]
	var leaf []byte
	switch {
	case root != 0:
		return p.tree(root, span{}, 0, &leaf, fn)
	case len(inline) < pageHeader || native.Uint16(inline[8:]) != pageLeaf:
		return damaged()
	}
	return p.leaf(0, inline, span{}, fn)
}

// free checks that every page that was not reached is on the list of the free ones, once,
// and no other is: bbolt writes over those.
func (p *pages) free() error {
	id := p.meta.freelist
	if id == noFreelist {
		return nil // bbolt makes one
	}
	b, err := p.page(id, nil)
	if err != nil || b == nil {
		return err
	}
	if kind := native.Uint16(b[8:]); kind != pageFreelist {
		return p.bad(id, "is of kind %d, not the freelist", kind)
	}
	list, count := b[pageHeader:], uint64(native.Uint16(b[10:]))
	if count == 0xFFFF {
		count, list = native.Uint64(list), list[8:]
	}
	if count > uint64(len(list)/8) {
		return p.bad(id, "lists %d free pages", count)
	}
	for i := range count {
		free := native.Uint64(list[8*i:])
		if free < 2 || free >= p.meta.high || p.used[free] {
			return p.bad(id, "lists page %d as free", free)
		}
		p.used[free] = true
	}
	for i, used := range p.used {
		if i >= 2 && !used {
			return p.bad(uint64(i), "is neither in use nor free")
		}
	}
	return nil
}
