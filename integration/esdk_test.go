package integration

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"

	theirs "github.com/aws/aws-cryptographic-material-providers-library/releases/go/mpl/awscryptographymaterialproviderssmithygeneratedtypes"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/envelope"
	"github.com/sealring/sealring/keyring"
	"github.com/sealring/sealring/keyring/awskms"
	"github.com/sealring/sealring/kms/kmstest"
)

// writing is how a message is written.
type writing struct {
	suite   keyring.Suite
	frame   int
	context keyring.EncryptionContext
}

func (w writing) options() *envelope.EncryptOptions {
	o := &envelope.EncryptOptions{Suite: w.suite, FrameLength: w.frame, Context: w.context}
	if !w.suite.Committing() {
		o.CommitmentPolicy = keyring.ForbidEncryptAllowDecrypt
	}
	return o
}

// managers are those of both libraries for the same keys, to write with and to read with.
type managers struct {
	ourWriter, ourReader     keyring.Manager
	theirWriter, theirReader theirs.ICryptographicMaterialsManager
}

// rings are keyrings of both libraries for the same keys.
type rings struct {
	name   string
	ours   keyring.Keyring
	theirs theirs.IKeyring
}

func (r rings) managers(o official) managers {
	m, their := keyring.NewManager(r.ours), o.manager(r.theirs)
	return managers{m, m, their, their}
}

