package kms_test

import (
	"bytes"
	"crypto"
	"crypto/hmac"
	"strings"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/internal/keyrecord"
	"github.com/sealring/sealring/kms/kmstest"
)

var hmacHashes = map[string]crypto.Hash{
	"HMAC_SHA_224": crypto.SHA224, "HMAC_SHA_256": crypto.SHA256, "HMAC_SHA_384": crypto.SHA384, "HMAC_SHA_512": crypto.SHA512,
}

// TestMACs compares MACs with those that are made outside under the same key.
func TestMACs(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture) {
		for _, k := range kindsFor(forAuthentication) {
			record := newRecord(t, k.spec, k.usage)
			key, h := putKey(t, f.Service(), record), hmacHashes[k.algorithms[0]]
			a := types.MacAlgorithmSpec(k.algorithms[0])
			for _, n := range []int{1, 63, 64, 65, 4096} {
				message := bytes.Repeat([]byte("m"), n)
				outside := hmac.New(h.New, record.Materials[0].Bytes)
				outside.Write(message)
				want := &sdk.GenerateMacOutput{KeyId: &key, Mac: outside.Sum(nil), MacAlgorithm: a}
				require.Equal(t, want, do[sdk.GenerateMacOutput](t, f.api, &sdk.GenerateMacInput{KeyId: &key, Message: message, MacAlgorithm: a}))

				in := &sdk.VerifyMacInput{KeyId: &key, Message: message, Mac: want.Mac, MacAlgorithm: a}
				require.Equal(t, &sdk.VerifyMacOutput{KeyId: &key, MacAlgorithm: a, MacValid: true}, do[sdk.VerifyMacOutput](t, f.api, in))
				in.Message = flip(message, 7)
				refused(t, f.api, in, "KMSInvalidMacException", "")
			}
		}
	})
}

func TestAlteredMACs(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture) {
		key, other := f.newKey(t, "HMAC_384", forAuthentication), f.newKey(t, "HMAC_384", forAuthentication)
		mac := do[sdk.GenerateMacOutput](t, f.api, &sdk.GenerateMacInput{KeyId: &key, Message: messageOfTests, MacAlgorithm: "HMAC_SHA_384"}).Mac
		wrong := [][]byte{append(bytes.Clone(mac), 0), bytes.Repeat(mac, 128)}
		for bit := range 8 * len(mac) {
			wrong = append(wrong, flip(mac, bit))
		}
		for n := 1; n < len(mac); n++ { // a MAC that is cut short is none
			wrong = append(wrong, mac[:n])
		}
		for _, w := range wrong {
			refused(t, f.api, &sdk.VerifyMacInput{KeyId: &key, Message: messageOfTests, Mac: w, MacAlgorithm: "HMAC_SHA_384"}, "KMSInvalidMacException", "")
		}
		refused(t, f.api, &sdk.VerifyMacInput{KeyId: &other, Message: messageOfTests, Mac: mac, MacAlgorithm: "HMAC_SHA_384"}, "KMSInvalidMacException", "")
	})
}

// TestMACUnderImportedKeys has keys that are not as long as the hash.
func TestMACUnderImportedKeys(t *testing.T) {
	t.Parallel()
	f := newFixture(t, false)
	for spec, lengths := range map[types.KeySpec][]int{"HMAC_224": {28, 64}, "HMAC_256": {32, 33, 64}, "HMAC_384": {48, 128}, "HMAC_512": {64, 128}} {
		a := strings.Replace(string(spec), "_", "_SHA_", 1)
		for _, n := range lengths {
			k := newRecord(t, spec, forAuthentication)
			k.Origin = keyrecord.OriginExternal
			k.Materials = []keyrecord.Material{keyrecord.NewMaterial(k.ID, bytes.Repeat([]byte{9}, n), kmstest.Start)}
			key := putKey(t, f.Service(), k)
			outside := hmac.New(hmacHashes[a].New, bytes.Repeat([]byte{9}, n))
			outside.Write(messageOfTests)
			require.Equal(t, outside.Sum(nil),
				do[sdk.GenerateMacOutput](t, f.api, &sdk.GenerateMacInput{KeyId: &key, Message: messageOfTests, MacAlgorithm: types.MacAlgorithmSpec(a)}).Mac)
		}
	}
}
