package kms_test

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/internal/keyrecord"
	"github.com/sealring/sealring/kms"
	"github.com/sealring/sealring/kms/kmstest"
	"github.com/sealring/sealring/store"
	"github.com/sealring/sealring/store/storetest"
)

// copiesCloud is what a script finds in the store: a multi-Region key and another one
// for imported material, both with a replica in Frankfurt. It is made once and copied
// into the store of each run.
type copiesCloud struct {
	records map[string]string

	key, blob string   // an id, and a ciphertext under it
	grants    []string // ids of grants on the key
	token     string   // of the last one
	external  string   // the id of the key for imported material

	// ids of materials of that key, of which only the first is imported, and the requests
	// that import the second into both copies and the third
	first, second, third    string
	home, abroad, afterward *sdk.ImportKeyMaterialInput
}

func newCopiesCloud(t *testing.T) *copiesCloud {
	t.Helper()
	sealed, err := store.Seal(t.Context(), store.NewMemory(), rootKey(t, 1), nil)
	require.NoError(t, err)
	service, err := kms.New(t.Context(), kms.Config{Store: sealed, Now: func() time.Time { return kmstest.Start }})
	require.NoError(t, err)
	f := &fixture{api: service.Client(root)}
	c := &copiesCloud{}
	create := func(origin types.OriginType) (arn string) {
		return *do[sdk.CreateKeyOutput](t, f.api, &sdk.CreateKeyInput{MultiRegion: aws.Bool(true), Origin: origin}).KeyMetadata.Arn
	}
	replicate := func(arn string) {
		succeeds(t, f.api, &sdk.ReplicateKeyInput{KeyId: &arn, ReplicaRegion: aws.String(frankfurt)})
	}
	f.arn = create(types.OriginTypeAwsKms)
	replicate(f.arn)
	c.key, c.blob = idOf(f.arn), string(f.plant(t, "secret", nil))
	for range 3 {
		g := do[sdk.CreateGrantOutput](t, f.api, &sdk.CreateGrantInput{
			KeyId: &f.arn, GranteePrincipal: &bob, RetiringPrincipal: &root.Principal, Operations: []types.GrantOperation{"Decrypt"},
		})
		c.grants, c.token = append(c.grants, *g.GrantId), *g.GrantToken
	}

	external := create(types.OriginTypeExternal)
	c.external = idOf(external)
	here := plantToken(t, service, external, kmstest.Start)
	there := plantToken(t, service, strings.Replace(external, region, frankfurt, 1), kmstest.Start)
	material := random(32)
	c.first = importID(t, f.api, here.imported(t, material))
	replicate(external)
	importID(t, service.Client(root.In(frankfurt)), there.imported(t, material))
	material = random(32)
	c.second = keyrecord.MaterialID(c.external, material)
	c.home, c.abroad = here.as(t, asNew, material), there.as(t, asExisting, material)
	material = random(32)
	c.third = keyrecord.MaterialID(c.external, material)
	c.afterward = here.as(t, asNew, material)
	c.records = dump(t, sealed)
	return c
}

// seed copies the cloud into a store.
func (c *copiesCloud) seed(t *testing.T, s store.Store) {
	t.Helper()
	require.NoError(t, s.Update(t.Context(), func(tx store.Tx) error {
		for name, value := range c.records {
			if err := tx.Put(name, []byte(value)); err != nil {
				return err
			}
		}
		return nil
	}))
}

// every reports whether something holds for all copies of a key, of which there are n.
func every(o observed, id string, n int, holds func(k *keyrecord.Key) bool) bool {
	all := []observed{o}
	for _, other := range o.elsewhere {
		all = append(all, other)
	}
	for _, in := range all {
		if k := in.keys[id]; k != nil {
			n--
			if !holds(k) {
				return false
			}
		}
	}
	return n == 0
}

