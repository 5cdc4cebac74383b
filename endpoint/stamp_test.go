package endpoint

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const basicISO8601 = "20060102T150405Z"

// requireLikeTime checks that the stamp s is read as the package time does, which
// would also take stamps with a fraction of a second.
func requireLikeTime(t *testing.T, s string) (ok bool) {
	want, err := time.Parse(basicISO8601, s)
	got, ok := parseStamp(s)
	require.Equal(t, err == nil && want.Format(basicISO8601) == s, ok, "%q", s)
	if ok {
		require.Equal(t, want, got, s)
		require.Equal(t, s, stamp(got))
	}
	day := s[:min(lenDay, len(s))]
	want, err = time.Parse(basicISO8601[:lenDay], day)
	got, isDay := parseDay(day)
	require.Equal(t, err == nil, isDay, "%q", day)
	if isDay {
		require.Equal(t, want, got, day)
	}
	return ok
}

func TestStampsAreWrittenAsByTime(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(7, 8))
	first, last := time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
	for range 10000 {
		at := time.Unix(first.Unix()+rng.Int64N(last.Unix()-first.Unix()+1), rng.Int64N(1e9)).UTC()
		require.Equal(t, at.Format(basicISO8601), stamp(at))
		require.True(t, requireLikeTime(t, stamp(at)))
	}
	require.Equal(t, "00000101T000000Z", stamp(first))
	require.Equal(t, "99991231T235959Z", stamp(last))
}

// TestStampsAreReadAsByTime tries every day that there could be and everything that
// is nearly a stamp.
func TestStampsAreReadAsByTime(t *testing.T) {
	t.Parallel()
	days := 0
	for _, year := range []string{"0000", "1900", "2000", "2023", "2024", "2026", "2100", "9999"} {
		for month := range 20 {
			for day := range 40 {
				s := string(appendTwoDigits(appendTwoDigits([]byte(year), month), day)) + "T235959Z"
				if requireLikeTime(t, s) {
					days++
				}
			}
		}
	}
	require.Equal(t, 8*365+3, days, "there are three leap years")

	const good = "20260101T000500Z"
	read := 0
	for i := range len(good) {
		for c := range 256 {
			for _, s := range []string{
				good[:i] + string([]byte{byte(c)}) + good[i+1:],
				good[:i] + string([]byte{byte(c)}) + good[i:],
			} {
				if requireLikeTime(t, s) {
					read++
				}
			}
		}
		requireLikeTime(t, good[:i])
		requireLikeTime(t, good[:i]+good[i+1:])
	}
	require.Greater(t, read, 40)
	for _, s := range []string{"20260101T0005.0Z", "20260101T0005,0Z", "20260101T0500.5Z", "2026010T000500.Z", "20260101T00050.Z", "20260101T240000Z"} {
		require.False(t, requireLikeTime(t, s), s)
	}
}

func FuzzStamp(f *testing.F) {
	for _, s := range []string{"20260101T000500Z", "20240229T235959Z", "20230229T000000Z", "20260101T000500.5Z", "00000000T000000Z", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) { requireLikeTime(t, s) })
}
