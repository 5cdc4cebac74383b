package integration

import (
	"crypto/ecdh"
	"crypto/rand"
	"fmt"
	"testing"

	theirs "github.com/aws/aws-cryptographic-material-providers-library/releases/go/mpl/awscryptographymaterialproviderssmithygeneratedtypes"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/keyring"
)

// TestOfficialEncryptionSDKRawECDH exchanges messages on each curve in each way in which
// the keys of a sender and a recipient can be set up.
func TestOfficialEncryptionSDKRawECDH(t *testing.T) {
	o := newOfficial(t)
	for _, curve := range []ecdh.Curve{ecdh.P256(), ecdh.P384(), ecdh.P521()} {
		for name, r := range newECDHRings(t, o, curve) {
			t.Run(fmt.Sprint(curve, " ", name), func(t *testing.T) {
				for _, s := range keyring.Suites() {
					t.Run(fmt.Sprintf("%04x", uint16(s)), func(t *testing.T) {
						w := writing{s, 512, keyring.EncryptionContext{"tenant": "42"}}
						for _, n := range []int{0, 1, 511, 512, 513, 3 * 512} {
							plaintext := make([]byte, n)
							rand.Read(plaintext)
							o.requireExchange(t, r, w, nil, plaintext)
						}
					})
				}
			})
		}
	}
}

// newECDHRings returns what writes and what reads in each set-up.
func newECDHRings(t *testing.T, o official, curve ecdh.Curve) map[string]managers {
	t.Helper()
	sender, err := curve.GenerateKey(rand.Reader)
	require.NoError(t, err)
	recipient, err := curve.GenerateKey(rand.Reader)
	require.NoError(t, err)
	from, to := sender.PublicKey(), recipient.PublicKey()

	static := func(private *ecdh.PrivateKey, peer *ecdh.PublicKey) keyring.Keyring {
		k, err := keyring.NewRawECDHStatic(private, peer)
		require.NoError(t, err)
		return k
	}
	ephemeral, err := keyring.NewRawECDHEphemeral(to)
	require.NoError(t, err)
	discovery, err := keyring.NewRawECDHDiscovery(recipient)
	require.NoError(t, err)

	all := map[string]managers{}
	add := func(name string, writer, reader keyring.Keyring, theirWriter, theirReader theirs.IKeyring) {
		all[name] = managers{
			keyring.NewManager(writer), keyring.NewManager(reader), o.manager(theirWriter), o.manager(theirReader),
		}
	}
	add("static to static", static(sender, to), static(recipient, from), o.ecdhStatic(sender, to), o.ecdhStatic(recipient, from))
	add("static to the sender", static(sender, to), static(sender, to), o.ecdhStatic(sender, to), o.ecdhStatic(sender, to))
	add("static to discovery", static(sender, to), discovery, o.ecdhStatic(sender, to), o.ecdhDiscovery(recipient))
	add("ephemeral to discovery", ephemeral, discovery, o.ecdhEphemeral(to), o.ecdhDiscovery(recipient))
	return all
}
