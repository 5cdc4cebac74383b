package kms_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"
)

// Operations by which identifiers of a key they take. Each is about a key in good
// order, so that it succeeds once the key is found.

func takesAnyForm(blob []byte, own *string) map[string]func(id *string) any {
	return map[string]func(id *string) any{
		"Decrypt":     func(id *string) any { return &sdk.DecryptInput{CiphertextBlob: blob, KeyId: id} },
		"DescribeKey": func(id *string) any { return &sdk.DescribeKeyInput{KeyId: id} },
		"Encrypt":     func(id *string) any { return &sdk.EncryptInput{KeyId: id, Plaintext: []byte("x")} },
		"GenerateDataKey": func(id *string) any {
			return &sdk.GenerateDataKeyInput{KeyId: id, KeySpec: types.DataKeySpecAes256}
		},
		"GenerateDataKeyWithoutPlaintext": func(id *string) any {
			return &sdk.GenerateDataKeyWithoutPlaintextInput{KeyId: id, KeySpec: types.DataKeySpecAes256}
		},
		"ReEncrypt from": func(id *string) any {
			return &sdk.ReEncryptInput{CiphertextBlob: blob, SourceKeyId: id, DestinationKeyId: own}
		},
		"ReEncrypt to": func(id *string) any { return &sdk.ReEncryptInput{CiphertextBlob: blob, DestinationKeyId: id} },
	}
}

func takesIDOrARN() map[string]func(id *string) any {
	return map[string]func(id *string) any{
		"DisableKey":       func(id *string) any { return &sdk.DisableKeyInput{KeyId: id} },
		"EnableKey":        func(id *string) any { return &sdk.EnableKeyInput{KeyId: id} },
		"ListAliases":      func(id *string) any { return &sdk.ListAliasesInput{KeyId: id} },
		"ListResourceTags": func(id *string) any { return &sdk.ListResourceTagsInput{KeyId: id} },
		"TagResource":      func(id *string) any { return &sdk.TagResourceInput{KeyId: id, Tags: tags("a=b")} },
		"UntagResource":    func(id *string) any { return &sdk.UntagResourceInput{KeyId: id, TagKeys: []string{"a"}} },
		"UpdateKeyDescription": func(id *string) any {
			return &sdk.UpdateKeyDescriptionInput{KeyId: id, Description: aws.String("")}
		},
		"UpdateAlias": func(id *string) any {
			return &sdk.UpdateAliasInput{AliasName: aws.String("alias/app"), TargetKeyId: id}
		},
		// These succeed once; the test undoes them.
		"CreateAlias": func(id *string) any {
			return &sdk.CreateAliasInput{AliasName: aws.String("alias/new"), TargetKeyId: id}
		},
		"ScheduleKeyDeletion": func(id *string) any { return &sdk.ScheduleKeyDeletionInput{KeyId: id} },
		"CancelKeyDeletion":   func(id *string) any { return &sdk.CancelKeyDeletionInput{KeyId: id} },
	}
}

// undo makes a request possible again.
func undo(t *testing.T, f *fixture, name string) {
	t.Helper()
	switch name {
	case "CreateAlias":
		succeeds(t, f.api, &sdk.DeleteAliasInput{AliasName: aws.String("alias/new")})
	case "ScheduleKeyDeletion":
		succeeds(t, f.api, &sdk.CancelKeyDeletionInput{KeyId: &f.id})
	}
}

func TestAcceptedIdentifiers(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture) {
		for name, in := range takesAnyForm(f.plant(t, "secret", nil), &f.id) {
			for _, id := range []string{f.id, f.arn, "alias/app", aliasARN("alias/app")} {
				_, err := call(t.Context(), f.api, in(&id))
				require.NoError(t, err, "%s of %s", name, id)
			}
		}
		for name, in := range takesIDOrARN() {
			for _, id := range []string{f.id, f.arn} {
				if name == "CancelKeyDeletion" {
					succeeds(t, f.api, &sdk.ScheduleKeyDeletionInput{KeyId: &id})
				}
				_, err := call(t.Context(), f.api, in(&id))
				require.NoError(t, err, "%s of %s", name, id)
				undo(t, f, name)
			}
		}
	})
}

