package kms_test

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/stretchr/testify/require"

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
	marked.plantGrants(t)
	marked.plantKeys(t)
	for _, in := range session(marked, blob) {
		note(in)
	}
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
	require.Greater(t, len(texts), 20)
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
	} {
		for _, form := range []string{
			string(secret), string(secret[:12]), hex.EncodeToString(secret[:12]), strings.ToUpper(hex.EncodeToString(secret[:12])),
			base64.StdEncoding.EncodeToString(secret[:12]), base64.URLEncoding.EncodeToString(secret[:12]),
			base64.StdEncoding.EncodeToString(secret[1:13]), base64.StdEncoding.EncodeToString(secret[2:14]),
		} {
			require.NotContains(t, everything, form, name)
		}
	}
}
