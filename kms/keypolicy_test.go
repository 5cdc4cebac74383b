package kms_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/identity"
	"github.com/sealring/sealring/kms"
	"github.com/sealring/sealring/policy"
)

// openPolicy admits the account of the fixture, in one line.
const openPolicy = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":"kms:*","Resource":"*"}}`

const (
	lockedOut        = "The new key policy will not allow you to update the key policy in the future."
	invalidPrincipal = "Policy contains a statement with one or more invalid principals."
)

func policyOf(t *testing.T, api kms.API, key string) string {
	t.Helper()
	out := do[sdk.GetKeyPolicyOutput](t, api, &sdk.GetKeyPolicyInput{KeyId: &key})
	require.Equal(t, "default", *out.PolicyName)
	return *out.Policy
}

func TestDefaultKeyPolicy(t *testing.T) {
	t.Parallel()
	want := func(partition string) string {
		return `{
  "Version" : "2012-10-17",
  "Id" : "key-default-1",
  "Statement" : [ {
    "Sid" : "Enable IAM User Permissions",
    "Effect" : "Allow",
    "Principal" : {
      "AWS" : "arn:` + partition + `:iam::111122223333:root"
    },
    "Action" : "kms:*",
    "Resource" : "*"
  } ]
}`
	}
	eachWorld(t, func(t *testing.T, w *world) {
		require.Equal(t, want("aws"), policyOf(t, w.as(root), w.key))
		for region, partition := range map[string]string{"cn-north-1": "aws-cn", "us-gov-west-1": "aws-us-gov"} {
			there := w.as(root.In(region))
			key := do[sdk.CreateKeyOutput](t, there, &sdk.CreateKeyInput{}).KeyMetadata
			require.Equal(t, want(partition), policyOf(t, there, *key.Arn))
		}
	})
}

func TestKeyPolicyIsKeptVerbatim(t *testing.T) {
	t.Parallel()
	eachWorld(t, func(t *testing.T, w *world) {
		api := w.as(root)
		for _, text := range []string{
			openPolicy,
			"\t\r\n " + strings.ReplaceAll(openPolicy, ",", " ,\r\n\t") + "\n",
			strings.Replace(openPolicy, `"Effect"`, `"Sid":"cafÿ","Effect"`, 1),
		} {
			succeeds(t, api, &sdk.PutKeyPolicyInput{KeyId: &w.key, Policy: &text})
			require.Equal(t, text, policyOf(t, api, w.key))
			created := do[sdk.CreateKeyOutput](t, api, &sdk.CreateKeyInput{Policy: &text}).KeyMetadata
			require.Equal(t, text, policyOf(t, api, *created.KeyId))
		}
	})
}

func TestPolicyNames(t *testing.T) {
	t.Parallel()
	eachWorld(t, func(t *testing.T, w *world) {
		api, text := w.as(root), openPolicy
		succeeds(t, api, &sdk.PutKeyPolicyInput{KeyId: &w.key, Policy: &text, PolicyName: aws.String("default")})
		require.Equal(t, text, *do[sdk.GetKeyPolicyOutput](t, api, &sdk.GetKeyPolicyInput{KeyId: &w.key, PolicyName: aws.String("default")}).Policy)
		for _, name := range []string{"Default", "other", "default "} {
			refused(t, api, &sdk.GetKeyPolicyInput{KeyId: &w.key, PolicyName: &name}, "NotFoundException", "No such policy exists")
			refused(t, api, &sdk.PutKeyPolicyInput{KeyId: &w.key, PolicyName: &name, Policy: &text},
				"UnsupportedOperationException", "The only policy of a key is named default.")
		}
		list := do[sdk.ListKeyPoliciesOutput](t, api, &sdk.ListKeyPoliciesInput{KeyId: &w.key, Limit: aws.Int32(1)})
		require.Equal(t, &sdk.ListKeyPoliciesOutput{PolicyNames: []string{"default"}}, list)
		refused(t, api, &sdk.ListKeyPoliciesInput{KeyId: &w.key, Marker: aws.String("x")}, "InvalidMarkerException", "The marker is not valid for this listing.")
		for _, in := range []any{
			&sdk.GetKeyPolicyInput{KeyId: aws.String("alias/app")},
			&sdk.PutKeyPolicyInput{KeyId: aws.String("alias/app"), Policy: &text},
			&sdk.ListKeyPoliciesInput{KeyId: aws.String("alias/app")},
		} {
			refused(t, api, in, "NotFoundException", "Invalid keyId 'alias/app'")
		}
	})
}

