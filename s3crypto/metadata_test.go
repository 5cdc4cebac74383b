package s3crypto

import (
	"bytes"
	"maps"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/internal/gcmstream"
)

// Valid metadata of each format.
var (
	v1Metadata = map[string]string{"x-amz-key": b64(counted(1, 48)), "x-amz-iv": b64(counted(1, 16)), "x-amz-matdesc": "{}"}
	v2Metadata = map[string]string{
		"x-amz-key-v2": b64(counted(1, 60)), "x-amz-iv": b64(counted(1, 12)), "x-amz-matdesc": `{"a":"b"}`,
		"x-amz-wrap-alg": "AES/GCM", "x-amz-cek-alg": "AES/GCM/NoPadding", "x-amz-tag-len": "128",
		"x-amz-unencrypted-content-length": "1024",
	}
	v3Metadata = map[string]string{
		"x-amz-3": b64(counted(1, 60)), "x-amz-w": "02", "x-amz-m": `{"a":"b"}`,
		"x-amz-c": "115", "x-amz-d": b64(counted(2, 28)), "x-amz-i": b64(counted(3, 28)),
	}
)

func TestParseMetadata(t *testing.T) {
	t.Parallel()
	h, err := parseMetadata(v1Metadata)
	require.NoError(t, err)
	require.Equal(t, &header{
		format: formatV1, suite: suiteCBC, wrap: wrapAESECB, edk: counted(1, 48), iv: counted(1, 16),
		description: map[string]string{}, length: -1,
	}, h)
	h, err = parseMetadata(with(v1Metadata, "x-amz-key", b64(counted(1, 256))))
	require.NoError(t, err)
	require.Equal(t, wrapRSAPKCS1, h.wrap)

	h, err = parseMetadata(v2Metadata)
	require.NoError(t, err)
	require.Equal(t, &header{
		format: formatV2, suite: suiteGCM, wrap: wrapAESGCM, edk: counted(1, 60), iv: counted(1, 12),
		description: map[string]string{"a": "b"}, length: 1024,
	}, h)

	h, err = parseMetadata(v3Metadata)
	require.NoError(t, err)
	require.Equal(t, &header{
		format: formatV3, suite: suiteCommitting, wrap: wrapAESGCM, edk: counted(1, 60),
		commitment: counted(2, 28), messageID: counted(3, 28),
		description: map[string]string{"a": "b"}, length: -1,
	}, h)
	require.True(t, h.complete())
}

