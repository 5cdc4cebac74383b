package policy

import (
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// parseInstant reads a date as policies write it, in nanoseconds since 1970: seconds
// since then, or the W3C profile of ISO 8601 with whatever precision. Four digits alone
// are seconds and no year. A time without a zone is in UTC.
func parseInstant(s string) (int64, bool) {
	if n, ok := parseNumber(s); ok {
		if n.whole {
			return instant(n.i, 0), true
		}
		whole, fraction := math.Modf(n.f)
		if math.Abs(whole) > 1<<62 {
			return 0, false
		}
		return instant(int64(whole), int64(fraction*1e9)), true
	}
	date, clock, hasClock := s, "", false
	if i := strings.IndexAny(s, "Tt"); i >= 0 {
		date, clock, hasClock = s[:i], s[i+1:], true
	}
	year, month, day, ok := parseDate(date)
	if !ok || hasClock && clock == "" {
		return 0, false
	}
	seconds, nanos, ok := parseClock(clock)
	if !ok {
		return 0, false
	}
	t := time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC)
	if t.Day() != day {
		return 0, false // such as February 30
	}
	return instant(t.Unix()+seconds, nanos), true
}

// parseDate reads YYYY-MM or YYYY-MM-DD, or YYYY before a time. A year may have more digits and a sign.
func parseDate(s string) (year, month, day int, ok bool) {
	sign, rest := 1, s
	if strings.HasPrefix(rest, "-") {
		sign, rest = -1, rest[1:]
	}
	y, rest, more := strings.Cut(rest, "-")
	year, ok = parseDigits(y, 4, 9)
	year, month, day = sign*year, 1, 1
	if !ok || !more {
		return year, month, day, ok
	}
	m, d, more := strings.Cut(rest, "-")
	month, ok = parseDigits(m, 1, 2)
	if ok && more {
		day, ok = parseDigits(d, 1, 2)
	}
	return year, month, day, ok && month >= 1 && month <= 12 && day >= 1 && day <= 31
}

// parseClock reads hh:mm[:ss[.fraction]] and a zone, Z or ±hh:mm, into seconds that
// are to be added to midnight in UTC.
func parseClock(s string) (seconds, nanos int64, ok bool) {
	if s == "" {
		return 0, 0, true
	}
	clock, offset, ok := parseZone(s)
	if !ok {
		return 0, 0, false
	}
	clock, fraction, hasFraction := strings.Cut(clock, ".")
	limit := 24
	for i := 0; ; i++ {
		field, rest, more := strings.Cut(clock, ":")
		n, ok := parseDigits(field, 1, 2)
		if !ok || n >= limit || i > 2 {
			return 0, 0, false
		}
		seconds = seconds*60 + int64(n)
		limit, clock = 60, rest
		if !more {
			for ; i < 2; i++ {
				seconds *= 60
				if hasFraction {
					return 0, 0, false
				}
			}
			break
		}
	}
	if hasFraction {
		n, ok := parseDigits(fraction, 1, 9)
		if !ok {
			return 0, 0, false
		}
		nanos = int64(n)
		for range 9 - len(fraction) {
			nanos *= 10
		}
	}
	return seconds - offset, nanos, true
}

// parseZone cuts the zone off a time and returns it in seconds east of UTC.
func parseZone(s string) (clock string, offset int64, ok bool) {
	i := strings.IndexAny(s, "Zz+-")
	if i < 0 {
		return s, 0, true
	}
	clock, zone := s[:i], s[i:]
	if zone == "Z" || zone == "z" {
		return clock, 0, true
	}
	h, m, _ := strings.Cut(zone[1:], ":")
	if m == "" && len(h) == 4 {
		h, m = h[:2], h[2:]
	}
	hours, ok1 := parseDigits(h, 2, 2)
	minutes, ok2 := 0, true
	if m != "" {
		minutes, ok2 = parseDigits(m, 2, 2)
	}
	offset = int64(hours*3600 + minutes*60)
	if zone[0] == '-' {
		offset = -offset
	}
	return clock, offset, ok1 && ok2 && hours < 24 && minutes < 60
}

// parseDigits reads a number of low to high digits.
func parseDigits(s string, low, high int) (int, bool) {
	if len(s) < low || len(s) > high || strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.Atoi(s)
	return n, err == nil
}

// instant returns nanoseconds since 1970, or the nearest number that there is.
func instant(seconds, nanos int64) int64 {
	const limit = math.MaxInt64/int64(time.Second) - 1
	switch {
	case seconds > limit:
		return math.MaxInt64
	case seconds < -limit:
		return math.MinInt64
	}
	return seconds*int64(time.Second) + nanos
}

// parsePrefix reads an address range. A bare address is a range of one; bits of the
// address behind the mask are ignored; an IPv4 range in IPv6 form is an IPv4 range.
func parsePrefix(s string) (netip.Prefix, bool) {
	if !strings.Contains(s, "/") {
		a, err := netip.ParseAddr(s)
		if err != nil || a.Zone() != "" {
			return netip.Prefix{}, false
		}
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), true
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return netip.Prefix{}, false
	}
	if a := p.Addr(); a.Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(a.Unmap(), p.Bits()-96)
	}
	return p.Masked(), true
}
