package nitro

import (
	"bytes"
	"encoding/asn1"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDERIsThatOfTheStandardLibrary(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 127, 128, 129, 255, 256, 65535, 65536, 1<<24 - 1, 1 << 24} {
		content := bytes.Repeat([]byte{7}, n)
		want, err := asn1.Marshal(content)
		require.NoError(t, err)
		got := der(tagOctetString, content[:n/2], content[n/2:])
		require.True(t, bytes.Equal(want, got), "%d bytes", n)

		r := newBER(got)
		require.True(t, bytes.Equal(content, r.take(tagOctetString)), "%d bytes", n)
		r.end()
		require.True(t, r.ok())
	}
}

func TestValueSplits(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, in, content, rest string }{
		{"empty", "\x04\x00", "", ""},
		{"short", "\x04\x02abc", "ab", "c"},
		{"long form of a short length", "\x04\x81\x02abc", "ab", "c"},
		{"leading zeros", "\x04\x84\x00\x00\x00\x02abc", "ab", "c"},
		{"indefinite, empty", "\x30\x80\x00\x00x", "", "x"},
		{"indefinite", "\x30\x80\x04\x01a\x00\x00x", "\x04\x01a", "x"},
		{"zeros that are content", "\x30\x80\x04\x02\x00\x00\x00\x00x", "\x04\x02\x00\x00", "x"},
		{"indefinite in indefinite", "\x30\x80\x30\x80\x00\x00\x00\x00x", "\x30\x80\x00\x00", "x"},
		{"definite in indefinite", "\x30\x80\x30\x02\x05\x00\x00\x00", "\x30\x02\x05\x00", ""},
		{"as deep as can be", strings.Repeat("\x30\x80", maxDepth) + strings.Repeat("\x00\x00", maxDepth), strings.Repeat("\x30\x80", maxDepth-1) + strings.Repeat("\x00\x00", maxDepth-1), ""},
	} {
		content, rest, ok := value([]byte(c.in), maxDepth)
		require.True(t, ok, c.name)
		require.Equal(t, c.content, string(content), c.name)
		require.Equal(t, c.rest, string(rest), c.name)
	}
	for name, in := range map[string]string{
		"nothing":                    "",
		"a tag alone":                "\x04",
		"a tag of several bytes":     "\x1f\x01\x00",
		"a length beyond the end":    "\x04\x02a",
		"a length without its bytes": "\x04\x82\x01",
		"a length of five bytes":     "\x04\x85\x00\x00\x00\x00\x00",
		"a length of 127 bytes":      "\x04\xff" + strings.Repeat("\x00", 127),
		"a huge length":              "\x04\x84\xff\xff\xff\xffa",
		"a length of 2 GiB":          "\x04\x84\x80\x00\x00\x00a",
		"primitive and indefinite":   "\x04\x80\x00\x00",
		"no end":                     "\x30\x80",
		"half an end":                "\x30\x80\x00",
		"an end inside":              "\x30\x80\x30\x80\x00\x00",
		"garbage inside":             "\x30\x80\x04\x05a\x00\x00",
		"too deep":                   strings.Repeat("\x30\x80", maxDepth+1) + strings.Repeat("\x00\x00", maxDepth+1),
	} {
		_, _, ok := value([]byte(in), maxDepth)
		require.False(t, ok, name)
	}
}

func TestBERStaysBad(t *testing.T) {
	t.Parallel()
	for name, do := range map[string]func(*ber){
		"another tag":      func(r *ber) { r.take(tagOID) },
		"another content":  func(r *ber) { r.match(tagInteger, "\x03") },
		"something left":   func(r *ber) { r.end() },
		"a bad inner one":  func(r *ber) { inner := r.enter(tagInteger); inner.take(tagOID) },
		"a bad octet form": func(r *ber) { r.octets(tagContext0) },
	} {
		r := newBER([]byte("\x02\x01\x02\x02\x01\x02"))
		do(&r)
		require.False(t, r.ok(), name)
		require.Nil(t, r.take(tagInteger), name)
		require.Nil(t, r.octets(tagInteger), name)
		inner := r.enter(tagInteger)
		inner.end()
		require.False(t, inner.ok(), name)
	}
}

func TestClaimedLengthsAllocateNothing(t *testing.T) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 100 {
		r := newBER([]byte("\xa0\x80\x04\x84\x7f\xff\xff\xffx\x00\x00"))
		require.Nil(t, r.octets(tagContext0))
		require.False(t, r.ok())
	}
	runtime.ReadMemStats(&after)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(1<<20))
}
