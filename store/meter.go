package store

import (
	"fmt"
	"strings"
)

// Meter counts what one Update touches and writes against [MaxKeys], [MaxBytes]
// and [MaxKey]. Every implementation of [Store] puts one into the transaction of an
// Update and asks it before each step, so that all of them count alike. The zero
// value is ready for use by one goroutine.
//
// A key counts once, however often it is read and written, and the bytes of a key
// are those of its last write. A key's length is from 1 to MaxKey. Up to four keys that
// begin with [Reserved], with values of up to 16 KiB, do not count. After the first error
// every method returns that error.
type Meter struct {
	touched  map[string]int // bytes of the key's last write, 0 if it was only read
	reserved int            // keys of touched that do not count
	bytes    int            // the sum of touched
	err      error
}

// Reserved begins the keys that a store keeps for its own wrappers, such as [Sealed],
// a few at most. An implementation that needs keys of its own keeps them elsewhere.
const Reserved = "\x00"

// Read counts the key of a Get, or of an entry that a Scan is about to yield.
func (m *Meter) Read(key string) error {
	switch _, ok := m.touched[key]; {
	case m.err != nil || ok:
	case key == "":
		m.err = fmt.Errorf("%w: empty key", ErrLimit)
	case len(key) > MaxKey:
		m.err = fmt.Errorf("%w: key of %d bytes, at most %d fit", ErrLimit, len(key), MaxKey)
	case strings.HasPrefix(key, Reserved) && m.reserved < maxReserved:
		m.reserved++
		m.touch(key)
	case len(m.touched)-m.reserved == MaxKeys:
		m.err = fmt.Errorf("%w: more than %d keys", ErrLimit, MaxKeys)
	default:
		m.touch(key)
	}
	return m.err
}

// What bounds the keys of one update that do not count: their number, and the length of
// their values in bytes.
const (
	maxReserved      = 4
	maxReservedValue = 16 << 10
)

func (m *Meter) touch(key string) {
	if m.touched == nil {
		m.touched = make(map[string]int)
	}
	m.touched[key] = 0
}

// Put counts the key and the value of a Put.
func (m *Meter) Put(key string, value []byte) error { return m.write(key, len(key)+len(value)) }

// Delete counts the key of a Delete.
func (m *Meter) Delete(key string) error { return m.write(key, len(key)) }

func (m *Meter) write(key string, size int) error {
	if err := m.Read(key); err != nil {
		return err
	}
	if strings.HasPrefix(key, Reserved) && size <= maxReservedValue {
		size = 0
	}
	m.bytes += size - m.touched[key]
	m.touched[key] = size
	if m.bytes > MaxBytes {
		m.err = fmt.Errorf("%w: more than %d bytes", ErrLimit, MaxBytes)
	}
	return m.err
}

// Err returns the first error, matched by [ErrLimit], or nil. An Update whose
// function returned nil must return it instead of committing.
func (m *Meter) Err() error { return m.err }
