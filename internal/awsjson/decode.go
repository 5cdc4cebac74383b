package awsjson

import (
	"bytes"
	"encoding/base64"
	"math"
	"reflect"
	"strconv"
	"time"
	"unicode/utf8"
)

// The times that are read lie in the years 1 to 9999, as those of RFC 3339 do.
const (
	minSeconds = -62135596800
	maxSeconds = 253402300799
)

// document reads the whole body into v.
func (d *decoder) document(p *structPlan, v reflect.Value) *SyntaxError {
	if !utf8.Valid(d.data) {
		d.pos = firstInvalid(d.data)
		return d.fail("invalid UTF-8")
	}
	if err := p.decode(d, v); err != nil {
		return err
	}
	if d.peek(); d.pos < len(d.data) {
		return d.fail("unexpected data behind the object")
	}
	return nil
}

// firstInvalid returns the position of the first byte in data that is not UTF-8.
func firstInvalid(data []byte) int {
	at := 0
	for at < len(data) {
		r, size := utf8.DecodeRune(data[at:])
		if r == utf8.RuneError && size == 1 {
			break
		}
		at += size
	}
	return at
}

func (p *structPlan) decode(d *decoder, v reflect.Value) *SyntaxError {
	if d.peek() != '{' {
		return d.mismatch("Structure")
	}
	if err := d.open('{'); err != nil {
		return err
	}
	var seen fieldSet
	var skipped nameSet
	for first := true; ; first = false {
		more, err := d.more('}', first)
		if !more {
			return err
		}
		name, err := d.key()
		if err != nil {
			return err
		}
		i, known := p.byName[string(name)]
		if known && !seen.add(i) || !known && !skipped.add(name) {
			return d.fail("member given twice")
		}
		switch {
		case !known:
			err = d.skip()
		case d.peek() == 'n':
			err = d.word("null").within(p.fields[i].name)
		default:
			f := &p.fields[i]
			err = f.codec.decode(d, v.Field(f.index)).within(f.name)
		}
		if err != nil {
			return err
		}
	}
}

// maxFields is the number of members that a fieldSet has room for; the largest
// structure of the services has fewer than half as many.
const maxFields = 128

// A fieldSet holds which members of a structure were read, by their place in the
// plan.
type fieldSet [maxFields / 64]uint64

// add reports whether i is new to the set.
func (s *fieldSet) add(i int) bool {
	bit := uint64(1) << (i % 64)
	if s[i/64]&bit != 0 {
		return false
	}
	s[i/64] |= bit
	return true
}

func (d *decoder) list(v reflect.Value, elem codec) *SyntaxError {
	if d.peek() != '[' {
		return d.mismatch("List")
	}
	if err := d.open('['); err != nil {
		return err
	}
	v.Set(reflect.MakeSlice(v.Type(), 0, 0))
	for i := 0; ; i++ {
		more, err := d.more(']', i == 0)
		if !more {
			return err
		}
		v.Grow(1)
		v.SetLen(i + 1)
		if err := elem.decode(d, v.Index(i)); err != nil {
			return err.within("[" + strconv.Itoa(i) + "]")
		}
	}
}

func (d *decoder) mapping(v reflect.Value, elem codec) *SyntaxError {
	m := reflect.MakeMap(v.Type())
	v.Set(m)
	return d.entries(func(name []byte) *SyntaxError {
		key := reflect.New(v.Type().Key()).Elem()
		key.SetString(string(name))
		if m.MapIndex(key).IsValid() {
			return d.fail("key given twice")
		}
		value := reflect.New(v.Type().Elem()).Elem()
		if err := elem.decode(d, value); err != nil {
			return err.within("value")
		}
		m.SetMapIndex(key, value)
		return nil
	})
}

// decodeStringMap is mapping for the commonest type, almost without reflection.
func decodeStringMap(d *decoder, v reflect.Value) *SyntaxError {
	m := make(map[string]string)
	v.Set(reflect.ValueOf(m))
	return d.entries(func(name []byte) *SyntaxError {
		key := string(name)
		if _, ok := m[key]; ok {
			return d.fail("key given twice")
		}
		value, err := d.string("String")
		if err != nil {
			return err.within("value")
		}
		m[key] = string(value)
		return nil
	})
}

