package kms_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/internal/keyrecord"
)

var (
	invalidToken = answer{"InvalidImportTokenException", "The import token is invalid or is associated with a different KMS key."}
	expiredToken = answer{"ExpiredImportTokenException", "The import token is expired."}
)

// tokens returns the names of the records of the rig's import tokens.
func (r *rig) tokens(t *testing.T) []string {
	t.Helper()
	var names []string
	for name := range dump(t, r.sealed) {
		if strings.HasPrefix(name, keyrecord.ImportTokenPrefix(account, region, r.id)) {
			names = append(names, name)
		}
	}
	return names
}

func TestImportTokens(t *testing.T) {
	t.Parallel()
	eachRig(t, 0, func(t *testing.T, r *rig) {
		r.external(t, sdk.CreateKeyInput{})
		other := r.importer(t)
		r.external(t, sdk.CreateKeyInput{})
		material, first := random(32), r.importer(t)
		second := r.importer(t)
		require.NotEqual(t, first.token, second.token)
		require.NotEqual(t, first.public, second.public)

		refuse := func(i importer, token []byte, want answer) {
			t.Helper()
			in := i.imported(t, material)
			in.ImportToken = token
			refused(t, r.api, in, want.code, want.message)
		}
		for _, token := range [][]byte{
			[]byte("x"), other.token, make([]byte, len(first.token)), first.token[:len(first.token)-1], append(slices.Clone(first.token), 0),
			bytes.Repeat(first.token, 79), []byte(base64.StdEncoding.EncodeToString(first.token)),
		} {
			refuse(first, token, invalidToken)
		}
		for bit := range 8 * len(first.token) {
			in := first.imported(t, material)
			in.ImportToken = flip(first.token, bit)
			_, err := call(t.Context(), r.api, in)
			// one in which the date is an earlier one looks expired
			require.Contains(t, []string{invalidToken.code, expiredToken.code}, codeOf(err))
		}
		crossed := first.imported(t, material) // the key of one, the token of another
		crossed.ImportToken = second.token
		refused(t, r.api, crossed, "InvalidCiphertextException", "")

		// each is good, any number of times and to the last millisecond
		require.Len(t, r.tokens(t), 2)
		for range 2 {
			succeeds(t, r.api, first.imported(t, material))
			succeeds(t, r.api, second.imported(t, material))
		}
		r.advance(day - time.Millisecond)
		third := r.importer(t)
		succeeds(t, r.api, first.imported(t, material))
		r.advance(time.Millisecond)
		refuse(first, first.token, expiredToken)
		require.Len(t, r.tokens(t), 3)

		// a new one takes the place of those that have expired
		r.importer(t)
		require.Len(t, r.tokens(t), 2)
		refuse(first, first.token, expiredToken)
		succeeds(t, r.api, third.imported(t, material))
	})
}

// TestMostImportTokens has one token more than a key can have put an end to the oldest,
// and all of them deleted at once when they have expired.
func TestMostImportTokens(t *testing.T) {
	t.Parallel()
	r := newRig(t, false, 0)
	r.external(t, sdk.CreateKeyInput{})
	planted := make([]importer, 50)
	for i := range planted {
		planted[i] = plantToken(t, r.service, r.arn, r.clock())
	}
	require.Len(t, r.tokens(t), 50)

	material := random(32)
	succeeds(t, r.api, planted[0].imported(t, material))
	latest := r.importer(t)
	require.Len(t, r.tokens(t), 50)
	refused(t, r.api, planted[0].imported(t, material), invalidToken.code, invalidToken.message)
	for _, i := range []importer{planted[1], planted[49], latest} {
		succeeds(t, r.api, i.imported(t, material))
	}
	r.advance(day)
	r.importer(t)
	require.Len(t, r.tokens(t), 1)
}

