package nitro_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/nitro"
)

func TestOpenReturnsWhatWasSealed(t *testing.T) {
	t.Parallel()
	key := rsaKey()
	for _, n := range []int{0, 1, 15, 16, 17, 31, 32, 33, 100, 127, 128, 255, 256, 1024, 4096, 65535, 65536, 1 << 20} {
		plaintext := make([]byte, n)
		rand.Read(plaintext)
		kept := bytes.Clone(plaintext)
		envelope, err := nitro.Seal(spki(t, &key.PublicKey), plaintext)
		require.NoError(t, err)
		require.Equal(t, kept, plaintext, "Seal leaves its argument alone")
		keptEnvelope := bytes.Clone(envelope)
		got, err := nitro.Open(key, envelope)
		require.NoError(t, err)
		require.True(t, bytes.Equal(plaintext, got), "%d bytes", n)
		require.Equal(t, keptEnvelope, envelope, "Open leaves its argument alone")
	}
}

func TestSealIsRandom(t *testing.T) {
	t.Parallel()
	der := spki(t, &rsaKey().PublicKey)
	a, err := nitro.Seal(der, []byte("the same"))
	require.NoError(t, err)
	b, err := nitro.Seal(der, []byte("the same"))
	require.NoError(t, err)
	x, y := parse(t, a), parse(t, b)
	require.NotEqual(t, x.recipient(t).EncryptedKey, y.recipient(t).EncryptedKey)
	require.NotEqual(t, x.Encrypted.Algorithm.IV, y.Encrypted.Algorithm.IV)
	require.NotEqual(t, x.Encrypted.Content, y.Encrypted.Content)
}

// The structures of RFC 5652, sections 3, 6.1 and 6.2.1, as far as they are used.
type (
	contentInfo struct {
		Type    asn1.ObjectIdentifier
		Content envelopedData `asn1:"explicit,tag:0"`
	}
	envelopedData struct {
		Version    int
		Recipients []asn1.RawValue `asn1:"set"`
		Encrypted  struct {
			Type      asn1.ObjectIdentifier
			Algorithm struct {
				ID asn1.ObjectIdentifier
				IV []byte
			}
			Content []byte `asn1:"tag:0"`
		}
	}
	keyTransRecipient struct {
		Version      int
		KeyID        []byte `asn1:"tag:0"`
		Algorithm    pkix.AlgorithmIdentifier
		EncryptedKey []byte
	}
	oaepParameters struct {
		Hash pkix.AlgorithmIdentifier `asn1:"explicit,tag:0"`
		Mask pkix.AlgorithmIdentifier `asn1:"explicit,tag:1"`
	}
)

// parse reads an envelope with another parser than Open's, which takes DER only.
func parse(t testing.TB, envelope []byte) *envelopedData {
	t.Helper()
	var info contentInfo
	rest, err := asn1.Unmarshal(envelope, &info)
	require.NoError(t, err)
	require.Empty(t, rest)
	require.Equal(t, "1.2.840.113549.1.7.3", info.Type.String())
	return &info.Content
}

// recipient returns the only one.
func (e *envelopedData) recipient(t testing.TB) *keyTransRecipient {
	t.Helper()
	require.Len(t, e.Recipients, 1)
	var r keyTransRecipient
	rest, err := asn1.Unmarshal(e.Recipients[0].FullBytes, &r)
	require.NoError(t, err)
	require.Empty(t, rest)
	return &r
}