// What real writers have been seen to write.
func TestParseMetadataTolerates(t *testing.T) {
	t.Parallel()
	upper := map[string]string{"Content-Note": "the user's own"}
	for name, value := range v2Metadata {
		upper[strings.ToUpper(name)] = value
	}
	v3KMS := with(with(with(v3Metadata, "x-amz-w", "12"), "x-amz-m", ""), "x-amz-t", `{"aws:x-amz-cek-alg":"115"}`)
	legacy := with(with(v2Metadata, "x-amz-cek-alg", "AES/CBC/PKCS5Padding"), "x-amz-iv", b64(counted(1, 16)))
	legacy["x-amz-wrap-alg"] = "kms"
	for name, metadata := range map[string]map[string]string{
		"names in capitals":                      upper,
		"no description":                         with(v2Metadata, "x-amz-matdesc", ""),
		"no tag length":                          with(v2Metadata, "x-amz-tag-len", ""),
		"no length":                              with(v2Metadata, "x-amz-unencrypted-content-length", ""),
		"V1 without description":                 with(v1Metadata, "x-amz-matdesc", ""),
		"V1 with a length":                       with(v1Metadata, "x-amz-unencrypted-content-length", "0"),
		"V3 without description":                 with(v3Metadata, "x-amz-m", ""),
		"V3 with a length":                       with(v3Metadata, "x-amz-unencrypted-content-length", "7"),
		"V3 with a tag length (Python)":          with(v3Metadata, "x-amz-tag-len", "128"),
		"V3 with both descriptions":              with(v3Metadata, "x-amz-t", "{}"),
		"V3 with both descriptions, KMS":         with(v3KMS, "x-amz-m", "{}"),
		"CBC with a tag length of none":          with(legacy, "x-amz-tag-len", ""),
		"CBC with a tag length of zero (C++)":    with(legacy, "x-amz-tag-len", "0"),
		"the longest data key":                   with(legacy, "x-amz-key-v2", b64(make([]byte, maxEDK))),
		"the user's own beside":                  with(v3Metadata, "x-amz-other", "x"),
		"a mark of instruction files, misplaced": with(v3Metadata, "x-amz-crypto-instr-file", "x"),
	} {
		if strings.HasPrefix(name, "CBC") {
			require.Contains(t, metadata["x-amz-cek-alg"], "CBC")
		} else if name == "the longest data key" {
			metadata["x-amz-tag-len"] = ""
		}
		h, err := parseMetadata(metadata)
		require.NoError(t, err, name)
		require.True(t, h.complete(), name)
	}

	// The official Go client leaves these.
	goV3 := maps.Clone(v3KMS)
	goV3["x-amz-m"], goV3["x-amz-unencrypted-content-length"] = "", ""
	goV3["x-amz-key-v2"], goV3["x-amz-iv"] = "", ""
	h, err := parseMetadata(goV3)
	require.NoError(t, err)
	require.Equal(t, formatV3, h.format)

	// The C++ client's material description has the name of a context.
	h, err = parseMetadata(with(with(v3Metadata, "x-amz-m", ""), "x-amz-t", `{"c":"d"}`))
	require.NoError(t, err)
	require.Equal(t, map[string]string{"c": "d"}, h.description)
	h, err = parseMetadata(with(v3Metadata, "x-amz-t", `{"c":"d"}`))
	require.NoError(t, err)
	require.Equal(t, map[string]string{"a": "b"}, h.description)
}

