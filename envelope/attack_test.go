package envelope

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/keyring"
)

// refusals are all the errors that a damaged message may give.
var refusals = []error{
	ErrAuth, ErrMalformed, ErrUnsupported, ErrBase64, ErrTruncated, ErrTrailingData, ErrLimit,
	keyring.ErrEncryptionContext, keyring.ErrCommitmentPolicy,
}

// requireRefused checks that Decrypt does not take message and returns nothing.
func requireRefused(t *testing.T, message []byte, where string, at ...any) error {
	t.Helper()
	got, h, err := Decrypt(t.Context(), openManager, message, readAll())
	if !slices.ContainsFunc(refusals, func(r error) bool { return errors.Is(err, r) }) {
		t.Fatalf(where+": not a refusal: %v", append(at, err)...)
	}
	if got != nil || h != nil {
		t.Fatalf(where+": Decrypt returned something", at...)
	}
	if strings.Contains(err.Error(), "plain") || strings.Contains(err.Error(), string(knownKey(16))) {
		t.Fatalf(where+": the error tells a secret: %v", append(at, err)...)
	}
	return err
}

// requireStreamRefused checks that a Reader refuses message as Decrypt does, and
// that what it released is a true beginning of the sample's plaintext, without
// the last piece if the message is signed.
func requireStreamRefused(t *testing.T, message []byte, s sample, where string, at ...any) {
	t.Helper()
	want := requireRefused(t, message, where, at...)
	got, err := readBy(t.Context(), openManager, bytes.NewReader(message), readAll(), 16)
	if err == nil || err.Error() != want.Error() {
		t.Fatalf(where+": Decrypt says %v, Reader %v", append(at, want, err)...)
	}
	if !bytes.HasPrefix(s.plaintext, got) || s.signed && len(got) > len(s.plaintext)-s.last {
		t.Fatalf(where+": the Reader released %q", append(at, got)...)
	}
}

// sample is a small message and what is known of it.
type sample struct {
	message, plaintext []byte
	last               int // length of the last piece's plaintext
	signed             bool
}

// eachSample runs fn on a small message of every suite, framed and unframed.
func eachSample(t *testing.T, fn func(t *testing.T, s sample)) {
	plaintext := []byte("the plaintext, 20+ bytes")
	for _, id := range keyring.Suites() {
		t.Run(fmt.Sprintf("%04x framed", uint16(id)), func(t *testing.T) {
			t.Parallel()
			f := newForge(t, id, 10, nil).regular(1, plaintext[:10]).regular(2, plaintext[10:20]).final(3, plaintext[20:])
			fn(t, sample{f.message(), plaintext, 4, id.Signed()})
		})
		t.Run(fmt.Sprintf("%04x unframed", uint16(id)), func(t *testing.T) {
			t.Parallel()
			f := newForge(t, id, 0, nil).unframed(plaintext)
			fn(t, sample{f.message(), plaintext, len(plaintext), id.Signed()})
		})
	}
}

// TestEveryBitFlip flips every bit. Signed messages are slow to refuse, so the
// unframed ones, whose headers and footers are those of the framed, and the
// Reader, which differs in the release of plaintext only, get one flip of each of
// their bytes.
func TestEveryBitFlip(t *testing.T) {
	t.Parallel()
	eachSample(t, func(t *testing.T, s sample) {
		_, _, err := Decrypt(t.Context(), openManager, s.message, readAll())
		require.NoError(t, err)
		damaged := bytes.Clone(s.message)
		for i := range damaged {
			for bit := range 8 {
				damaged[i] ^= 1 << bit
				switch thorough := !s.signed || bit == i%8; {
				case thorough:
					requireStreamRefused(t, damaged, s, "byte %d, bit %d", i, bit)
				case s.last < len(s.plaintext):
					requireRefused(t, damaged, "byte %d, bit %d", i, bit)
				}
				damaged[i] ^= 1 << bit
			}
		}
	})
}

func TestEveryTruncation(t *testing.T) {
	t.Parallel()
	eachSample(t, func(t *testing.T, s sample) {
		for n := range s.message {
			err := requireRefused(t, s.message[:n], "%d of %d bytes", n, len(s.message))
			require.ErrorIs(t, err, ErrTruncated)
			require.ErrorIs(t, err, io.ErrUnexpectedEOF)
			requireStreamRefused(t, s.message[:n], s, "%d of %d bytes", n, len(s.message))
		}
		s.signed = false // the signature has been verified when the surplus is found
		longer := append(bytes.Clone(s.message), 0)
		requireStreamRefused(t, longer, s, "one byte more")
		require.Equal(t, ErrTrailingData, requireRefused(t, longer, "one byte more"))
	})
}

