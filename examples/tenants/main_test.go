package main

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/keyring"
)

const want = `3 tenants, 100 documents each, 6 data keys from KMS

reading
  blue: "document 99 of blue"
  green: "document 99 of green"
  red: "document 99 of red"

reading what is another's
  blue: refused, no key of this tenant opens it

reading without saying whose it is
  blue: refused, the encryption context is not as required

green leaves: its key is to be deleted in 7 days
  with the data key in the cache (for 5m0s at most)
    green: "document 99 of green"
  without it
    green: refused, the key is pending deletion

9 days later
  blue: "document 99 of blue"
  green: refused, the key does not exist
  red: "document 99 of red"
  nobody can bring the key of green back
`

func TestRun(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), &out))
	require.Equal(t, want, out.String())
}

func TestReason(t *testing.T) {
	t.Parallel()
	require.Equal(t, "not refused", reason(nil))
	require.Equal(t, "out of order", reason(errors.New("out of order")))
	require.Equal(t, "refused, no key of this tenant opens it", reason(fmt.Errorf("envelope: %w", keyring.ErrNoMatch)))
}

// A document is readable again when the deletion is cancelled in time.
func TestDeletionCanBeCancelled(t *testing.T) {
	t.Parallel()
	f, err := newFleet()
	require.NoError(t, err)
	defer f.cloud.Close()
	require.NoError(t, f.add(t.Context(), "blue"))
	document, err := f.encrypt(t.Context(), "blue", "text")
	require.NoError(t, err)
	f.cache.Clear()
	require.NoError(t, f.scheduleDeletion(t.Context(), "blue", 7))
	_, err = f.decrypt(t.Context(), "blue", document, keyring.EncryptionContext{"tenant": "blue"})
	require.Equal(t, "refused, the key is pending deletion", reason(err))
	require.NoError(t, f.cancelDeletion(t.Context(), "blue"))
	keyARN := f.tenants["blue"].keyARN // a key whose deletion was cancelled is disabled
	_, err = f.client.EnableKey(t.Context(), &sdk.EnableKeyInput{KeyId: &keyARN})
	require.NoError(t, err)
	text, err := f.decrypt(t.Context(), "blue", document, keyring.EncryptionContext{"tenant": "blue"})
	require.NoError(t, err)
	require.Equal(t, "text", text)
}
