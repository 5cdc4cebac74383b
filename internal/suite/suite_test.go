package suite_test

import (
	"crypto"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/internal/suite"
)

// TestTable holds the table to the specification's, written down a second time.
func TestTable(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		id         uint16
		version    byte
		keyLen     int
		kdf        crypto.Hash
		committing bool
		curve      string
		hash       crypto.Hash
		sigLen     int
	}{
		{0x0014, 1, 16, 0, false, "", 0, 0},
		{0x0046, 1, 24, 0, false, "", 0, 0},
		{0x0078, 1, 32, 0, false, "", 0, 0},
		{0x0114, 1, 16, crypto.SHA256, false, "", 0, 0},
		{0x0146, 1, 24, crypto.SHA256, false, "", 0, 0},
		{0x0178, 1, 32, crypto.SHA256, false, "", 0, 0},
		{0x0214, 1, 16, crypto.SHA256, false, "P-256", crypto.SHA256, 71},
		{0x0346, 1, 24, crypto.SHA384, false, "P-384", crypto.SHA384, 103},
		{0x0378, 1, 32, crypto.SHA384, false, "P-384", crypto.SHA384, 103},
		{0x0478, 2, 32, crypto.SHA512, true, "", 0, 0},
		{0x0578, 2, 32, crypto.SHA512, true, "P-384", crypto.SHA384, 103},
	} {
		s := suite.Lookup(row.id)
		require.NotNil(t, s, "%04x", row.id)
		require.Equal(t, row.version, s.Version, "%04x", row.id)
		require.Equal(t, row.keyLen, s.KeyLen, "%04x", row.id)
		require.Equal(t, row.kdf, s.KDF, "%04x", row.id)
		require.Equal(t, row.committing, s.Committing, "%04x", row.id)
		require.Equal(t, row.curve != "", s.Signed(), "%04x", row.id)
		require.Equal(t, row.hash, s.Signature, "%04x", row.id)
		require.Equal(t, row.sigLen, s.SigLen, "%04x", row.id)
		if s.Signed() {
			require.Equal(t, row.curve, s.Curve.Params().Name, "%04x", row.id)
			require.True(t, s.Signature.Available(), "%04x", row.id)
		}
		if s.KDF != 0 {
			require.True(t, s.KDF.Available(), "%04x", row.id)
		}
	}
}

func TestAllIsWholeAndSorted(t *testing.T) {
	t.Parallel()
	all := suite.All()
	require.Len(t, all, 11)
	for i, s := range all {
		require.Same(t, suite.Lookup(s.ID), s)
		if i > 0 {
			require.Less(t, all[i-1].ID, s.ID)
		}
	}
}

// TestLookupRefusesForeignSuites: those of the S3 and DynamoDB formats, and the
// reserved id, are no message suites.
func TestLookupRefusesForeignSuites(t *testing.T) {
	t.Parallel()
	for _, id := range []uint16{0x0000, 0x0070, 0x0072, 0x0073, 0x6700, 0x6701, 0x0579, 0xFFFF} {
		require.Nil(t, suite.Lookup(id), "%04x", id)
	}
}