// script is a walk through what the copies of a key share, and what they do not.
func (c *copiesCloud) script(t *testing.T, s store.Store) []step {
	t.Helper()
	c.seed(t, s)
	key, blob := &c.key, []byte(c.blob)
	name, days := aws.String("alias/copies"), aws.Int32(7)
	materials := func(copies, n int) func(o observed) bool {
		return func(o observed) bool {
			return every(o, c.key, copies, func(k *keyrecord.Key) bool { return len(k.Materials) == n && k.Complete(kmstest.Start) })
		}
	}
	rotation := func(days int32) func(o observed) bool {
		return func(o observed) bool {
			return every(o, c.key, 3, func(k *keyrecord.Key) bool { return k.Rotation != nil && k.Rotation.Days == days })
		}
	}
	grants := func(n int) func(o observed) bool {
		return func(o observed) bool { return o.keys[c.key].Grants == n }
	}
	leaving := func(leaves bool) func(o observed) bool { // the replica at home
		return func(o observed) bool {
			return (o.keys[c.key].Deletion != nil) == leaves && every(o, c.key, 3, func(k *keyrecord.Key) bool {
				return (k.MultiRegion.Copies[0].Deletion != nil) == leaves
			})
		}
	}
	aliasThere := func(o observed) bool { return o.elsewhere[frankfurt].aliases[*name] != nil }
	there := func(in any) elsewhere { return elsewhere{frankfurt, in} }
	return []step{
		{&sdk.ReplicateKeyInput{KeyId: key, ReplicaRegion: aws.String(tokyo), Tags: tags("a=b")}, materials(3, 1)},
		{&sdk.EnableKeyRotationInput{KeyId: key, RotationPeriodInDays: aws.Int32(100)}, rotation(100)},
		{&sdk.RotateKeyOnDemandInput{KeyId: key}, materials(3, 2)},
		{there(&sdk.DecryptInput{CiphertextBlob: blob}), nil},
		{&sdk.CreateAliasInput{AliasName: name, TargetKeyId: key}, func(o observed) bool { return o.aliases[*name] != nil && !aliasThere(o) }},
		{there(&sdk.CreateAliasInput{AliasName: name, TargetKeyId: key}), aliasThere},
		{there(&sdk.EncryptInput{KeyId: name, Plaintext: []byte("x")}), nil},
		{&sdk.RevokeGrantInput{KeyId: key, GrantId: &c.grants[0]}, grants(2)},
		{&sdk.RetireGrantInput{KeyId: key, GrantId: &c.grants[1]}, grants(1)},
		{&sdk.RetireGrantInput{GrantToken: &c.token}, grants(0)},
		{&sdk.CreateGrantInput{KeyId: key, GranteePrincipal: &bob, Operations: []types.GrantOperation{"Decrypt"}, Name: aws.String("g")}, grants(1)},
		{&sdk.UpdatePrimaryRegionInput{KeyId: key, PrimaryRegion: aws.String(frankfurt)}, func(o observed) bool {
			return every(o, c.key, 3, func(k *keyrecord.Key) bool { return k.MultiRegion.Primary == frankfurt })
		}},
		{there(&sdk.EnableKeyRotationInput{KeyId: key, RotationPeriodInDays: aws.Int32(90)}), rotation(90)},
		{there(&sdk.RotateKeyOnDemandInput{KeyId: key}), materials(3, 3)},
		{there(&sdk.DisableKeyRotationInput{KeyId: key}), func(o observed) bool {
			return every(o, c.key, 3, func(k *keyrecord.Key) bool { return k.Rotation == nil })
		}},
		{&sdk.DecryptInput{CiphertextBlob: blob}, nil},
		{&sdk.ScheduleKeyDeletionInput{KeyId: key, PendingWindowInDays: days}, leaving(true)},
		{&sdk.CancelKeyDeletionInput{KeyId: key}, leaving(false)},
		{there(&sdk.ScheduleKeyDeletionInput{KeyId: key, PendingWindowInDays: days}), func(o observed) bool {
			return o.elsewhere[frankfurt].keys[c.key].Deletion != nil && leaving(false)(o)
		}},
		{there(&sdk.CancelKeyDeletionInput{KeyId: key}), func(o observed) bool { return o.elsewhere[frankfurt].keys[c.key].Deletion == nil }},
		{elsewhere{tokyo, &sdk.DecryptInput{CiphertextBlob: blob}}, nil},
	}
}

// importScript is a walk through the life of imported material in two copies of a key.
func (c *copiesCloud) importScript(t *testing.T, s store.Store) []step {
	t.Helper()
	c.seed(t, s)
	return c.importSteps()
}

func (c *copiesCloud) importSteps() []step {
	external := &c.external
	imported := func(o observed, region, id string) bool {
		in := o
		if region != o.region {
			in = o.elsewhere[region]
		}
		m := in.keys[c.external].Material(id)
		return m != nil && m.Present(kmstest.Start)
	}
	there := func(in any) elsewhere { return elsewhere{frankfurt, in} }
	return []step{
		{c.home, func(o observed) bool {
			return imported(o, region, c.second) && every(o, c.external, 2, func(k *keyrecord.Key) bool {
				return len(k.Materials) == 2 && k.PendingMaterial() != nil && k.Current().ID == c.first
			})
		}},
		{there(c.abroad), func(o observed) bool { return imported(o, frankfurt, c.second) && imported(o, region, c.second) }},
		{&sdk.RotateKeyOnDemandInput{KeyId: external}, func(o observed) bool {
			return every(o, c.external, 2, func(k *keyrecord.Key) bool { return k.Current().ID == c.second && k.Complete(kmstest.Start) })
		}},
		{there(&sdk.DeleteImportedKeyMaterialInput{KeyId: external, KeyMaterialId: &c.first}), func(o observed) bool {
			return !imported(o, frankfurt, c.first) && imported(o, region, c.first)
		}},
		{c.afterward, func(o observed) bool {
			return every(o, c.external, 2, func(k *keyrecord.Key) bool { return len(k.Materials) == 3 })
		}},
		{&sdk.DeleteImportedKeyMaterialInput{KeyId: external, KeyMaterialId: &c.third}, func(o observed) bool {
			return every(o, c.external, 2, func(k *keyrecord.Key) bool { return len(k.Materials) == 2 })
		}},
		{&sdk.DeleteImportedKeyMaterialInput{KeyId: external}, func(o observed) bool {
			return !imported(o, region, c.second) && imported(o, frankfurt, c.second)
		}},
	}
}

