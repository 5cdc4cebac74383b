package kms_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/audit"
	"github.com/sealring/sealring/identity"
	"github.com/sealring/sealring/internal/keyrecord"
	"github.com/sealring/sealring/kms"
	"github.com/sealring/sealring/kms/kmstest"
	"github.com/sealring/sealring/store"
	"github.com/sealring/sealring/store/storetest"
)

// A long session of all families of operations while the store, or the sink of the audit
// records, fails at some call: each operation has happened as a whole, with its record, or
// not at all, and nothing is out of order at any time.

// sessionCloud is a copiesCloud with two custom key stores, one of which is connected.
type sessionCloud struct {
	*copiesCloud
	idle, connected string // ids
}

func newSessionCloud(t *testing.T) *sessionCloud {
	t.Helper()
	var sealed store.Store
	f := newFixture(t, false, func(c *kms.Config) { sealed = c.Store })
	f.plantKeyStores(t)
	c := &sessionCloud{newCopiesCloud(t), f.keyStore, f.connectedStore}
	name := keyrecord.KeyStoresName(account, region)
	c.records[name] = dump(t, sealed)[name]
	return c
}

// session is the script: sixty operations and more.
func (c *sessionCloud) session(t *testing.T, s store.Store) []step {
	t.Helper()
	steps := faultScript(t, s)
	steps[0].done = func(o observed) bool { return len(o.keys) == 5 } // among those of the other scripts
	steps = append(steps, c.script(t, s)...)
	steps = append(append(steps, c.keySteps()...), c.storeSteps()...)
	return append(steps, c.importSteps()...) // last, because they take long
}

// keySteps is what the other scripts do not do with a key.
func (c *sessionCloud) keySteps() []step {
	id := aws.String(faultKey)
	key := func(o observed) *keyrecord.Key { return o.keys[faultKey] }
	grant := &sdk.CreateGrantInput{
		KeyId: id, GranteePrincipal: &bob, RetiringPrincipal: &bob, Operations: []types.GrantOperation{"Decrypt"}, Name: aws.String("g"),
	}
	policy := openPolicy
	return []step{
		{&sdk.EnableKeyInput{KeyId: id}, func(o observed) bool { return key(o).Enabled }},
		{grant, func(o observed) bool { return key(o).Grants == 1 }},
		{grant, nil},
		{&sdk.ListGrantsInput{KeyId: id}, nil},
		{&sdk.ListRetirableGrantsInput{RetiringPrincipal: &bob}, nil},
		{&sdk.PutKeyPolicyInput{KeyId: id, Policy: &policy}, func(o observed) bool { return key(o).Policy == policy }},
		{&sdk.GetKeyPolicyInput{KeyId: id}, nil},
		{&sdk.EnableKeyRotationInput{KeyId: id}, func(o observed) bool { return key(o).Rotation != nil }},
		{&sdk.RotateKeyOnDemandInput{KeyId: id}, func(o observed) bool { return len(key(o).Materials) == 2 }},
		{&sdk.GetKeyRotationStatusInput{KeyId: id}, nil},
		{&sdk.ListKeyRotationsInput{KeyId: id}, nil},
		{&sdk.GenerateDataKeyPairInput{KeyId: id, KeyPairSpec: "ECC_NIST_P256"}, nil},
		{&sdk.CreateKeyInput{KeySpec: "ECC_NIST_P256", KeyUsage: "SIGN_VERIFY"}, func(o observed) bool { return len(o.keys) == 6 }},
		{&sdk.CreateKeyInput{KeySpec: "HMAC_256", KeyUsage: "GENERATE_VERIFY_MAC", Policy: &policy}, func(o observed) bool { return len(o.keys) == 7 }},
		{&sdk.GetKeyLastUsageInput{KeyId: id}, nil},
	}
}