func TestSealWritesTheLayoutOfKMS(t *testing.T) {
	t.Parallel()
	key := rsaKey()
	der := spki(t, &key.PublicKey)
	envelope, err := nitro.Seal(der, []byte("0123456789abcdef0"))
	require.NoError(t, err)
	e := parse(t, envelope)
	require.Equal(t, 2, e.Version)
	r := e.recipient(t)
	require.Equal(t, 2, r.Version)
	id := sha256.Sum256(der)
	require.Equal(t, id[:], r.KeyID)
	require.Len(t, r.EncryptedKey, 256)

	require.Equal(t, "1.2.840.113549.1.1.7", r.Algorithm.Algorithm.String())
	var oaep oaepParameters
	rest, err := asn1.Unmarshal(r.Algorithm.Parameters.FullBytes, &oaep)
	require.NoError(t, err)
	require.Empty(t, rest)
	require.Equal(t, "2.16.840.1.101.3.4.2.1", oaep.Hash.Algorithm.String())
	require.Equal(t, asn1.NullBytes, oaep.Hash.Parameters.FullBytes)
	require.Equal(t, "1.2.840.113549.1.1.8", oaep.Mask.Algorithm.String())
	var hash pkix.AlgorithmIdentifier
	rest, err = asn1.Unmarshal(oaep.Mask.Parameters.FullBytes, &hash)
	require.NoError(t, err)
	require.Empty(t, rest)
	require.Equal(t, "2.16.840.1.101.3.4.2.1", hash.Algorithm.String())
	require.Equal(t, asn1.NullBytes, hash.Parameters.FullBytes)

	require.Equal(t, "1.2.840.113549.1.7.1", e.Encrypted.Type.String())
	require.Equal(t, "2.16.840.1.101.3.4.1.42", e.Encrypted.Algorithm.ID.String())
	require.Len(t, e.Encrypted.Algorithm.IV, 16)
	require.Len(t, e.Encrypted.Content, 32)
	contentKey, err := rsa.DecryptOAEP(sha256.New(), nil, key, r.EncryptedKey, nil)
	require.NoError(t, err)
	require.Len(t, contentKey, 32)
}

func TestSealTakesRSAOf2048To4096Bits(t *testing.T) {
	t.Parallel()
	for bits, ok := range map[int]bool{1024: false, 2047: false, 2048: true, 3072: true, 4096: true, 4097: false, 8192: false} {
		// A modulus that nobody can factor is as good as one that somebody can.
		n := new(big.Int).SetBit(new(big.Int), bits-1, 1)
		n.SetBit(n, 0, 1).SetBit(n, 77, 1)
		envelope, err := nitro.Seal(spki(t, &rsa.PublicKey{N: n, E: 65537}), []byte("x"))
		if !ok {
			require.Equal(t, nitro.ErrPublicKey, err, "%d bits", bits)
			require.Nil(t, envelope)
			continue
		}
		require.NoError(t, err, "%d bits", bits)
		require.Len(t, parse(t, envelope).recipient(t).EncryptedKey, bits/8)
	}
	key, err := rsa.GenerateKey(rand.Reader, 3072)
	require.NoError(t, err)
	envelope, err := nitro.Seal(spki(t, &key.PublicKey), []byte("x"))
	require.NoError(t, err)
	got, err := nitro.Open(key, envelope)
	require.NoError(t, err)
	require.Equal(t, []byte("x"), got)
}

func TestSealRefusesOtherPublicKeys(t *testing.T) {
	t.Parallel()
	good := spki(t, &rsaKey().PublicKey)
	ec, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	require.NoError(t, err)
	ecDER, err := x509.MarshalPKIXPublicKey(&ec.PublicKey)
	require.NoError(t, err)
	even := new(big.Int).Add(rsaKey().N, big.NewInt(1))
	for name, der := range map[string][]byte{
		"nil":              nil,
		"empty":            {},
		"text":             []byte("dummy"),
		"PKCS #1":          x509.MarshalPKCS1PublicKey(&rsaKey().PublicKey),
		"elliptic curve":   ecDER,
		"cut short":        good[:len(good)-1],
		"bytes behind it":  append(bytes.Clone(good), 0),
		"an even modulus":  spki(t, &rsa.PublicKey{N: even, E: 65537}),
		"an exponent of 1": spki(t, &rsa.PublicKey{N: rsaKey().N, E: 1}),
		"an even exponent": spki(t, &rsa.PublicKey{N: rsaKey().N, E: 65536}),
	} {
		envelope, err := nitro.Seal(der, []byte("x"))
		require.Equal(t, nitro.ErrPublicKey, err, name)
		require.Nil(t, envelope, name)
	}
}

