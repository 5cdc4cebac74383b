package kms_test

import (
	"encoding/json"
	"maps"
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
)

// requireSound checks that a store breaks no rule.
func requireSound(t *testing.T, s store.Store) {
	t.Helper()
	findings, err := kms.Check(t.Context(), s)
	require.NoError(t, err)
	require.Empty(t, findings)
}

// TestCheckOfASession has every operation leave the store in order.
func TestCheckOfASession(t *testing.T) {
	t.Parallel()
	var sealed store.Store
	f := newFixture(t, false, func(c *kms.Config) { sealed = c.Store })
	blob := f.plant(t, "secret", nil)
	f.plantAll(t)
	requireSound(t, sealed)
	for _, in := range session(f, blob) {
		succeeds(t, f.api, in)
		requireSound(t, sealed)
	}
}

// broken is a store in order that a test breaks.
type broken struct {
	t     *testing.T
	store store.Store
}

func (b broken) update(fn func(tx store.Tx) error) {
	b.t.Helper()
	require.NoError(b.t, b.store.Update(b.t.Context(), fn))
}

func (b broken) put(name, value string) {
	b.update(func(tx store.Tx) error { return tx.Put(name, []byte(value)) })
}

func (b broken) remove(name string) {
	b.t.Helper()
	b.update(func(tx store.Tx) error {
		_, err := tx.Get(name)
		require.NoError(b.t, err)
		return tx.Delete(name)
	})
}

// edit changes members of a record, as JSON.
func (b broken) edit(name string, change func(r map[string]any)) {
	b.t.Helper()
	b.update(func(tx store.Tx) error {
		old, err := tx.Get(name)
		require.NoError(b.t, err)
		r := map[string]any{}
		require.NoError(b.t, json.Unmarshal(old, &r))
		change(r)
		changed, err := json.Marshal(r)
		require.NoError(b.t, err)
		return tx.Put(name, changed)
	})
}

// set changes one member of a record.
func (b broken) set(name, member string, value any) {
	b.t.Helper()
	b.edit(name, func(r map[string]any) { r[member] = value })
}