// headerV1 and headerV2 are headers in hexadecimal, field by field; the tag is
// not authentic.
func headerV1() []string {
	return []string{
		"01", "80", "0178", strings.Repeat("ab", 16), "0008", "0001" + "000161" + "000162", "0001",
		"0001" + "70", "0001" + "69", "0001" + "63", "02", "00000000", "0c", "00001000",
		strings.Repeat("00", 12), strings.Repeat("00", 16),
	}
}

func headerV2() []string {
	return []string{
		"02", "0478", strings.Repeat("ab", 32), "0008", "0001" + "000161" + "000162", "0001",
		"0001" + "70", "0001" + "69", "0001" + "63", "02", "00001000", strings.Repeat("cd", 32), strings.Repeat("00", 16),
	}
}

func replaced(fields []string, at int, with string) []string {
	fields[at] = with
	return fields
}

func TestHeaderSyntax(t *testing.T) {
	t.Parallel()
	section := func(length, pairs string) []string {
		return replaced(replaced(headerV2(), 3, length), 4, pairs)
	}
	for name, c := range map[string]struct {
		fields []string
		want   error // nil: the syntax is right
		offset int64
		field  string
	}{
		"version 1":                   {headerV1(), nil, 0, ""},
		"version 2":                   {headerV2(), nil, 0, ""},
		"version 0":                   {replaced(headerV1(), 0, "00"), ErrUnsupported, 0, "version"},
		"version 3":                   {replaced(headerV2(), 0, "03"), ErrUnsupported, 0, "version"},
		"version A":                   {replaced(headerV2(), 0, "41"), ErrUnsupported, 0, "version"},
		"type 81":                     {replaced(headerV1(), 1, "81"), ErrUnsupported, 1, "type"},
		"suite 0000":                  {replaced(headerV1(), 2, "0000"), ErrUnsupported, 2, "algorithm suite"},
		"suite of the S3 client":      {replaced(headerV1(), 2, "0072"), ErrUnsupported, 2, "algorithm suite"},
		"suite of the DynamoDB one":   {replaced(headerV2(), 1, "6700"), ErrUnsupported, 1, "algorithm suite"},
		"version 1, suite 0478":       {replaced(headerV1(), 2, "0478"), ErrMalformed, 2, "algorithm suite"},
		"version 2, suite 0178":       {replaced(headerV2(), 1, "0178"), ErrMalformed, 1, "algorithm suite"},
		"no context":                  {section("0000", ""), nil, 0, ""},
		"context of zero pairs":       {section("0002", "0000"), nil, 0, ""},
		"one pair in two bytes":       {section("0002", "0001"), ErrMalformed, 37, "encryption context"},
		"context of one byte":         {section("0001", "00"), ErrMalformed, 37, "encryption context"},
		"context of three bytes":      {section("0003", "000000"), ErrMalformed, 37, "encryption context"},
		"zero pairs in six bytes":     {section("0006", "000000000000"), ErrMalformed, 37, "encryption context"},
		"empty key and value":         {section("0006", "000100000000"), nil, 0, ""},
		"two pairs, one there":        {section("0008", "0002000161000162"), ErrMalformed, 37, "encryption context"},
		"context too long by one":     {section("0009", "000100016100016200"), ErrMalformed, 37, "encryption context"},
		"context too short by one":    {section("0007", "00010001610001"), ErrMalformed, 37, "encryption context"},
		"unsorted context":            {section("000e", "0002"+"000162000131"+"000161000132"), nil, 0, ""},
		"duplicate key":               {section("000e", "0002"+"000161000131"+"000161000132"), ErrMalformed, 37, "encryption context"},
		"key not UTF-8":               {section("0008", "00010001ff000162"), ErrMalformed, 37, "encryption context"},
		"value not UTF-8":             {section("0008", "00010001610001ff"), ErrMalformed, 37, "encryption context"},
		"no data keys":                {replaced(replaced(replaced(replaced(section("0000", ""), 5, "0000"), 6, ""), 7, ""), 8, ""), ErrMalformed, 37, "encrypted data key count"},
		"provider not UTF-8":          {replaced(section("0000", ""), 6, "0001ff"), ErrMalformed, 41, "key provider id"},
		"empty data key":              {replaced(replaced(replaced(headerV2(), 6, "0000"), 7, "0000"), 8, "0000"), nil, 0, ""},
		"content type 0":              {replaced(section("0000", ""), 9, "00"), ErrMalformed, 48, "content type"},
		"content type 3":              {replaced(section("0000", ""), 9, "03"), ErrMalformed, 48, "content type"},
		"framed, no frame length":     {replaced(section("0000", ""), 10, "00000000"), ErrMalformed, 49, "frame length"},
		"unframed, with frame length": {replaced(section("0000", ""), 9, "01"), ErrMalformed, 49, "frame length"},
		"reserved not zero":           {replaced(headerV1(), 11, "00000001"), ErrMalformed, 42, "reserved"},
		"IV of 11 bytes":              {replaced(headerV1(), 12, "0b"), ErrMalformed, 46, "IV length"},
		"IV of 13 bytes":              {replaced(headerV1(), 12, "0d"), ErrMalformed, 46, "IV length"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			raw, err := hex.DecodeString(strings.Join(c.fields, ""))
			require.NoError(t, err)
			h, err := ReadHeader(bytes.NewReader(raw), nil)
			if c.want == nil {
				require.NoError(t, err)
				require.Equal(t, len(raw), h.Length())
				require.Equal(t, raw, reencode(h))
				_, _, err = Decrypt(t.Context(), openManager, raw, readAll())
				require.ErrorIs(t, err, ErrAuth)
				return
			}
			require.ErrorIs(t, err, c.want)
			var located *FormatError
			require.ErrorAs(t, err, &located)
			require.Equal(t, c.offset, located.Offset)
			require.Equal(t, c.field, located.Field)
			require.Contains(t, err.Error(), "envelope: ")
			_, _, again := Decrypt(t.Context(), openManager, raw, readAll())
			require.Equal(t, err, again)
		})
	}
}

