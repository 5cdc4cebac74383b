package kms_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/internal/keyrecord"
	"github.com/sealring/sealring/kms"
	"github.com/sealring/sealring/store"
)

func listGrants(t *testing.T, api kms.API, in *sdk.ListGrantsInput) []string {
	t.Helper()
	ids := []string{}
	for _, g := range do[sdk.ListGrantsOutput](t, api, in).Grants {
		ids = append(ids, *g.GrantId)
	}
	return ids
}

const (
	opDecrypt  = types.GrantOperationDecrypt
	opEncrypt  = types.GrantOperationEncrypt
	opCreate   = types.GrantOperationCreateGrant
	opRetire   = types.GrantOperationRetireGrant
	opDescribe = types.GrantOperationDescribeKey
)

func TestGrantEntries(t *testing.T) {
	t.Parallel()
	eachWorld(t, func(t *testing.T, w *world) {
		equals, subset := map[string]string{"Dept": "IT"}, map[string]string{"Tenant": "1"}
		bare, _ := grantFor(t, w.as(root), w.key, bob, nil, opDecrypt)
		w.advance(1234 * time.Millisecond)
		full, _ := grantFor(t, w.as(root), w.key, carol.Principal, func(in *sdk.CreateGrantInput) {
			in.RetiringPrincipal, in.Name = &alice.Principal, aws.String("n:a/m_e-1")
			in.Constraints = &types.GrantConstraints{EncryptionContextEquals: equals, EncryptionContextSubset: subset}
		}, opEncrypt, opDecrypt, opEncrypt)
		issuer := aws.String("arn:aws:iam::111122223333:root")
		want := map[string]types.GrantListEntry{
			bare: {
				CreationDate: aws.Time(w.clock().Add(-1234 * time.Millisecond)), GrantId: &bare, GranteePrincipal: &bob, IssuingAccount: issuer,
				KeyId: &w.key, Name: aws.String(""), Operations: []types.GrantOperation{opDecrypt},
			},
			full: {
				CreationDate: aws.Time(w.clock()), GrantId: &full, GranteePrincipal: &carol.Principal, IssuingAccount: issuer,
				KeyId: &w.key, Name: aws.String("n:a/m_e-1"), Operations: []types.GrantOperation{opDecrypt, opEncrypt},
				RetiringPrincipal: &alice.Principal, Constraints: &types.GrantConstraints{EncryptionContextEquals: equals, EncryptionContextSubset: subset},
			},
		}
		out := do[sdk.ListGrantsOutput](t, w.as(root), &sdk.ListGrantsInput{KeyId: &w.key})
		require.False(t, out.Truncated)
		require.Len(t, out.Grants, 2)
		for _, g := range out.Grants {
			require.Equal(t, want[*g.GrantId], g)
		}
		require.Empty(t, listGrants(t, w.as(root), &sdk.ListGrantsInput{KeyId: &w.other}))
		retirable := do[sdk.ListRetirableGrantsOutput](t, w.as(root), &sdk.ListRetirableGrantsInput{RetiringPrincipal: &alice.Principal})
		require.Equal(t, []types.GrantListEntry{want[full]}, retirable.Grants)

		// filters
		require.Equal(t, []string{full}, listGrants(t, w.as(root), &sdk.ListGrantsInput{KeyId: &w.key, GrantId: &full}))
		require.Equal(t, []string{bare}, listGrants(t, w.as(root), &sdk.ListGrantsInput{KeyId: &w.key, GranteePrincipal: &bob}))
		require.Empty(t, listGrants(t, w.as(root), &sdk.ListGrantsInput{KeyId: &w.key, GranteePrincipal: &bob, GrantId: &full}))
		for _, id := range []string{unknownGrant, "x", strings.ToUpper(full), full + "/", full[1:]} {
			refused(t, w.as(root), &sdk.ListGrantsInput{KeyId: &w.key, GrantId: &id}, "InvalidGrantIdException", id+" is not the id of a grant on the key.")
		}
		refused(t, w.as(root), &sdk.ListGrantsInput{KeyId: &w.other, GrantId: &full}, "InvalidGrantIdException", full+" is not the id of a grant on the key.")
	})
}

