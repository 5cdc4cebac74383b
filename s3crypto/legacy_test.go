package s3crypto

import (
	"bytes"
	"crypto/aes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/binary"
	"math/big"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/keyring"
)

// wrapKW is the wrapping of RFC 3394, with the indexes of its section 2.2.1.
func wrapKW(kek, key []byte) []byte {
	block, err := aes.NewCipher(kek)
	if err != nil {
		panic(err)
	}
	n := len(key) / 8
	a := bytes.Repeat([]byte{0xa6}, 8)
	r := make([][]byte, n+1)
	for i := 1; i <= n; i++ {
		r[i] = bytes.Clone(key[8*(i-1):][:8])
	}
	for j := 0; j <= 5; j++ {
		for i := 1; i <= n; i++ {
			b := append(bytes.Clone(a), r[i]...)
			block.Encrypt(b, b)
			t := binary.BigEndian.Uint64(b) ^ uint64(n*j+i)
			a = binary.BigEndian.AppendUint64(nil, t)
			r[i] = b[8:]
		}
	}
	return append(a, bytes.Join(r[1:], nil)...)
}

// RFC 3394, section 4.6.
func TestKeyWrapVector(t *testing.T) {
	t.Parallel()
	kek := counted(0, 32)
	key := append(unhex("00112233445566778899aabbccddeeff"), counted(0, 16)...)
	want := unhex("28c9f404c4b810f4cbccb35cfb87f8263f5786e2d80ed326cbc7f0e71a99f43bfb988b9b7a02dd21")
	require.Equal(t, want, wrapKW(kek, key))

	block, err := aes.NewCipher(kek)
	require.NoError(t, err)
	got, err := unwrapKW(block, want)
	require.NoError(t, err)
	require.Equal(t, dataKey(key), got)
	for bit := range 8 * len(want) {
		altered := bytes.Clone(want)
		altered[bit/8] ^= 1 << (bit % 8)
		_, err := unwrapKW(block, altered)
		require.Equal(t, ErrAuthentication, err)
	}
}

// oaepSHA256 is RSA-OAEP with SHA-256 and, for MGF1, SHA-1, as Java has it (RFC 8017,
// section 7.1.1), which the standard library only decrypts.
func oaepSHA256(message []byte) []byte {
	public := &testRSA().PublicKey
	hash := sha256.Sum256(nil)
	db := make([]byte, public.Size()-1-len(hash))
	copy(db, hash[:])
	db[len(db)-len(message)-1] = 1
	copy(db[len(db)-len(message):], message)
	seed := make([]byte, len(hash))
	rand.Read(seed)
	mask := func(data, seed []byte) {
		for i := range data {
			block := sha1.Sum(binary.BigEndian.AppendUint32(bytes.Clone(seed), uint32(i/sha1.Size)))
			data[i] ^= block[i%sha1.Size]
		}
	}
	mask(db, seed)
	mask(seed, db)
	m := new(big.Int).SetBytes(append(seed, db...))
	return m.Exp(m, big.NewInt(int64(public.E)), public.N).FillBytes(make([]byte, public.Size()))
}