func TestContextErrorIsFound(t *testing.T) {
	t.Parallel()
	raw, err := hex.DecodeString("02" + "0478" + strings.Repeat("ab", 32) + "0001" + "00")
	require.NoError(t, err)
	_, err = ReadHeader(bytes.NewReader(raw), nil)
	require.ErrorIs(t, err, ErrMalformed)
	require.ErrorIs(t, err, keyring.ErrEncryptionContext)
}

func TestBase64(t *testing.T) {
	t.Parallel()
	for _, s := range keyring.Suites() {
		message, err := Encrypt(t.Context(), openManager, nil, write(s, 0))
		require.NoError(t, err)
		_, _, err = Decrypt(t.Context(), openManager, encodeBase64(message), readAll())
		require.Equal(t, ErrBase64, err, "%v", s)
		_, err = readBytes(t, openManager, encodeBase64(message), readAll())
		require.Equal(t, ErrBase64, err, "%v", s)
	}
	for _, other := range []string{"A", "AY", "AYA", "AYAE", "AgR5", "AgW4", "BYAA"} {
		_, _, err := Decrypt(t.Context(), openManager, []byte(other), readAll())
		require.ErrorIs(t, err, ErrUnsupported, other)
	}
}

func TestUnusualButAuthentic(t *testing.T) {
	t.Parallel()
	for name, message := range map[string][]byte{
		"context not in order": newForge(t, 0x0478, 8, func(h *Header) {
			h.context = []byte("\x00\x02\x00\x01b\x00\x012\x00\x01a\x00\x011")
		}).final(1, []byte("hello")).message(),
		"empty context of old writers": newForge(t, 0x0178, 8, func(h *Header) {
			h.context, h.Context = []byte{0, 0}, nil
		}).final(1, []byte("hello")).message(),
		"header IV not zero": newForge(t, 0x0178, 8, func(h *Header) {
			h.iv = counted(12)
		}).final(1, []byte("hello")).message(),
		"many data keys": newForge(t, 0x0178, 8, func(h *Header) {
			for range 99 {
				h.EncryptedDataKeys = append(h.EncryptedDataKeys, h.EncryptedDataKeys[0])
			}
		}).final(1, []byte("hello")).message(),
		"frames with IVs of their own": func() []byte {
			f := newForge(t, 0x0478, 5, nil)
			f.out = append(binary.BigEndian.AppendUint32(f.out, 0xFFFFFFFF), 0, 0, 0, 1)
			iv := counted(12)
			f.out = append(append(f.out, iv...), 0, 0, 0, 5)
			f.out = f.aead.Seal(f.out, iv, []byte("hello"), f.aad("AWSKMSEncryptionClient Final Frame", 1, 5))
			return f.message()
		}(),
	} {
		plaintext, _, err := Decrypt(t.Context(), openManager, message, readAll())
		require.NoError(t, err, name)
		require.Equal(t, "hello", string(plaintext), name)
		plaintext, err = readBytes(t, openManager, message, readAll())
		require.NoError(t, err, name)
		require.Equal(t, "hello", string(plaintext), name)
	}
}