// newRings returns one pair of keyrings of each kind that both libraries have.
func newRings(t *testing.T, o official) []rings {
	t.Helper()
	var all []rings
	for _, n := range []int{16, 24, 32} {
		all = append(all, newAESRings(t, o, n))
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	for _, padding := range slices.Sorted(maps.Keys(officialPaddings)) {
		ours, err := keyring.NewRawRSA("fleet", "rsa", padding, &key.PublicKey, key)
		require.NoError(t, err)
		all = append(all, rings{"RSA " + padding.String(), ours, o.rawRSA("fleet", "rsa", padding, key)})
	}
	return append(all, newKMSRings(t, o))
}

func newAESRings(t *testing.T, o official, keyLength int) rings {
	t.Helper()
	key := make([]byte, keyLength)
	rand.Read(key)
	name := fmt.Sprintf("AES-%d", keyLength*8)
	ours, err := keyring.NewRawAES("fleet", name, key)
	require.NoError(t, err)
	return rings{name, ours, o.rawAES("fleet", name, key)}
}

// newKMSRings returns keyrings for a key of the local engine, which both libraries use
// through a client of the AWS SDK.
func newKMSRings(t *testing.T, o official) rings {
	t.Helper()
	cloud := kmstest.New(t, nil)
	arn := cloud.Seed(kmstest.Key{})
	ours, err := awskms.New(cloud.SDK(), arn, nil)
	require.NoError(t, err)
	return rings{"KMS", ours, o.kms(cloud.SDK(), arn)}
}

// requireExchange has each library read what the other has written, in every way that
// ours has to write and to read. required is what the readers know of the context.
func (o official) requireExchange(t *testing.T, m managers, w writing, required keyring.EncryptionContext, plaintext []byte) {
	t.Helper()
	message, err := o.encrypt(m.theirWriter, w, plaintext)
	require.NoError(t, err)
	requireWeRead(t, m.ourReader, w, message, required, plaintext)

	for name, encrypt := range map[string]func(*testing.T, keyring.Manager, writing, []byte) []byte{
		"Encrypt": weEncrypt, "Writer": weWrite,
	} {
		got, c, err := o.decrypt(m.theirReader, encrypt(t, m.ourWriter, w, plaintext), required)
		require.NoError(t, err, name)
		require.True(t, bytes.Equal(plaintext, got), name)
		require.Equal(t, w.suite.Signed(), hasPublicKey(c), name)
		delete(c, publicKey)
		require.True(t, maps.Equal(w.context, c), "%s: %q", name, c)
	}
}

// publicKey is the pair of the context that the libraries add to signed messages.
const publicKey = "aws-crypto-public-key"

func hasPublicKey(c keyring.EncryptionContext) bool { _, ok := c[publicKey]; return ok }

func weEncrypt(t *testing.T, m keyring.Manager, w writing, plaintext []byte) []byte {
	t.Helper()
	message, err := envelope.Encrypt(t.Context(), m, plaintext, w.options())
	require.NoError(t, err)
	return message
}

func weWrite(t *testing.T, m keyring.Manager, w writing, plaintext []byte) []byte {
	t.Helper()
	var message bytes.Buffer
	writer, err := envelope.NewWriter(t.Context(), &message, m, w.options())
	require.NoError(t, err)
	_, err = writer.Write(plaintext)
	require.NoError(t, err)
	require.NoError(t, writer.Close())
	return message.Bytes()
}

// reading is how messages of every suite are read.
func reading(required keyring.EncryptionContext) *envelope.DecryptOptions {
	return &envelope.DecryptOptions{Context: required, CommitmentPolicy: keyring.RequireEncryptAllowDecrypt}
}

func requireWeRead(t *testing.T, m keyring.Manager, w writing, message []byte, required keyring.EncryptionContext, plaintext []byte) {
	t.Helper()
	got, h, err := envelope.Decrypt(t.Context(), m, message, reading(required))
	require.NoError(t, err)
	require.True(t, bytes.Equal(plaintext, got))
	requireHeader(t, w, required, h)

	r, err := envelope.NewReader(t.Context(), bytes.NewReader(message), m, reading(required))
	require.NoError(t, err)
	got, err = io.ReadAll(r)
	require.NoError(t, err)
	require.True(t, bytes.Equal(plaintext, got))
	requireHeader(t, w, required, r.Header())

	o := reading(required)
	o.VerifyFirst = w.suite.Signed()
	at, err := envelope.NewReaderAt(t.Context(), bytes.NewReader(message), int64(len(message)), m, o)
	require.NoError(t, err)
	require.EqualValues(t, len(plaintext), at.Size())
	got = make([]byte, len(plaintext))
	n, err := at.ReadAt(got, 0)
	require.True(t, err == nil || err == io.EOF && n == len(got), err)
	require.True(t, bytes.Equal(plaintext, got))
	requireHeader(t, w, required, at.Header())
}

// requireHeader says that a header is as it was asked for. Of the context, it may lack
// only what the reader is required to know.
func requireHeader(t *testing.T, w writing, required keyring.EncryptionContext, h *envelope.Header) {
	t.Helper()
	require.Equal(t, w.suite, h.Suite)
	require.EqualValues(t, w.frame, h.FrameLength)
	c := maps.Clone(h.Context)
	require.Equal(t, w.suite.Signed(), hasPublicKey(c))
	delete(c, publicKey)
	for k, v := range w.context {
		stored, ok := c[k]
		if _, known := required[k]; known && !ok {
			continue
		}
		require.True(t, ok, "%q", k)
		require.Equal(t, v, stored)
		delete(c, k)
	}
	require.Empty(t, c)
}

// TestOfficialEncryptionSDK exchanges messages of every suite and length that matters,
// with every kind of keyring.
func TestOfficialEncryptionSDK(t *testing.T) {
	const frame = 512
	o := newOfficial(t)
	c := keyring.EncryptionContext{"tenant": "42", "purpose": "interoperability"}
	for _, r := range newRings(t, o) {
		t.Run(r.name, func(t *testing.T) {
			m := r.managers(o)
			for _, s := range keyring.Suites() {
				t.Run(fmt.Sprintf("%04x", uint16(s)), func(t *testing.T) {
					for _, n := range []int{0, 1, frame - 1, frame, frame + 1, 3 * frame} {
						plaintext := make([]byte, n)
						rand.Read(plaintext)
						o.requireExchange(t, m, writing{s, frame, c}, nil, plaintext)
					}
				})
			}
		})
	}
}

func TestOfficialEncryptionSDKFrameLengths(t *testing.T) {
	o := newOfficial(t)
	m := newAESRings(t, o, 32).managers(o)
	plaintext := make([]byte, 10_000)
	rand.Read(plaintext)
	for _, frame := range []int{1, 7, 16, 4096, 9_999, 10_000, 10_001, 1 << 20} {
		for _, s := range []keyring.Suite{0x0178, 0x0378, 0x0478, 0x0578} {
			t.Run(fmt.Sprintf("%d/%04x", frame, uint16(s)), func(t *testing.T) {
				p := plaintext[:min(len(plaintext), 300*frame)]
				o.requireExchange(t, m, writing{suite: s, frame: frame}, nil, p)
			})
		}
	}
}

// TestOfficialEncryptionSDKContexts has contexts whose serialisation is not obvious:
// pairs are in the order of their keys' UTF-8, which is not that of UTF-16. Many
// pairs are not many here: fifty cost the official library 100 ms a message.
func TestOfficialEncryptionSDKContexts(t *testing.T) {
	o := newOfficial(t)
	many := keyring.EncryptionContext{}
	for i := range 15 {
		many[fmt.Sprint("key ", i)] = fmt.Sprint("value ", i)
	}
	contexts := map[string]keyring.EncryptionContext{
		"none":      {},
		"empty":     {"": "", "a": ""},
		"prefixes":  {"a": "1", "aa": "2", "a\x00": "3", "A": "4", "ab": "5"},
		"unicode":   {"\U0001F511": "a key", "\uFF5E": "a tilde", "\uE000": "private", "é": "e", "e\u0301": "e and an accent", "z": "\U0001F512"},
		"many":      many,
		"long pair": {strings.Repeat("k", 300): strings.Repeat("\u20ac", 300)},
	}
	exchange := func(r rings) {
		m := r.managers(o)
		for name, c := range contexts {
			t.Run(r.name+" "+name, func(t *testing.T) {
				for _, s := range []keyring.Suite{0x0078, 0x0378, 0x0478, 0x0578} {
					o.requireExchange(t, m, writing{s, 4096, c}, c, []byte("plaintext"))
				}
			})
		}
	}
	exchange(newAESRings(t, o, 32))
	delete(contexts, "empty") // AWS KMS wants a character in every key and value
	exchange(newKMSRings(t, o))
}

// TestOfficialEncryptionSDKRequiredContext has pairs that are authenticated and not
// stored, so that a reader has to know them.
func TestOfficialEncryptionSDKRequiredContext(t *testing.T) {
	o := newOfficial(t)
	c := keyring.EncryptionContext{"tenant": "42", "purpose": "required", "\U0001F511": "stored"}
	for _, keys := range [][]string{{"tenant"}, {"tenant", "purpose"}, slices.Collect(maps.Keys(c))} {
		required := keyring.EncryptionContext{}
		for _, k := range keys {
			required[k] = c[k]
		}
		m := newAESRings(t, o, 32).managers(o)
		m.ourWriter, m.ourReader = requireContext(t, m.ourWriter, keys), requireContext(t, m.ourReader, keys)
		m.theirWriter, m.theirReader = o.requiredContext(m.theirWriter, keys...), o.requiredContext(m.theirReader, keys...)
		for _, s := range keyring.Suites() {
			t.Run(fmt.Sprintf("%d of %d/%04x", len(keys), len(c), uint16(s)), func(t *testing.T) {
				w := writing{s, 512, c}
				plaintext := bytes.Repeat([]byte("plaintext "), 100)
				o.requireExchange(t, m, w, required, plaintext)
				o.requireContextMatters(t, m, w, required, plaintext)
			})
		}
	}
}

func requireContext(t *testing.T, m keyring.Manager, keys []string) keyring.Manager {
	t.Helper()
	m, err := keyring.NewRequiredContext(m, keys...)
	require.NoError(t, err)
	return m
}

// requireContextMatters says that neither library reads the other's message with less
// than the required context, or with another.
func (o official) requireContextMatters(t *testing.T, m managers, w writing, required keyring.EncryptionContext, plaintext []byte) {
	t.Helper()
	fromThem, err := o.encrypt(m.theirWriter, w, plaintext)
	require.NoError(t, err)
	fromUs := weEncrypt(t, m.ourWriter, w, plaintext)
	for k := range required {
		less, other := maps.Clone(required), maps.Clone(required)
		delete(less, k)
		other[k] += "?"
		for _, c := range []keyring.EncryptionContext{less, other} {
			_, _, err := envelope.Decrypt(t.Context(), m.ourReader, fromThem, reading(c))
			require.Error(t, err)
			_, _, err = o.decrypt(m.theirReader, fromUs, c)
			require.Error(t, err)
		}
	}
}

// TestOfficialEncryptionSDKSeveralKeys has messages with several encrypted data keys,
// each of which is enough for the other library.
func TestOfficialEncryptionSDKSeveralKeys(t *testing.T) {
	o := newOfficial(t)
	all := newRings(t, o)
	var ours []keyring.Keyring
	var their []theirs.IKeyring
	for _, r := range all {
		ours, their = append(ours, r.ours), append(their, r.theirs)
	}
	multi, err := keyring.NewMulti(ours[0], ours[1:]...)
	require.NoError(t, err)
	writers := rings{ours: multi, theirs: o.multi(their[0], their[1:]...)}.managers(o)
	for _, reader := range append(all, rings{"all", multi, o.multi(their[0], their[1:]...)}) {
		t.Run(reader.name, func(t *testing.T) {
			m := reader.managers(o)
			m.ourWriter, m.theirWriter = writers.ourWriter, writers.theirWriter
			for _, s := range keyring.Suites() {
				w := writing{s, 512, keyring.EncryptionContext{"keys": "several"}}
				o.requireExchange(t, m, w, nil, bytes.Repeat([]byte("plaintext "), 100))
			}
		})
	}
}
