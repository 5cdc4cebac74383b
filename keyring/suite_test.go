package keyring_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/keyring"
)

var policies = []keyring.CommitmentPolicy{
	keyring.RequireEncryptRequireDecrypt, keyring.RequireEncryptAllowDecrypt, keyring.ForbidEncryptAllowDecrypt,
}

func TestSuites(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		suite              keyring.Suite
		id                 uint16
		keyLen             int
		committing, signed bool
		name               string
	}{
		{keyring.AES128GCMNoKDF, 0x0014, 16, false, false, "ALG_AES_128_GCM_IV12_TAG16_NO_KDF"},
		{keyring.AES192GCMNoKDF, 0x0046, 24, false, false, "ALG_AES_192_GCM_IV12_TAG16_NO_KDF"},
		{keyring.AES256GCMNoKDF, 0x0078, 32, false, false, "ALG_AES_256_GCM_IV12_TAG16_NO_KDF"},
		{keyring.AES128GCMHKDFSHA256, 0x0114, 16, false, false, "ALG_AES_128_GCM_IV12_TAG16_HKDF_SHA256"},
		{keyring.AES192GCMHKDFSHA256, 0x0146, 24, false, false, "ALG_AES_192_GCM_IV12_TAG16_HKDF_SHA256"},
		{keyring.AES256GCMHKDFSHA256, 0x0178, 32, false, false, "ALG_AES_256_GCM_IV12_TAG16_HKDF_SHA256"},
		{keyring.AES128GCMHKDFSHA256ECDSAP256, 0x0214, 16, false, true, "ALG_AES_128_GCM_IV12_TAG16_HKDF_SHA256_ECDSA_P256"},
		{keyring.AES192GCMHKDFSHA384ECDSAP384, 0x0346, 24, false, true, "ALG_AES_192_GCM_IV12_TAG16_HKDF_SHA384_ECDSA_P384"},
		{keyring.AES256GCMHKDFSHA384ECDSAP384, 0x0378, 32, false, true, "ALG_AES_256_GCM_IV12_TAG16_HKDF_SHA384_ECDSA_P384"},
		{keyring.AES256GCMHKDFSHA512CommitKey, 0x0478, 32, true, false, "ALG_AES_256_GCM_HKDF_SHA512_COMMIT_KEY"},
		{keyring.AES256GCMHKDFSHA512CommitKeyECDSAP384, 0x0578, 32, true, true, "ALG_AES_256_GCM_HKDF_SHA512_COMMIT_KEY_ECDSA_P384"},
	} {
		require.EqualValues(t, c.id, c.suite)
		require.Equal(t, c.keyLen, c.suite.DataKeyLen(), c.name)
		require.Equal(t, c.committing, c.suite.Committing(), c.name)
		require.Equal(t, c.signed, c.suite.Signed(), c.name)
		require.Equal(t, c.name, c.suite.String())
		require.Contains(t, keyring.Suites(), c.suite)
	}
	require.Len(t, keyring.Suites(), 11)
	require.IsIncreasing(t, keyring.Suites())
}

func TestUnknownSuites(t *testing.T) {
	t.Parallel()
	// Suites of the S3 and DynamoDB clients are not suites of messages.
	for _, s := range []keyring.Suite{0x0001, 0x0070, 0x0072, 0x0073, 0x6700, 0x6701, 0xFFFF, 0} {
		require.Zero(t, s.DataKeyLen())
		require.False(t, s.Committing())
		require.False(t, s.Signed())
		for _, p := range policies {
			require.ErrorIs(t, p.CheckDecryption(s), keyring.ErrUnknownSuite)
			if s != 0 { // which stands for the default
				_, err := p.EncryptionSuite(s)
				require.ErrorIs(t, err, keyring.ErrUnknownSuite)
			}
		}
	}
	require.Equal(t, "suite 0x6700", keyring.Suite(0x6700).String())
}

// TestCommitmentPolicies asks every policy for every suite, through the policy
// and through the materials.
func TestCommitmentPolicies(t *testing.T) {
	t.Parallel()
	ring := newAES(t, "key")
	for _, c := range []struct {
		policy                   keyring.CommitmentPolicy
		name                     string
		def                      keyring.Suite
		writes, reads            bool // suites without commitment
		writesCommit, readCommit bool
	}{
		{keyring.RequireEncryptRequireDecrypt, "REQUIRE_ENCRYPT_REQUIRE_DECRYPT",
			keyring.AES256GCMHKDFSHA512CommitKeyECDSAP384, false, false, true, true},
		{keyring.RequireEncryptAllowDecrypt, "REQUIRE_ENCRYPT_ALLOW_DECRYPT",
			keyring.AES256GCMHKDFSHA512CommitKeyECDSAP384, false, true, true, true},
		{keyring.ForbidEncryptAllowDecrypt, "FORBID_ENCRYPT_ALLOW_DECRYPT",
			keyring.AES256GCMHKDFSHA384ECDSAP384, true, true, false, true},
	} {
		require.Equal(t, c.name, c.policy.String())
		def, err := c.policy.EncryptionSuite(0)
		require.NoError(t, err)
		require.Equal(t, c.def, def)
		m, err := keyring.NewEncryptionMaterials(keyring.EncryptionRequest{CommitmentPolicy: c.policy})
		require.NoError(t, err)
		require.Equal(t, c.def, m.Suite())

		for _, s := range keyring.Suites() {
			writes, reads := c.writes, c.reads
			if s.Committing() {
				writes, reads = c.writesCommit, c.readCommit
			}
			got, err := c.policy.EncryptionSuite(s)
			_, merr := keyring.NewEncryptionMaterials(keyring.EncryptionRequest{Suite: s, CommitmentPolicy: c.policy})
			if writes {
				require.NoError(t, err)
				require.NoError(t, merr)
				require.Equal(t, s, got)
			} else {
				require.ErrorIs(t, err, keyring.ErrCommitmentPolicy, "%v %v", c.policy, s)
				require.ErrorIs(t, merr, keyring.ErrCommitmentPolicy, "%v %v", c.policy, s)
			}

			sealed := encryption(t, s)
			require.NoError(t, ring.OnEncrypt(t.Context(), sealed))
			_, err = keyring.NewManager(ring).DecryptionMaterials(t.Context(), keyring.DecryptionRequest{
				Suite: s, CommitmentPolicy: c.policy, Context: sealed.Context(),
				EncryptedDataKeys: sealed.EncryptedDataKeys(),
			})
			if reads {
				require.NoError(t, c.policy.CheckDecryption(s))
				require.NoError(t, err)
			} else {
				require.ErrorIs(t, c.policy.CheckDecryption(s), keyring.ErrCommitmentPolicy, "%v %v", c.policy, s)
				require.ErrorIs(t, err, keyring.ErrCommitmentPolicy, "%v %v", c.policy, s)
			}
		}
	}
}

func TestUnknownPolicyAdmitsNothing(t *testing.T) {
	t.Parallel()
	for _, p := range []keyring.CommitmentPolicy{-1, 3} {
		for _, s := range append(keyring.Suites(), 0) {
			_, err := p.EncryptionSuite(s)
			require.ErrorIs(t, err, keyring.ErrCommitmentPolicy)
			if s != 0 {
				require.ErrorIs(t, p.CheckDecryption(s), keyring.ErrCommitmentPolicy)
			}
		}
	}
	require.Equal(t, "CommitmentPolicy(3)", keyring.CommitmentPolicy(3).String())
}