// TestAttacks holds messages whose single parts are authentic.
func TestAttacks(t *testing.T) {
	t.Parallel()
	const p = "aaaabbbbcc"
	a, b, c := []byte(p[:4]), []byte(p[4:8]), []byte(p[8:])
	for _, s := range keyring.Suites() {
		forged := func() *forge { return newForge(t, s, 4, nil) }
		whole := func() *forge {
			return forged().regular(1, a).regular(2, b).final(3, c)
		}
		start := len(forged().out) // of the body; frames are 36 bytes long, the final one 42
		cut := func(f *forge, order ...int) *forge {
			ends := []int{0, 36, 72, 114}
			body := f.out[start:]
			out := bytes.Clone(f.out[:start])
			for _, i := range order {
				out = append(out, body[ends[i]:ends[i+1]]...)
			}
			f.out = out
			return f
		}
		another := newForge(t, s, 4, func(h *Header) { h.MessageID[3] ^= 1 })
		for name, attack := range map[string]struct {
			message []byte
			want    error
		}{
			"frames swapped":            {cut(whole(), 1, 0, 2).message(), ErrAuth},
			"frame twice":               {cut(whole(), 0, 0, 1, 2).message(), ErrAuth},
			"frame dropped":             {cut(whole(), 0, 2).message(), ErrAuth},
			"first frame dropped":       {cut(whole(), 1, 2).message(), ErrAuth},
			"only the final frame":      {cut(whole(), 2).message(), ErrAuth},
			"final frame numbered 4":    {forged().regular(1, a).regular(2, b).final(4, c).message(), ErrAuth},
			"final frame numbered 1":    {forged().regular(1, a).final(1, b).message(), ErrAuth},
			"frame numbered 0":          {forged().regular(0, a).final(1, b).message(), ErrAuth},
			"regular numbered FFFFFFFF": {forged().regular(0xFFFFFFFF, a).message(), ErrAuth},
			"long final frame": {
				forged().regular(1, a).final(2, []byte("bbbbc")).message(), ErrMalformed},
			"regular as final": {relabel(forged().regular(1, a), start).message(), ErrAuth},
			"data after the final frame": {
				append(whole().message(), forged().regular(4, a).out[start:]...), ErrTrailingData},
			"two final frames": {
				append(forged().final(1, a).message(), forged().final(2, b).out[start:]...), ErrTrailingData},
			"body of another message": {
				(&forge{t: t, suite: another.suite, h: another.h, key: another.key, aead: another.aead,
					out: append(bytes.Clone(another.out), whole().out[start:]...)}).message(), ErrAuth},
			"unframed length beyond GCM, 2^36-31": {
				append(append(newForge(t, s, 0, nil).out, make([]byte, 12)...), 0, 0, 0, 0x0F, 0xFF, 0xFF, 0xFF, 0xE1), ErrLimit},
			"the longest unframed length, cut": {
				append(append(newForge(t, s, 0, nil).out, make([]byte, 12)...), 0, 0, 0, 0x0F, 0xFF, 0xFF, 0xFF, 0xE0), ErrTruncated},
		} {
			o := readAll()
			o.MaxUnframedLength = -1
			got, h, err := Decrypt(t.Context(), openManager, attack.message, o)
			require.ErrorIs(t, err, attack.want, "%v: %s", s, name)
			require.Nil(t, got)
			require.Nil(t, h)
			if attack.want == ErrAuth {
				require.Equal(t, ErrAuth, err, "%v: %s: not the flat sentinel", s, name)
			}
			got, err = readBytes(t, openManager, attack.message, o)
			require.ErrorIs(t, err, attack.want, "%v: %s", s, name)
			require.True(t, strings.HasPrefix(p, string(got)), "%v: %s: released %q", s, name, got)
		}
	}
}

// relabel turns the regular frame that begins at start into a final one with the
// same ciphertext.
func relabel(f *forge, start int) *forge {
	frame := bytes.Clone(f.out[start:])
	out := append(bytes.Clone(f.out[:start]), 0xFF, 0xFF, 0xFF, 0xFF)
	out = append(append(out, frame[:16]...), 0, 0, 0, byte(f.h.FrameLength))
	f.out = append(out, frame[16:]...)
	return f
}

