package keyring_test

import (
	"bytes"
	"crypto/ecdh"
	"crypto/rand"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/envelope"
	"github.com/sealring/sealring/keyring"
	"github.com/sealring/sealring/keyring/keyringtest"
)

var nist = []struct {
	name  string
	curve ecdh.Curve
	point int // length of a compressed one
}{
	{"P-256", ecdh.P256(), 33}, {"P-384", ecdh.P384(), 49}, {"P-521", ecdh.P521(), 67},
}

// eachCurve runs f as a parallel subtest for each curve.
func eachCurve(t *testing.T, f func(*testing.T, ecdh.Curve)) {
	t.Parallel()
	for _, c := range nist {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f(t, c.curve)
		})
	}
}

func newECDHKey(t *testing.T, c ecdh.Curve) *ecdh.PrivateKey {
	t.Helper()
	k, err := c.GenerateKey(rand.Reader)
	require.NoError(t, err)
	return k
}

func static(t *testing.T, own *ecdh.PrivateKey, peer *ecdh.PublicKey) *keyring.RawECDHStatic {
	t.Helper()
	ring, err := keyring.NewRawECDHStatic(own, peer)
	require.NoError(t, err)
	return ring
}

func ephemeral(t *testing.T, recipient *ecdh.PublicKey) *keyring.RawECDHEphemeral {
	t.Helper()
	ring, err := keyring.NewRawECDHEphemeral(recipient)
	require.NoError(t, err)
	return ring
}

func discovery(t *testing.T, own *ecdh.PrivateKey) *keyring.RawECDHDiscovery {
	t.Helper()
	ring, err := keyring.NewRawECDHDiscovery(own)
	require.NoError(t, err)
	return ring
}

func TestRawECDHConformance(t *testing.T) {
	eachCurve(t, func(t *testing.T, c ecdh.Curve) {
		for name, rings := range map[string]func(t *testing.T, a, b, other *ecdh.PrivateKey) (encrypt, decrypt, foreign keyring.Keyring){
			"static, by the recipient": func(t *testing.T, a, b, other *ecdh.PrivateKey) (_, _, _ keyring.Keyring) {
				return static(t, a, b.PublicKey()), static(t, b, a.PublicKey()), static(t, a, other.PublicKey())
			},
			"static, by the sender": func(t *testing.T, a, b, other *ecdh.PrivateKey) (_, _, _ keyring.Keyring) {
				ring := static(t, a, b.PublicKey())
				return ring, ring, static(t, other, b.PublicKey())
			},
			"ephemeral to discovery": func(t *testing.T, _, b, other *ecdh.PrivateKey) (_, _, _ keyring.Keyring) {
				return ephemeral(t, b.PublicKey()), discovery(t, b), ephemeral(t, other.PublicKey())
			},
		} {
			if name == "ephemeral to discovery" && c != ecdh.P256() {
				continue // the kit alters a thousand times: see TestRawECDHDiscoveryRefusesAltered
			}
			t.Run(name, func(t *testing.T) {
				keyringtest.Run(t, func(t *testing.T) keyringtest.Subject {
					a, b, other := newECDHKey(t, c), newECDHKey(t, c), newECDHKey(t, c)
					secret, err := a.ECDH(b.PublicKey())
					require.NoError(t, err)
					encrypt, decrypt, foreign := rings(t, a, b, other)
					return keyringtest.Subject{
						Encrypt: encrypt, Decrypt: decrypt, Foreign: foreign, Failing: discovery(t, a),
						Secrets: [][]byte{a.Bytes(), b.Bytes(), secret},
					}
				})
			})
		}
	})
}