// TestCheckOfBrokenRules breaks each rule once, and nothing else is found.
func TestCheckOfBrokenRules(t *testing.T) {
	t.Parallel()
	var sealed store.Store
	f := newFixture(t, false, func(c *kms.Config) { sealed = c.Store })
	f.plantAll(t)
	f.grants = nil
	named := do[sdk.CreateGrantOutput](t, f.api, &sdk.CreateGrantInput{
		KeyId: &f.arn, GranteePrincipal: &bob, RetiringPrincipal: &root.Principal, Operations: []types.GrantOperation{"Decrypt"}, Name: aws.String("g"),
	})
	succeeds(t, f.api, &sdk.TagResourceInput{KeyId: &f.arn, Tags: tags("a=1", "b=2")})
	succeeds(t, f.api, &sdk.RotateKeyOnDemandInput{KeyId: &f.arn})
	succeeds(t, f.api, f.importing)
	second := do[sdk.CreateKeyOutput](t, f.api, &sdk.CreateKeyInput{}).KeyMetadata
	succeeds(t, f.api, &sdk.CreateAliasInput{AliasName: aws.String("alias/second"), TargetKeyId: second.KeyId})
	hsm := do[sdk.CreateKeyOutput](t, f.api, hsmKey(f.connectedStore)).KeyMetadata
	succeeds(t, f.Client(root.In(frankfurt)), &sdk.CreateAliasInput{AliasName: aws.String("alias/copy"), TargetKeyId: aws.String(idOf(f.copies))})
	plantToken(t, f.Service(), f.external, kmstest.Start)
	requireSound(t, sealed)
	healthy := dump(t, sealed)

	copies := idOf(f.copies)
	key, local := keyrecord.KeyName(account, region, f.id), keyrecord.LocalName(account, region, f.id)
	primary, replica := keyrecord.KeyName(account, region, copies), keyrecord.KeyName(account, frankfurt, copies)
	external := keyrecord.KeyName(account, region, idOf(f.external))
	outside := keyrecord.KeyName(account, region, *hsm.KeyId)
	place := keyrecord.StoreKeyPrefix(account, region, f.connectedStore) + *hsm.KeyId
	aliases := keyrecord.AliasPrefix(account, region)
	grant := keyrecord.GrantPrefix(account, region, f.id) + *named.GrantId
	grantName, grantee, retiring := "", "", ""
	for name, value := range healthy {
		switch n := keyrecord.ParseName(name); {
		case n.Kind == keyrecord.GrantNameKind && value == *named.GrantId:
			grantName = name
		case n.Kind == keyrecord.GranteeKind && n.GrantID == *named.GrantId:
			grantee = name
		case n.Kind == keyrecord.RetiringKind && n.GrantID == *named.GrantId:
			retiring = name
		}
	}
	tokens := keyrecord.ImportTokensName(account, region, idOf(f.external))
	token := ""
	for name := range healthy {
		if strings.HasPrefix(name, tokens+"/") {
			token = name
		}
	}
	materials := func(r map[string]any) []any { return r["materials"].([]any) }

	for name, test := range map[string]struct {
		spoil  func(b broken)
		record string
		rule   kms.Rule
	}{
		"a name that nobody gives":         {func(b broken) { b.put("kms/"+account+"/"+region+"/what/ever", "") }, "kms/" + account + "/" + region + "/what/ever", kms.RuleName},
		"a name too long":                  {func(b broken) { b.put(key+"/more", "") }, key + "/more", kms.RuleName},
		"a name of nothing":                {func(b broken) { b.put("kms/x", "") }, "kms/x", kms.RuleName},
		"a key that is no JSON":            {func(b broken) { b.put(keyrecord.KeyName(account, region, unknownID), "?") }, keyrecord.KeyName(account, region, unknownID), kms.RuleForm},
		"a key of another format":          {func(b broken) { b.set(key, "v", 99) }, key, kms.RuleForm},
		"another key's record":             {func(b broken) { b.put(keyrecord.KeyName(otherAccount, region, unknownID), healthy[outside]) }, keyrecord.KeyName(otherAccount, region, unknownID), kms.RuleForm},
		"a key without its local record":   {func(b broken) { b.remove(local) }, key, kms.RuleForm},
		"a local record of an earlier key": {func(b broken) { b.set(local, "changes", 1) }, key, kms.RuleForm},
		"a local record too many":          {func(b broken) { b.put(keyrecord.LocalName(account, region, *hsm.KeyId), "{}") }, keyrecord.LocalName(account, region, *hsm.KeyId), kms.RuleOwner},
		"a local record of no key":         {func(b broken) { b.put(keyrecord.LocalName(account, region, unknownID), "{}") }, keyrecord.LocalName(account, region, unknownID), kms.RuleOwner},
		"tags out of order": {func(b broken) {
			b.edit(local, func(r map[string]any) { r["tags"].([]any)[1].(map[string]any)["seq"] = 1 })
		}, key, kms.RuleKey},
		"a spec that there is not":  {func(b broken) { b.set(outside, "spec", "AES_1") }, outside, kms.RuleKey},
		"a usage that does not fit": {func(b broken) { b.set(outside, "usage", "SIGN_VERIFY") }, outside, kms.RuleKey},
		"material under a wrong id": {func(b broken) { b.edit(key, func(r map[string]any) { materials(r)[0].(map[string]any)["id"] = "00" }) }, key, kms.RuleMaterial},
		"material that is another's": {func(b broken) {
			b.edit(key, func(r map[string]any) { materials(r)[0].(map[string]any)["bytes"] = random(32) })
		}, key, kms.RuleMaterial},
		"the same material twice": {func(b broken) {
			b.edit(key, func(r map[string]any) { r["materials"] = append(materials(r), materials(r)[1]) })
		}, key, kms.RuleMaterial},
		"two materials from the start": {func(b broken) {
			b.edit(key, func(r map[string]any) { delete(materials(r)[1].(map[string]any), "rotated") })
		}, key, kms.RuleMaterial},
		"pending material of AWS's": {func(b broken) {
			b.edit(key, func(r map[string]any) { materials(r)[1].(map[string]any)["pending"] = true })
		}, key, kms.RuleMaterial},
		"no material":                  {func(b broken) { b.edit(key, func(r map[string]any) { delete(r, "materials") }) }, key, kms.RuleForm},
		"a key that lists no alias":    {func(b broken) { b.remove(aliases + "app") }, key, kms.RuleAlias},
		"an alias that is not listed":  {func(b broken) { b.edit(local, func(r map[string]any) { delete(r, "aliases") }) }, aliases + "app", kms.RuleAlias},
		"an alias of another key":      {func(b broken) { b.set(aliases+"app", "target", *hsm.KeyId) }, aliases + "app", kms.RuleAlias},
		"an alias of no key":           {func(b broken) { b.put(aliases+"x", aliasRecord(t, "alias/x", unknownID)) }, aliases + "x", kms.RuleAlias},
		"an alias of a copy elsewhere": {func(b broken) { b.put(aliases+"x", aliasRecord(t, "alias/x", copies)) }, aliases + "x", kms.RuleAlias},
		"an alias under another name":  {func(b broken) { b.put(aliases+"x", healthy[aliases+"app"]) }, aliases + "x", kms.RuleForm},
		"an alias that two keys list": {func(b broken) {
			b.edit(keyrecord.LocalName(account, region, *second.KeyId), func(r map[string]any) { r["aliases"] = []string{"alias/app", "alias/second"} })
		}, keyrecord.KeyName(account, region, *second.KeyId), kms.RuleAlias},
		"aliases out of order": {func(b broken) {
			b.edit(local, func(r map[string]any) { r["aliases"] = []string{"alias/app", "alias/app"} })
		}, key, kms.RuleAlias},
		"a grant that is not counted":      {func(b broken) { b.set(key, "grants", 0) }, key, kms.RuleGrant},
		"a grant not found by its grantee": {func(b broken) { b.remove(grantee) }, grant, kms.RuleGrant},
		"a grant not found by who retires": {func(b broken) { b.remove(retiring) }, grant, kms.RuleGrant},
		"a grant not found by its name":    {func(b broken) { b.remove(grantName) }, grant, kms.RuleGrant},
		"an entry that leads nowhere":      {func(b broken) { b.put(grantee[:len(grantee)-1]+"!", "") }, grantee[:len(grantee)-1] + "!", kms.RuleGrant},
		"an entry of another grantee": {func(b broken) {
			b.put(keyrecord.GranteePrefix(account, region, f.id, "x")+*named.GrantId, "")
		}, keyrecord.GranteePrefix(account, region, f.id, "x") + *named.GrantId, kms.RuleGrant},
		"a name that leads nowhere":  {func(b broken) { b.put(grantName+"0", unknownGrant) }, grantName + "0", kms.RuleGrant},
		"a grant on another key":     {func(b broken) { b.put(keyrecord.GrantPrefix(account, region, unknownID)+unknownGrant, healthy[grant]) }, keyrecord.GrantPrefix(account, region, unknownID) + unknownGrant, kms.RuleForm},
		"a use of no key":            {func(b broken) { b.put(keyrecord.UsageName(account, region, unknownID), `{"v":1}`) }, keyrecord.UsageName(account, region, unknownID), kms.RuleOwner},
		"a copy that does not agree": {func(b broken) { b.set(replica, "onDemandRotations", 7) }, replica, kms.RuleCopies},
		"a copy of another origin":   {func(b broken) { b.set(replica, "origin", "EXTERNAL") }, replica, kms.RuleCopies},
		"a replica that is lost": {func(b broken) {
			b.remove(replica)
			b.remove(keyrecord.LocalName(account, frankfurt, copies))
			b.remove(keyrecord.AliasPrefix(account, frankfurt) + "copy")
		}, primary, kms.RuleCopies},
		"a primary key that is lost": {func(b broken) { b.remove(primary) }, replica, kms.RuleCopies},
		"two primary keys": {func(b broken) {
			b.edit(replica, func(r map[string]any) { r["multiRegion"].(map[string]any)["primary"] = frankfurt })
		}, "", ""},
		"a copy twice": {func(b broken) {
			b.edit(primary, func(r map[string]any) {
				m := r["multiRegion"].(map[string]any)
				m["copies"] = append(m["copies"].([]any), map[string]any{"region": region})
			})
		}, "", ""},
		"a deletion that the copies do not know": {func(b broken) {
			b.set(replica, "deletion", map[string]any{"days": 7, "at": "2026-02-01T00:00:00Z"})
		}, replica, kms.RuleCopies},
		"shared material of no key": {func(b broken) {
			b.put(keyrecord.MaterialsName(account, unknownID), healthy[keyrecord.MaterialsName(account, copies)])
		}, keyrecord.MaterialsName(account, unknownID), kms.RuleOwner},
		"a custom key store that is lost": {func(b broken) {
			b.edit(keyrecord.KeyStoresName(account, region), func(r map[string]any) {
				for _, s := range r["stores"].([]any) {
					if s := s.(map[string]any); s["id"] == f.connectedStore {
						s["id"] = f.connectedStore + "0"
					}
				}
			})
		}, outside, kms.RuleKeyStore},
		"a key without its place in a store": {func(b broken) { b.remove(place) }, outside, kms.RuleKeyStore},
		"a place of no key":                  {func(b broken) { b.put(place+"0", unknownID) }, place + "0", kms.RuleKeyStore},
		"key stores that are no JSON":        {func(b broken) { b.put(keyrecord.KeyStoresName(account, tokyo), "?") }, keyrecord.KeyStoresName(account, tokyo), kms.RuleForm},
		"a token that is not listed":         {func(b broken) { b.edit(tokens, func(r map[string]any) { r["tokens"] = r["tokens"].([]any)[:1] }) }, "", kms.RuleImport},
		"a token that is lost":               {func(b broken) { b.remove(token) }, tokens, kms.RuleImport},
		"tokens of a key that takes none": {func(b broken) {
			b.put(keyrecord.ImportTokensName(account, region, f.id), `{"v":1,"tokens":[]}`)
		}, keyrecord.ImportTokensName(account, region, f.id), kms.RuleImport},
		"a deleted key of another format": {func(b broken) { b.put(keyrecord.DeletedName(account, region, unknownID), `{"v":2}`) }, keyrecord.DeletedName(account, region, unknownID), kms.RuleForm},
		"a sweep of another format":       {func(b broken) { b.put(keyrecord.SweepName, `{"v":2}`) }, keyrecord.SweepName, kms.RuleForm},
		"pending material in the first place": {func(b broken) {
			b.edit(external, func(r map[string]any) { materials(r)[0].(map[string]any)["pending"] = true })
		}, external, kms.RuleMaterial},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := store.Seal(t.Context(), store.NewMemory(), rootKey(t, 1), nil)
			require.NoError(t, err)
			b := broken{t, s}
			b.update(func(tx store.Tx) error {
				for name, value := range healthy {
					if err := tx.Put(name, []byte(value)); err != nil {
						return err
					}
				}
				return nil
			})
			requireSound(t, s)
			test.spoil(b)
			findings, err := kms.Check(t.Context(), s)
			require.NoError(t, err)
			require.NotEmpty(t, findings)
			for _, f := range findings {
				require.Contains(t, f.String(), f.Record)
				require.NotContains(t, f.String(), "bytes")
			}
			if test.rule == "" {
				for _, f := range findings {
					require.Equal(t, kms.RuleCopies, f.Rule)
				}
				return
			}
			require.Len(t, findings, 1, "%v", findings)
			require.Equal(t, test.rule, findings[0].Rule)
			if test.record != "" {
				require.Equal(t, test.record, findings[0].Record)
			}
		})
	}
}

