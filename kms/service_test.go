package kms_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/identity"
	"github.com/sealring/sealring/kms"
	"github.com/sealring/sealring/kms/kmstest"
	"github.com/sealring/sealring/store"
)

func newService(t *testing.T, c kms.Config) *kms.Service {
	t.Helper()
	s, err := kms.New(t.Context(), c)
	require.NoError(t, err)
	return s
}

func TestDurableStoreNeedsARootKey(t *testing.T) {
	t.Parallel()
	inner := store.NewMemory()
	durable := struct{ store.Store }{inner} // any store but *store.Memory may be one
	s, err := kms.New(t.Context(), kms.Config{Store: durable})
	require.EqualError(t, err, "kms: a durable store needs a root key")
	require.Nil(t, s)
	require.Empty(t, dump(t, inner))
	newService(t, kms.Config{Store: durable, RootKey: rootKey(t, 1)})
	require.NotEmpty(t, dump(t, inner))
}

func TestSealedStoreIsUsedAsItIs(t *testing.T) {
	t.Parallel()
	sealed, err := store.Seal(t.Context(), store.NewMemory(), rootKey(t, 1), nil)
	require.NoError(t, err)
	_, err = kms.New(t.Context(), kms.Config{Store: sealed, RootKey: rootKey(t, 1)})
	require.EqualError(t, err, "kms: a root key for a store that is sealed already")

	one := newService(t, kms.Config{Store: sealed}).Client(callerOf(account))
	two := newService(t, kms.Config{Store: sealed}).Client(callerOf(account))
	key := do[sdk.CreateKeyOutput](t, one, &sdk.CreateKeyInput{}).KeyMetadata
	blob := do[sdk.EncryptOutput](t, one, &sdk.EncryptInput{KeyId: key.KeyId, Plaintext: []byte("secret")}).CiphertextBlob
	require.Equal(t, "secret", string(do[sdk.DecryptOutput](t, two, &sdk.DecryptInput{CiphertextBlob: blob}).Plaintext))
	succeeds(t, two, &sdk.DisableKeyInput{KeyId: key.KeyId})
	refused(t, one, &sdk.DecryptInput{CiphertextBlob: blob}, "DisabledException", *key.Arn+" is disabled.")
}

func TestRestart(t *testing.T) {
	t.Parallel()
	inner := store.NewMemory()
	first := newService(t, kms.Config{Store: inner, RootKey: rootKey(t, 1)}).Client(callerOf(account))
	key := do[sdk.CreateKeyOutput](t, first, &sdk.CreateKeyInput{Tags: tags("a=b")}).KeyMetadata
	succeeds(t, first, &sdk.CreateAliasInput{AliasName: aws.String("alias/app"), TargetKeyId: key.KeyId})
	blob := do[sdk.EncryptOutput](t, first, &sdk.EncryptInput{KeyId: key.KeyId, Plaintext: []byte("secret")}).CiphertextBlob

	again := newService(t, kms.Config{Store: inner, RootKey: rootKey(t, 1)}).Client(callerOf(account))
	require.Equal(t, "secret", string(do[sdk.DecryptOutput](t, again, &sdk.DecryptInput{CiphertextBlob: blob}).Plaintext))
	require.Equal(t, key, do[sdk.DescribeKeyOutput](t, again, &sdk.DescribeKeyInput{KeyId: aws.String("alias/app")}).KeyMetadata)
	require.Equal(t, tags("a=b"), listTags(t, again, *key.KeyId))

	// But for the last use of keys, which is stored in its own time, and the tally with it.
	contents := func() map[string]string {
		all := dump(t, inner)
		maps.DeleteFunc(all, func(name, _ string) bool {
			return strings.Contains(name, "/usage/") || name == store.Reserved+"tally"
		})
		return all
	}
	before := contents()
	s, err := kms.New(t.Context(), kms.Config{Store: inner, RootKey: rootKey(t, 2)})
	require.ErrorIs(t, err, store.ErrRootKey)
	require.Nil(t, s)
	s, err = kms.New(t.Context(), kms.Config{Store: inner}) // a new random root key is another key
	require.ErrorIs(t, err, store.ErrRootKey)
	require.Nil(t, s)
	require.Equal(t, before, contents())
}

