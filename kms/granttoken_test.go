package kms_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/identity"
	"github.com/sealring/sealring/internal/keyrecord"
	"github.com/sealring/sealring/kms"
	"github.com/sealring/sealring/store"
)

// badToken is the answer to a grant token that no grant has.
const badToken = "The grant token is not valid."

// grantFor makes a grant to a principal and returns its id and a token.
func grantFor(t *testing.T, api kms.API, key string, grantee string, change func(*sdk.CreateGrantInput), operations ...types.GrantOperation) (id, token string) {
	t.Helper()
	in := &sdk.CreateGrantInput{KeyId: &key, GranteePrincipal: &grantee, Operations: operations}
	if change != nil {
		change(in)
	}
	out := do[sdk.CreateGrantOutput](t, api, in)
	require.Regexp(t, `^[0-9a-f]{64}$`, *out.GrantId)
	require.Regexp(t, `^[A-Za-z0-9_-]+$`, *out.GrantToken)
	return *out.GrantId, *out.GrantToken
}

// tokenBearers is one request of every operation that takes grant tokens.
func tokenBearers(t *testing.T, w *world, tokens ...string) []any {
	t.Helper()
	blob := w.encrypt(t, w.key, nil)
	return []any{
		&sdk.CreateGrantInput{KeyId: &w.key, GranteePrincipal: &bob, Operations: []types.GrantOperation{opDecrypt}, GrantTokens: tokens},
		&sdk.DecryptInput{CiphertextBlob: blob, GrantTokens: tokens},
		&sdk.DescribeKeyInput{KeyId: &w.key, GrantTokens: tokens},
		&sdk.EncryptInput{KeyId: &w.key, Plaintext: []byte("x"), GrantTokens: tokens},
		&sdk.GenerateDataKeyInput{KeyId: &w.key, KeySpec: types.DataKeySpecAes256, GrantTokens: tokens},
		&sdk.GenerateDataKeyWithoutPlaintextInput{KeyId: &w.key, KeySpec: types.DataKeySpecAes256, GrantTokens: tokens},
		&sdk.ReEncryptInput{CiphertextBlob: blob, DestinationKeyId: &w.key, GrantTokens: tokens},
	}
}

func TestGrantTokens(t *testing.T) {
	t.Parallel()
	eachWorld(t, func(t *testing.T, w *world) {
		all := []types.GrantOperation{opDecrypt, opEncrypt, opCreate, opDescribe, "GenerateDataKey", "GenerateDataKeyWithoutPlaintext", "ReEncryptFrom", "ReEncryptTo"}
		id, token := grantFor(t, w.as(root), w.key, bob, nil, all...)
		_, other := grantFor(t, w.as(root), w.other, bob, nil, opDecrypt)
		elsewhere := w.as(root.In("eu-west-1"))
		there := *do[sdk.CreateKeyOutput](t, elsewhere, &sdk.CreateKeyInput{}).KeyMetadata.Arn
		_, foreign := grantFor(t, elsewhere, there, bob, nil, opDecrypt)
		for _, in := range tokenBearers(t, w, token, other, token) {
			if in, ok := in.(*sdk.CreateGrantInput); ok {
				in.Operations = []types.GrantOperation{opDecrypt}
			}
			succeeds(t, w.as(bobby), in)
			_, err := call(t.Context(), w.as(alice), in) // a token is not a right
			require.Equal(t, "AccessDeniedException", codeOf(err))
		}
		bad := []string{"x", foreign, token + "A", token[1:], token + "\n", "\r" + token, token + "=", strings.ToUpper(token)}
		raw, err := base64.RawURLEncoding.DecodeString(token)
		require.NoError(t, err)
		for i := range 8 * len(raw) {
			flipped := slices.Clone(raw)
			flipped[i/8] ^= 1 << (i % 8)
			bad = append(bad, base64.RawURLEncoding.EncodeToString(flipped))
		}
		for i := range raw {
			bad = append(bad, base64.RawURLEncoding.EncodeToString(raw[:i]))
		}
		bad = slices.DeleteFunc(bad, func(s string) bool { return s == "" })
		for _, b := range bad {
			refused(t, w.as(root), &sdk.DescribeKeyInput{KeyId: &w.key, GrantTokens: []string{token, b}}, "InvalidGrantTokenException", badToken)
			refused(t, w.as(root), &sdk.RetireGrantInput{GrantToken: &b}, "InvalidGrantTokenException", badToken)
		}
		for _, in := range tokenBearers(t, w, "x") {
			refused(t, w.as(root), in, "InvalidGrantTokenException", badToken)
		}
		// nobody learns which tokens are good
		for _, in := range append(tokenBearers(t, w, "x"), tokenBearers(t, w, token)...) {
			refused(t, w.as(identity.Caller{Region: region}), in, "AccessDeniedException", denial(identity.Caller{}, "kms:"+nameOf(in), "*", "identity-based"))
		}
		succeeds(t, w.as(root), &sdk.RevokeGrantInput{KeyId: &w.key, GrantId: &id})
		for _, in := range tokenBearers(t, w, token) {
			refused(t, w.as(bobby), in, "InvalidGrantTokenException", badToken)
		}
	})
}