func TestParseMetadataRefuses(t *testing.T) {
	t.Parallel()
	type change struct {
		base        map[string]string
		name, value string
		want        error
	}
	v2KMS := with(with(v2Metadata, "x-amz-wrap-alg", "kms+context"), "x-amz-matdesc", `{"aws:x-amz-cek-alg":"AES/GCM/NoPadding"}`)
	v3KMS := with(with(with(v3Metadata, "x-amz-w", "12"), "x-amz-m", ""), "x-amz-t", `{"aws:x-amz-cek-alg":"115"}`)
	cases := []change{
		// Several formats in one.
		{v1Metadata, "x-amz-key-v2", "AAAA", ErrMetadata},
		{v1Metadata, "x-amz-3", "AAAA", ErrMetadata},
		{v2Metadata, "x-amz-3", "AAAA", ErrMetadata},
		{v2Metadata, "X-Amz-Key", "AAAA", ErrMetadata},
		{v2Metadata, "x-amz-c", "115", ErrMetadata},
		{v2Metadata, "x-amz-w", "02", ErrMetadata},
		{v2Metadata, "x-amz-d", b64(counted(2, 28)), ErrMetadata},
		{v1Metadata, "x-amz-wrap-alg", "AES/GCM", ErrMetadata},
		{v1Metadata, "x-amz-cek-alg", "AES/GCM/NoPadding", ErrMetadata},
		{v3Metadata, "x-amz-iv", b64(counted(1, 12)), ErrMetadata},
		{v3Metadata, "x-amz-cek-alg", "AES/GCM/NoPadding", ErrMetadata},
		{v3Metadata, "x-amz-wrap-alg", "kms", ErrMetadata},
		{v3Metadata, "x-amz-matdesc", "{}", ErrMetadata},
		{v3Metadata, "X-AMZ-3", b64(counted(1, 60)), ErrMetadata},

		// Something missing.
		{v1Metadata, "x-amz-key", "", ErrMetadata},
		{v1Metadata, "x-amz-iv", "", ErrMetadata},
		{v2Metadata, "x-amz-key-v2", "", ErrMetadata},
		{v2Metadata, "x-amz-iv", "", ErrMetadata},
		{v2Metadata, "x-amz-wrap-alg", "", ErrMetadata},
		{v2Metadata, "x-amz-cek-alg", "", ErrMetadata},
		{v3Metadata, "x-amz-3", "", ErrMetadata},
		{v3Metadata, "x-amz-w", "", ErrMetadata},
		{v3Metadata, "x-amz-c", "", ErrMetadata},
		{v3Metadata, "x-amz-d", "", ErrMetadata},
		{v3Metadata, "x-amz-i", "", ErrMetadata},

		// Unknown algorithms.
		{v2Metadata, "x-amz-cek-alg", "AES/CTR/NoPadding", ErrMetadata},
		{v2Metadata, "x-amz-cek-alg", "115", ErrMetadata},
		{v2Metadata, "x-amz-cek-alg", "aes/gcm/nopadding", ErrMetadata},
		{v2Metadata, "x-amz-wrap-alg", "aes/gcm", ErrMetadata},
		{v2Metadata, "x-amz-wrap-alg", "AES", ErrMetadata},
		{v2Metadata, "x-amz-wrap-alg", "RSA", ErrMetadata},
		{v2Metadata, "x-amz-wrap-alg", "02", ErrMetadata},
		{v2Metadata, "x-amz-tag-len", "0", ErrMetadata},
		{v2Metadata, "x-amz-tag-len", "96", ErrMetadata},
		{v3Metadata, "x-amz-c", "114", ErrMetadata},
		{v3Metadata, "x-amz-c", "116", ErrMetadata},
		{v3Metadata, "x-amz-c", "0115", ErrMetadata},
		{v3Metadata, "x-amz-c", "AES/GCM/NoPadding", ErrMetadata},
		{v3Metadata, "x-amz-w", "2", ErrMetadata},
		{v3Metadata, "x-amz-w", "AES/GCM", ErrMetadata},
		{v3Metadata, "x-amz-w", "01", ErrMetadata},
		{v3Metadata, "x-amz-w", "11", ErrMetadata},

		// Lengths.
		{v1Metadata, "x-amz-key", b64(counted(1, 47)), ErrMetadata},
		{v1Metadata, "x-amz-key", b64(make([]byte, maxEDK+1)), ErrMetadata},
		{v1Metadata, "x-amz-iv", b64(counted(1, 12)), ErrMetadata},
		{v2Metadata, "x-amz-key-v2", b64(counted(1, 59)), ErrMetadata},
		{v2Metadata, "x-amz-key-v2", b64(counted(1, 61)), ErrMetadata},
		{v2Metadata, "x-amz-iv", b64(counted(1, 11)), ErrMetadata},
		{v2Metadata, "x-amz-iv", b64(counted(1, 16)), ErrMetadata},
		{v2Metadata, "x-amz-iv", b64(make([]byte, 12)), ErrMetadata},
		{v3Metadata, "x-amz-i", b64(counted(3, 27)), ErrMetadata},
		{v3Metadata, "x-amz-i", b64(counted(3, 29)), ErrMetadata},
		{v3Metadata, "x-amz-i", b64(make([]byte, 28)), ErrMetadata},
		{v3Metadata, "x-amz-d", b64(counted(3, 27)), ErrCommitment},
		{v3Metadata, "x-amz-d", b64(counted(3, 29)), ErrCommitment},
		{v3Metadata, "x-amz-3", b64(counted(1, 40)), ErrMetadata},
		{v2KMS, "x-amz-key-v2", b64(make([]byte, maxEDK+1)), ErrMetadata},
		{v3KMS, "x-amz-3", b64(make([]byte, maxEDK+1)), ErrMetadata},
		{v3KMS, "x-amz-other", strings.Repeat("x", maxFields), ErrMetadata},

		// Encodings.
		{v2Metadata, "x-amz-iv", "AQIDBAUGBwgJCgsM=", ErrMetadata},
		{v2Metadata, "x-amz-iv", "AQIDBAUG\nBwgJCgsM", ErrMetadata},
		{v2Metadata, "x-amz-iv", "_QIDBAUGBwgJCgsM", ErrMetadata},
		{v3Metadata, "x-amz-d", strings.TrimRight(b64(counted(2, 28)), "="), ErrMetadata},
		{v3Metadata, "x-amz-d", strings.Replace(b64(counted(2, 28)), "Q==", "R==", 1) + "=", ErrMetadata},
		{v2Metadata, "x-amz-matdesc", "x", ErrMetadata},
		{v2Metadata, "x-amz-matdesc", "null", ErrMetadata},
		{v2Metadata, "x-amz-matdesc", "=?utf-7?q?x?=", ErrMetadata},
		{v2Metadata, "x-amz-unencrypted-content-length", "-1", ErrMetadata},
		{v2Metadata, "x-amz-unencrypted-content-length", "1e3", ErrMetadata},
		{v2Metadata, "x-amz-unencrypted-content-length", "9223372036854775808", ErrMetadata},

		// The content algorithm is bound, or the wrap is one that does not go with it.
		{v2KMS, "x-amz-matdesc", "{}", ErrContext},
		{v2KMS, "x-amz-matdesc", `{"aws:x-amz-cek-alg":"115"}`, ErrContext},
		{v2KMS, "x-amz-wrap-alg", "kms", ErrContext},
		{v3KMS, "x-amz-t", "", ErrContext},
		{v3KMS, "x-amz-t", `{"aws:x-amz-cek-alg":"AES/GCM/NoPadding"}`, ErrContext},
	}
	for _, tt := range cases {
		h, err := parseMetadata(with(tt.base, tt.name, tt.value))
		require.ErrorIs(t, err, tt.want, "%s: %.80s", tt.name, tt.value)
		require.Nil(t, h)
	}

	toCBC := func(m map[string]string) map[string]string {
		m = with(with(m, "x-amz-cek-alg", "AES/CBC/PKCS5Padding"), "x-amz-iv", b64(counted(1, 16)))
		return with(m, "x-amz-tag-len", "")
	}
	_, err := parseMetadata(toCBC(v2Metadata))
	require.ErrorIs(t, err, ErrMetadata)
	_, err = parseMetadata(with(toCBC(v2Metadata), "x-amz-wrap-alg", "RSA-OAEP-SHA1"))
	require.ErrorIs(t, err, ErrMetadata)
	_, err = parseMetadata(toCBC(v2KMS))
	require.ErrorIs(t, err, ErrContext)
	_, err = parseMetadata(with(with(toCBC(v2Metadata), "x-amz-wrap-alg", "kms"), "x-amz-tag-len", "128"))
	require.ErrorIs(t, err, ErrMetadata)
}

