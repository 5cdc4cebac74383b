package s3crypto

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/keyring"
)

func TestPolicies(t *testing.T) {
	t.Parallel()
	const (
		strict  = keyring.RequireEncryptRequireDecrypt
		allow   = keyring.RequireEncryptAllowDecrypt
		forbid  = keyring.ForbidEncryptAllowDecrypt
		unknown = CommitmentPolicy(999)
	)
	for p, want := range map[CommitmentPolicy]suite{strict: suiteCommitting, allow: suiteCommitting, forbid: suiteGCM} {
		s, err := writes(p)
		require.NoError(t, err)
		require.Equal(t, want, s)
	}
	_, err := writes(unknown)
	require.ErrorIs(t, err, ErrPolicy)
	require.ErrorIs(t, ErrPolicy, keyring.ErrCommitmentPolicy)

	all := wrappers(t)
	none, err := NewAES(testAES, nil)
	require.NoError(t, err)
	for _, tt := range []struct {
		policy   CommitmentPolicy
		allowCBC bool
		suite    suite
		wrap     wrapAlgorithm
		wrapper  Wrapper
		want     error
	}{
		{strict, false, suiteCommitting, wrapAESGCM, none, nil},
		{allow, false, suiteCommitting, wrapAESGCM, none, nil},
		{forbid, false, suiteCommitting, wrapAESGCM, none, nil},
		{unknown, false, suiteCommitting, wrapAESGCM, none, ErrPolicy},
		{strict, false, suiteGCM, wrapAESGCM, none, ErrPolicy},
		{allow, false, suiteGCM, wrapAESGCM, none, nil},
		{forbid, false, suiteGCM, wrapAESGCM, none, nil},
		{strict, true, suiteCBC, wrapAESKW, all["AES"], ErrPolicy},
		{strict, false, suiteCBC, wrapAESKW, all["AES"], ErrPolicy},
		{allow, false, suiteCBC, wrapAESKW, all["AES"], ErrLegacy},
		{forbid, false, suiteCBC, wrapAESKW, all["AES"], ErrLegacy},
		{allow, true, suiteCBC, wrapAESKW, all["AES"], nil},
		{allow, true, suiteCBC, wrapAESKW, none, ErrLegacy},
		{allow, true, suiteCBC, wrapAESECB, all["AES"], nil},
		{allow, true, suiteCBC, wrapAESECB, none, ErrLegacy},
		{allow, false, suiteGCM, wrapAESKW, all["AES"], nil},
		{allow, false, suiteGCM, wrapAESKW, none, ErrLegacy},
		{strict, false, suiteCommitting, wrapRSAOAEP, none, ErrWrapper},
		{strict, false, suiteCommitting, wrapKMSContext, all["RSA"], ErrWrapper},
		{strict, false, suiteCommitting, wrapAESGCM, all["KMS"], ErrWrapper},
		{allow, false, suiteGCM, wrapRSAOAEPSHA256, all["RSA"], nil},
		{allow, true, suiteCBC, wrapRSAPKCS1, all["RSA"], nil},
		{allow, true, suiteCBC, wrapKMS, all["KMS"], nil},
	} {
		r := &rules{policy: tt.policy, allowCBC: tt.allowCBC}
		h := &header{suite: tt.suite, wrap: tt.wrap}
		require.ErrorIs(t, r.check(h, tt.wrapper), tt.want, "%+v", tt)
	}
}

// What a reader refuses costs no call.
func TestRefusedBeforeUnwrapping(t *testing.T) {
	t.Parallel()
	api := newFakeKMS()
	w, err := NewKMS(api, keyARN, nil)
	require.NoError(t, err)
	h, _, err := newObject(t.Context(), w, suiteGCM, -1, map[string]string{"a": "b"})
	require.NoError(t, err)
	calls := len(api.calls())
	legacy := *h
	legacy.wrap, legacy.description = wrapKMS, nil
	for _, tt := range []struct {
		h    *header
		r    rules
		want error
	}{
		{h, rules{context: map[string]string{"a": "b"}}, ErrPolicy},
		{h, rules{policy: keyring.RequireEncryptAllowDecrypt}, ErrContext},
		{h, rules{policy: keyring.RequireEncryptAllowDecrypt, context: map[string]string{"a": "c"}}, ErrContext},
		{&legacy, rules{policy: keyring.RequireEncryptAllowDecrypt, anyContext: true}, ErrLegacy},
	} {
		_, err := tt.h.unwrap(t.Context(), w, &tt.r)
		require.ErrorIs(t, err, tt.want)
	}
	require.Len(t, api.calls(), calls)
	_, err = h.unwrap(t.Context(), w, &rules{policy: keyring.RequireEncryptAllowDecrypt, anyContext: true})
	require.NoError(t, err)
	require.Len(t, api.calls(), calls+1)
}