func TestOpenWithAnotherKey(t *testing.T) {
	t.Parallel()
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	envelope, err := nitro.Seal(spki(t, &rsaKey().PublicKey), []byte("x"))
	require.NoError(t, err)
	got, err := nitro.Open(other, envelope)
	require.Equal(t, nitro.ErrOpen, err)
	require.Nil(t, got)
}

// Nothing authenticates the IV, the content and the key identifier; all else is fixed
// or covered by OAEP.
func TestOpenAndFlippedBits(t *testing.T) {
	t.Parallel()
	key := rsaKey()
	plaintext := []byte("thirty-three bytes are two blocks")
	envelope, err := nitro.Seal(spki(t, &key.PublicKey), plaintext)
	require.NoError(t, err)
	e := parse(t, envelope)
	within := func(part []byte) func(at int) bool {
		from := bytes.Index(envelope, part)
		require.NotEqual(t, -1, from)
		return func(at int) bool { return at >= from && at < from+len(part) }
	}
	inID := within(e.recipient(t).KeyID)
	inIV, inContent := within(e.Encrypted.Algorithm.IV), within(e.Encrypted.Content)

	for i := 0; i < len(envelope)*8; i += stride {
		at := i / 8
		flipped := bytes.Clone(envelope)
		flipped[at] ^= 1 << (i % 8)
		got, err := nitro.Open(key, flipped)
		switch {
		case inID(at):
			require.NoError(t, err)
			require.Equal(t, plaintext, got)
		case (inIV(at) || inContent(at)) && err == nil:
			require.NotEqual(t, plaintext, got, "bit %d of byte %d", i%8, at)
		default:
			require.Equal(t, nitro.ErrOpen, err, "bit %d of byte %d (%#x)", i%8, at, envelope[at])
			require.Nil(t, got)
		}
	}
}

func TestOpenRefusesEveryTruncationAndMore(t *testing.T) {
	t.Parallel()
	key := rsaKey()
	envelope, err := nitro.Seal(spki(t, &key.PublicKey), []byte("x"))
	require.NoError(t, err)
	for _, whole := range [][]byte{envelope, asKMS(t, envelope, 5)} {
		_, err := nitro.Open(key, whole)
		require.NoError(t, err)
		for n := range len(whole) {
			_, err := nitro.Open(key, whole[:n])
			require.Equal(t, nitro.ErrOpen, err, "%d bytes", n)
		}
		for _, more := range []string{"\x00", "\x00\x00", "\x05\x00"} {
			_, err := nitro.Open(key, append(bytes.Clone(whole), more...))
			require.Equal(t, nitro.ErrOpen, err)
		}
	}
}

// tlv writes a value of definite length, in any form that ASN.1 has for it.
func tlv(tag byte, parts ...[]byte) []byte {
	content := slices.Concat(parts...)
	return append([]byte{tag, 0x83, byte(len(content) >> 16), byte(len(content) >> 8), byte(len(content))}, content...)
}

// open writes a value of indefinite length.
func open(tag byte, parts ...[]byte) []byte {
	return slices.Concat([]byte{tag, 0x80}, slices.Concat(parts...), []byte{0, 0})
}

// asKMS writes an envelope as KMS does: the structures around the recipient and the
// content in indefinite length, the content in pieces of an octet string.
func asKMS(t testing.TB, envelope []byte, piece int) []byte {
	t.Helper()
	e := parse(t, envelope)
	var pieces [][]byte
	for p := range slices.Chunk(e.Encrypted.Content, piece) {
		pieces = append(pieces, marshal(t, p))
	}
	return open(0x30, marshal(t, oid(1, 2, 840, 113549, 1, 7, 3)), open(0xa0, open(0x30,
		marshal(t, 2),
		tlv(0x31, e.Recipients[0].FullBytes),
		open(0x30,
			marshal(t, oid(1, 2, 840, 113549, 1, 7, 1)),
			marshal(t, e.Encrypted.Algorithm),
			open(0xa0, pieces...)))))
}

func oid(n ...int) asn1.ObjectIdentifier { return n }

func marshal(t testing.TB, v any) []byte {
	t.Helper()
	b, err := asn1.Marshal(v)
	require.NoError(t, err)
	return b
}