// TestSecretsOfGrantsStayQuiet looks for tokens, and for the secret of the record, in
// records of requests and in listings.
func TestSecretsOfGrantsStayQuiet(t *testing.T) {
	t.Parallel()
	w := newWorld(t, false)
	id, token := grantFor(t, w.as(root), w.key, bob, func(in *sdk.CreateGrantInput) { in.RetiringPrincipal = &bob }, opDecrypt)
	var secret []byte
	require.NoError(t, w.sealed.View(t.Context(), func(tx store.Tx) error {
		b, err := tx.Get(keyrecord.GrantPrefix(account, region, idOf(w.key)) + id)
		if err != nil {
			return err
		}
		g, err := keyrecord.UnmarshalGrant(b)
		secret = g.Secret
		return err
	}))
	require.Len(t, secret, 32)
	texts := []string{}
	for _, in := range []any{
		&sdk.ListGrantsInput{KeyId: &w.key}, &sdk.ListRetirableGrantsInput{RetiringPrincipal: &bob},
		&sdk.EncryptInput{KeyId: &w.key, Plaintext: []byte("x"), GrantTokens: []string{token}},
		&sdk.DescribeKeyInput{KeyId: &w.key, GrantTokens: []string{token + "A"}},
		&sdk.DescribeKeyInput{KeyId: &w.key, GrantTokens: []string{strings.Repeat(token, 50)}},
		&sdk.RetireGrantInput{GrantToken: aws.String(token + "A")},
		&sdk.RetireGrantInput{GrantToken: &token},
	} {
		out, err := call(t.Context(), w.as(root), in)
		b, jsonErr := json.Marshal(out)
		require.NoError(t, jsonErr)
		texts = append(texts, string(b), fmt.Sprint(err))
	}
	for _, e := range w.ring.Events() {
		b, err := json.Marshal(e)
		require.NoError(t, err)
		texts = append(texts, string(b))
	}
	everything := strings.Join(texts, "\n")
	require.Contains(t, everything, id)
	require.NotContains(t, everything, token[len(token)-60:])
	for _, form := range []string{string(secret), fmt.Sprintf("%x", secret[:12]), base64.StdEncoding.EncodeToString(secret[:12]), base64.RawURLEncoding.EncodeToString(secret[:12])} {
		require.NotContains(t, everything, form)
	}
}

// FuzzGrantToken has no text but the token itself be one.
func FuzzGrantToken(f *testing.F) {
	service, err := kms.New(f.Context(), kms.Config{})
	require.NoError(f, err)
	api := service.Client(root)
	key, err := api.CreateKey(f.Context(), &sdk.CreateKeyInput{})
	require.NoError(f, err)
	grant, err := api.CreateGrant(f.Context(), &sdk.CreateGrantInput{
		KeyId: key.KeyMetadata.KeyId, GranteePrincipal: &bob, Operations: []types.GrantOperation{opDecrypt},
	})
	require.NoError(f, err)
	raw, err := base64.RawURLEncoding.DecodeString(*grant.GrantToken)
	require.NoError(f, err)
	f.Add(raw)
	f.Add([]byte("111122223333/us-east-1/" + unknownID + "/" + unknownGrant + "/0123456789abcdef"))
	f.Add([]byte("////0123456789abcdef"))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, token := range []string{base64.RawURLEncoding.EncodeToString(b), string(b)} {
			_, err := api.DescribeKey(t.Context(), &sdk.DescribeKeyInput{KeyId: key.KeyMetadata.KeyId, GrantTokens: []string{token}})
			switch codeOf(err) {
			case "InvalidGrantTokenException", "ValidationException":
				require.NotEqual(t, *grant.GrantToken, token)
			default:
				require.NoError(t, err)
				require.Equal(t, *grant.GrantToken, token)
			}
		}
	})
}