func TestSignatures(t *testing.T) {
	t.Parallel()
	for _, s := range keyring.Suites() {
		if !s.Signed() {
			f := newForge(t, s, 4, func(h *Header) {
				h.Context["aws-crypto-public-key"] = "x"
				h.context, _ = h.Context.AppendBinary(nil)
			})
			_, _, err := Decrypt(t.Context(), openManager, f.final(1, nil).message(), readAll())
			require.ErrorIs(t, err, keyring.ErrEncryptionContext)
			continue
		}
		body := func() *forge { return newForge(t, s, 4, nil).regular(1, []byte("aaaa")).final(2, []byte("b")) }
		other := body()
		other.key = newForge(t, s, 4, nil).key
		digest := func(b []byte) []byte {
			h := body().suite.Signature.New()
			h.Write(b)
			return h.Sum(nil)
		}
		// A signature of another length than we write is as good as any.
		short := body()
		sig, err := sign(short.key, digest(short.out), short.suite.SigLen-1)
		require.NoError(t, err)
		short.out = append(binary.BigEndian.AppendUint16(short.out, uint16(len(sig))), sig...)
		_, _, err = Decrypt(t.Context(), openManager, short.out, readAll())
		require.NoError(t, err)

		for name, c := range map[string]struct {
			message []byte
			want    error
		}{
			"by another key":    {other.message(), ErrAuth},
			"of no length":      {append(body().out, 0, 0), ErrAuth},
			"of 65535 bytes":    {append(append(body().out, 0xFF, 0xFF), make([]byte, 0xFFFF)...), ErrAuth},
			"missing":           {body().out, ErrTruncated},
			"no DER":            {append(append(body().out, 0, 4), "\x30\x03\x02\x01"...), ErrAuth},
			"with a byte after": {append(body().message(), 0), ErrTrailingData},
			"of all but a byte": {func() []byte {
				f := body()
				sig, err := sign(f.key, digest(f.out[:len(f.out)-1]), f.suite.SigLen)
				require.NoError(t, err)
				return append(binary.BigEndian.AppendUint16(f.out, uint16(len(sig))), sig...)
			}(), ErrAuth},
			"key not in the context": {newForge(t, s, 4, func(h *Header) {
				delete(h.Context, "aws-crypto-public-key")
				h.context, _ = h.Context.AppendBinary(nil)
			}).final(1, nil).message(), keyring.ErrEncryptionContext},
		} {
			_, _, err := Decrypt(t.Context(), openManager, c.message, readAll())
			require.ErrorIs(t, err, c.want, "%v: %s", s, name)
			got, err := readBytes(t, openManager, c.message, readAll())
			require.ErrorIs(t, err, c.want, "%v: %s", s, name)
			require.True(t, c.want == ErrTrailingData || !bytes.Contains(got, []byte("b")), "%v: %s: released %q", s, name, got)
		}
	}
}

// TestSignedTailIsWiped looks at the scratch space: the last frame was opened in
// the caller's buffer and must be gone when its signature fails.
func TestSignedTailIsWiped(t *testing.T) {
	t.Parallel()
	f := newForge(t, 0x0578, 64, nil).final(1, []byte("unsigned secret"))
	f.key = newForge(t, 0x0578, 64, nil).key
	r, err := NewReader(t.Context(), bytes.NewReader(f.message()), openManager, nil)
	require.NoError(t, err)
	p := make([]byte, 256)
	n, err := r.Read(p)
	require.Zero(t, n)
	require.Equal(t, ErrAuth, err)
	require.Equal(t, make([]byte, 256), p)
}

func TestRefuseSigned(t *testing.T) {
	t.Parallel()
	for _, s := range keyring.Suites() {
		message, err := Encrypt(t.Context(), openManager, nil, write(s, 0))
		require.NoError(t, err)
		o := readAll()
		o.RefuseSigned = true
		_, _, err = Decrypt(t.Context(), noManager{}, message, o)
		if s.Signed() {
			require.ErrorIs(t, err, ErrSigned)
		} else {
			require.ErrorIs(t, err, errManager)
		}
	}
}

var errManager = errors.New("the manager was asked")

// noManager has no materials.
type noManager struct{}

func (noManager) EncryptionMaterials(context.Context, keyring.EncryptionRequest) (*keyring.EncryptionMaterials, error) {
	return nil, errManager
}

func (noManager) DecryptionMaterials(context.Context, keyring.DecryptionRequest) (*keyring.DecryptionMaterials, error) {
	return nil, errManager
}