func TestOpenReadsTheLayoutOfKMS(t *testing.T) {
	t.Parallel()
	key := rsaKey()
	plaintext := make([]byte, 3000)
	rand.Read(plaintext)
	envelope, err := nitro.Seal(spki(t, &key.PublicKey), plaintext)
	require.NoError(t, err)
	for _, piece := range []int{1, 16, 1000, 1024, 4096} {
		got, err := nitro.Open(key, asKMS(t, envelope, piece))
		require.NoError(t, err, "pieces of %d", piece)
		require.Equal(t, plaintext, got)
	}
}

// forge makes envelopes that Seal would not.
type forge struct {
	contentType, dataType, keyAlgorithm, cipher asn1.ObjectIdentifier
	version, recipientVersion                   int
	hash, mask, maskHash                        pkix.AlgorithmIdentifier
	keyID                                       asn1.RawValue
	contentKey, iv, label, content              []byte
	before, after                               []byte // around the recipients
	recipients                                  int
	contentTag                                  byte
}

func newForge(t testing.TB, plaintext string) *forge {
	sha := pkix.AlgorithmIdentifier{Algorithm: oid(2, 16, 840, 1, 101, 3, 4, 2, 1), Parameters: asn1.NullRawValue}
	f := &forge{
		contentType:  oid(1, 2, 840, 113549, 1, 7, 3),
		dataType:     oid(1, 2, 840, 113549, 1, 7, 1),
		keyAlgorithm: oid(1, 2, 840, 113549, 1, 1, 7),
		cipher:       oid(2, 16, 840, 1, 101, 3, 4, 1, 42),
		version:      2, recipientVersion: 2,
		hash: sha, mask: pkix.AlgorithmIdentifier{Algorithm: oid(1, 2, 840, 113549, 1, 1, 8)}, maskHash: sha,
		keyID:      asn1.RawValue{Class: asn1.ClassContextSpecific, Bytes: []byte("any")},
		contentKey: make([]byte, 32), iv: make([]byte, 16),
		recipients: 1, contentTag: 0x80,
	}
	f.content = f.encrypt(t, pad(plaintext))
	return f
}

// pad pads to whole blocks.
func pad(s string) []byte {
	n := 16 - len(s)%16
	return append([]byte(s), bytes.Repeat([]byte{byte(n)}, n)...)
}

// encrypt encrypts whole blocks with the forged key and IV.
func (f *forge) encrypt(t testing.TB, blocks []byte) []byte {
	block, err := aes.NewCipher(f.contentKey)
	require.NoError(t, err)
	out := bytes.Clone(blocks)
	cipher.NewCBCEncrypter(block, f.iv).CryptBlocks(out, out)
	return out
}

func (f *forge) envelope(t testing.TB) []byte {
	t.Helper()
	wrapped, err := rsa.EncryptOAEP(sha256.New(), rand.Reader, &rsaKey().PublicKey, f.contentKey, f.label)
	require.NoError(t, err)
	f.mask.Parameters = asn1.RawValue{FullBytes: marshal(t, f.maskHash)}
	recipient := tlv(0x30,
		marshal(t, f.recipientVersion),
		marshal(t, f.keyID),
		tlv(0x30, marshal(t, f.keyAlgorithm), marshal(t, oaepParameters{f.hash, f.mask})),
		marshal(t, wrapped))
	return tlv(0x30, marshal(t, f.contentType), tlv(0xa0, tlv(0x30,
		marshal(t, f.version),
		f.before,
		tlv(0x31, slices.Repeat(recipient, f.recipients)),
		tlv(0x30,
			marshal(t, f.dataType),
			tlv(0x30, marshal(t, f.cipher), marshal(t, f.iv)),
			tlv(f.contentTag, f.content)),
		f.after)))
}

