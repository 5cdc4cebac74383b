package policy

import (
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// Pair is a name and its value: a tag, or one pair of an encryption context.
type Pair struct{ Key, Value string }

// Context holds the condition keys of one request. The zero value is empty and
// ready; a Context that is used again after [Context.Reset] does not allocate.
//
// Setting a key again replaces its value. The keys that follow from the [Request],
// such as aws:PrincipalArn, cannot be set; attempts are ignored. Strings and slices
// that are given are kept until Reset and must not be changed meanwhile. A Context is
// not safe for use by several goroutines while one of them changes it.
type Context struct {
	present keySet
	kinds   [numKeys]valueKind
	texts   [numKeys]string // empty for keys that are not present
	numbers [numKeys]int64

	// Few keys of a request have lists or addresses: they are searched.
	lists []keyedList
	addrs []keyedAddr

	families [numFamilies][]Pair
	others   []otherValue
}

type keyedList struct {
	key    Key
	values []string
}

type keyedAddr struct {
	key  Key
	addr netip.Addr
}

// otherValue is a key that the package does not know.
type otherValue struct {
	name   string
	values []string
	multi  bool
}

// Reset removes every key and keeps the memory for later ones.
func (c *Context) Reset() {
	for k := range c.present.all() {
		c.texts[k] = ""
	}
	c.present = keySet{}
	clear(c.lists)
	clear(c.others)
	c.lists, c.addrs, c.others = c.lists[:0], c.addrs[:0], c.others[:0]
	for f := range c.families {
		clear(c.families[f])
		c.families[f] = c.families[f][:0]
	}
}

// SetString sets a key to text. It is also how an ARN is set.
func (c *Context) SetString(k Key, v string) {
	if c.mark(k, textValue) {
		c.texts[k] = v
	}
}

// SetBool sets a key to true or false.
func (c *Context) SetBool(k Key, v bool) {
	if c.mark(k, boolValue) {
		c.numbers[k] = 0
		if v {
			c.numbers[k] = 1
		}
	}
}

// SetInt sets a key to a whole number.
func (c *Context) SetInt(k Key, v int64) {
	if c.mark(k, intValue) {
		c.numbers[k] = v
	}
}

// SetFloat sets a key to a number.
func (c *Context) SetFloat(k Key, v float64) {
	if c.mark(k, floatValue) {
		c.numbers[k] = int64(math.Float64bits(v))
	}
}

// SetTime sets a key to an instant. Instants that do not fit into nanoseconds since
// 1970 (the years 1678 to 2262) are taken for the nearest that does.
func (c *Context) SetTime(k Key, v time.Time) {
	if c.mark(k, timeValue) {
		c.numbers[k] = instant(v.Unix(), int64(v.Nanosecond()))
	}
}

// SetAddr sets a key to an address. An IPv4 address in IPv6 form counts as IPv4.
func (c *Context) SetAddr(k Key, v netip.Addr) {
	if !c.mark(k, addrValue) {
		return
	}
	for i := range c.addrs {
		if c.addrs[i].key == k {
			c.addrs[i].addr = v.Unmap()
			return
		}
	}
	c.addrs = append(c.addrs, keyedAddr{k, v.Unmap()})
}

// SetStrings sets a multi-valued key. An empty list is not the same as an absent
// key.
func (c *Context) SetStrings(k Key, v []string) {
	if !c.mark(k, listValue) {
		return
	}
	for i := range c.lists {
		if c.lists[i].key == k {
			c.lists[i].values = v
			return
		}
	}
	c.lists = append(c.lists, keyedList{k, v})
}

// Unset removes a key.
func (c *Context) Unset(k Key) {
	if k < numKeys {
		c.present.unset(int(k))
		c.texts[k] = ""
	}
}

// Add adds a member of a family: a tag, or a pair of the encryption context. Unless
// they are set, kms:EncryptionContextKeys lists the keys of the encryption context
// and aws:TagKeys those of the request's tags. Members of [PrincipalTag] are ignored:
// they are the [Caller]'s.
func (c *Context) Add(f Family, key, value string) {
	if f != PrincipalTag && f < numFamilies {
		c.families[f] = append(c.families[f], Pair{key, value})
	}
}

// Set sets a key by its name, from text. The text of a key that has a type, such as
// aws:SourceIp, is read as that type; if it cannot be, it is kept and no operator of
// the type matches it. A multi-valued key takes all values, any other the first: with
// no values it is set to an empty list or removed. It reports whether the key can be
// set: false for those that follow from the [Request].
func (c *Context) Set(name string, values ...string) bool {
	ref := resolveKey(name)
	switch {
	case ref.kind == otherRef:
		c.setOther(name, values)
	case ref.kind == familyRef && ref.family == PrincipalTag, ref.kind == knownRef && ref.key < numDerivedKeys:
		return false
	case ref.kind == knownRef && keys[ref.key].kind == listValue:
		c.SetStrings(ref.key, values)
	case len(values) == 0:
		c.remove(ref)
	case ref.kind == familyRef:
		c.remove(ref)
		c.Add(ref.family, ref.name, values[0])
	default:
		c.setText(ref.key, values[0])
	}
	return true
}

func (c *Context) setOther(name string, values []string) {
	v := otherValue{name: name, values: values, multi: len(values) != 1}
	for i := range c.others {
		if strings.EqualFold(c.others[i].name, name) {
			c.others[i] = v
			return
		}
	}
	c.others = append(c.others, v)
}

// remove removes what ref names.
func (c *Context) remove(ref keyRef) {
	if ref.kind == knownRef {
		c.Unset(ref.key)
		return
	}
	pairs := c.families[ref.family]
	kept := pairs[:0]
	for _, p := range pairs {
		if p.Key != ref.name {
			kept = append(kept, p)
		}
	}
	c.families[ref.family] = kept
}

// setText sets a single-valued key to what the text says in the key's type.
func (c *Context) setText(k Key, text string) {
	switch keys[k].kind {
	case boolValue:
		if b, ok := parseBool(text); ok {
			c.SetBool(k, b)
			return
		}
	case intValue:
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			c.SetInt(k, n)
			return
		}
		if n, ok := parseNumber(text); ok {
			c.SetFloat(k, n.f)
			return
		}
	case timeValue:
		if t, ok := parseInstant(text); ok && c.mark(k, timeValue) {
			c.numbers[k] = t
			return
		}
	case addrValue:
		if a, err := netip.ParseAddr(text); err == nil {
			c.SetAddr(k, a)
			return
		}
	}
	c.SetString(k, text)
}

// mark notes that a key is present with a value of some kind. It reports false for
// a key that cannot be set.
func (c *Context) mark(k Key, kind valueKind) bool {
	if k < numDerivedKeys || k >= numKeys {
		return false
	}
	c.present.set(int(k))
	c.kinds[k] = kind
	return true
}

// list returns the values of a multi-valued key that is present.
func (c *Context) list(k Key) []string {
	for i := range c.lists {
		if c.lists[i].key == k {
			return c.lists[i].values
		}
	}
	return nil
}

// scalar returns the value of a single-valued key that is present.
func (c *Context) scalar(k Key) value {
	switch c.kinds[k] {
	case textValue:
		return value{text: c.texts[k]}
	case addrValue:
		for i := range c.addrs {
			if c.addrs[i].key == k {
				return value{kind: addrValue, addr: c.addrs[i].addr}
			}
		}
	}
	return value{kind: c.kinds[k], n: c.numbers[k]}
}
