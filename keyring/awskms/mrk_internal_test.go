package awskms

import (
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	mrk      = "arn:aws:kms:us-east-1:111122223333:key/mrk-1234abcd12ab34cd56ef1234567890ab"
	replica  = "arn:aws:kms:eu-west-1:111122223333:key/mrk-1234abcd12ab34cd56ef1234567890ab"
	otherMRK = "arn:aws:kms:us-east-1:111122223333:key/mrk-0987dcba09fe87dc65baab0987654321"
	single   = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
)

// Encryption SDK framework, "AWS KMS MRK identifier".
func TestWhatIsAnMRK(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]bool{
		mrk:     true,
		replica: true,
		single:  false,
		"arn:aws-cn:kms:cn-north-1:111122223333:key/mrk-1": true,
		"arn:aws:kms:us-east-1:111122223333:key/MRK-1":     false,
		"arn:aws:kms:us-east-1:111122223333:key/mrk":       false,
		"arn:aws:kms:us-east-1:111122223333:key/x/mrk-1":   false,
		"arn:aws:kms:us-east-1:111122223333:alias/mrk-1":   false,
		"alias/mrk-1":                           false,
		"arn:aws:kms::111122223333:key/mrk-1":   false,
		"arn:aws:kms:us-east-1::key/mrk-1":      false,
		"arn:aws:s3:us-east-1:1:key/mrk-1":      false,
		"arn:aws:kms:us-east-1:111122223333":    false,
		"key/mrk-1":                             false,
		"":                                      false,
		" " + mrk:                               false,
		"mrk-1234abcd12ab34cd56ef1234567890ab:": false,
	} {
		_, ok := parseMRK(s)
		require.Equal(t, want, ok, "%q", s)
	}
}

// Encryption SDK framework, "AWS KMS MRK match for decrypt".
func TestSameMRK(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, a, b string
		want       bool
	}{
		{"itself", mrk, mrk, true},
		{"another Region", mrk, replica, true},
		{"another key", mrk, otherMRK, false},
		{"another partition", mrk, "arn:aws-cn:kms:us-east-1:111122223333:key/mrk-1234abcd12ab34cd56ef1234567890ab", false},
		{"another account", mrk, "arn:aws:kms:us-east-1:444455556666:key/mrk-1234abcd12ab34cd56ef1234567890ab", false},
		{"another service", mrk, "arn:aws:s3:us-east-1:111122223333:key/mrk-1234abcd12ab34cd56ef1234567890ab", false},
		{"an alias of that name", mrk, "arn:aws:kms:us-east-1:111122223333:alias/mrk-1234abcd12ab34cd56ef1234567890ab", false},
		{"the bare id", mrk, "mrk-1234abcd12ab34cd56ef1234567890ab", false},
		{"a longer id", mrk, mrk + "0", false},
		{"keys of a single Region", single, single, false}, // equal strings are the caller's to compare
		{"nothing", mrk, "", false},
	} {
		require.Equal(t, c.want, sameMRK(c.a, c.b), c.name)
		require.Equal(t, c.want, sameMRK(c.b, c.a), c.name)
	}
}

func TestInRegion(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, key, region string
		want              string // empty: not there
	}{
		{"multi-Region key at home", mrk, "us-east-1", mrk},
		{"multi-Region key elsewhere", mrk, "eu-west-1", replica},
		{"key of the Region", single, "us-east-1", single},
		{"key of another Region", single, "eu-west-1", ""},
		{"not an ARN", "mrk-1", "us-east-1", ""},
	} {
		got, ok := inRegion(c.key, c.region)
		require.Equal(t, c.want != "", ok, c.name)
		if ok {
			require.Equal(t, c.want, got, c.name)
		}
	}
}

// Encryption SDK framework, "AWS KMS MRK are unique".
func TestDuplicateMRKs(t *testing.T) {
	t.Parallel()
	otherReplica := "arn:aws:kms:eu-west-1:111122223333:key/mrk-0987dcba09fe87dc65baab0987654321"
	for _, c := range []struct {
		name string
		keys []string
		want []string
	}{
		{"none", nil, nil},
		{"one", []string{mrk}, nil},
		{"two", []string{mrk, otherMRK}, nil},
		{"keys of a single Region", []string{single, single}, nil},
		{"the same", []string{mrk, mrk}, []string{mrk, mrk}},
		{"a replica", []string{mrk, single, replica}, []string{mrk, replica}},
		{"two with a replica", []string{mrk, otherMRK, replica, otherReplica}, []string{mrk, otherMRK, replica, otherReplica}},
		{"one of them with a replica", []string{otherMRK, replica, mrk, ""}, []string{replica, mrk}},
		{"another account's of the same id", []string{mrk, "arn:aws:kms:us-east-1:444455556666:key/mrk-1234abcd12ab34cd56ef1234567890ab"},
			[]string{mrk, "arn:aws:kms:us-east-1:444455556666:key/mrk-1234abcd12ab34cd56ef1234567890ab"}},
	} {
		require.Equal(t, c.want, duplicateMRKs(c.keys), c.name)
	}
}

func FuzzMRK(f *testing.F) {
	for _, s := range []string{mrk, replica, otherMRK, single, "alias/mrk-1", "arn:aws:kms:::key/mrk-", ""} {
		f.Add(s, mrk)
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		require.Equal(t, sameMRK(a, b), sameMRK(b, a))
		here, ok := inRegion(a, "eu-west-1")
		if _, multi := parseMRK(a); multi {
			require.True(t, ok)
			require.True(t, sameMRK(a, here))
			require.Equal(t, sameMRK(a, b), sameMRK(here, b))
		} else if ok {
			require.Equal(t, a, here)
			require.True(t, isKeyARN(a))
		}
	})
}