// entries reads a map and calls entry with d in front of each value. The name is
// valid until entry reads a string.
func (d *decoder) entries(entry func(name []byte) *SyntaxError) *SyntaxError {
	if d.peek() != '{' {
		return d.mismatch("Map")
	}
	if err := d.open('{'); err != nil {
		return err
	}
	for first := true; ; first = false {
		more, err := d.more('}', first)
		if !more {
			return err
		}
		name, err := d.key()
		if err != nil {
			return err
		}
		if err := entry(name); err != nil {
			return err
		}
	}
}

// string reads a string that stands for a value of the type want. The bytes are
// valid until the next string is read.
func (d *decoder) string(want string) ([]byte, *SyntaxError) {
	if d.peek() != '"' {
		return nil, d.mismatch(want)
	}
	return d.text()
}

// numeral reads a number that stands for a value of the type want.
func (d *decoder) numeral(want string) ([]byte, *SyntaxError) {
	if c := d.peek(); c != '-' && (c < '0' || c > '9') {
		return nil, d.mismatch(want)
	}
	return d.number()
}

// mismatch returns the error for a value of another type than want, in the words
// that AWS's services use.
func (d *decoder) mismatch(want string) *SyntaxError {
	var got string
	switch c := d.peek(); {
	case c == '{':
		return d.fail("Start of structure or map found where not expected")
	case c == '[':
		return d.fail("Start of list found where not expected")
	case c == '"':
		got = "STRING_VALUE"
	case c == 't':
		got = "TRUE_VALUE"
	case c == 'f':
		got = "FALSE_VALUE"
	case c == 'n':
		got = "NULL_VALUE"
	case c == '-' || c >= '0' && c <= '9':
		got = "NUMBER_VALUE"
	default:
		return d.unexpected("a value")
	}
	return d.fail(got + " cannot be converted to " + want)
}

func decodeString(d *decoder, v reflect.Value) *SyntaxError {
	s, err := d.string("String")
	if err != nil {
		return err
	}
	v.SetString(string(s))
	return nil
}

func decodeBool(d *decoder, v reflect.Value) *SyntaxError {
	switch d.peek() {
	case 't':
		v.SetBool(true)
		return d.word("true")
	case 'f':
		v.SetBool(false)
		return d.word("false")
	}
	return d.mismatch("Boolean")
}

func decodeInt(d *decoder, v reflect.Value) *SyntaxError {
	text, err := d.numeral("Integer")
	if err != nil {
		return err
	}
	// A fraction or an exponent is as little an integer here as to the SDK.
	n, bad := strconv.ParseInt(string(text), 10, v.Type().Bits())
	if bad != nil {
		return d.fail("not an integer, or out of range")
	}
	v.SetInt(n)
	return nil
}

func decodeFloat(d *decoder, v reflect.Value) *SyntaxError {
	text, err := d.numeral("Float")
	if err != nil {
		return err
	}
	f, bad := strconv.ParseFloat(string(text), v.Type().Bits())
	if bad != nil {
		return d.fail("number out of range")
	}
	v.SetFloat(f)
	return nil
}

// decodeTime rounds to milliseconds, so that a time comes back as it was sent
// although the number in between is a float64 for most clients.
func decodeTime(d *decoder, v reflect.Value) *SyntaxError {
	text, err := d.numeral("Timestamp")
	if err != nil {
		return err
	}
	s, bad := strconv.ParseFloat(string(text), 64)
	if bad != nil || s < minSeconds || s > maxSeconds {
		return d.fail("time out of range")
	}
	t := time.UnixMilli(int64(math.Round(s * 1000))).UTC()
	*v.Addr().Interface().(*time.Time) = t
	return nil
}

// decodeBlob accepts the one canonical spelling of each blob: with padding, and
// without the line ends that the standard library's decoder would skip.
func decodeBlob(d *decoder, v reflect.Value) *SyntaxError {
	text, err := d.string("Blob")
	if err != nil {
		return err
	}
	if bytes.IndexByte(text, '\r') >= 0 || bytes.IndexByte(text, '\n') >= 0 {
		return d.fail("bad base64")
	}
	b := make([]byte, base64.StdEncoding.DecodedLen(len(text)))
	n, bad := base64.StdEncoding.Strict().Decode(b, text)
	if bad != nil {
		return d.fail("bad base64")
	}
	v.SetBytes(b[:n:n])
	return nil
}
