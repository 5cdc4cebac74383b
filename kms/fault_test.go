package kms_test

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/identity"
	"github.com/sealring/sealring/internal/keyrecord"
	"github.com/sealring/sealring/keyring"
	"github.com/sealring/sealring/kms"
	"github.com/sealring/sealring/kms/kmstest"
	"github.com/sealring/sealring/store"
	"github.com/sealring/sealring/store/storetest"
)

func rootKey(t *testing.T, fill byte) keyring.Keyring {
	t.Helper()
	root, err := keyring.NewRawAES("test", "root", bytes.Repeat([]byte{fill}, 32))
	require.NoError(t, err)
	return root
}

// step is a request of a script and how to see that it has happened. A step without
// done changes nothing.
type step struct {
	in   any // in another Region, an elsewhere
	done func(o observed) bool
}

// elsewhere is a request in a Region.
type elsewhere struct {
	region string
	in     any
}

// script is what is done while the store fails: it seeds an empty store and returns the
// steps.
type script func(t *testing.T, s store.Store) []step

const (
	faultKey   = "11111111-1111-4111-8111-111111111111"
	faultOther = "22222222-2222-4222-8222-222222222222"
)

func faultScript(t *testing.T, s store.Store) []step {
	t.Helper()
	blob := seedKeys(t, s)
	id, other := aws.String(faultKey), aws.String(faultOther)
	a, b := aws.String("alias/a"), aws.String("alias/b")
	key := func(o observed) *keyrecord.Key { return o.keys[faultKey] }
	target := func(o observed, name string) string {
		if o.aliases[name] == nil {
			return ""
		}
		return o.aliases[name].Target
	}
	spec := types.DataKeySpecAes256
	return []step{
		{&sdk.CreateKeyInput{Tags: tags("a=b")}, func(o observed) bool { return len(o.keys) == 3 }},
		{&sdk.UpdateKeyDescriptionInput{KeyId: id, Description: aws.String("d")}, func(o observed) bool { return key(o).Description == "d" }},
		{&sdk.CreateAliasInput{AliasName: a, TargetKeyId: id}, func(o observed) bool { return target(o, *a) == faultKey }},
		{&sdk.CreateAliasInput{AliasName: b, TargetKeyId: id}, func(o observed) bool { return target(o, *b) == faultKey }},
		{&sdk.ListAliasesInput{}, nil},
		{&sdk.ListAliasesInput{KeyId: id}, nil},
		{&sdk.TagResourceInput{KeyId: id, Tags: tags("x=1", "y=2")}, func(o observed) bool { return len(key(o).Tags) == 2 }},
		{&sdk.TagResourceInput{KeyId: id, Tags: tags("x=3")}, func(o observed) bool { return key(o).Tags[0].Value == "3" }},
		{&sdk.UntagResourceInput{KeyId: id, TagKeys: []string{"x"}}, func(o observed) bool { return len(key(o).Tags) == 1 }},
		{&sdk.ListResourceTagsInput{KeyId: id}, nil},
		{&sdk.EncryptInput{KeyId: a, Plaintext: []byte("x")}, nil},
		{&sdk.DecryptInput{CiphertextBlob: blob}, nil},
		{&sdk.ReEncryptInput{CiphertextBlob: blob, DestinationKeyId: b}, nil},
		{&sdk.GenerateDataKeyInput{KeyId: id, KeySpec: spec}, nil},
		{&sdk.GenerateDataKeyWithoutPlaintextInput{KeyId: id, KeySpec: spec}, nil},
		{&sdk.GenerateRandomInput{NumberOfBytes: aws.Int32(16)}, nil},
		{&sdk.UpdateAliasInput{AliasName: a, TargetKeyId: other}, func(o observed) bool { return target(o, *a) == faultOther }},
		{&sdk.DisableKeyInput{KeyId: other}, func(o observed) bool { return !o.keys[faultOther].Enabled }},
		{&sdk.EnableKeyInput{KeyId: other}, func(o observed) bool { return o.keys[faultOther].Enabled }},
		{&sdk.DescribeKeyInput{KeyId: a}, nil},
		{&sdk.DeleteAliasInput{AliasName: b}, func(o observed) bool { return target(o, *b) == "" }},
		{&sdk.ScheduleKeyDeletionInput{KeyId: id}, func(o observed) bool { return key(o).Deletion != nil }},
		{&sdk.CancelKeyDeletionInput{KeyId: id}, func(o observed) bool { return key(o).Deletion == nil }},
		{&sdk.UpdateAliasInput{AliasName: a, TargetKeyId: id}, func(o observed) bool { return target(o, *a) == faultKey }},
		{&sdk.ListKeysInput{}, nil},
	}
}