// One bit of each byte, and every length of the info and some of the ciphertext:
// scalar multiplication is slow on the larger curves.
func TestRawECDHDiscoveryRefusesAltered(t *testing.T) {
	eachCurve(t, func(t *testing.T, c ecdh.Curve) {
		own := newECDHKey(t, c)
		ring := discovery(t, own)
		m := encryption(t, unsigned)
		require.NoError(t, ephemeral(t, own.PublicKey()).OnEncrypt(t.Context(), m))
		good := m.EncryptedDataKeys()[0]
		refused := func(k keyring.EncryptedDataKey, what string, n int) {
			t.Helper()
			d := decryption(t, m)
			require.Error(t, ring.OnDecrypt(t.Context(), d, []keyring.EncryptedDataKey{k}), "%s %d", what, n)
			require.False(t, d.HasDataKey())
		}
		for n := range good.Info {
			k := good.Clone()
			k.Info[n] ^= 1 << (n % 8)
			refused(k, "info, byte", n)
			k.Info = good.Info[:n]
			refused(k, "info, length", n)
		}
		for n := range good.Ciphertext {
			k := good.Clone()
			k.Ciphertext[n] ^= 1 << (n % 8)
			refused(k, "ciphertext, byte", n)
		}
		for _, n := range []int{0, 1, 31, 32, 63, 64, 79, 80, 95, 111} {
			k := good.Clone()
			k.Ciphertext = k.Ciphertext[:n]
			refused(k, "ciphertext, length", n)
		}
		require.NoError(t, ring.OnDecrypt(t.Context(), decryption(t, m), []keyring.EncryptedDataKey{good}))
	})
}

func TestNewRawECDHRefuses(t *testing.T) {
	t.Parallel()
	p256, p384, x := newECDHKey(t, ecdh.P256()), newECDHKey(t, ecdh.P384()), newECDHKey(t, ecdh.X25519())
	for _, c := range []struct {
		what    string
		private *ecdh.PrivateKey
		peer    *ecdh.PublicKey
	}{
		{"no private key", nil, p256.PublicKey()},
		{"no peer", p256, nil},
		{"two curves", p256, p384.PublicKey()},
		{"X25519", x, x.PublicKey()},
		{"an X25519 private key", x, p256.PublicKey()},
		{"an X25519 peer", p256, x.PublicKey()},
	} {
		ring, err := keyring.NewRawECDHStatic(c.private, c.peer)
		require.ErrorContains(t, err, "keyring: ", c.what)
		require.Nil(t, ring, c.what)
	}
	for _, k := range []*ecdh.PublicKey{nil, x.PublicKey()} {
		ring, err := keyring.NewRawECDHEphemeral(k)
		require.ErrorContains(t, err, "keyring: ")
		require.Nil(t, ring)
	}
	for _, k := range []*ecdh.PrivateKey{nil, x} {
		ring, err := keyring.NewRawECDHDiscovery(k)
		require.ErrorContains(t, err, "keyring: ")
		require.Nil(t, ring)
	}
}

func TestRawECDHHalves(t *testing.T) {
	t.Parallel()
	own := newECDHKey(t, ecdh.P256())
	m := encryption(t, unsigned)
	require.ErrorContains(t, discovery(t, own).OnEncrypt(t.Context(), m), "no recipient")
	require.False(t, m.HasDataKey())
	writer := ephemeral(t, own.PublicKey())
	require.NoError(t, writer.OnEncrypt(t.Context(), m))
	d := decryption(t, m)
	require.ErrorContains(t, writer.OnDecrypt(t.Context(), d, m.EncryptedDataKeys()), "no private key")
	require.False(t, d.HasDataKey())
}

// Who can read what of the messages that a sends b.
func TestRawECDHReaders(t *testing.T) {
	eachCurve(t, func(t *testing.T, c ecdh.Curve) {
		a, b, other := newECDHKey(t, c), newECDHKey(t, c), newECDHKey(t, c)
		var foreign *ecdh.PrivateKey
		for _, n := range nist {
			if n.curve != c {
				foreign = newECDHKey(t, n.curve)
			}
		}
		for _, r := range []struct {
			name              string
			ring              keyring.Keyring
			static, ephemeral bool
		}{
			{"b of a", static(t, b, a.PublicKey()), true, false},
			{"a of b", static(t, a, b.PublicKey()), true, false},
			{"b of itself", static(t, b, b.PublicKey()), false, false},
			{"b of another", static(t, b, other.PublicKey()), false, false},
			{"another of b", static(t, other, b.PublicKey()), false, false},
			{"another of a", static(t, other, a.PublicKey()), false, false},
			{"b of anyone", discovery(t, b), true, true},
			{"a of anyone", discovery(t, a), false, false},
			{"another of anyone", discovery(t, other), false, false},
			{"a key on another curve", discovery(t, foreign), false, false},
		} {
			for _, w := range []struct {
				name string
				ring keyring.Keyring
				want bool
			}{
				{"static", static(t, a, b.PublicKey()), r.static},
				{"ephemeral", ephemeral(t, b.PublicKey()), r.ephemeral},
			} {
				m := encryption(t, unsigned)
				require.NoError(t, w.ring.OnEncrypt(t.Context(), m))
				d := decryption(t, m)
				err := r.ring.OnDecrypt(t.Context(), d, m.EncryptedDataKeys())
				if w.want {
					require.NoError(t, err, "%s: %s", r.name, w.name)
					require.Equal(t, m.DataKey(), d.DataKey())
					continue
				}
				var none *keyring.NoMatchError
				require.ErrorAs(t, err, &none, "%s: %s", r.name, w.name)
				require.Empty(t, none.Attempts)
			}
		}
	})
}