func TestGrantNames(t *testing.T) {
	t.Parallel()
	eachWorld(t, func(t *testing.T, w *world) {
		named := func(change func(*sdk.CreateGrantInput)) (string, string) {
			return grantFor(t, w.as(root), w.key, bob, func(in *sdk.CreateGrantInput) {
				in.Name, in.Constraints = aws.String("once"), &types.GrantConstraints{EncryptionContextSubset: map[string]string{"a": "1", "b": "2"}}
				if change != nil {
					change(in)
				}
			}, opDecrypt, opEncrypt)
		}
		id, token := named(nil)
		again, other := named(func(in *sdk.CreateGrantInput) { slices.Reverse(in.Operations) })
		require.Equal(t, id, again)
		require.NotEqual(t, token, other)
		for _, tok := range []string{token, other} { // both are good
			succeeds(t, w.as(root), &sdk.DescribeKeyInput{KeyId: &w.key, GrantTokens: []string{tok}})
		}
		seen := map[string]bool{id: true}
		for n, change := range []func(*sdk.CreateGrantInput){
			func(in *sdk.CreateGrantInput) { in.Name = nil },
			func(in *sdk.CreateGrantInput) { in.Name = nil },
			func(in *sdk.CreateGrantInput) { in.Name = aws.String("Once") },
			func(in *sdk.CreateGrantInput) { in.KeyId = &w.other },
			func(in *sdk.CreateGrantInput) { in.GranteePrincipal = &alice.Principal },
			func(in *sdk.CreateGrantInput) { in.RetiringPrincipal = &bob },
			func(in *sdk.CreateGrantInput) { in.Operations = in.Operations[:1] },
			func(in *sdk.CreateGrantInput) { in.Constraints.EncryptionContextSubset["b"] = "3" },
			func(in *sdk.CreateGrantInput) {
				in.Constraints.EncryptionContextEquals, in.Constraints.EncryptionContextSubset = in.Constraints.EncryptionContextSubset, nil
			},
			func(in *sdk.CreateGrantInput) { in.Constraints = nil },
		} {
			id, _ := named(change)
			require.False(t, seen[id], "change %d", n)
			seen[id] = true
		}
		succeeds(t, w.as(root), &sdk.RevokeGrantInput{KeyId: &w.key, GrantId: &id})
		fresh, _ := named(nil)
		require.False(t, seen[fresh], "a name is free once its grant is revoked")
		refused(t, w.as(root), &sdk.DescribeKeyInput{KeyId: &w.key, GrantTokens: []string{token}}, "InvalidGrantTokenException", badToken)
	})
}

func TestRefusedGrants(t *testing.T) {
	t.Parallel()
	wide := map[string]string{}
	for i := range 9 {
		wide[fmt.Sprint(i)] = "x"
	}
	const notPrincipal = " is not the ARN of a principal that a grant can name."
	eachWorld(t, func(t *testing.T, w *world) {
		before := dump(t, w.inner)
		try := func(change func(*sdk.CreateGrantInput)) error {
			in := &sdk.CreateGrantInput{KeyId: &w.key, GranteePrincipal: &bob, Operations: []types.GrantOperation{opDecrypt}}
			change(in)
			_, err := call(t.Context(), w.as(root), in)
			return err
		}
		for _, p := range []string{
			"bob", "*", "111122223333", "arn:aws:iam::111122223333:group/g", "arn:aws:iam::111122223333:user/", "arn:aws:iam::111122223333:user/*",
			"arn:aws:iam::111122223333:root/x", "arn:aws:iam::1111:user/bob", "arn:aws:iam:us-east-1:111122223333:user/bob", "s3.amazonaws.com",
			"arn:aws:sts::111122223333:assumed-role/", "arn:aws:sts::111122223333:assumed-role/r", "arn:aws:s3:::bucket", "arn:aws:iam::111122223333:user",
			"arn:aws:iam::111122223333:user/a b", "arn:aws:iam::111122223333:user/\u00e9", "arn:gcp:iam::111122223333:user/bob", "arn:awsome:iam::111122223333:user/bob",
			"arn:aws:iam::111122223333:oidc-provider/x",
		} {
			requireRefusal(t, try(func(in *sdk.CreateGrantInput) { in.GranteePrincipal = &p }), "InvalidArnException", p+notPrincipal)
			requireRefusal(t, try(func(in *sdk.CreateGrantInput) { in.RetiringPrincipal = &p }), "InvalidArnException", p+notPrincipal)
			refused(t, w.as(root), &sdk.ListRetirableGrantsInput{RetiringPrincipal: &p}, "InvalidArnException", p+notPrincipal)
		}
		requireRefusal(t, try(func(in *sdk.CreateGrantInput) { in.Operations = []types.GrantOperation{} }), "ValidationException", "A grant needs at least one operation.")
		require.Equal(t, "ValidationException", codeOf(try(func(in *sdk.CreateGrantInput) { in.Operations = []types.GrantOperation{opDecrypt, ""} })))
		for _, o := range types.GrantOperation("").Values() {
			switch o {
			case "Sign", "Verify", "GetPublicKey", "GenerateMac", "VerifyMac", "DeriveSharedSecret", "Encapsulate", "Decapsulate":
				requireRefusal(t, try(func(in *sdk.CreateGrantInput) { in.Operations = []types.GrantOperation{opDecrypt, o} }), "ValidationException",
					"The grant operation "+string(o)+" is not valid for a key with key spec SYMMETRIC_DEFAULT and key usage ENCRYPT_DECRYPT.")
			default:
				requireRefusal(t, try(func(in *sdk.CreateGrantInput) { in.Operations, in.DryRun = []types.GrantOperation{o}, aws.Bool(true) }), "DryRunOperationException", wouldHave)
			}
		}
		requireRefusal(t, try(func(in *sdk.CreateGrantInput) {
			in.Constraints = &types.GrantConstraints{EncryptionContextEquals: wide}
		}),
			"ValidationException", "A grant constraint has at most 8 pairs.")
		requireRefusal(t, try(func(in *sdk.CreateGrantInput) {
			in.Constraints = &types.GrantConstraints{EncryptionContextSubset: map[string]string{"k": strings.Repeat("v", 385)}}
		}), "ValidationException", "A value of a grant constraint has at most 384 characters.")
		require.NoError(t, errorOfDryRun(try(func(in *sdk.CreateGrantInput) {
			in.Constraints, in.DryRun = &types.GrantConstraints{EncryptionContextSubset: map[string]string{"k": strings.Repeat("\u00fc", 384)}}, aws.Bool(true)
		})))
		requireRefusal(t, try(func(in *sdk.CreateGrantInput) { in.KeyId = aws.String("alias/app") }), "NotFoundException", "Invalid keyId 'alias/app'")
		for _, p := range []string{
			bob, "arn:aws:iam::111122223333:root", "arn:aws:iam::444455556666:role/a/b", "arn:aws:sts::111122223333:assumed-role/r/s", "arn:aws:sts::111122223333:federated-user/f",
			"arn:aws-cn:iam::111122223333:user/a+b=c,d.e@f_g-h",
		} {
			require.NoError(t, errorOfDryRun(try(func(in *sdk.CreateGrantInput) { in.GranteePrincipal, in.DryRun = &p, aws.Bool(true) })), p)
		}
		require.Equal(t, before, dump(t, w.inner), "a dry run and a refusal change nothing")
	})
}