func TestNothingIsStoredInTheClear(t *testing.T) {
	t.Parallel()
	f := newFixture(t, false)
	material := []byte("MATERIAL-marker-0123456789abcdef")
	key := f.Seed(kmstest.Key{ID: unknownID, Material: material, Description: "DESCRIPTION-marker"})
	succeeds(t, f.api, &sdk.TagResourceInput{KeyId: &key, Tags: tags("TAG-marker=VALUE-marker")})
	all := ""
	for name, value := range dump(t, f.inner) {
		all += name + "\n" + value + "\n"
	}
	require.Contains(t, all, unknownID) // names are not hidden
	for _, secret := range []string{"marker", string(material[:12]), base64.StdEncoding.EncodeToString(material)[:16], `"materials"`, `"enabled"`} {
		require.NotContains(t, all, secret)
	}
}

func TestClosedService(t *testing.T) {
	t.Parallel()
	s := newService(t, kms.Config{})
	require.NoError(t, s.Close())
	require.NoError(t, s.Close())
	_, err := s.Client(callerOf(account)).CreateKey(t.Context(), nil)
	requireRefusal(t, err, "KMSInternalException", internalText)
	require.ErrorIs(t, err, store.ErrClosed)
}

func TestAdmit(t *testing.T) {
	t.Parallel()
	type question struct {
		operation string
		caller    identity.Caller
	}
	var asked []question
	answer := error(nil)
	s := newService(t, kms.Config{Admit: func(_ context.Context, operation string, c identity.Caller) error {
		asked = append(asked, question{operation, c})
		return answer
	}})
	caller := callerOf(account)
	succeeds(t, s.Client(caller), &sdk.CreateKeyInput{})
	answer = errors.New("out of order")
	_, err := s.Client(caller).Decrypt(t.Context(), nil) // before it is looked at
	requireRefusal(t, err, "KMSInternalException", internalText)
	require.ErrorIs(t, err, answer)
	answer = kmstest.Throttled()
	_, err = s.Client(identity.Caller{}).Decrypt(t.Context(), nil)
	require.Equal(t, "ThrottlingException", codeOf(err))
	require.Equal(t, []question{{"CreateKey", caller}, {"Decrypt", caller}, {"Decrypt", identity.Caller{}}}, asked)
}

func TestClockOfTheSystem(t *testing.T) {
	t.Parallel()
	api := newService(t, kms.Config{}).Client(callerOf(account))
	before := time.Now().Truncate(time.Millisecond)
	created := *do[sdk.CreateKeyOutput](t, api, &sdk.CreateKeyInput{}).KeyMetadata.CreationDate
	require.False(t, created.Before(before))
	require.False(t, created.After(time.Now()))
}

func TestSeveralAccountsAndRegions(t *testing.T) {
	t.Parallel()
	s := newService(t, kms.Config{})
	seen := map[string]bool{}
	for _, account := range []string{"111122223333", "444455556666"} {
		for _, region := range []string{"us-east-1", "us-east-10", "us-east"} {
			api := s.Client(identity.Root(account, region))
			arn := *do[sdk.CreateKeyOutput](t, api, &sdk.CreateKeyInput{}).KeyMetadata.Arn
			require.True(t, strings.HasPrefix(arn, "arn:aws:kms:"+region+":"+account+":key/"))
			seen[arn] = true
			keys := do[sdk.ListKeysOutput](t, api, &sdk.ListKeysInput{}).Keys
			require.Len(t, keys, 1)
			require.Equal(t, arn, *keys[0].KeyArn)
		}
	}
	require.Len(t, seen, 6)
}

// TestInputsAreOnlyRead gives the engine slices and maps that it must neither keep
// nor change.
func TestInputsAreOnlyRead(t *testing.T) {
	t.Parallel()
	f := newFixture(t, false)
	plaintext, context := []byte("secret"), map[string]string{"a": "b"}
	sealed := do[sdk.EncryptOutput](t, f.api, &sdk.EncryptInput{KeyId: &f.id, Plaintext: plaintext, EncryptionContext: context})
	require.Equal(t, "secret", string(plaintext))
	require.Equal(t, map[string]string{"a": "b"}, context)
	blob := bytes.Clone(sealed.CiphertextBlob)
	opened := do[sdk.DecryptOutput](t, f.api, &sdk.DecryptInput{CiphertextBlob: blob, EncryptionContext: context})
	require.Equal(t, sealed.CiphertextBlob, blob)
	clear(opened.Plaintext) // belongs to the caller
	require.Equal(t, "secret", string(do[sdk.DecryptOutput](t, f.api, &sdk.DecryptInput{CiphertextBlob: blob, EncryptionContext: context}).Plaintext))
	context["a"] = "changed"
	require.Equal(t, map[string]string{"a": "b"}, f.Events()[0].EncryptionContext)
}