// TestRefusedIdentifiers gives every operation identifiers that name no key here.
func TestRefusedIdentifiers(t *testing.T) {
	t.Parallel()
	const unknownMRK = "mrk-0123456789abcdef0123456789abcdef"
	arn := func(resource string) string { return "arn:aws:kms:us-east-1:111122223333:" + resource }
	notFound := func(text string) answer { return answer{"NotFoundException", text} }
	noKey := func(arn string) answer { return notFound("Key '" + arn + "' does not exist") }
	noForm := func(id string) answer { return notFound("Invalid keyId '" + id + "'") }
	noAlias := func(arn string) answer { return notFound("Alias " + arn + " is not found.") }
	noARN := func(id string) answer { return answer{"InvalidArnException", "Invalid arn " + id} }
	each(t, func(t *testing.T, f *fixture) {
		type refusal struct {
			id   string
			want answer
		}
		all := []refusal{ // for every operation
			{unknownID, noKey(arn("key/" + unknownID))},
			{arn("key/" + unknownID), noKey(arn("key/" + unknownID))},
			{unknownMRK, noKey(arn("key/" + unknownMRK))},
			{arn("key/" + unknownMRK), noKey(arn("key/" + unknownMRK))},
			{"fake-key-id", noForm("fake-key-id")},
			{"mrk-fake-key-id", noForm("mrk-fake-key-id")},
			{"mrk-" + unknownID, noForm("mrk-" + unknownID)},
			{strings.ToUpper(f.id), noForm(strings.ToUpper(f.id))},
			{strings.ReplaceAll(f.id, "-", ""), noForm(strings.ReplaceAll(f.id, "-", ""))},
			{f.id + " ", noForm(f.id + " ")},
			{"{" + f.id + "}", noForm("{" + f.id + "}")},
			{strings.Repeat("k", 2048), noForm(strings.Repeat("k", 2048))},
			{"key/" + f.id, noForm("key/" + f.id)},
			{"Alias/app", noForm("Alias/app")},
			{arn("key/" + strings.ToUpper(f.id)), noForm(arn("key/" + strings.ToUpper(f.id)))},
			{arn("key/x"), noForm(arn("key/x"))},
			{arn("key/" + f.id + "/x"), noForm(arn("key/" + f.id + "/x"))},
			{"arn:aws:kms:eu-west-1:111122223333:key/" + f.id, notFound("Invalid arn eu-west-1")},
			{"arn:aws-cn:kms:cn-north-1:111122223333:key/" + f.id, notFound("Invalid arn cn-north-1")},
			{"arn:aws:kms:us-east-1:" + otherAccount + ":key/" + f.id, noKey("arn:aws:kms:us-east-1:" + otherAccount + ":key/" + f.id)},
		}
		for _, id := range []string{
			"arn:", "arn:aws:kms", "arn:aws:kms:us-east-1:111122223333", arn(""), arn("key"), arn("key/"), arn("alias/"), arn("Key/" + f.id),
			"arn:aws:s3:us-east-1:111122223333:key/" + f.id,
			"arn:aws:kms::111122223333:key/" + f.id,
			"arn:aws:kms:us-east-1::key/" + f.id,
			"arn:aws:kms:us-east-1:11112222333:key/" + f.id,
			"arn:aws:kms:us-east-1:111122223333/x:key/" + f.id,
			"arn:aws:kms:us-east-1:arn:key/" + f.id,
			"arn::kms:us-east-1:111122223333:key/" + f.id,
			"arn:aws-cn:kms:us-east-1:111122223333:key/" + f.id,
			"arn:aws-us-gov:kms:us-east-1:111122223333:key/" + f.id,
		} {
			all = append(all, refusal{id, noARN(id)})
		}
		longAlias := "alias/" + strings.Repeat("x", 2000)
		any := []refusal{
			{"alias/none", noAlias(arn("alias/none"))},
			{"alias/", noAlias(arn("alias/"))},
			{"alias/App", noAlias(arn("alias/App"))},
			{"alias/aws/none", noAlias(arn("alias/aws/none"))},
			{"alias/../key/" + f.id, noAlias(arn("alias/../key/" + f.id))},
			{longAlias, noAlias(arn(longAlias))},
			{arn("alias/none"), noAlias(arn("alias/none"))},
			{"arn:aws:kms:us-east-1:" + otherAccount + ":alias/app", noAlias("arn:aws:kms:us-east-1:" + otherAccount + ":alias/app")},
			{"arn:aws:kms:eu-west-1:111122223333:alias/app", notFound("Invalid arn eu-west-1")},
		}
		keysOnly := []refusal{
			{"alias/app", noForm("alias/app")},
			{"alias/none", noForm("alias/none")},
			{arn("alias/app"), answer{"InvalidArnException", "Key Aliases are not supported for this operation"}},
			{"arn:aws:kms:eu-west-1:111122223333:alias/app", notFound("Invalid arn eu-west-1")},
		}
		before := dump(t, f.inner)
		for name, in := range takesAnyForm(f.plant(t, "secret", nil), &f.id) {
			for _, r := range append(any, all...) {
				_, err := call(t.Context(), f.api, in(&r.id))
				require.Error(t, err, "%s of %s", name, r.id)
				requireRefusal(t, err, r.want.code, r.want.message)
			}
		}
		for name, in := range takesIDOrARN() {
			for _, r := range append(keysOnly, all...) {
				want := r.want
				if strings.HasSuffix(name, "eAlias") && (strings.HasPrefix(r.id, "alias/") || strings.Contains(r.id, ":alias/a")) {
					want = answer{"ValidationException", "Aliases must refer to keys. Not aliases"}
				}
				_, err := call(t.Context(), f.api, in(&r.id))
				require.Error(t, err, "%s of %s", name, r.id)
				requireRefusal(t, err, want.code, want.message)
			}
		}
		require.Equal(t, before, dump(t, f.inner))
	})
}

// TestForgedAliasARN puts slashes where the account of an ARN belongs: no record of
// the store may be reached that way.
func TestForgedAliasARN(t *testing.T) {
	t.Parallel()
	f := newFixture(t, false)
	name := "alias/a/us-east-1/alias/b"
	succeeds(t, f.api, &sdk.CreateAliasInput{AliasName: &name, TargetKeyId: &f.id})
	forged := "arn:aws:kms:us-east-1:111122223333/us-east-1/alias/a:alias/b"
	refused(t, f.api, &sdk.DescribeKeyInput{KeyId: &forged}, "InvalidArnException", "Invalid arn "+forged)
}