// storeSteps is a walk through the life of custom key stores.
func (c *sessionCloud) storeSteps() []step {
	held := func(o observed) *keyrecord.KeyStores {
		all, err := keyrecord.UnmarshalKeyStores([]byte(o.raw[keyrecord.KeyStoresName(account, region)]))
		if err != nil {
			return &keyrecord.KeyStores{}
		}
		return all
	}
	connection := func(id, outcome string) func(o observed) bool {
		return func(o observed) bool { s := held(o).Store(id); return s != nil && s.Connection.Outcome == outcome }
	}
	return []step{
		{hsmKey(c.connected), func(o observed) bool { return len(o.keys) == 8 && held(o).KeysMade == 1 }},
		{&sdk.DescribeCustomKeyStoresInput{}, nil},
		{&sdk.UpdateCustomKeyStoreInput{CustomKeyStoreId: &c.idle, NewCustomKeyStoreName: aws.String("renamed")}, func(o observed) bool {
			s := held(o).Store(c.idle)
			return s != nil && s.Name == "renamed"
		}},
		{&sdk.ConnectCustomKeyStoreInput{CustomKeyStoreId: &c.idle}, connection(c.idle, keyrecord.Connected)},
		{&sdk.DisconnectCustomKeyStoreInput{CustomKeyStoreId: &c.idle}, connection(c.idle, keyrecord.Disconnected)},
		{&sdk.DeleteCustomKeyStoreInput{CustomKeyStoreId: &c.idle}, func(o observed) bool { return len(held(o).Stores) == 1 }},
		{hsmStore("third", "cluster-3333333333c"), func(o observed) bool { return len(held(o).Stores) == 2 }},
	}
}

// sessionFault is a way for the session to be disturbed.
type sessionFault struct {
	store storetest.Fault
	sink  bool // it is the sink that fails
	kept  bool // with the record kept
}

// faultySink is a recorder that fails once.
type faultySink struct {
	recorder
	n, calls int
	kept     bool
}

func (s *faultySink) Record(ctx context.Context, e audit.Event) error {
	if s.calls++; s.calls != s.n {
		return s.recorder.Record(ctx, e)
	}
	if s.kept {
		return errors.Join(storetest.ErrInjected, s.recorder.Record(ctx, e))
	}
	return storetest.ErrInjected
}

// TestSessionUnderFaults has each call of the store and of the sink fail in each way.
func TestSessionUnderFaults(t *testing.T) {
	t.Parallel()
	c := newSessionCloud(t)
	operations := len(c.session(t, store.NewMemory()))
	require.GreaterOrEqual(t, operations, 60)
	clean := &disturbed{t: t}
	clean.run(c)
	for name, fault := range map[string]sessionFault{
		"store/Refused": {store: storetest.Refused},
		"store/Undone":  {store: storetest.Undone},
		"store/InDoubt": {store: storetest.InDoubt},
		"sink/refused":  {sink: true},
		"sink/kept":     {sink: true, kept: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := clean.opened + 1
			if fault.sink {
				n = 1
			}
			for ; ; n++ {
				d := &disturbed{t: t, fault: fault, n: n}
				d.run(c)
				require.Equal(t, clean.kinds[d.steps], d.kinds[d.steps], "after fault %d", n)
				if !d.reached {
					require.GreaterOrEqual(t, n, operations)
					return
				}
			}
		})
	}
}

// disturbed is a run of the session with a fault at the nth call; at none if n is 0.
type disturbed struct {
	t     *testing.T
	fault sessionFault
	n     int

	behind  store.Store
	faulty  *storetest.Faulty
	sink    *faultySink
	changes changeRecorder
	service *kms.Service

	opened  int // calls that open the store
	reached bool
	steps   int                            // that were made
	told    int                            // requests that change something and have succeeded
	kinds   map[int]map[keyrecord.Kind]int // of records after so many steps
}

// aftermath is how many steps are made after the one that was disturbed.
const aftermath = 8

func (d *disturbed) run(c *sessionCloud) {
	d.t.Helper()
	inner := store.NewMemory()
	sealed, err := store.Seal(d.t.Context(), inner, rootKey(d.t, 1), nil)
	require.NoError(d.t, err)
	d.behind = sealed
	steps := c.session(d.t, sealed)
	d.sink = &faultySink{kept: d.fault.kept}
	d.changes.err = errors.New("nobody listens") // which makes no difference
	at := d.n
	if d.fault.sink {
		d.sink.n, at = d.n, 0
	}
	d.faulty = storetest.FailAt(storetest.Twice(inner), at, d.fault.store)
	d.service, err = kms.New(d.t.Context(), kms.Config{
		Store: d.faulty, RootKey: rootKey(d.t, 1), Audit: d.sink, Changes: &d.changes, CloudHSM: anyCluster,
		Now: func() time.Time { return kmstest.Start },
	})
	require.NoError(d.t, err)
	d.opened = d.faulty.Calls()
	d.kinds = map[int]map[keyrecord.Kind]int{}
	for left := aftermath; d.steps < len(steps) && left > 0; d.steps++ {
		d.step(d.steps, steps[d.steps])
		if d.reached {
			left--
		}
	}
	requireSound(d.t, d.behind)
	observe(d.t, d.behind).requireConsistent(d.t)
	d.count()
	require.Len(d.t, d.changes.take(audit.APICall), d.told)
}

