package store

import "fmt"

// Meter counts what one Update touches and writes against [MaxKeys], [MaxBytes]
// and [MaxKey]. Every implementation of [Store] puts one into the transaction of an
// Update and asks it before each step, so that all of them count alike. The zero
// value is ready for use by one goroutine.
//
// A key counts once, however often it is read and written, and the bytes of a key
// are those of its last write. A key's length is from 1 to MaxKey. After the first
// error every method returns that error.
type Meter struct {
	touched map[string]int // bytes of the key's last write, 0 if it was only read
	bytes   int            // the sum of touched
	err     error
}

// Read counts the key of a Get, or of an entry that a Scan is about to yield.
func (m *Meter) Read(key string) error {
	switch _, ok := m.touched[key]; {
	case m.err != nil || ok:
	case key == "":
		m.err = fmt.Errorf("%w: empty key", ErrLimit)
	case len(key) > MaxKey:
		m.err = fmt.Errorf("%w: key of %d bytes, at most %d fit", ErrLimit, len(key), MaxKey)
	case len(m.touched) == MaxKeys:
		m.err = fmt.Errorf("%w: more than %d keys", ErrLimit, MaxKeys)
	case m.touched == nil:
		m.touched = map[string]int{key: 0}
	default:
		m.touched[key] = 0
	}
	return m.err
}

// Put counts the key and the value of a Put.
func (m *Meter) Put(key string, value []byte) error { return m.write(key, len(key)+len(value)) }

// Delete counts the key of a Delete.
func (m *Meter) Delete(key string) error { return m.write(key, len(key)) }

func (m *Meter) write(key string, size int) error {
	if err := m.Read(key); err != nil {
		return err
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
