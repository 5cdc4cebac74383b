package policy

import (
	"strconv"
	"strings"
)

// checkDates looks for a value under a Date operator that is no date.
func checkDates(condition *node) *problem {
	if condition == nil {
		return nil
	}
	for _, operator := range condition.children {
		if o, _ := operatorOf(operator.name); !strings.HasPrefix(o.base, "Date") {
			continue
		}
		for _, key := range operator.children {
			for _, n := range key.items() {
				if !legacyDate(n.text) {
					return textProblem(n, textLegacy, "%q is not a date", n.text)
				}
			}
		}
	}
	return nil
}

// legacyDate reports whether IAM's older parser takes s for a date: seconds since
// 1970, or an ISO 8601 date with whatever precision and an optional time.
func legacyDate(s string) bool {
	s = strings.ToLower(s)
	if !strings.ContainsAny(s, "t-") {
		return inRange(s, 0, 1<<63-1)
	}
	date, time, _ := strings.Cut(s, "t")
	sign := ""
	if rest, negative := strings.CutPrefix(date, "-"); negative {
		sign, date = "-", rest
	}
	fields := strings.Split(date, "-")
	if len(fields) > 3 || !inRange(sign+fields[0], -292275054, 292278993) {
		return false
	}
	if len(fields) > 1 && !inRange(fields[1], 1, 12) || len(fields) > 2 && !inRange(fields[2], 1, 31) {
		return false
	}
	return time == "" || legacyTime(time)
}

// legacyTime is [legacyDate] for what stands behind the T.
func legacyTime(s string) bool {
	clock, zone := s, ""
	if i := strings.IndexAny(s, "z+-"); i >= 0 {
		clock, zone = s[:i], s[i:]
	}
	fields := strings.Split(clock, ":")
	if len(fields) > 3 || !inRange(fields[0], 0, 23) {
		return false
	}
	if len(fields) > 1 && !inRange(fields[1], 0, 59) {
		return false
	}
	if len(fields) > 2 {
		seconds, fraction, found := strings.Cut(fields[2], ".")
		if !inRange(seconds, 0, 59) || found && (len(fraction) > 9 || !inRange(fraction, 0, 999999999)) {
			return false
		}
	}
	if zone == "" || zone == "z" {
		return true
	}
	hours, minutes, found := strings.Cut(zone[1:], ":")
	return len(hours) == 2 && inRange(hours, 0, 23) &&
		(!found || len(minutes) == 2 && inRange(minutes, 0, 59))
}

// inRange reports whether s is a decimal number from low to high. Only a negative
// number may have a sign.
func inRange(s string, low, high int64) bool {
	if strings.HasPrefix(s, "+") {
		return false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return err == nil && low <= n && n <= high
}