// count notes what records there are.
func (d *disturbed) count() {
	d.t.Helper()
	kinds := map[keyrecord.Kind]int{}
	for name := range dump(d.t, d.behind) {
		kinds[keyrecord.ParseName(name).Kind]++
	}
	d.kinds[d.steps] = kinds
}

// calls returns how many of the calls were made of which one fails.
func (d *disturbed) calls() int {
	if d.fault.sink {
		return d.sink.calls
	}
	return d.faulty.Calls()
}

// nearly is more calls than a request makes.
const nearly = 12

func (d *disturbed) step(i int, s step) {
	d.t.Helper()
	api := d.service.Client(root)
	if there, ok := s.in.(elsewhere); ok {
		api, s.in = d.service.Client(identity.Root(account, there.region)), there.in
	}
	before, was := map[string]string(nil), d.calls()
	if d.n == 0 {
		d.count()
	}
	if d.n == 0 || was < d.n && was+nearly >= d.n {
		before = dump(d.t, d.behind)
	}
	d.sink.take()
	_, err := call(d.t.Context(), api, s.in)
	require.Less(d.t, d.calls()-was, nearly)
	records := d.sink.take()
	if hit := was < d.n && d.n <= d.calls(); hit {
		d.reached = true
		d.afterFault(i, s, api, err, before, records)
		return
	}
	require.NoError(d.t, err, "step %d", i)
	require.Len(d.t, records, 1)
	d.succeeded(records[0])
	if d.n == 0 {
		after := observe(d.t, d.behind)
		require.Equal(d.t, s.done != nil, !equalDumps(before, after.raw), "step %d", i)
		require.True(d.t, s.done == nil || s.done(after), "step %d", i)
	}
}

// succeeded counts a request that has succeeded.
func (d *disturbed) succeeded(e audit.Event) {
	if !e.ReadOnly {
		d.told++
	}
}

// afterFault looks at what a request has come to that the fault has hit, and makes it again
// if it has not happened.
func (d *disturbed) afterFault(i int, s step, api kms.API, err error, before map[string]string, records []audit.Event) {
	d.t.Helper()
	requireSound(d.t, d.behind)
	after := observe(d.t, d.behind)
	after.requireConsistent(d.t)
	happened := !equalDumps(before, after.raw)
	if err == nil { // what had to be asked was known when the attempt failed
		require.True(d.t, putsQuestions(s.in) && !d.fault.sink, "step %d at call %d", i, d.n)
		require.Len(d.t, records, 1)
		d.succeeded(records[0])
		require.True(d.t, s.done == nil || s.done(after), "step %d", i)
		return
	}
	requireRefusal(d.t, err, "KMSInternalException", internalText)
	require.ErrorIs(d.t, err, storetest.ErrInjected)
	for _, e := range records {
		require.Equal(d.t, nameOf(s.in), e.Name)
		require.Equal(d.t, records[0].ID, e.ID)
	}
	if d.fault.sink {
		require.False(d.t, happened, "step %d is not recorded", i)
		require.Len(d.t, records, map[bool]int{true: 1}[d.fault.kept])
	} else {
		require.Equal(d.t, "KMSInternalException", records[len(records)-1].ErrorCode, "as the caller was told")
	}
	if happened {
		require.Equal(d.t, storetest.InDoubt, d.fault.store, "step %d has happened and was reported to have failed", i)
		require.Empty(d.t, records[0].ErrorCode, "it is recorded before it happens")
	} else {
		_, err := call(d.t.Context(), api, s.in)
		require.NoError(d.t, err, "step %d after fault %d", i, d.n)
		records := d.sink.take()
		require.Len(d.t, records, 1)
		d.succeeded(records[0])
		requireSound(d.t, d.behind)
		after = observe(d.t, d.behind)
	}
	require.True(d.t, s.done == nil || s.done(after), "step %d after fault %d", i, d.n)
}

// putsQuestions reports whether a request is decided twice because it has something to ask.
func putsQuestions(in any) bool {
	switch in := in.(type) {
	case *sdk.CreateKeyInput:
		return in.KeySpec != "" || in.CustomKeyStoreId != nil
	case *sdk.GetParametersForImportInput, *sdk.ImportKeyMaterialInput, *sdk.GenerateDataKeyPairInput,
		*sdk.CreateCustomKeyStoreInput, *sdk.UpdateCustomKeyStoreInput, *sdk.ConnectCustomKeyStoreInput:
		return true
	}
	return false
}