func TestMalformedKeyPolicies(t *testing.T) {
	t.Parallel()
	pad := func(n int) string { return openPolicy + strings.Repeat(" ", n-len(openPolicy)) }
	for name, row := range map[string]struct{ text, code, message string }{
		"no JSON":           {"{", "MalformedPolicyDocumentException", ""},
		"no object":         {"[]", "MalformedPolicyDocumentException", ""},
		"member twice":      {strings.Replace(openPolicy, `"Version"`, `"Version":"2012-10-17","Version"`, 1), "MalformedPolicyDocumentException", ""},
		"no principal":      {document(own("Allow", "kms:*", "*")), "MalformedPolicyDocumentException", "Policy contains a statement with no principal."},
		"principal of none": {document(statement("Allow", "arn:aws:iam::111122223333:group/g", "kms:*")), "MalformedPolicyDocumentException", invalidPrincipal},
		"foreign element":   {strings.Replace(openPolicy, `"Effect"`, `"Effects"`, 1), "MalformedPolicyDocumentException", ""},
		"one byte too long": {pad(32769), "LimitExceededException", ""},
		"the model's most":  {pad(131072), "LimitExceededException", ""},
		"nobody":            {document(statement("Deny", "111122223333", "kms:*")), "MalformedPolicyDocumentException", lockedOut},
		"others":            {document(statement("Allow", otherAccount, "kms:*")), "MalformedPolicyDocumentException", lockedOut},
		"not that":          {document(statement("Allow", "111122223333", "kms:Get*")), "MalformedPolicyDocumentException", lockedOut},
		"another resource":  {strings.Replace(openPolicy, `"Resource":"*"`, `"Resource":"arn:aws:kms:us-east-1:111122223333:key/x"`, 1), "MalformedPolicyDocumentException", lockedOut},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachWorld(t, func(t *testing.T, w *world) {
				before := dump(t, w.inner)
				for _, in := range []any{
					&sdk.PutKeyPolicyInput{KeyId: &w.key, Policy: &row.text},
					&sdk.CreateKeyInput{Policy: &row.text},
				} {
					_, err := call(t.Context(), w.as(root), in)
					require.Equal(t, row.code, codeOf(err), "%v", err)
					if row.message != "" {
						requireRefusal(t, err, row.code, row.message)
					}
				}
				require.Equal(t, before, dump(t, w.inner))
				if row.message != lockedOut { // which is all that can be bypassed
					_, err := call(t.Context(), w.as(root), &sdk.PutKeyPolicyInput{KeyId: &w.key, Policy: &row.text, BypassPolicyLockoutSafetyCheck: true})
					require.Equal(t, row.code, codeOf(err))
					return
				}
				succeeds(t, w.as(root), &sdk.CreateKeyInput{Policy: &row.text, BypassPolicyLockoutSafetyCheck: true})
				succeeds(t, w.as(root), &sdk.PutKeyPolicyInput{KeyId: &w.key, Policy: &row.text, BypassPolicyLockoutSafetyCheck: true})
				_, err := call(t.Context(), w.as(root), &sdk.PutKeyPolicyInput{KeyId: &w.key, Policy: aws.String(openPolicy)})
				require.Equal(t, "AccessDeniedException", codeOf(err))
			})
		})
	}
	t.Run("the most that is allowed", func(t *testing.T) {
		t.Parallel()
		eachWorld(t, func(t *testing.T, w *world) {
			text := pad(32768)
			succeeds(t, w.as(root), &sdk.PutKeyPolicyInput{KeyId: &w.key, Policy: &text})
			require.Equal(t, text, policyOf(t, w.as(root), w.key))
		})
	})
}

// TestLockout has a user, who needs the account's policies where the key policy names
// only the account.
func TestLockout(t *testing.T) {
	t.Parallel()
	eachWorld(t, func(t *testing.T, w *world) {
		byAccount := openPolicy
		byName := document(statement("Allow", alice.Principal, "kms:*"))
		w.attach(alice.Principal, allowing(t, own("Allow", "kms:CreateKey", "*")))
		// the account's statement is not enough for one whom the account does not let
		refused(t, w.as(alice), &sdk.CreateKeyInput{Policy: &byAccount}, "MalformedPolicyDocumentException", lockedOut)
		succeeds(t, w.as(alice), &sdk.CreateKeyInput{Policy: &byName})
		succeeds(t, w.as(alice), &sdk.CreateKeyInput{}) // AWS's default is not checked

		w.attach(alice.Principal, allowing(t, own("Allow", "kms:CreateKey", "*"), own("Allow", "kms:PutKeyPolicy", "*")))
		succeeds(t, w.as(alice), &sdk.CreateKeyInput{Policy: &byAccount})
		succeeds(t, w.as(alice), &sdk.PutKeyPolicyInput{KeyId: &w.key, Policy: &byAccount})
		refused(t, w.as(alice), &sdk.PutKeyPolicyInput{KeyId: &w.key, Policy: aws.String(document(statement("Allow", bob, "kms:*")))},
			"MalformedPolicyDocumentException", lockedOut)

		// a boundary counts as well, and so does a denial anywhere
		limited := allowing(t, own("Allow", "kms:*", "*"))
		limited.Boundary = compiled(t, policy.Boundary, own("Allow", "kms:CreateKey", "*"))
		w.attach(alice.Principal, limited)
		refused(t, w.as(alice), &sdk.CreateKeyInput{Policy: &byAccount}, "MalformedPolicyDocumentException", lockedOut)
		// the new policy is asked about a request that does not bypass the check
		w.attach(alice.Principal, allowing(t, own("Allow", "kms:*", "*"),
			own("Deny", "kms:PutKeyPolicy", "*", when(`{"Bool":{"kms:BypassPolicyLockoutSafetyCheck":"true"}}`))))
		succeeds(t, w.as(alice), &sdk.PutKeyPolicyInput{KeyId: &w.key, Policy: &byAccount})
		denied(t, w.as(alice), alice, &sdk.PutKeyPolicyInput{KeyId: &w.key, Policy: &byAccount, BypassPolicyLockoutSafetyCheck: true},
			"kms:PutKeyPolicy", w.key, explicit("n identity-based policy"))
	})
}

