package s3crypto

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/keyring"
	"github.com/sealring/sealring/keyring/awskms"
)

// The objects in the tests of the official Go client (v3 and v4,
// client/decryption_client_v*_test.go) and of aws-sdk-go 1.55.8
// (service/s3/s3crypto/decryption_client*_test.go). A KMS that answers with a fixed key
// stands for the one that wrapped theirs.
var officialObjects = []struct {
	name      string
	key       []byte // what KMS answers
	metadata  map[string]string
	body      string
	plaintext string
	want      error // of reading it
}{
	{
		name: "V3 kms+context",
		key:  unb64("lP6AbIQTmptyb/+WQq+ubDw+w7na0T1LGSByZGuaono="),
		metadata: map[string]string{
			"X-Amz-3": "8gSzlk7giyfFbLPUVgoVjvQebI1827jp8lDkO+n2chsiSoegx1sjm8NdPk0Bl70I",
			"X-Amz-C": "115",
			"X-Amz-D": "6JOSx47RkdyfciJkNauuC4RpkMcWZY4a+i1RzQ==",
			"X-Amz-I": "sE9zLb4tsEBJkvEhLMZFxMj9oZJBbQ6ZOgOqHA==",
			"X-Amz-T": `{"aws:x-amz-cek-alg":"115"}`,
			"X-Amz-W": "12",
		},
		body:      "2d4ff4dafe27f69f628872d82b5a1002ed1a21b8485d532bd8159f6487945b3641af5865fc0a029a3650053600c6d213625b9a0cc9c239577c09f3423dedc5641e88b6835824417c",
		plaintext: "8f2c59c6dbfcacf356f3da40788cbde67ca38161a4702cbcf757af663e1c24a600001b2f500417dbf5a050f57db6737422b2ed6a44c75e0d",
	},
	{
		name: "V3 that commits to another key",
		key:  unb64("lP6AbIQTmptyb/+WQq+ubDw+w7na0T1LGSByZGuaono="),
		metadata: map[string]string{
			"X-Amz-3": "8gSzlk7giyfFbLPUVgoVjvQebI1827jp8lDkO+n2chsiSoegx1sjm8NdPk0Bl70I/0X2GC1iX9Pszf1PAAAAfjB8BgkqhkiG9w0BBwagbzBtAgEAMGgGCSqGSIb3DQEHATAeBglghkgBZQMEAS4wEQQMDQPII4AynCy/rVwhAgEQgDueLCWabc8WgyoZkAnqVzESQ4NztSDxuETx3obcWJ9Jj6gDAAuDaAL5V+H5QFfwgBqWEcIYt2Ep9WcECw==",
			"X-Amz-C": "115",
			"X-Amz-D": "FiQepGw+/O+3MuYrmQU5mAkotUnxB+W+EwYDHw==",
			"X-Amz-I": "cPwtbK08jrpe3x+QElyG+vGtkk9jDn6KmOta2Q==",
			"X-Amz-T": `{"aws:x-amz-cek-alg":"115"}`,
			"X-Amz-W": "12",
		},
		body: "e403a8f941e43bdf0ca3ef0bcf6701acd739b2de0a8ee524fa89497210fb0213dfc856376a9ff7753db6ee549dc4040861bc7080a66f902441904bf4a003e028e982de8ea6958c30",
		want: ErrCommitment,
	},
	{
		name: "V3 whose commitment is not base64",
		key:  unb64("lP6AbIQTmptyb/+WQq+ubDw+w7na0T1LGSByZGuaono="),
		metadata: map[string]string{
			"X-Amz-3": "8gSzlk7giyfFbLPUVgoVjvQebI1827jp8lDkO+n2chsiSoegx1sjm8NdPk0Bl70I",
			"X-Amz-C": "115",
			"X-Amz-D": "notvalidbase64",
			"X-Amz-I": "cPwtbK08jrpe3x+QElyG+vGtkk9jDn6KmOta2Q==",
			"X-Amz-T": `{"aws:x-amz-cek-alg":"115"}`,
			"X-Amz-W": "12",
		},
		want: ErrMetadata,
	},
	{
		name: "V2 kms+context GCM",
		key:  unb64("hJUv7S6K2cHF64boS9ixHX0TZAjBZLT4ZpEO4XxkGnY="),
		metadata: map[string]string{
			"X-Amz-Key-V2":   "PsuclPnlo2O0MQoov6kL1TBlaZG6oyNwWuAqmAgq7g8b9ZeeORi3VTMg624FU9jx",
			"X-Amz-Iv":       "dqqlq2dRVSQ5hFRb",
			"X-Amz-Matdesc":  `{"aws:x-amz-cek-alg": "AES/GCM/NoPadding"}`,
			"X-Amz-Wrap-Alg": "kms+context",
			"X-Amz-Cek-Alg":  "AES/GCM/NoPadding",
		},
		body:      "6b134eb7a353131de92faff64f594b2794e3544e31776cca26fe3bbeeffc68742d1007234f11c6670522602326868e29f37e9d2678f1614ec1a2418009b9772100929aadbed9a21a",
		plaintext: "af150d7156bf5b3f5c461e5c6ac820acc5a33aab7085d920666c250ff251209d5a4029b3bd78250fab6e11aed52fae948d407056a9519b68",
	},
	{
		name: "V2 kms CBC",
		key:  unb64("7ItX9CTGNWWegC62RlaNu6EJ3+J9yGO7yAqDNU4CdeA="),
		metadata: map[string]string{
			"X-Amz-Key-V2":   "/nJlgMtxMNk2ErKLLrLp3H7A7aQyJcJOClE2ldAIIFNZU4OhUMc1mMCHdIEC8fby",
			"X-Amz-Iv":       "adO9U7pcEHxUTaguIkho9g==",
			"X-Amz-Matdesc":  `{"kms_cmk_id":"test-key-id"}`,
			"X-Amz-Wrap-Alg": "kms",
			"X-Amz-Cek-Alg":  "AES/CBC/PKCS5Padding",
		},
		body:      "6f4f413a357a3c3a12289442fb835c5e4ecc8db1d86d3d1eab906ce07e1ad772180b2e9ec49c3fc667d8aceea8c46da6bb9738251a8e36241a473ad820f99c701906bac1f48578d5392e928889bbb1d9",
		plaintext: "a716e018ffecf4bb94d4352082af4662612d9c225efed6f389bf1f6f0447a9bce80cc712d7e66ee5e1c086af38e607ead351fd2c1a0247878e693ada73bd580b",
	},
	{
		name: "V2 kms GCM",
		key:  unb64("Hrjrkkt/vQwMYtqvK6+MiXh3xiMvviL1Ks7w2mgsJgU="),
		metadata: map[string]string{
			"X-Amz-Key-V2":   "/7tu/RFXZU1UFwRzzf11IdF3b1wBxBZhnUMjVYHKKr5DjAHS602GvXt4zYcx/MJo",
			"X-Amz-Iv":       "8Rlvyy8AoYj8v579",
			"X-Amz-Matdesc":  `{"kms_cmk_id":"test-key-id"}`,
			"X-Amz-Wrap-Alg": "kms",
			"X-Amz-Cek-Alg":  "AES/GCM/NoPadding",
		},
		body:      "6370a90b9a118301c2160c23a90d96146761276acdcfa92e6cbcb783abdc2e1813891506d6850754ef87ed2ac3bf570dd5c9da9492b7769ae1e639d073d688bd284815404ce2648a",
		plaintext: "75f6805afa7d7be4f56c5906adc27a5959158bf4af6e7c7e12bda3458300f6b1c8daaf9a5949f7a6bdbb8a9c072de05bf0541633421f42f8",
	},
	{
		name: "SDK v1, kms GCM",
		key:  unhex("31bdadd96698c204aa9ce1448ea94ae1fb4a9a0b3c9d773b51bb1822666b8f22"),
		metadata: map[string]string{
			"X-Amz-Key-V2":   "SpFRES0JyU8BLZSKo51SrwILK4lhtZsWiMNjgO4WmoK+joMwZPG7Hw==",
			"X-Amz-Iv":       b64(unhex("0d18e06c7c725ac9e362e1ce")),
			"X-Amz-Matdesc":  `{"kms_cmk_id":"arn:aws:kms:us-east-1:172259396726:key/a22a4b30-79f4-4b3d-bab4-a26d327a231b"}`,
			"X-Amz-Wrap-Alg": "kms",
			"X-Amz-Cek-Alg":  "AES/GCM/NoPadding",
			"X-Amz-Tag-Len":  "128",
		},
		body:      "fa4362189661d163fcd6a56d8bf0405ad636ac1bbedd5cc3ee727dc2ab4a9489",
		plaintext: "2db5168e932556f8089a0622981d017d",
	},
	{
		name: "SDK v1, kms CBC",
		key:  unhex("8d70e92489c4e6cfb12261b4d17f4b85826da687fc8742fcf9f87fadb5b4cb89"),
		metadata: map[string]string{
			"X-Amz-Key-V2":   "AQEDAHikdGvcj7Gil5VqAR/JWvvPp3ue26+t2vhWy4lL2hg4mAAAAH4wfAYJKoZIhvcNAQcGoG8wbQIBADBoBgkqhkiG9w0BBwEwHgYJYIZIAWUDBAEuMBEEDCcy43wCR0bSsnzTrAIBEIA7WdD2jxC3tCrK6TOdiEfbIN64m+UN7Velz4y0LRra5jn2U1CDClacwIpiBYuDp5ymPKO+ZqUGE0WEf20=",
			"X-Amz-Iv":       "EMMWJY8ZLcK/9FOj3iCpng==",
			"X-Amz-Matdesc":  `{"kms_cmk_id":"arn:aws:kms:us-east-1:172259396726:key/a22a4b30-79f4-4b3d-bab4-a26d327a231b"}`,
			"X-Amz-Wrap-Alg": "kms",
			"X-Amz-Cek-Alg":  "AES/CBC/PKCS5Padding",
			"X-Amz-Tag-Len":  "",
		},
		body:      "fd0c71ecb7ed16a9bf42ea5f75501d416df608f190890c3b4d8897f24744cd7f9ea4a0b212e60634302450e1c5378f047ff753ccefe365d411c36339bf22e301fae4c3a6226719a4b93dc74c1af79d0296659b5d56c0892315f2c7cc30190220db1eaafae3920d6d9c65d0aa366499afc17af493454e141c6e0fbdeb6a990cb4",
		plaintext: "a6ccd3482f5ce25c9ddeb69437cd0acbc0bdda2ef8696d90781de2b35704543529871b2032e68ef1c5baed1769aba8d420d1aca181341b49b8b3587a6580cdf1d809c68f06735f7735c16691f4b70c967d68fc08195b81ad71bcc4df452fd0a5799c1e1234f92f1cd929fc072167ccf9f2ac85b93170932b32",
	},
	{
		name: "SDK v1, kms CBC, by its other name",
		key:  unhex("8d70e92489c4e6cfb12261b4d17f4b85826da687fc8742fcf9f87fadb5b4cb89"),
		metadata: map[string]string{
			"X-Amz-Key-V2":   "AQEDAHikdGvcj7Gil5VqAR/JWvvPp3ue26+t2vhWy4lL2hg4mAAAAH4wfAYJKoZIhvcNAQcGoG8wbQIBADBoBgkqhkiG9w0BBwEwHgYJYIZIAWUDBAEuMBEEDCcy43wCR0bSsnzTrAIBEIA7WdD2jxC3tCrK6TOdiEfbIN64m+UN7Velz4y0LRra5jn2U1CDClacwIpiBYuDp5ymPKO+ZqUGE0WEf20=",
			"X-Amz-Iv":       "EMMWJY8ZLcK/9FOj3iCpng==",
			"X-Amz-Matdesc":  `{"kms_cmk_id":"arn:aws:kms:us-east-1:172259396726:key/a22a4b30-79f4-4b3d-bab4-a26d327a231b"}`,
			"X-Amz-Wrap-Alg": "kms",
			"X-Amz-Cek-Alg":  "AES/CBC/PKCS7Padding",
			"X-Amz-Tag-Len":  "",
		},
		body:      "fd0c71ecb7ed16a9bf42ea5f75501d416df608f190890c3b4d8897f24744cd7f9ea4a0b212e60634302450e1c5378f047ff753ccefe365d411c36339bf22e301fae4c3a6226719a4b93dc74c1af79d0296659b5d56c0892315f2c7cc30190220db1eaafae3920d6d9c65d0aa366499afc17af493454e141c6e0fbdeb6a990cb4",
		plaintext: "a6ccd3482f5ce25c9ddeb69437cd0acbc0bdda2ef8696d90781de2b35704543529871b2032e68ef1c5baed1769aba8d420d1aca181341b49b8b3587a6580cdf1d809c68f06735f7735c16691f4b70c967d68fc08195b81ad71bcc4df452fd0a5799c1e1234f92f1cd929fc072167ccf9f2ac85b93170932b32",
	},
	{
		name: "SDK v1, a data key of 16 bytes, which no client makes",
		key:  unhex("898be9cc5004ed0fa6e117c9a3099d31"),
		metadata: map[string]string{
			"X-Amz-Key-V2":   "SpFRES0JyU8BLZSKo51SrwILK4lhtZsWiMNjgO4WmoK+joMwZPG7Hw==",
			"X-Amz-Iv":       b64(unhex("9dea7621945988f96491083849b068df")),
			"X-Amz-Matdesc":  `{"kms_cmk_id":"arn:aws:kms:us-east-1:172259396726:key/a22a4b30-79f4-4b3d-bab4-a26d327a231b"}`,
			"X-Amz-Wrap-Alg": "kms",
			"X-Amz-Cek-Alg":  "AES/CBC/PKCS5Padding",
		},
		body: "e232cd6ef50047801ee681ec30f61d53cfd6b0bca02fd03c1b234baa10ea82ac9dab8b960926433a19ce6dea08677e34",
		want: awskms.ErrResponse,
	},
}