// legacyObjects returns an object for every wrap of the first generation of clients.
func legacyObjects(t *testing.T) []foreign {
	t.Helper()
	dk, iv, nonce := counted(60, 32), counted(3, 16), counted(7, 12)
	cbcBody, gcmBody := cbcEncrypt(dk, iv, foreignPlaintext), gcm(dk, nonce, foreignPlaintext, nil)

	kek, err := aes.NewCipher(testAES)
	require.NoError(t, err)
	ecb := append(bytes.Clone(dk), bytes.Repeat([]byte{16}, 16)...)
	for i := 0; i < len(ecb); i += 16 {
		kek.Encrypt(ecb[i:], ecb[i:])
	}
	pkcs1, err := rsa.EncryptPKCS1v15(rand.Reader, &testRSA().PublicKey, dk) //lint:ignore SA1019 what format V1 has
	require.NoError(t, err)
	stored := map[string]string{"kms_cmk_id": keyARN}
	blob := newFakeKMS().aead.Seal(nil, nil, dk, kmsAAD(keyARN, stored))

	v1 := func(edk []byte) map[string]string {
		return map[string]string{"x-amz-key": b64(edk), "x-amz-iv": b64(iv), "x-amz-matdesc": "{}"}
	}
	cbc := func(edk []byte, wrap, description string) map[string]string {
		return map[string]string{
			"x-amz-key-v2": b64(edk), "x-amz-iv": b64(iv), "x-amz-matdesc": description,
			"x-amz-wrap-alg": wrap, "x-amz-cek-alg": "AES/CBC/PKCS5Padding",
		}
	}
	authenticated := func(edk []byte, wrap, description string) map[string]string {
		return map[string]string{
			"x-amz-key-v2": b64(edk), "x-amz-iv": b64(nonce), "x-amz-matdesc": description,
			"x-amz-wrap-alg": wrap, "x-amz-cek-alg": "AES/GCM/NoPadding", "x-amz-tag-len": "128",
		}
	}
	description := `{"kms_cmk_id":"` + keyARN + `"}`
	const oaep = "RSA/ECB/OAEPWithSHA-256AndMGF1Padding"
	return []foreign{
		{"V1 AES", "AES", v1(ecb), cbcBody},
		{"V1 RSA", "RSA", v1(pkcs1), cbcBody},
		{"V2 kms CBC", "KMS", cbc(blob, "kms", description), cbcBody},
		{"V2 kms GCM", "KMS", authenticated(blob, "kms", description), gcmBody},
		{"V2 AESWrap CBC", "AES", cbc(wrapKW(testAES, dk), "AESWrap", "{}"), cbcBody},
		{"V2 AESWrap GCM", "AES", authenticated(wrapKW(testAES, dk), "AESWrap", "{}"), gcmBody},
		{"V2 RSA-OAEP-SHA256 CBC", "RSA", cbc(oaepSHA256(dk), oaep, "{}"), cbcBody},
		{"V2 RSA-OAEP-SHA256 GCM", "RSA", authenticated(oaepSHA256(dk), oaep, "{}"), gcmBody},
	}
}

func TestLegacyObjects(t *testing.T) {
	t.Parallel()
	admitting := wrappers(t)
	k, err := NewKMS(newFakeKMS(), keyARN, nil)
	require.NoError(t, err)
	a, err := NewAES(testAES, nil)
	require.NoError(t, err)
	r, err := NewRSA(&testRSA().PublicKey, testRSA(), nil)
	require.NoError(t, err)
	strict := map[string]Wrapper{"KMS": k, "AES": a, "RSA": r}

	for _, o := range legacyObjects(t) {
		t.Run(o.name, func(t *testing.T) {
			t.Parallel()
			plaintext, err := read(t.Context(), o.metadata, o.body, admitting[o.wrapper], lenient())
			require.NoError(t, err)
			require.Equal(t, foreignPlaintext, plaintext)

			_, err = read(t.Context(), o.metadata, o.body, strict[o.wrapper], lenient())
			require.ErrorIs(t, err, ErrLegacy)
			require.ErrorContains(t, err, "Options.Allow")

			_, err = read(t.Context(), o.metadata, o.body, admitting[o.wrapper], &rules{allowCBC: true})
			require.ErrorIs(t, err, ErrPolicy)

			h, err := parseMetadata(o.metadata)
			require.NoError(t, err)
			_, err = h.unwrap(t.Context(), admitting[o.wrapper], &rules{policy: keyring.ForbidEncryptAllowDecrypt})
			if h.suite == suiteCBC {
				require.ErrorIs(t, err, ErrLegacy)
				require.ErrorContains(t, err, "AllowLegacyCBC")
			} else {
				require.NoError(t, err)
			}

			for name, w := range admitting {
				if name != o.wrapper {
					require.ErrorIs(t, w.admits(h.wrap), ErrWrapper)
				}
			}
		})
	}
}