func TestParseMetadataWithoutKey(t *testing.T) {
	t.Parallel()
	for _, metadata := range []map[string]string{
		nil, {"color": "blue", "x-amz-other": "y"}, {"x-amz-3": ""}, {"x-amz-crypto-instr-file": "x"},
	} {
		h, err := parseMetadata(metadata)
		require.NoError(t, err)
		require.Equal(t, &header{length: -1}, h)
		require.False(t, h.complete())
	}
	h, err := parseMetadata(map[string]string{"x-amz-unencrypted-content-length": "12"}) // Ruby's client leaves it
	require.NoError(t, err)
	require.Equal(t, &header{length: 12}, h)
}

func TestHeaderRoundTrip(t *testing.T) {
	t.Parallel()
	contexts := []map[string]string{nil, {"a": ""}, {"ключ": "значение \U0001f511", "=?utf-8?q?x?=": "a \"b\" \\ \x00\x7f"}}
	for name, w := range wrappers(t) {
		for _, s := range []suite{suiteGCM, suiteCommitting} {
			for _, length := range []int64{-1, 0, 1 << 40} {
				for _, c := range contexts {
					if name != "KMS" {
						c = nil
					}
					h, _, err := newObject(t.Context(), w, s, length, c)
					require.NoError(t, err)
					want := *h
					if s == suiteCommitting {
						want.length = -1 // format V3 does not store it
					}
					if want.description == nil {
						want.description = map[string]string{}
					}

					metadata := h.metadata()
					require.True(t, isHeader(metadata))
					got, err := parseMetadata(metadata)
					require.NoError(t, err)
					require.Equal(t, &want, got)

					metadata, file, err := h.split()
					require.NoError(t, err)
					require.True(t, isHeader(metadata))
					got, err = parseMetadata(metadata)
					require.NoError(t, err)
					require.False(t, got.complete())
					require.Equal(t, s == suiteGCM, len(metadata) == 0)
					require.Equal(t, s == suiteCommitting, got.format == formatV3)
					require.NoError(t, got.parseInstructionFile(file))
					want.inFile = true
					require.Equal(t, &want, got)
				}
			}
		}
	}
}

