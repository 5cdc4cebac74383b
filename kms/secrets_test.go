package kms_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/kms"
	"github.com/sealring/sealring/kms/kmstest"
)

// TestSecretsStayQuiet searches records and errors for plaintext, key material and
// ciphertext in the forms that they could take.
func TestSecretsStayQuiet(t *testing.T) {
	t.Parallel()
	f, r := newRecorded(t, nil)
	material := []byte("MATERIAL-marker-0123456789abcdef")
	plaintext := "PLAINTEXT-marker"
	key := f.Seed(kmstest.Key{Alias: "alias/marked", Material: material})
	texts := []string{}
	note := func(in any) any {
		out, err := call(t.Context(), f.api, in)
		if err != nil {
			texts = append(texts, err.Error())
			return nil
		}
		return out
	}
	blob := note(&sdk.EncryptInput{KeyId: &key, Plaintext: []byte(plaintext)}).(*sdk.EncryptOutput).CiphertextBlob
	dataKey := note(&sdk.GenerateDataKeyInput{KeyId: &key, KeySpec: "AES_256"}).(*sdk.GenerateDataKeyOutput)
	random := note(&sdk.GenerateRandomInput{NumberOfBytes: aws.Int32(32)}).(*sdk.GenerateRandomOutput)
	marked := &fixture{Cloud: f.Cloud, api: f.api, arn: key}
	marked.plantAll(t)
	imported := []byte("IMPORTED-marker-0123456789abcdef")
	token := plantToken(t, f.Service(), marked.external, f.Now())
	marked.importing = token.imported(t, imported)
	grant := note(&sdk.CreateGrantInput{KeyId: &key, GranteePrincipal: &bob, Operations: []types.GrantOperation{"Decrypt"}}).(*sdk.CreateGrantOutput)
	for _, in := range []any{
		token.imported(t, imported[1:]), // too short
		token.as(t, asExisting, imported),
		&sdk.ImportKeyMaterialInput{KeyId: &marked.external, ImportToken: token.token[1:], EncryptedKeyMaterial: imported, ExpirationModel: noExpiry},
		&sdk.ImportKeyMaterialInput{KeyId: &marked.external, ImportToken: token.token, EncryptedKeyMaterial: imported, ExpirationModel: noExpiry},
		&sdk.ImportKeyMaterialInput{KeyId: &key, ImportToken: bytes.Repeat(token.token, 100), EncryptedKeyMaterial: bytes.Repeat(imported, 200)},
		&sdk.UpdateCustomKeyStoreInput{CustomKeyStoreId: &marked.connectedStore, KeyStorePassword: aws.String(password)},
		&sdk.UpdateCustomKeyStoreInput{CustomKeyStoreId: &marked.connectedStore, KeyStorePassword: aws.String(strings.Repeat(password, 2))},
		&sdk.DecryptInput{CiphertextBlob: blob, GrantTokens: []string{*grant.GrantToken, *grant.GrantToken + "A"}},
		&sdk.RetireGrantInput{GrantToken: aws.String(*grant.GrantToken + "A")},
	} {
		note(in)
	}
	quiet := len(texts)
	for _, in := range session(marked, blob) {
		note(in)
	}
	require.Len(t, texts, quiet, "all of it succeeds")
	for _, in := range session(&fixture{arn: "alias/none"}, flip(blob, 900)) {
		note(in)
	}
	note(&sdk.EncryptInput{KeyId: &key, Plaintext: []byte(strings.Repeat(plaintext, 300))})
	note(&sdk.DecryptInput{CiphertextBlob: []byte(strings.Repeat(string(blob), 100))})
	note(&sdk.EncryptInput{Plaintext: []byte(plaintext)})
	note(&sdk.EncryptInput{KeyId: &key, Plaintext: []byte(plaintext), EncryptionAlgorithm: "RSAES_OAEP_SHA_1"})
	note(&sdk.DecryptInput{CiphertextBlob: blob, KeyId: &f.id})
	f.Fail("Encrypt", errors.New("out of order"))
	note(&sdk.EncryptInput{KeyId: &key, Plaintext: []byte(plaintext)})
	require.Greater(t, len(texts), 60)
	for _, verb := range []string{"%v", "%+v", "%#v"} {
		texts = append(texts, fmt.Sprintf(verb, f.Service()), fmt.Sprintf(verb, f.api), fmt.Sprintf(verb, kms.Operations()))
	}
	for _, e := range r.take() {
		b, err := json.Marshal(e)
		require.NoError(t, err)
		texts = append(texts, string(b))
	}
	everything := strings.Join(texts, "\n")
	require.Contains(t, everything, idOf(key)) // the search can find something
	for name, secret := range map[string][]byte{
		"plaintext": []byte(plaintext), "material": material, "ciphertext": blob[86:],
		"data key": dataKey.Plaintext, "encrypted data key": dataKey.CiphertextBlob[86:], "random": random.Plaintext,
		"imported material": imported, "wrapping key": generated(t, "RSA_2048")[400:], "import token": token.token[45:],
		"grant token": []byte((*grant.GrantToken)[len(*grant.GrantToken)-20:]), "password": []byte(password),
	} {
		for _, form := range []string{
			string(secret), string(secret[:12]), hex.EncodeToString(secret[:12]), strings.ToUpper(hex.EncodeToString(secret[:12])),
			base64.StdEncoding.EncodeToString(secret[:12]), base64.URLEncoding.EncodeToString(secret[:12]),
			base64.StdEncoding.EncodeToString(secret[1:13]), base64.StdEncoding.EncodeToString(secret[2:14]),
			strings.Trim(fmt.Sprint(secret[:12]), "[]"), // as %v prints bytes
		} {
			before, after, found := strings.Cut(everything, form)
			if found {
				t.Errorf("%s, as %q, between %q and %q", name, form, before[max(0, len(before)-100):], after[:min(100, len(after))])
			}
		}
	}
}

// TestLongGrantTokensAreNotRepeated has a token with more behind it than a token can
// have.
func TestLongGrantTokensAreNotRepeated(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture) {
		token := *do[sdk.CreateGrantOutput](t, f.api, &sdk.CreateGrantInput{
			KeyId: &f.id, GranteePrincipal: &bob, Operations: []types.GrantOperation{"Decrypt"},
		}).GrantToken
		refused(t, f.api, &sdk.RetireGrantInput{GrantToken: aws.String(token + strings.Repeat(" ", 8192))},
			"ValidationException", one(hidden("grantToken", "length less than or equal to 8192")))
	})
}

// TestPrintingAServiceShowsNoKey prints what holds keys with every verb: with one that
// does not fit, package fmt looks behind pointers.
func TestPrintingAServiceShowsNoKey(t *testing.T) {
	t.Parallel()
	f := newFixture(t, false)
	material := []byte("MATERIAL-marker-0123456789abcdef")
	key := f.Seed(kmstest.Key{Alias: "alias/marked", Material: material})
	succeeds(t, f.api, &sdk.EncryptInput{KeyId: &key, Plaintext: []byte("x")}) // which caches the key
	for name, v := range map[string]any{"service": f.Service(), "client": f.api, "value": *f.api.(*kms.Client)} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
			text := strings.ToLower(fmt.Sprintf(verb, v))
			for _, form := range []string{"marker", hex.EncodeToString(material[:8]), "77 65 84", "4d 41 54", "0x4d, 0x41"} {
				if strings.Contains(text, form) {
					t.Errorf("%s printed by %s shows the key as %q", name, verb, form)
				}
			}
		}
	}
}
