package integration

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tink-crypto/tink-go-awskms/v3/integration/awskms"
	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/sealring/sealring/kms/kmstest"
	"github.com/sealring/sealring/tinkkms"
)

// Tink's extension for AWS and tinkkms read what the other has written, under either
// name of the associated data, and only under the one that was used.
func TestTinkExtensionForAWS(t *testing.T) {
	t.Parallel()
	cloud := kmstest.New(t, nil)
	uri := "aws-kms://" + cloud.Seed(kmstest.Key{Alias: "alias/orders"})
	theirs := func(name awskms.EncryptionContextName) tink.AEAD {
		client, err := awskms.NewClientWithOptions(t.Context(), "aws-kms://",
			awskms.WithKMS(cloud.SDK()), awskms.WithEncryptionContextName(name))
		require.NoError(t, err)
		a, err := client.GetAEAD(uri)
		require.NoError(t, err)
		return a
	}
	ours := func(legacy bool) tink.AEAD {
		client, err := tinkkms.NewClient(cloud.SDK(), "aws-kms://", &tinkkms.Options{LegacyAdditionalData: legacy})
		require.NoError(t, err)
		a, err := client.GetAEAD(uri)
		require.NoError(t, err)
		return a
	}
	pairs := []struct{ theirs, ours tink.AEAD }{
		{theirs(awskms.AssociatedData), ours(false)},
		{theirs(awskms.LegacyAdditionalData), ours(true)},
	}
	for i, p := range pairs {
		other := pairs[1-i]
		for _, associated := range [][]byte{nil, {}, {0}, []byte("tenant 42"), {0xff, 0xfe}} {
			for _, direction := range []struct{ from, to, never tink.AEAD }{
				{p.theirs, p.ours, other.ours},
				{p.ours, p.theirs, other.theirs},
			} {
				ciphertext, err := direction.from.Encrypt([]byte("plaintext"), associated)
				require.NoError(t, err)
				plaintext, err := direction.to.Decrypt(ciphertext, associated)
				require.NoError(t, err)
				require.Equal(t, "plaintext", string(plaintext))
				_, err = direction.to.Decrypt(ciphertext, []byte("other"))
				require.Error(t, err)
				if len(associated) > 0 {
					_, err = direction.never.Decrypt(ciphertext, associated)
					require.Error(t, err)
				}
			}
		}
	}
}