func TestKeyPolicyOfADyingKey(t *testing.T) {
	t.Parallel()
	eachWorld(t, func(t *testing.T, w *world) {
		api, text := w.as(root), openPolicy
		succeeds(t, api, &sdk.ScheduleKeyDeletionInput{KeyId: &w.key, PendingWindowInDays: aws.Int32(7)})
		succeeds(t, api, &sdk.PutKeyPolicyInput{KeyId: &w.key, Policy: &text})
		require.Equal(t, text, policyOf(t, api, w.key))
		w.advance(7 * 24 * time.Hour)
		refused(t, api, &sdk.GetKeyPolicyInput{KeyId: &w.key}, "NotFoundException", "Key '"+w.key+"' does not exist")
	})
}

// TestKeyPolicyTakesEffectAtOnce also holds that a policy binds one key only.
func TestKeyPolicyTakesEffectAtOnce(t *testing.T) {
	t.Parallel()
	eachWorld(t, func(t *testing.T, w *world) {
		describe, other := &sdk.DescribeKeyInput{KeyId: &w.key}, &sdk.DescribeKeyInput{KeyId: &w.other}
		unlocked := noPolicy("identity-based policy", "kms:DescribeKey")
		denied(t, w.as(alice), alice, describe, "kms:DescribeKey", w.key, unlocked)
		w.setPolicy(t, w.key, document(statement("Allow", "111122223333", "kms:*"), statement("Allow", alice.Principal, "kms:DescribeKey")))
		succeeds(t, w.as(alice), describe)
		denied(t, w.as(alice), alice, other, "kms:DescribeKey", w.other, unlocked)
		w.setPolicy(t, w.key, openPolicy)
		denied(t, w.as(alice), alice, describe, "kms:DescribeKey", w.key, unlocked)
	})
}

// TestRootOfAKeyThatNamesOthers has the account's root user have no right of its own.
func TestRootOfAKeyThatNamesOthers(t *testing.T) {
	t.Parallel()
	eachWorld(t, func(t *testing.T, w *world) {
		w.setPolicy(t, w.key, document(statement("Allow", alice.Principal, "kms:*")))
		text := openPolicy
		denied(t, w.as(root), root, &sdk.PutKeyPolicyInput{KeyId: &w.key, Policy: &text}, "kms:PutKeyPolicy", w.key, noPolicy("resource-based policy", "kms:PutKeyPolicy"))
		succeeds(t, w.as(alice), &sdk.PutKeyPolicyInput{KeyId: &w.key, Policy: &text, BypassPolicyLockoutSafetyCheck: true})
		succeeds(t, w.as(root), &sdk.DescribeKeyInput{KeyId: &w.key})
	})
}

// TestManyKeyPolicies has more policies than the service keeps compiled.
func TestManyKeyPolicies(t *testing.T) {
	t.Parallel()
	w := newWorld(t, false)
	for n := range 1100 {
		text := strings.Replace(openPolicy, `"Effect"`, `"Sid":"s`+strconv.Itoa(n)+`","Effect"`, 1)
		succeeds(t, w.as(root), &sdk.PutKeyPolicyInput{KeyId: &w.key, Policy: &text})
	}
	succeeds(t, w.as(root), &sdk.DescribeKeyInput{KeyId: &w.key})
	_, err := call(t.Context(), w.as(identity.Caller{Principal: bob, Account: account, Region: region}), &sdk.DescribeKeyInput{KeyId: &w.key})
	require.Equal(t, "AccessDeniedException", codeOf(err))
}