func TestOfficialObjects(t *testing.T) {
	t.Parallel()
	for _, tt := range officialObjects {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w, err := NewKMSAnyKey(&fakeKMS{aead: newFakeKMS().aead, plaintext: tt.key}, &KMSOptions{AllowWithoutContext: true})
			require.NoError(t, err)
			plaintext, err := read(t.Context(), tt.metadata, unhex(tt.body), w, lenient())
			require.ErrorIs(t, err, tt.want)
			if tt.want == nil {
				require.Equal(t, unhex(tt.plaintext), plaintext)
			}

			strict, err := NewKMSAnyKey(newFakeKMS(), nil)
			require.NoError(t, err)
			_, err = read(t.Context(), tt.metadata, unhex(tt.body), strict, &rules{})
			if tt.metadata["X-Amz-3"] == "" {
				require.ErrorIs(t, err, ErrPolicy)
			}
		})
	}
}

// The encryption contexts of the official Go client's tests, except that no context is
// one too.
func TestOfficialContexts(t *testing.T) {
	t.Parallel()
	object := officialObjects[3]
	for _, tt := range []struct {
		stored   string
		required map[string]string
		want     error
	}{
		{`"kms_cmk_id":"test-key-id","custom-key":"custom-value"`, map[string]string{"custom-key": "custom-value"}, nil},
		{`"kms_cmk_id":"test-key-id","key1":"value1","key2":"value2"`, map[string]string{"key1": "value1", "key2": "value2"}, nil},
		{`"kms_cmk_id":"test-key-id"`, map[string]string{}, nil},
		{`"kms_cmk_id":"test-key-id"`, nil, nil},
		{`"kms_cmk_id":"test-key-id","custom-key":"stored-value"`, map[string]string{"custom-key": "different-value"}, ErrContext},
		{`"kms_cmk_id":"test-key-id","key1":"value1","key2":"value2"`, map[string]string{"key1": "value1"}, ErrContext},
		{`"kms_cmk_id":"test-key-id","key1":"value1"`, map[string]string{"key1": "value1", "key2": "value2"}, ErrContext},
		{`"kms_cmk_id":"test-key-id","key1":"value1"`, nil, ErrContext},
		{`"kms_cmk_id":"test-key-id"`, map[string]string{"kms_cmk_id": "test-key-id"}, ErrContext},
		{`"custom-key":"custom-value"`, map[string]string{"custom-key": "custom-value"}, nil},
		{`"invalid-json":`, map[string]string{"key1": "value1"}, ErrMetadata},
	} {
		stored := `{"aws:x-amz-cek-alg":"AES/GCM/NoPadding",` + tt.stored + `}`
		api := &fakeKMS{aead: newFakeKMS().aead, plaintext: object.key}
		w, err := NewKMSAnyKey(api, nil)
		require.NoError(t, err)
		r := &rules{policy: keyring.ForbidEncryptAllowDecrypt, context: tt.required}
		_, err = read(t.Context(), with(object.metadata, "X-Amz-Matdesc", stored), unhex(object.body), w, r)
		require.ErrorIs(t, err, tt.want, "%s, %v", tt.stored, tt.required)
		if tt.want != nil {
			require.Empty(t, api.calls(), "%s, %v", tt.stored, tt.required)
		}

		r = &rules{policy: keyring.ForbidEncryptAllowDecrypt, anyContext: true}
		_, err = read(t.Context(), with(object.metadata, "X-Amz-Matdesc", stored), unhex(object.body), w, r)
		require.Equal(t, tt.want == ErrMetadata, err != nil, "any context: %s: %v", tt.stored, err)
	}
	for _, text := range []string{"not-json-at-all", `{"aws:x-amz-cek-alg":"AES/GCM/NoPadding"`} {
		_, err := parseMetadata(with(object.metadata, "X-Amz-Matdesc", text))
		require.ErrorIs(t, err, ErrMetadata)
	}
}