func aliasRecord(t *testing.T, name, target string) string {
	t.Helper()
	b, err := (&keyrecord.Alias{Name: name, Target: target, Created: kmstest.Start.Add(time.Hour), Updated: kmstest.Start.Add(time.Hour)}).Marshal()
	require.NoError(t, err)
	return string(b)
}

// TestCheckOfADamagedStore names the record that was altered.
func TestCheckOfADamagedStore(t *testing.T) {
	t.Parallel()
	var sealed store.Store
	f := newFixture(t, false, func(c *kms.Config) { sealed = c.Store })
	name := keyrecord.KeyPrefix(account, region) + f.id
	value := []byte(dump(t, f.inner)[name])
	value[len(value)-1] ^= 1
	require.NoError(t, f.inner.Update(t.Context(), func(tx store.Tx) error { return tx.Put(name, value) }))
	_, err := kms.Check(t.Context(), sealed)
	require.ErrorIs(t, err, store.ErrDamaged)
	require.ErrorContains(t, err, name)
}

// TestCheckLeavesOthersAlone does not look at what is not the engine's.
func TestCheckLeavesOthersAlone(t *testing.T) {
	t.Parallel()
	s := store.NewMemory()
	require.NoError(t, s.Update(t.Context(), func(tx store.Tx) error {
		for name := range maps.Keys(map[string]bool{"audit/x": true, "kmt/x": true, "km": true}) {
			if err := tx.Put(name, []byte("?")); err != nil {
				return err
			}
		}
		return nil
	}))
	requireSound(t, s)
}
