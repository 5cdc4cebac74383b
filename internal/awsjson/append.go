package awsjson

import (
	"encoding/base64"
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

func (p *structPlan) append(dst []byte, v reflect.Value) []byte {
	dst = append(dst, '{')
	first := true
	for i := range p.fields {
		f := &p.fields[i]
		member := v.Field(f.index)
		if f.omit != nil && f.omit(member) {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = append(dst, f.label...)
		dst = f.codec.append(dst, member)
	}
	return append(dst, '}')
}

func appendList(dst []byte, v reflect.Value, elem codec) []byte {
	dst = append(dst, '[')
	for i := range v.Len() {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = elem.append(dst, v.Index(i))
	}
	return append(dst, ']')
}

func appendMap(dst []byte, v reflect.Value, elem codec) []byte {
	keys := v.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int {
		return strings.Compare(a.String(), b.String())
	})
	dst = append(dst, '{')
	for i, k := range keys {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(dst, k.String())
		dst = append(dst, ':')
		dst = elem.append(dst, v.MapIndex(k))
	}
	return append(dst, '}')
}

func appendStringMap(dst []byte, v reflect.Value) []byte {
	m := v.Interface().(map[string]string)
	dst = append(dst, '{')
	for i, k := range slices.Sorted(maps.Keys(m)) {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(dst, k)
		dst = append(dst, ':')
		dst = appendString(dst, m[k])
	}
	return append(dst, '}')
}

func appendStringValue(dst []byte, v reflect.Value) []byte {
	return appendString(dst, v.String())
}

func appendBool(dst []byte, v reflect.Value) []byte {
	return strconv.AppendBool(dst, v.Bool())
}

func appendInt(dst []byte, v reflect.Value) []byte {
	return strconv.AppendInt(dst, v.Int(), 10)
}

// appendFloat writes the shortest number that reads back as v. JSON has no
// number for NaN and the infinities: Smithy sends their names as strings.
func appendFloat(dst []byte, v reflect.Value) []byte {
	f := v.Float()
	switch {
	case math.IsNaN(f):
		return append(dst, `"NaN"`...)
	case math.IsInf(f, 1):
		return append(dst, `"Infinity"`...)
	case math.IsInf(f, -1):
		return append(dst, `"-Infinity"`...)
	}
	return strconv.AppendFloat(dst, f, 'g', -1, v.Type().Bits())
}

// appendBlob writes base64, which needs no escaping.
func appendBlob(dst []byte, v reflect.Value) []byte {
	dst = append(dst, '"')
	dst = base64.StdEncoding.AppendEncode(dst, v.Bytes())
	return append(dst, '"')
}

// appendTime writes seconds since 1970 with as many decimals, at most three, as
// the milliseconds need. Clients read the number as a float64, which has room
// for them.
func appendTime(dst []byte, v reflect.Value) []byte {
	ms := v.Interface().(time.Time).UnixMilli()
	if ms < 0 {
		dst = append(dst, '-')
		ms = -ms
	}
	dst = strconv.AppendInt(dst, ms/1000, 10)
	fraction := ms % 1000
	if fraction == 0 {
		return dst
	}
	dst = append(dst, '.', byte('0'+fraction/100))
	if fraction%100 != 0 {
		dst = append(dst, byte('0'+fraction/10%10))
	}
	if fraction%10 != 0 {
		dst = append(dst, byte('0'+fraction%10))
	}
	return dst
}

// appendString writes s in quotes, escaping only what JSON requires.
func appendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	done := 0 // s[:done] is written
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c < utf8.RuneSelf && c != '"' && c != '\\' {
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if c >= utf8.RuneSelf && (r != utf8.RuneError || size > 1) {
			i += size
			continue
		}
		dst = append(dst, s[done:i]...)
		if c >= utf8.RuneSelf {
			dst = utf8.AppendRune(dst, utf8.RuneError)
		} else {
			dst = appendEscape(dst, c)
		}
		i += size
		done = i
	}
	dst = append(dst, s[done:]...)
	return append(dst, '"')
}

// appendEscape writes the escape of a quote, a backslash or a control character
// (RFC 8259, section 7).
func appendEscape(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\b':
		return append(dst, '\\', 'b')
	case '\f':
		return append(dst, '\\', 'f')
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	}
	const hex = "0123456789abcdef"
	return append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
}