func TestRawECDHFormat(t *testing.T) {
	t.Parallel()
	for _, c := range nist {
		own, peer := newECDHKey(t, c.curve), newECDHKey(t, c.curve)
		for _, s := range keyring.Suites() {
			m := encryption(t, s)
			require.NoError(t, static(t, own, peer.PublicKey()).OnEncrypt(t.Context(), m))
			require.NoError(t, ephemeral(t, peer.PublicKey()).OnEncrypt(t.Context(), m))
			require.NoError(t, ephemeral(t, peer.PublicKey()).OnEncrypt(t.Context(), m))
			keys := m.EncryptedDataKeys()
			for _, k := range keys {
				require.Equal(t, "raw-ecdh", k.Provider)
				require.Len(t, k.Info, 9+2*c.point)
				require.Len(t, k.Ciphertext, 80+s.DataKeyLen())
			}
			require.Equal(t, keys[0].Info[:5+c.point], keys[1].Info[:5+c.point], "one recipient")
			require.NotEqual(t, keys[1].Info[9+c.point:], keys[2].Info[9+c.point:], "one ephemeral key")
		}
	}
}

// A reader does not care which kind of keyring has written a message.
func TestRawECDHReadsBothProviders(t *testing.T) {
	t.Parallel()
	a, b := newECDHKey(t, ecdh.P256()), newECDHKey(t, ecdh.P256())
	m := encryption(t, unsigned)
	require.NoError(t, static(t, a, b.PublicKey()).OnEncrypt(t.Context(), m))
	for provider, want := range map[string]bool{
		"raw-ecdh": true, "aws-kms-ecdh": true, "aws-kms": false, "": false, "Raw-ecdh": false,
	} {
		k := m.EncryptedDataKeys()[0]
		k.Provider = provider
		for _, ring := range []keyring.Keyring{static(t, b, a.PublicKey()), discovery(t, b)} {
			err := ring.OnDecrypt(t.Context(), decryption(t, m), []keyring.EncryptedDataKey{k})
			require.Equal(t, want, err == nil, "%q: %v", provider, err)
		}
	}
}

// Malformed info refuses the message, even behind an encrypted data key that opens.
func TestRawECDHMalformedInfo(t *testing.T) {
	t.Parallel()
	a, b := newECDHKey(t, ecdh.P256()), newECDHKey(t, ecdh.P256())
	m := encryption(t, unsigned)
	require.NoError(t, static(t, a, b.PublicKey()).OnEncrypt(t.Context(), m))
	good := m.EncryptedDataKeys()[0]
	bad := map[string][]byte{
		"nothing": nil, "garbage": []byte("garbage"), "a byte more": append(bytes.Clone(good.Info), 0),
		"a byte less": good.Info[:74], "zeros": make([]byte, 75), "very long": make([]byte, 65535),
	}
	for _, at := range []int{0, 1, 4, 38, 41} {
		info := bytes.Clone(good.Info)
		info[at] ^= 2
		bad[fmt.Sprint("byte ", at)] = info
	}
	for name, info := range bad {
		for _, provider := range []string{"raw-ecdh", "aws-kms-ecdh"} {
			k := keyring.EncryptedDataKey{Provider: provider, Info: info, Ciphertext: good.Ciphertext}
			for _, keys := range [][]keyring.EncryptedDataKey{{k}, {good, k}, {k, good}} {
				for _, ring := range []keyring.Keyring{static(t, b, a.PublicKey()), discovery(t, b)} {
					d := decryption(t, m)
					err := ring.OnDecrypt(t.Context(), d, keys)
					require.ErrorIs(t, err, keyring.ErrInfo, name)
					require.NotErrorIs(t, err, keyring.ErrNoMatch, name)
					require.Less(t, len(err.Error()), 1000)
					require.False(t, d.HasDataKey())
				}
			}
		}
		// The same bytes under another provider are none of the keyring's business.
		k := keyring.EncryptedDataKey{Provider: "fleet", Info: info, Ciphertext: good.Ciphertext}
		require.NoError(t, discovery(t, b).OnDecrypt(t.Context(), decryption(t, m), []keyring.EncryptedDataKey{k, good}), name)
	}
}