// errorOfDryRun returns the error of a request unless it is that of a dry run.
func errorOfDryRun(err error) error {
	if codeOf(err) == "DryRunOperationException" {
		return nil
	}
	return fmt.Errorf("not a dry run's answer: %w", err)
}

// TestGrantIDs has RevokeGrant and RetireGrant find only what there is on the key.
func TestGrantIDs(t *testing.T) {
	t.Parallel()
	eachWorld(t, func(t *testing.T, w *world) {
		id, _ := grantFor(t, w.as(root), w.key, bob, nil, opDecrypt)
		before := dump(t, w.inner)
		for _, bad := range []string{"x", strings.ToUpper(id), id + "/", id[1:], "../" + id} {
			refused(t, w.as(root), &sdk.RevokeGrantInput{KeyId: &w.key, GrantId: &bad}, "InvalidGrantIdException", bad+" is not a grant id.")
			refused(t, w.as(root), &sdk.RetireGrantInput{KeyId: &w.key, GrantId: &bad}, "InvalidGrantIdException", bad+" is not a grant id.")
		}
		refused(t, w.as(root), &sdk.RevokeGrantInput{KeyId: &w.other, GrantId: &id}, "NotFoundException", "Grant ID "+id+" not found")
		refused(t, w.as(root), &sdk.RetireGrantInput{KeyId: &w.other, GrantId: &id}, "NotFoundException", "Grant ID "+id+" not found")
		refused(t, w.as(root), &sdk.RevokeGrantInput{KeyId: &w.key, GrantId: &id, DryRun: aws.Bool(true)}, "DryRunOperationException", wouldHave)
		refused(t, w.as(root), &sdk.RetireGrantInput{KeyId: &w.key, GrantId: &id, DryRun: aws.Bool(true)}, "DryRunOperationException", wouldHave)
		require.Equal(t, before, dump(t, w.inner))
		succeeds(t, w.as(root), &sdk.RevokeGrantInput{KeyId: &w.key, GrantId: &id})
		refused(t, w.as(root), &sdk.RevokeGrantInput{KeyId: &w.key, GrantId: &id}, "NotFoundException", "Grant ID "+id+" not found")
	})
}