// No answer tells a data key that PKCS #1 v1.5 refuses from one whose content is another
// one's.
func TestPKCS1NoOracle(t *testing.T) {
	t.Parallel()
	w := wrappers(t)["RSA"]
	public := &testRSA().PublicKey
	raw := func(padded []byte) []byte {
		m := new(big.Int).SetBytes(padded)
		return m.Exp(m, big.NewInt(int64(public.E)), public.N).FillBytes(make([]byte, public.Size()))
	}
	padded := func(key []byte) []byte {
		b := bytes.Repeat([]byte{0x55}, public.Size())
		copy(b, []byte{0, 2})
		copy(b[len(b)-len(key)-1:], append([]byte{0}, key...))
		return b
	}
	good := padded(counted(60, 32))
	wrongType := bytes.Clone(good)
	wrongType[1] = 1
	noSeparator := bytes.Repeat([]byte{0x55}, public.Size())
	copy(noSeparator, []byte{0, 2})

	// Nor does it help to ask again: a key that were another one each time would decrypt
	// to good padding now and then, where a good one does always or never.
	seen := map[string]string{}
	for name, edk := range map[string][]byte{
		"wrong block type": raw(wrongType), "no separator": raw(noSeparator),
		"31 bytes": raw(padded(counted(60, 31))), "33 bytes": raw(padded(counted(60, 33))), "another key": raw(padded(counted(61, 32))),
	} {
		h := &header{format: formatV1, suite: suiteCBC, wrap: wrapRSAPKCS1, edk: edk, iv: counted(3, 16)}
		first, err := h.unwrap(t.Context(), w, lenient())
		require.NoError(t, err, name)
		require.Len(t, first, dataKeySize, name)
		require.NotEqual(t, dataKey(counted(60, 32)), first, name)
		second, err := h.unwrap(t.Context(), w, lenient())
		require.NoError(t, err, name)
		require.True(t, bytes.Equal(first, second), name)
		require.Empty(t, seen[string(first)], name)
		seen[string(first)] = name
	}

	// Without the private key it cannot be told what it will be.
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	require.NotEqual(t, standIn(testRSA(), good), standIn(other, good))
	h := &header{format: formatV1, suite: suiteCBC, wrap: wrapRSAPKCS1, edk: raw(good), iv: counted(3, 16)}
	key, err := h.unwrap(t.Context(), w, lenient())
	require.NoError(t, err)
	require.Equal(t, dataKey(counted(60, 32)), key)

	for _, edk := range [][]byte{raw(good)[1:], append([]byte{0}, raw(good)...), bytes.Repeat([]byte{0xff}, public.Size())} {
		h.edk = edk
		_, err := h.unwrap(t.Context(), w, lenient())
		require.Equal(t, ErrAuthentication, err)
	}
}

func TestECBPadding(t *testing.T) {
	t.Parallel()
	kek, err := aes.NewCipher(testAES)
	require.NoError(t, err)
	for i := range ecbSize {
		plain := append(counted(60, 32), bytes.Repeat([]byte{16}, 16)...)
		plain[i] ^= 1
		for j := 0; j < ecbSize; j += 16 {
			kek.Encrypt(plain[j:], plain[j:])
		}
		key, err := unwrapECB(kek, plain)
		if i < dataKeySize {
			require.NoError(t, err)
			require.Equal(t, counted(60, 32)[i]^1, key[i])
			continue
		}
		require.Equal(t, ErrAuthentication, err)
	}
}

func TestUnpad(t *testing.T) {
	t.Parallel()
	for pad := range 256 {
		block := [cbcBlockSize]byte(bytes.Repeat([]byte{byte(pad)}, cbcBlockSize))
		n, err := unpad(block)
		if pad < 1 || pad > cbcBlockSize {
			require.Equal(t, ErrAuthentication, err)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, cbcBlockSize-pad, n)
		for i := range cbcBlockSize - 1 {
			altered := block
			altered[i] ^= 0x80
			n, err := unpad(altered)
			if i < cbcBlockSize-pad {
				require.NoError(t, err)
				require.Equal(t, cbcBlockSize-pad, n)
			} else {
				require.Equal(t, ErrAuthentication, err)
			}
		}
	}
}

func TestCBCLengths(t *testing.T) {
	t.Parallel()
	key, iv := counted(9, 32), counted(1, 16)
	for n := range 70 {
		plaintext := counted(40, n)
		body := cbcEncrypt(key, iv, plaintext)
		h := &header{suite: suiteCBC, iv: iv, length: -1}
		got, err := open(h, key, body)
		require.NoError(t, err)
		require.Equal(t, plaintext, got)
		if n > 20 { // from the middle
			c, err := newCBC(key, body[:16])
			require.NoError(t, err)
			block := make([]byte, 16)
			c.CryptBlocks(block, body[16:32])
			require.Equal(t, plaintext[16:min(32, n)], block[:min(16, n-16)])
		}
	}
	_, err := newCBC(key[:5], iv)
	require.Error(t, err)
	_, err = (&header{suite: suiteCBC}).message(key)
	require.ErrorIs(t, err, ErrLegacy)
}