// TestImportTokenOfAnotherRegion has a copy of the same key id not take it.
func TestImportTokenOfAnotherRegion(t *testing.T) {
	t.Parallel()
	eachRig(t, 0, func(t *testing.T, r *rig) {
		yes := true
		r.external(t, sdk.CreateKeyInput{MultiRegion: &yes})
		material, i := random(32), r.importer(t)
		succeeds(t, r.api, i.imported(t, material))
		replica := r.replicate(t, otherRegion)
		in := i.imported(t, material)
		in.KeyId = &replica
		refused(t, r.in(otherRegion), in, invalidToken.code, invalidToken.message)
	})
}

// TestWrappedMaterial spoils what is imported in every way: all of it is answered alike.
func TestWrappedMaterial(t *testing.T) {
	t.Parallel()
	for _, algorithm := range []types.AlgorithmSpec{oaep256, hybrid256} {
		t.Run(string(algorithm), func(t *testing.T) {
			t.Parallel()
			eachRig(t, 0, func(t *testing.T, r *rig) {
				r.external(t, sdk.CreateKeyInput{})
				i := importerFor(t, r.api, r.id, algorithm, rsa2048)
				good := i.wrap(t, random(32))
				wrong := [][]byte{{0}, good[1:], good[:len(good)-1], append(slices.Clone(good), 0), append([]byte{0}, good...), make([]byte, len(good)), random(6144)}
				for bit := 0; bit < 8*len(good); bit += 97 {
					wrong = append(wrong, flip(good, bit))
				}
				sha1 := i
				sha1.algorithm = types.AlgorithmSpec(strings.Replace(string(i.algorithm), "SHA_256", "SHA_1", 1))
				wrong = append(wrong, sha1.wrap(t, random(32)))
				if algorithm == hybrid256 {
					wrong = append(wrong, good[:256], good[:257], i.wrapUnder(t, random(16), random(32)), i.wrapUnder(t, random(24), random(32)),
						append(i.seal(t, random(32)), random(40)...), i.seal(t, nil), i.seal(t, random(32)))
				} else {
					hybrid := i
					hybrid.algorithm = hybrid256
					wrong = append(wrong, hybrid.wrap(t, random(32)))
				}
				in := i.imported(t, random(32))
				for _, w := range wrong {
					in.EncryptedKeyMaterial = w
					refused(t, r.api, in, "InvalidCiphertextException", "")
				}
				require.Empty(t, r.record(t, region).Materials)
				in.EncryptedKeyMaterial = good
				succeeds(t, r.api, in)
			})
		})
	}
}

// TestImportedSecretsStayQuiet searches events, errors and the store for imported
// material, the private half of the wrapping key and the token.
func TestImportedSecretsStayQuiet(t *testing.T) {
	t.Parallel()
	r := newRig(t, false, 0)
	r.external(t, sdk.CreateKeyInput{})
	i, material := r.importer(t), []byte("MATERIAL-marker-0123456789abcdef")
	kept := dump(t, r.sealed)[r.tokens(t)[0]]
	token, err := keyrecord.UnmarshalImportToken([]byte(kept))
	require.NoError(t, err)
	texts := []string{}
	for _, in := range []*sdk.ImportKeyMaterialInput{i.imported(t, material), i.imported(t, material[:31]), i.as(t, asNew, material)} {
		if _, err := call(t.Context(), r.api, in); err != nil {
			texts = append(texts, err.Error())
		}
	}
	require.Len(t, texts, 2)
	for _, e := range r.events.take() {
		b, err := json.Marshal(e)
		require.NoError(t, err)
		texts = append(texts, string(b))
	}
	for name, value := range dump(t, r.broken) { // as the store has them: sealed
		texts = append(texts, name, value)
	}
	everything := strings.Join(texts, "\n")
	require.Contains(t, everything, r.id)
	middle := token.PrivateKey[len(token.PrivateKey)/2:]
	for name, secret := range map[string][]byte{"material": material, "private key": middle, "token": i.token[45:]} {
		for _, form := range []string{
			string(secret[:12]), hex.EncodeToString(secret[:12]), base64.StdEncoding.EncodeToString(secret[:12]),
			base64.StdEncoding.EncodeToString(secret[1:13]), base64.StdEncoding.EncodeToString(secret[2:14]),
		} {
			require.NotContains(t, everything, form, name)
		}
	}
}