// seedKeys writes the keys of the script and returns a ciphertext of one.
func seedKeys(t *testing.T, s store.Store) []byte {
	t.Helper()
	require.NoError(t, s.Update(t.Context(), func(tx store.Tx) error {
		for i, id := range []string{faultKey, faultOther} {
			k := &keyrecord.Key{
				Account: account, Region: region, ID: id, Enabled: true,
				Spec: keyrecord.SpecSymmetric, Usage: "ENCRYPT_DECRYPT", Origin: "AWS_KMS",
				Materials: []keyrecord.Material{keyrecord.NewMaterial(id, bytes.Repeat([]byte{byte(i)}, 32), time.Time{})},
			}
			b, err := k.Marshal()
			if err != nil {
				return err
			}
			if err := tx.Put(keyrecord.KeyPrefix(account, region)+id, b); err != nil {
				return err
			}
		}
		return nil
	}))
	return blobKey{account, faultKey, bytes.Repeat([]byte{0}, 32)}.seal(t, "secret", "salt of 16 bytes", nil)
}

// TestEveryStoreFault runs the script with the nth call of the store failing, for
// every n and every way to fail.
func TestEveryStoreFault(t *testing.T) {
	t.Parallel()
	eachFault(t, 30, faultScript)
}

// openingCalls is how often a sealed store that exists is asked when it is opened: for
// its head, and for its records, to compare the tally.
const openingCalls = 2

// eachFault runs a script, which makes more calls of the store than most, with each of
// them failing in each way.
func eachFault(t *testing.T, most int, script script) {
	t.Helper()
	for _, fault := range []storetest.Fault{storetest.Refused, storetest.Undone, storetest.InDoubt} {
		t.Run(fault.String(), func(t *testing.T) {
			t.Parallel()
			n := openingCalls + 1
			for runFaultScript(t, n, fault, script) {
				n++
			}
			require.Greater(t, n, most)
		})
	}
}

// runFaultScript reports whether the nth call was reached.
func runFaultScript(t *testing.T, n int, fault storetest.Fault, script script) bool {
	t.Helper()
	inner := store.NewMemory()
	behind, err := store.Seal(t.Context(), inner, rootKey(t, 1), nil)
	require.NoError(t, err)
	steps := script(t, behind)
	faulty := storetest.FailAt(storetest.Twice(inner), n, fault)
	service, err := kms.New(t.Context(), kms.Config{Store: faulty, RootKey: rootKey(t, 1), Now: func() time.Time { return kmstest.Start }})
	require.NoError(t, err)
	after := observe(t, behind)
	for i, s := range steps {
		if i == 0 {
			require.Equal(t, openingCalls, faulty.Calls())
		}
		api := service.Client(identity.Root(account, region))
		if there, ok := s.in.(elsewhere); ok {
			api, s.in = service.Client(identity.Root(account, there.region)), there.in
		}
		before, calls := after.raw, faulty.Calls()
		_, err := call(t.Context(), api, s.in)
		after = observe(t, behind)
		after.requireConsistent(t)
		hit := calls < n && n <= faulty.Calls()
		switch s.in.(type) {
		case *sdk.GetParametersForImportInput, *sdk.ImportKeyMaterialInput:
			hit = hit && err != nil // what was to be asked was known when its attempt failed
		}
		if !hit {
			require.NoError(t, err, "step %d", i)
			require.Equal(t, s.done != nil, !equalDumps(before, after.raw), "step %d", i)
			require.True(t, s.done == nil || s.done(after), "step %d", i)
			continue
		}
		requireRefusal(t, err, "KMSInternalException", internalText)
		require.ErrorIs(t, err, storetest.ErrInjected)
		if equalDumps(before, after.raw) {
			_, err := call(t.Context(), api, s.in) // nothing happened: it can be asked again
			require.NoError(t, err, "step %d after fault %d", i, n)
			after = observe(t, behind)
			after.requireConsistent(t)
		} else {
			require.Equal(t, storetest.InDoubt, fault, "step %d has happened and was reported to have failed", i)
		}
		require.True(t, s.done == nil || s.done(after), "step %d after fault %d", i, n)
	}
	return faulty.Calls() >= n
}

// TestDamagedRecords has a record altered behind the engine's back.
func TestDamagedRecords(t *testing.T) {
	t.Parallel()
	f := newFixture(t, false)
	name := keyrecord.KeyPrefix(account, region) + f.id
	for _, alter := range []func(b []byte) []byte{
		func(b []byte) []byte { b[len(b)-1] ^= 1; return b },
		func(b []byte) []byte { return b[:len(b)/2] },
		func(b []byte) []byte { return nil },
	} {
		original := []byte(dump(t, f.inner)[name])
		put := func(b []byte) {
			require.NoError(t, f.inner.Update(context.Background(), func(tx store.Tx) error { return tx.Put(name, b) }))
		}
		put(alter(bytes.Clone(original)))
		for _, in := range []any{&sdk.DescribeKeyInput{KeyId: &f.id}, &sdk.EncryptInput{KeyId: aws.String("alias/app"), Plaintext: []byte("x")}, &sdk.ListKeysInput{}, &sdk.ListAliasesInput{}} {
			_, err := call(t.Context(), f.api, in)
			requireRefusal(t, err, "KMSInternalException", internalText)
			require.ErrorIs(t, err, store.ErrDamaged)
		}
		put(original)
		succeeds(t, f.api, &sdk.DescribeKeyInput{KeyId: &f.id})
	}
}