// isHeader reports whether all that can be a header of HTTP, as it is.
func isHeader(metadata map[string]string) bool {
	for name, value := range metadata {
		if !isHeaderName(name) || value == "" || strings.TrimSpace(value) != value {
			return false
		}
		for _, b := range []byte(value) {
			if b < ' ' || b > '~' {
				return false
			}
		}
	}
	return true
}

func TestUsersMetadata(t *testing.T) {
	t.Parallel()
	users := map[string]string{"Color": "blue", "x-amz-mine": "1"}
	all, err := withHeader(users, v3Metadata)
	require.NoError(t, err)
	require.Len(t, all, len(users)+len(v3Metadata))
	require.Len(t, v3Metadata, 6)
	require.Equal(t, users, withoutHeader(all))
	for name := range nameFormats {
		_, err := withHeader(map[string]string{strings.ToUpper(name): ""}, v3Metadata)
		require.ErrorIs(t, err, ErrMetadata)
	}
	_, err = withHeader(map[string]string{nameInstruction: ""}, nil)
	require.ErrorIs(t, err, ErrMetadata)
	require.Empty(t, withoutHeader(v2Metadata))
	all, err = withHeader(users, nil)
	require.NoError(t, err)
	require.Equal(t, users, all)
}

func TestPlaintextLength(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		suite     suite
		stored, n int64
		length    int64
		want      error
	}{
		{suiteGCM, -1, 0, 0, ErrAuthentication},
		{suiteGCM, -1, 15, 0, ErrAuthentication},
		{suiteGCM, -1, 16, 0, nil},
		{suiteCommitting, 99, 17, 1, nil},
		{suiteCommitting, -1, gcmstream.MaxLength + 16, gcmstream.MaxLength, nil},
		{suiteCommitting, -1, gcmstream.MaxLength + 17, 0, ErrTooLarge},
		{suiteCommitting, -1, -1, 0, ErrAuthentication},
		{suiteCBC, -1, 0, 0, ErrAuthentication},
		{suiteCBC, -1, 31, 0, ErrAuthentication},
		{suiteCBC, -1, 32, -1, nil},
		{suiteCBC, 15, 32, -1, nil},
		{suiteCBC, 16, 32, 16, nil},
		{suiteCBC, 31, 32, 31, nil},
		{suiteCBC, 32, 32, -1, nil},
	} {
		length, err := (&header{suite: tt.suite, length: tt.stored}).plaintextLength(tt.n)
		require.ErrorIs(t, err, tt.want, "%v", tt)
		require.Equal(t, tt.length, length, "%v", tt)
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	require.Equal(t, "115", suiteCommitting.String())
	require.Equal(t, "suite 0x0001", suite(1).String())
	require.Equal(t, "kms+context", wrapKMSContext.String())
	require.Equal(t, "wrap 0", wrapAlgorithm(0).String())
	require.Equal(t, "wrap 99", wrapAlgorithm(99).String())
	require.Equal(t, "V2", formatV2.String())
	require.True(t, bytes.Equal(committingID[:], []byte{0, 0x73}))
}
