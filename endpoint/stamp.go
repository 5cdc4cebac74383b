package endpoint

import "time"

// A stamp is a time as signatures have it, yyyymmddThhmmssZ in UTC: ISO 8601's basic
// format. The package time reads and writes it too, at several times the cost, and
// lets a fraction of a second pass.
const (
	lenStamp = len("yyyymmddThhmmssZ")
	lenDay   = len("yyyymmdd") // its first part, which a scope has
)

// appendStamp appends the stamp of t, which is in UTC and in the years 0 to 9999.
func appendStamp(dst []byte, t time.Time) []byte {
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	dst = appendTwoDigits(appendTwoDigits(dst, year/100), year%100)
	dst = appendTwoDigits(appendTwoDigits(dst, int(month)), day)
	dst = append(dst, 'T')
	dst = appendTwoDigits(appendTwoDigits(appendTwoDigits(dst, hour), minute), second)
	return append(dst, 'Z')
}

func appendTwoDigits(dst []byte, n int) []byte {
	return append(dst, '0'+byte(n/10), '0'+byte(n%10))
}

// stamp returns the stamp of t as a string.
func stamp(t time.Time) string { return string(appendStamp(nil, t)) }

// parseStamp returns the time of a stamp, of which there is one spelling.
func parseStamp(s string) (t time.Time, ok bool) {
	if len(s) != lenStamp || s[lenDay] != 'T' || s[lenStamp-1] != 'Z' {
		return t, false
	}
	day, ok := parseDay(s[:lenDay])
	hour, minute, second := twoDigits(s[9:]), twoDigits(s[11:]), twoDigits(s[13:])
	if !ok || hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59 {
		return t, false
	}
	return day.Add(time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute + time.Duration(second)*time.Second), true
}

// parseDay returns the first moment of the day that is spelled yyyymmdd.
func parseDay(s string) (t time.Time, ok bool) {
	if len(s) != lenDay {
		return t, false
	}
	century, year, month, day := twoDigits(s), twoDigits(s[2:]), twoDigits(s[4:]), twoDigits(s[6:])
	if century < 0 || year < 0 || month < 1 || month > 12 || day < 1 {
		return t, false
	}
	t = time.Date(100*century+year, time.Month(month), day, 0, 0, 0, 0, time.UTC)
	return t, t.Day() == day // or the month is not that long
}

// twoDigits returns the number that s begins with, or -1 if those are not digits.
func twoDigits(s string) int {
	tens, ones := s[0]-'0', s[1]-'0'
	if tens > 9 || ones > 9 {
		return -1
	}
	return 10*int(tens) + int(ones)
}