// A sender's point that is none fails its own encrypted data key only.
func TestRawECDHSenderIsNoPoint(t *testing.T) {
	eachCurve(t, func(t *testing.T, c ecdh.Curve) {
		b := newECDHKey(t, c)
		m := encryption(t, unsigned)
		require.NoError(t, ephemeral(t, b.PublicKey()).OnEncrypt(t.Context(), m))
		good := m.EncryptedDataKeys()[0]
		sender := (len(good.Info)+1)/2 + 4
		changes := map[string]func([]byte){
			"infinity":          func(info []byte) { clear(info[sender:]) },
			"uncompressed":      func(info []byte) { info[sender] = 4 },
			"x above the field": func(info []byte) { copy(info[sender+1:], bytes.Repeat([]byte{255}, 66)) },
		}
		for x := range byte(10) { // half of all x coordinates have no point
			changes[fmt.Sprint("x is ", x)] = func(info []byte) {
				clear(info[sender:])
				info[sender], info[len(info)-1] = 2, x
			}
		}
		for name, change := range changes {
			k := good.Clone()
			change(k.Info)
			d := decryption(t, m)
			err := discovery(t, b).OnDecrypt(t.Context(), d, []keyring.EncryptedDataKey{k})
			require.ErrorIs(t, err, keyring.ErrUnwrap, name)
			require.False(t, d.HasDataKey())
			require.NoError(t, discovery(t, b).OnDecrypt(t.Context(), d, []keyring.EncryptedDataKey{k, good}), name)
		}
	})
}

// The parties are bound: exchanged in the info, they still match a static keyring and
// agree on the same secret, but the wrapping key is another.
func TestRawECDHPartiesAreBound(t *testing.T) {
	eachCurve(t, func(t *testing.T, c ecdh.Curve) {
		a, b := newECDHKey(t, c), newECDHKey(t, c)
		m := encryption(t, unsigned)
		require.NoError(t, static(t, a, b.PublicKey()).OnEncrypt(t.Context(), m))
		k := m.EncryptedDataKeys()[0]
		half := len(k.Info) / 2
		k.Info = bytes.Join([][]byte{k.Info[:1], k.Info[1+half:], k.Info[1 : 1+half]}, nil)
		err := static(t, b, a.PublicKey()).OnDecrypt(t.Context(), decryption(t, m), []keyring.EncryptedDataKey{k})
		var none *keyring.NoMatchError
		require.ErrorAs(t, err, &none)
		require.Len(t, none.Attempts, 1)
		require.ErrorIs(t, err, keyring.ErrUnwrap)
	})
}

func TestRawECDHMessages(t *testing.T) {
	eachCurve(t, func(t *testing.T, c ecdh.Curve) {
		a, b := newECDHKey(t, c), newECDHKey(t, c)
		plaintext := bytes.Repeat([]byte("plaintext "), 1000)
		for _, s := range keyring.Suites() {
			both := newMulti(t, static(t, a, b.PublicKey()), ephemeral(t, b.PublicKey()))
			message, err := envelope.Encrypt(t.Context(), keyring.NewManager(both), plaintext, &envelope.EncryptOptions{
				Suite: s, CommitmentPolicy: writing(s), Context: keyring.EncryptionContext{"tenant": "42"},
			})
			require.NoError(t, err)
			for _, ring := range []keyring.Keyring{static(t, b, a.PublicKey()), static(t, a, b.PublicKey()), discovery(t, b)} {
				got, _, err := envelope.Decrypt(t.Context(), keyring.NewManager(ring), message, &envelope.DecryptOptions{
					CommitmentPolicy: keyring.RequireEncryptAllowDecrypt,
				})
				require.NoError(t, err, "%v", s)
				require.Equal(t, plaintext, got)
			}
			_, _, err = envelope.Decrypt(t.Context(), keyring.NewManager(discovery(t, a)), message, &envelope.DecryptOptions{
				CommitmentPolicy: keyring.RequireEncryptAllowDecrypt,
			})
			require.ErrorIs(t, err, keyring.ErrNoMatch, s)
		}
	})
}