func TestOpenRefusesOtherEnvelopes(t *testing.T) {
	t.Parallel()
	got, err := nitro.Open(rsaKey(), newForge(t, "plain").envelope(t))
	require.NoError(t, err, "what is forged below is right but for one thing")
	require.Equal(t, "plain", string(got))

	sha1ID := oid(1, 3, 14, 3, 2, 26)
	for name, edit := range map[string]func(*forge){
		"another content type":       func(f *forge) { f.contentType = f.dataType },
		"another version":            func(f *forge) { f.version = 0 },
		"signed data inside":         func(f *forge) { f.dataType = oid(1, 2, 840, 113549, 1, 7, 2) },
		"originator info":            func(f *forge) { f.before = tlv(0xa0) },
		"unprotected attributes":     func(f *forge) { f.after = tlv(0xa1) },
		"no recipient":               func(f *forge) { f.recipients = 0 },
		"two recipients":             func(f *forge) { f.recipients = 2 },
		"another recipient version":  func(f *forge) { f.recipientVersion = 0 },
		"issuer and serial number":   func(f *forge) { f.keyID = asn1.RawValue{Tag: asn1.TagSequence, IsCompound: true} },
		"PKCS #1 v1.5":               func(f *forge) { f.keyAlgorithm = oid(1, 2, 840, 113549, 1, 1, 1) },
		"OAEP with SHA-1":            func(f *forge) { f.hash.Algorithm = sha1ID },
		"MGF1 with SHA-1":            func(f *forge) { f.maskHash.Algorithm = sha1ID },
		"another mask":               func(f *forge) { f.mask.Algorithm = sha1ID },
		"a hash with parameters":     func(f *forge) { f.hash.Parameters = asn1.RawValue{FullBytes: []byte{4, 0}} },
		"a null that is not empty":   func(f *forge) { f.hash.Parameters = asn1.RawValue{FullBytes: []byte{5, 1, 0}} },
		"a label":                    func(f *forge) { f.label = []byte("label") },
		"AES-128":                    func(f *forge) { f.cipher[8] = 2 },
		"AES-256-GCM":                func(f *forge) { f.cipher[8] = 46 },
		"a key of 16 bytes":          func(f *forge) { f.contentKey = f.contentKey[:16] },
		"a key of 33 bytes":          func(f *forge) { f.contentKey = make([]byte, 33) },
		"an IV of 15 bytes":          func(f *forge) { f.iv = f.iv[:15] },
		"an IV of 17 bytes":          func(f *forge) { f.iv = make([]byte, 17) },
		"no content":                 func(f *forge) { f.content = nil },
		"half a block":               func(f *forge) { f.content = f.content[:8] },
		"a block and a half":         func(f *forge) { f.content = append(f.content, make([]byte, 8)...) },
		"content in explicit octets": func(f *forge) { f.contentTag, f.content = 0x80, tlv(0x04, f.content) },
		"content in nested pieces":   func(f *forge) { f.contentTag, f.content = 0xa0, tlv(0x24, tlv(0x04, f.content)) },
		"content of another kind":    func(f *forge) { f.contentTag, f.content = 0xa0, tlv(0x30, f.content) },
		"content without pieces":     func(f *forge) { f.contentTag, f.content = 0xa0, nil },
		"content under another tag":  func(f *forge) { f.contentTag = 0x81 },
	} {
		f := newForge(t, "plain")
		edit(f)
		got, err := nitro.Open(rsaKey(), f.envelope(t))
		require.Equal(t, nitro.ErrOpen, err, name)
		require.Nil(t, got, name)
	}

	for name, edit := range map[string]func(*forge){
		"hash without null":      func(f *forge) { f.hash.Parameters = asn1.RawValue{} },
		"mask hash without null": func(f *forge) { f.maskHash.Parameters = asn1.RawValue{} },
		"content in pieces":      func(f *forge) { f.contentTag, f.content = 0xa0, tlv(0x04, f.content) },
	} {
		f := newForge(t, "plain")
		edit(f)
		got, err := nitro.Open(rsaKey(), f.envelope(t))
		require.NoError(t, err, name)
		require.Equal(t, "plain", string(got), name)
	}
}

// node is a value of an envelope in DER, with what is inside if it is constructed.
type node struct {
	tag     byte
	content []byte
	inside  []*node
}