// TestEveryStoreFaultOfCopies has the copies of a key agree after each fault: what a
// request does to all of them is done to all or to none.
func TestEveryStoreFaultOfCopies(t *testing.T) {
	t.Parallel()
	c := newCopiesCloud(t)
	eachFault(t, 39, c.script)
}

// TestEveryStoreFaultOfImportedCopies is the same for imported material, each copy of
// which is the copy's own.
func TestEveryStoreFaultOfImportedCopies(t *testing.T) {
	t.Parallel()
	c := newCopiesCloud(t)
	eachFault(t, 14, c.importScript)
}

// TestEveryStoreFaultOfImportTokens is apart because of the wrapping keys, which take
// long to make.
func TestEveryStoreFaultOfImportTokens(t *testing.T) {
	t.Parallel()
	c := newCopiesCloud(t)
	tokens := func(o observed) (n int) {
		for name := range o.raw {
			if strings.HasPrefix(name, keyrecord.ImportTokenPrefix(account, region, c.external)) {
				n++
			}
		}
		return n
	}
	eachFault(t, 3, func(t *testing.T, s store.Store) []step {
		c.seed(t, s)
		return []step{{
			&sdk.GetParametersForImportInput{KeyId: &c.external, WrappingAlgorithm: oaep256, WrappingKeySpec: rsa2048},
			func(o observed) bool { return tokens(o) == 2 },
		}}
	})
}

// TestEveryStoreFaultOfARotationByTheClock has a request for a replica find that its
// primary key is due. A fault of the rotation is none of the request.
func TestEveryStoreFaultOfARotationByTheClock(t *testing.T) {
	t.Parallel()
	c := newCopiesCloud(t)
	for _, fault := range []storetest.Fault{storetest.Refused, storetest.Undone, storetest.InDoubt} {
		t.Run(fault.String(), func(t *testing.T) {
			t.Parallel()
			for n := openingCalls + 1; c.rotateByTheClock(t, n, fault); n++ {
				require.Less(t, n, 20)
			}
		})
	}
}

// rotateByTheClock reports whether the nth call was reached.
func (c *copiesCloud) rotateByTheClock(t *testing.T, n int, fault storetest.Fault) bool {
	t.Helper()
	inner := store.NewMemory()
	behind, err := store.Seal(t.Context(), inner, rootKey(t, 1), nil)
	require.NoError(t, err)
	c.seed(t, behind)
	now := kmstest.Start
	clock := func() time.Time { return now }
	service, err := kms.New(t.Context(), kms.Config{Store: behind, Now: clock})
	require.NoError(t, err)
	succeeds(t, service.Client(root), &sdk.EnableKeyRotationInput{KeyId: &c.key})
	now = now.AddDate(0, 0, 365)
	faulty := storetest.FailAt(storetest.Twice(inner), n, fault)
	service, err = kms.New(t.Context(), kms.Config{Store: faulty, RootKey: rootKey(t, 1), Now: clock})
	require.NoError(t, err)

	api := service.Client(root.In(frankfurt))
	in := &sdk.EncryptInput{KeyId: &c.key, Plaintext: []byte("secret")}
	blobs := [][]byte{[]byte(c.blob)}
	if out, err := api.Encrypt(t.Context(), in); err == nil {
		blobs = append(blobs, out.CiphertextBlob)
	} else {
		requireRefusal(t, err, "KMSInternalException", internalText)
		require.ErrorIs(t, err, storetest.ErrInjected)
	}
	reached := faulty.Calls() >= n
	observe(t, behind).requireConsistent(t)
	if reached {
		blobs = append(blobs, do[sdk.EncryptOutput](t, api, in).CiphertextBlob)
	}
	o := observe(t, behind)
	o.requireConsistent(t)
	require.True(t, every(o, c.key, 2, func(k *keyrecord.Key) bool {
		return len(k.Materials) == 2 && k.Rotation.Next.Equal(now.AddDate(0, 0, 365))
	}), "it is rotated once, whatever fails")
	if !reached {
		return false
	}
	for _, r := range []string{region, frankfurt} {
		for _, blob := range blobs {
			succeeds(t, service.Client(root.In(r)), &sdk.DecryptInput{CiphertextBlob: blob})
		}
	}
	return true
}