// TestGrantsLeaveNothingBehind compares the store's names before and after.
func TestGrantsLeaveNothingBehind(t *testing.T) {
	t.Parallel()
	w := newWorld(t, false)
	before := dump(t, w.inner)
	make := func() (string, string) {
		return grantFor(t, w.as(root), w.key, bob, func(in *sdk.CreateGrantInput) {
			in.Name, in.RetiringPrincipal = aws.String("n"), &root.Principal
		}, opDecrypt)
	}
	id, _ := make()
	require.Greater(t, len(dump(t, w.inner)), len(before)+3)
	succeeds(t, w.as(root), &sdk.RevokeGrantInput{KeyId: &w.key, GrantId: &id})
	require.Len(t, dump(t, w.inner), len(before))
	_, token := make()
	succeeds(t, w.as(root), &sdk.RetireGrantInput{GrantToken: &token})
	require.Len(t, dump(t, w.inner), len(before))
}

// TestGrantsEndWithTheirKey has a key go with a grant on it.
func TestGrantsEndWithTheirKey(t *testing.T) {
	t.Parallel()
	eachWorld(t, func(t *testing.T, w *world) {
		_, token := grantFor(t, w.as(root), w.key, bob, func(in *sdk.CreateGrantInput) { in.RetiringPrincipal = &bob }, opDecrypt)
		kept, _ := grantFor(t, w.as(root), w.other, bob, func(in *sdk.CreateGrantInput) { in.RetiringPrincipal = &bob }, opDecrypt)
		succeeds(t, w.as(root), &sdk.ScheduleKeyDeletionInput{KeyId: &w.key, PendingWindowInDays: aws.Int32(7)})
		require.Len(t, listGrants(t, w.as(root), &sdk.ListGrantsInput{KeyId: &w.key}), 1)
		w.advance(7 * 24 * time.Hour)
		refused(t, w.as(root), &sdk.ListGrantsInput{KeyId: &w.key}, "NotFoundException", "Key '"+w.key+"' does not exist")
		refused(t, w.as(bobby), &sdk.RetireGrantInput{GrantToken: &token}, "InvalidGrantTokenException", badToken)
		refused(t, w.as(root), &sdk.DescribeKeyInput{KeyId: &w.other, GrantTokens: []string{token}}, "InvalidGrantTokenException", badToken)
		retirable := do[sdk.ListRetirableGrantsOutput](t, w.as(root), &sdk.ListRetirableGrantsInput{RetiringPrincipal: &bob})
		require.Len(t, retirable.Grants, 1)
		require.Equal(t, kept, *retirable.Grants[0].GrantId)
	})
}

// TestMostGrants sets the number of grants in the key's record.
func TestMostGrants(t *testing.T) {
	t.Parallel()
	w := newWorld(t, false)
	named := func(in *sdk.CreateGrantInput) { in.Name = aws.String("n") }
	id, _ := grantFor(t, w.as(root), w.key, bob, named, opDecrypt)
	name := keyrecord.KeyPrefix(account, region) + idOf(w.key)
	require.NoError(t, w.sealed.Update(t.Context(), func(tx store.Tx) error {
		b, err := tx.Get(name)
		if err != nil {
			return err
		}
		k, err := keyrecord.UnmarshalKey(b)
		if err != nil {
			return err
		}
		require.Equal(t, 1, k.Grants)
		k.Grants = 50000
		if b, err = k.Marshal(); err != nil {
			return err
		}
		return tx.Put(name, b)
	}))
	refused(t, w.as(root), &sdk.CreateGrantInput{KeyId: &w.key, GranteePrincipal: &bob, Operations: []types.GrantOperation{opDecrypt}},
		"LimitExceededException", w.key+" has 50000 grants, the most that a key can have")
	same, _ := grantFor(t, w.as(root), w.key, bob, named, opDecrypt) // which is there already
	require.Equal(t, id, same)
	succeeds(t, w.as(root), &sdk.RevokeGrantInput{KeyId: &w.key, GrantId: &id})
	grantFor(t, w.as(root), w.key, bob, nil, opDecrypt)
}

// TestManyGrantsToOnePrincipal has more grants bear on a request than a transaction can
// touch records.
func TestManyGrantsToOnePrincipal(t *testing.T) {
	t.Parallel()
	w := newWorld(t, false)
	for range 120 {
		grantFor(t, w.as(root), w.key, root.Principal, nil, opDecrypt)
	}
	succeeds(t, w.as(root), &sdk.UpdateKeyDescriptionInput{KeyId: &w.key, Description: aws.String("x")})
	require.Len(t, listGrants(t, w.as(root), &sdk.ListGrantsInput{KeyId: &w.key, Limit: aws.Int32(1000)}), 100)
}