// nodes reads the values in der.
func nodes(t testing.TB, der []byte) []*node {
	t.Helper()
	var all []*node
	for len(der) > 0 {
		var v asn1.RawValue
		rest, err := asn1.Unmarshal(der, &v)
		require.NoError(t, err)
		n := &node{tag: der[0], content: v.Bytes}
		if v.IsCompound {
			n.content, n.inside = nil, nodes(t, v.Bytes)
		}
		all, der = append(all, n), rest
	}
	return all
}

func (n *node) der() []byte {
	content := n.content
	for _, c := range n.inside {
		content = append(content, c.der()...)
	}
	return tlv(n.tag, content)
}

// walk calls visit for every constructed value.
func (n *node) walk(visit func(*node)) {
	if n.inside != nil {
		visit(n)
	}
	for _, c := range n.inside {
		c.walk(visit)
	}
}

func TestOpenWantsEveryValueAndNoMore(t *testing.T) {
	t.Parallel()
	key := rsaKey()
	envelope, err := nitro.Seal(spki(t, &key.PublicKey), []byte("plain"))
	require.NoError(t, err)
	root := nodes(t, envelope)[0]
	_, err = nitro.Open(key, root.der())
	require.NoError(t, err)

	null := &node{tag: 5}
	levels := 0
	root.walk(func(n *node) {
		levels++
		whole := n.inside
		for i := range len(whole) + 1 {
			n.inside = slices.Insert(slices.Clone(whole), i, null)
			_, err := nitro.Open(key, root.der())
			require.Equal(t, nitro.ErrOpen, err, "null at %d in %#x", i, n.tag)
		}
		for i, c := range whole {
			n.inside = slices.Delete(slices.Clone(whole), i, i+1)
			_, err := nitro.Open(key, root.der())
			if c.tag == null.tag {
				require.NoError(t, err, "the parameters of a hash may be left out")
				continue
			}
			require.Equal(t, nitro.ErrOpen, err, "without %d in %#x", i, n.tag)
		}
		n.inside = whole
	})
	require.Equal(t, 14, levels)
}

func TestOpenAndPadding(t *testing.T) {
	t.Parallel()
	block := func(last ...byte) []byte { return append(bytes.Repeat([]byte{'x'}, 16-len(last)), last...) }
	for name, c := range map[string]struct {
		blocks []byte
		want   int // bytes of plaintext, -1 if refused
	}{
		"one":                {block(1), 15},
		"two":                {block(2, 2), 14},
		"a whole block":      {bytes.Repeat([]byte{16}, 16), 0},
		"two blocks":         {append(block(), bytes.Repeat([]byte{16}, 16)...), 16},
		"zero":               {block(0), -1},
		"seventeen":          {bytes.Repeat([]byte{17}, 32), -1},
		"255":                {bytes.Repeat([]byte{255}, 272), -1},
		"the first differs":  {block(3, 4, 4, 4), -1},
		"a middle one":       {block(4, 3, 4, 4), -1},
		"the second to last": {block(1, 2), -1},
		"first of a block":   {append([]byte{15}, bytes.Repeat([]byte{16}, 15)...), -1},
		"before the padding": {block(2, 1), 15},
	} {
		f := newForge(t, "")
		f.content = f.encrypt(t, c.blocks)
		got, err := nitro.Open(rsaKey(), f.envelope(t))
		if c.want < 0 {
			require.Equal(t, nitro.ErrOpen, err, name)
			require.Nil(t, got, name)
			continue
		}
		require.NoError(t, err, name)
		require.Equal(t, string(c.blocks[:c.want]), string(got), name)
	}
}

// The key wrapped with other hashes than the envelope says does not open.
func TestOpenUsesSHA256(t *testing.T) {
	t.Parallel()
	envelope, err := nitro.Seal(spki(t, &rsaKey().PublicKey), []byte("x"))
	require.NoError(t, err)
	old := parse(t, envelope).recipient(t).EncryptedKey
	wrapped, err := rsa.EncryptOAEP(sha1.New(), rand.Reader, &rsaKey().PublicKey, make([]byte, 32), nil)
	require.NoError(t, err)
	_, err = nitro.Open(rsaKey(), bytes.Replace(envelope, old, wrapped, 1))
	require.Equal(t, nitro.ErrOpen, err)
}