// The known answers of the official Go client (v4/internal/key_derivation_test.go).
func TestOfficialDerivation(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ key, id, content, commitment string }{
		{
			"80d90dc4cc7e77d8a6332efa44eba56230a7fe7b89af37d1e501ab2e07c0a163",
			"b8ea76bed24c7b85382a148cb9dcd1cfdfb765f55ded4dfa6e0c4c79",
			"6dd14f546cc006e639126e83f5d4d1b118576bb5df97f38c6fb3a1db87bbc338",
			"f89818bc0a346d3a3426b68e9509b6b2ae5fe1f904aa329fb73625db",
		},
		{
			"501afb8227d22e75e68010414b8abdaf3064c081e8e922dafef4992036394d60",
			"61a00b4981a5aacfd136c55cb726e32d2a547dc7600a7d4675c69127",
			"e14786a714748d1d2c3a4a6816dec56ddf1881bbeabb4f39420ffb9f63700b2f",
			"5c1e73e47f6fe3a70d6d094283aceaa76d2975feb829212d88f0afc1",
		},
	} {
		h := &header{suite: suiteCommitting, messageID: unhex(tt.id)}
		key := dataKey(unhex(tt.key))
		content, err := h.derive(key, "DERIVEKEY", dataKeySize)
		require.NoError(t, err)
		require.Equal(t, unhex(tt.content), content)

		require.NoError(t, h.commit(key))
		require.Equal(t, unhex(tt.commitment), h.commitment)
		require.NoError(t, h.verify(key))

		for bit := range 8 * commitmentSize {
			h.commitment = unhex(tt.commitment)
			h.commitment[bit/8] ^= 1 << (bit % 8)
			require.ErrorIs(t, h.verify(key), ErrCommitment)
			_, err := h.message(key)
			require.ErrorIs(t, err, ErrCommitment)
		}
		for _, length := range []int{0, commitmentSize - 1} {
			h.commitment = unhex(tt.commitment)[:length]
			require.ErrorIs(t, h.verify(key), ErrCommitment)
		}
	}
	require.ErrorIs(t, ErrCommitment, ErrAuthentication)
}