func TestPagesOfGrants(t *testing.T) {
	t.Parallel()
	eachWorld(t, func(t *testing.T, w *world) {
		retiring := func(in *sdk.CreateGrantInput) { in.RetiringPrincipal = &bob }
		ids := []string{}
		for range 60 {
			id, _ := grantFor(t, w.as(root), w.key, alice.Principal, retiring, opDecrypt)
			ids = append(ids, id)
		}
		slices.Sort(ids)
		first := do[sdk.ListGrantsOutput](t, w.as(root), &sdk.ListGrantsInput{KeyId: &w.key})
		require.Len(t, first.Grants, 50)
		require.True(t, first.Truncated)
		retirable := do[sdk.ListRetirableGrantsOutput](t, w.as(root), &sdk.ListRetirableGrantsInput{RetiringPrincipal: &bob})
		require.Len(t, retirable.Grants, 50)
		require.True(t, retirable.Truncated)

		// the last entry of a page goes, and so does one to come
		pages := map[string]func(limit *int32, marker *string) ([]types.GrantListEntry, *string){
			"ListGrants": func(limit *int32, marker *string) ([]types.GrantListEntry, *string) {
				out := do[sdk.ListGrantsOutput](t, w.as(root), &sdk.ListGrantsInput{KeyId: &w.key, Limit: limit, Marker: marker})
				return out.Grants, out.NextMarker
			},
			"ListRetirableGrants": func(limit *int32, marker *string) ([]types.GrantListEntry, *string) {
				out := do[sdk.ListRetirableGrantsOutput](t, w.as(root), &sdk.ListRetirableGrantsInput{RetiringPrincipal: &bob, Limit: limit, Marker: marker})
				return out.Grants, out.NextMarker
			},
		}
		for _, page := range pages {
			got, marker := page(aws.Int32(7), nil)
			require.Len(t, got, 7)
			for _, gone := range []string{ids[6], ids[8]} {
				succeeds(t, w.as(root), &sdk.RevokeGrantInput{KeyId: &w.key, GrantId: &gone})
			}
			want := slices.Concat(ids[7:8], ids[9:])
			listed := []string{}
			for marker != nil {
				var more []types.GrantListEntry
				more, marker = page(aws.Int32(7), marker)
				for _, g := range more {
					listed = append(listed, *g.GrantId)
				}
			}
			require.Equal(t, want, listed)
			ids = slices.Concat(ids[:6], want)
		}
		all, marker := pages["ListGrants"](aws.Int32(1000), nil)
		require.Len(t, all, len(ids))
		require.Nil(t, marker)
		_, marker = pages["ListGrants"](aws.Int32(1), nil)
		refused(t, w.as(root), &sdk.ListRetirableGrantsInput{RetiringPrincipal: &bob, Marker: marker}, "InvalidMarkerException", "The marker is not valid for this listing.")
		refused(t, w.as(root), &sdk.ListGrantsInput{KeyId: &w.key, Marker: aws.String("x")}, "InvalidMarkerException", "The marker is not valid for this listing.")
	})
}

// TestConcurrentGrants makes and revokes grants on one key from several goroutines.
func TestConcurrentGrants(t *testing.T) {
	t.Parallel()
	w := newWorld(t, false)
	before := dump(t, w.inner)
	var wg sync.WaitGroup
	errs := make(chan error, 1000)
	for g := range 6 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for range 8 {
				in := &sdk.CreateGrantInput{KeyId: &w.key, GranteePrincipal: &bob, Operations: []types.GrantOperation{opDescribe}}
				if g%2 == 0 {
					in.Name = aws.String(fmt.Sprint("n", g))
				}
				out, err := call(t.Context(), w.as(root), in)
				if err != nil {
					errs <- err
					return
				}
				if _, err := call(t.Context(), w.as(bobby), &sdk.DescribeKeyInput{KeyId: &w.key}); err != nil {
					errs <- err
				}
				if _, err := call(t.Context(), w.as(root), &sdk.RevokeGrantInput{KeyId: &w.key, GrantId: out.(*sdk.CreateGrantOutput).GrantId}); err != nil {
					errs <- err
				}
			}
		}()
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		require.NoError(t, err)
	}
	require.Len(t, dump(t, w.inner), len(before))
	grantFor(t, w.as(root), w.key, bob, nil, opDecrypt)
	require.Len(t, listGrants(t, w.as(root), &sdk.ListGrantsInput{KeyId: &w.key}), 1)
}
