package keyrecord_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/internal/keyrecord"
)

// TestUsageRecordIsPinned holds the names of the fields and of the record: stores have
// them.
func TestUsageRecordIsPinned(t *testing.T) {
	t.Parallel()
	u := &keyrecord.Usage{Operation: "Decrypt", Time: created, RequestID: "r", EventID: "e"}
	b, err := u.Marshal()
	require.NoError(t, err)
	require.JSONEq(t, `{"v":1,"operation":"Decrypt","time":"2026-01-02T03:04:05.678Z","requestId":"r","eventId":"e"}`, string(b))
	got, err := keyrecord.UnmarshalUsage(b)
	require.NoError(t, err)
	require.Equal(t, u, got)
	require.Equal(t, "kms/111122223333/eu-west-1/usage/"+id, keyrecord.UsageName("111122223333", "eu-west-1", id))
}

func TestRefusedUsageRecords(t *testing.T) {
	t.Parallel()
	for record, want := range map[string]string{
		``:                     "keyrecord: usage: unexpected end of JSON input",
		`{}`:                   "keyrecord: usage of format 0, this program knows 1",
		`{"v":2}`:              "keyrecord: usage of format 2, this program knows 1",
		`{"v":1,"time":"now"}`: "keyrecord: usage: parsing time",
	} {
		_, err := keyrecord.UnmarshalUsage([]byte(record))
		require.ErrorContains(t, err, want, record)
	}
}
