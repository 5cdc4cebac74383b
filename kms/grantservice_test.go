package kms_test

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/audit"
	"github.com/sealring/sealring/identity"
	"github.com/sealring/sealring/kms"
)

const (
	s3Name   = "s3.amazonaws.com"
	logsName = "logs.us-east-1.amazonaws.com"
	bucket   = "arn:aws:s3:::bucket"
	others   = "arn:aws:s3:::others"
)

// serviceCaller is a service that acts for itself, on behalf of a resource.
func serviceCaller(t *testing.T, name, source string) identity.Caller {
	t.Helper()
	c, err := identity.Service(name, source)
	require.NoError(t, err)
	return c.In(region)
}

// forBucket makes a grant one to S3 for the bucket, which logs may retire.
func forBucket(in *sdk.CreateGrantInput) {
	in.GranteePrincipal, in.GranteeServicePrincipal, in.RetiringServicePrincipal = nil, aws.String(s3Name), aws.String(logsName)
	in.Constraints = &types.GrantConstraints{SourceArn: aws.String(bucket)}
}

func deniedToService(action string) string { return noPolicy("resource-based policy", action) }

// TestServiceGrants has a service use what it was granted, for one resource only.
func TestServiceGrants(t *testing.T) {
	t.Parallel()
	eachWorld(t, func(t *testing.T, w *world) {
		s3 := serviceCaller(t, s3Name, bucket)
		denied(t, w.as(s3), s3, encryptKey(w), "kms:Encrypt", w.key, deniedToService("kms:Encrypt"))
		id, token := grantFor(t, w.as(root), w.key, "", forBucket, opEncrypt, opDecrypt, opDescribe)
		succeeds(t, w.as(s3), encryptKey(w))
		succeeds(t, w.as(s3), &sdk.DecryptInput{CiphertextBlob: w.encrypt(t, w.key, nil), GrantTokens: []string{token}})
		succeeds(t, w.as(s3), &sdk.DescribeKeyInput{KeyId: &w.key})
		for _, c := range []identity.Caller{
			serviceCaller(t, s3Name, others), serviceCaller(t, s3Name, ""), serviceCaller(t, logsName, bucket), serviceCaller(t, "s3.us-east-1.amazonaws.com", bucket),
		} {
			denied(t, w.as(c), c, encryptKey(w), "kms:Encrypt", w.key, deniedToService("kms:Encrypt"))
			denied(t, w.as(c), c, &sdk.DescribeKeyInput{KeyId: &w.key}, "kms:DescribeKey", w.key, deniedToService("kms:DescribeKey"))
		}
		dressed := alice
		dressed.SourceARN = bucket
		denied(t, w.as(dressed), alice, encryptKey(w), "kms:Encrypt", w.key, noPolicy("identity-based policy", "kms:Encrypt"))
		denied(t, w.as(s3), s3, &sdk.GenerateDataKeyInput{KeyId: &w.key, NumberOfBytes: aws.Int32(1)}, "kms:GenerateDataKey", w.key, deniedToService("kms:GenerateDataKey"))
		succeeds(t, w.as(root), &sdk.RevokeGrantInput{KeyId: &w.key, GrantId: &id})
		denied(t, w.as(s3), s3, encryptKey(w), "kms:Encrypt", w.key, deniedToService("kms:Encrypt"))
	})
}

// TestServiceAndContext has a grant with both kinds of constraints hold both.
func TestServiceAndContext(t *testing.T) {
	t.Parallel()
	eachWorld(t, func(t *testing.T, w *world) {
		it := map[string]string{"Dept": "IT"}
		grantFor(t, w.as(root), w.key, "", func(in *sdk.CreateGrantInput) {
			forBucket(in)
			in.Constraints.EncryptionContextSubset = it
		}, opEncrypt)
		encrypt := func(source string, context map[string]string) error {
			_, err := call(t.Context(), w.as(serviceCaller(t, s3Name, source)), &sdk.EncryptInput{KeyId: &w.key, Plaintext: []byte("x"), EncryptionContext: context})
			return err
		}
		require.NoError(t, encrypt(bucket, it))
		require.Equal(t, "AccessDeniedException", codeOf(encrypt(bucket, nil)))
		require.Equal(t, "AccessDeniedException", codeOf(encrypt(others, it)))
	})
}

// TestReEncryptFromOneSource needs a grant on either key, for the same resource.
func TestReEncryptFromOneSource(t *testing.T) {
	t.Parallel()
	eachWorld(t, func(t *testing.T, w *world) {
		s3 := serviceCaller(t, s3Name, bucket)
		from := func(source string) func(*sdk.CreateGrantInput) {
			return func(in *sdk.CreateGrantInput) {
				forBucket(in)
				in.Constraints.SourceArn = &source
			}
		}
		in := &sdk.ReEncryptInput{CiphertextBlob: w.encrypt(t, w.key, nil), DestinationKeyId: &w.other}
		grantFor(t, w.as(root), w.key, "", from(bucket), "ReEncryptFrom")
		grantFor(t, w.as(root), w.other, "", from(others), "ReEncryptTo")
		denied(t, w.as(s3), s3, in, "kms:ReEncryptTo", w.other, deniedToService("kms:ReEncryptTo"))
		elsewhere := serviceCaller(t, s3Name, others)
		denied(t, w.as(elsewhere), elsewhere, in, "kms:ReEncryptFrom", w.key, deniedToService("kms:ReEncryptFrom"))
		grantFor(t, w.as(root), w.other, "", from(bucket), "ReEncryptTo")
		succeeds(t, w.as(s3), in)
	})
}

func TestRefusedServiceGrants(t *testing.T) {
	t.Parallel()
	const (
		oneGrantee  = "Specify either GranteePrincipal or GranteeServicePrincipal, but not both."
		oneRetiring = "Specify either RetiringPrincipal or RetiringServicePrincipal, but not both."
	)
	eachWorld(t, func(t *testing.T, w *world) {
		before := dump(t, w.inner)
		for i, row := range []struct {
			change     func(in *sdk.CreateGrantInput)
			code, text string
		}{
			{func(in *sdk.CreateGrantInput) { in.GranteePrincipal = &bob }, "ValidationException", oneGrantee},
			{func(in *sdk.CreateGrantInput) { in.GranteeServicePrincipal = nil }, "ValidationException", oneGrantee},
			{func(in *sdk.CreateGrantInput) { in.RetiringPrincipal = &bob }, "ValidationException", oneRetiring},
			{func(in *sdk.CreateGrantInput) { in.RetiringServicePrincipal = nil }, "ValidationException", "A grant to a service principal needs a retiring principal."},
			{func(in *sdk.CreateGrantInput) { in.Constraints = nil }, "ValidationException", "A grant to a service principal needs a SourceArn constraint."},
			{func(in *sdk.CreateGrantInput) {
				in.Constraints = &types.GrantConstraints{EncryptionContextSubset: map[string]string{"a": "b"}}
			}, "ValidationException", "A grant to a service principal needs a SourceArn constraint."},
			{func(in *sdk.CreateGrantInput) { in.Constraints.SourceArn = aws.String("bucket") }, "InvalidArnException", "Invalid arn bucket"},
			{func(in *sdk.CreateGrantInput) { in.Constraints.SourceArn = aws.String("") }, "ValidationException",
				"1 validation error detected: Value '' at 'constraints.sourceArn' failed to satisfy constraint: Member must have length greater than or equal to 1"},
			{func(in *sdk.CreateGrantInput) { in.GranteeServicePrincipal = aws.String("s3") }, "ValidationException", "s3 is not a service principal."},
			{func(in *sdk.CreateGrantInput) { in.GranteeServicePrincipal = aws.String("S3.amazonaws.com") }, "ValidationException", "S3.amazonaws.com is not a service principal."},
			{func(in *sdk.CreateGrantInput) { in.RetiringServicePrincipal = &bob }, "ValidationException", bob + " is not a service principal."},
			{func(in *sdk.CreateGrantInput) { in.RetiringServicePrincipal = aws.String("") }, "ValidationException",
				"1 validation error detected: Value '' at 'retiringServicePrincipal' failed to satisfy constraint: Member must have length greater than or equal to 1"},
			{func(in *sdk.CreateGrantInput) { in.DryRun = aws.Bool(true) }, "DryRunOperationException", wouldHave},
		} {
			in := &sdk.CreateGrantInput{KeyId: &w.key, Operations: []types.GrantOperation{opDecrypt}}
			forBucket(in)
			row.change(in)
			_, err := call(t.Context(), w.as(root), in)
			require.Error(t, err, "row %d", i)
			requireRefusal(t, err, row.code, row.text)
		}
		require.Equal(t, before, dump(t, w.inner))
		// a principal may be held to a source too, and retired by a service
		grantFor(t, w.as(root), w.key, alice.Principal, func(in *sdk.CreateGrantInput) {
			in.RetiringServicePrincipal, in.Constraints = aws.String(logsName), &types.GrantConstraints{SourceArn: aws.String(bucket)}
		}, opEncrypt)
		denied(t, w.as(alice), alice, encryptKey(w), "kms:Encrypt", w.key, noPolicy("identity-based policy", "kms:Encrypt"))
		passed := alice.Through(s3Name)
		passed.SourceARN = bucket
		succeeds(t, w.as(passed), encryptKey(w))
	})
}

func TestListsOfServiceGrants(t *testing.T) {
	t.Parallel()
	eachWorld(t, func(t *testing.T, w *world) {
		id, _ := grantFor(t, w.as(root), w.key, "", forBucket, opEncrypt)
		plain, _ := grantFor(t, w.as(root), w.key, bob, nil, opEncrypt)
		want := types.GrantListEntry{
			Constraints: &types.GrantConstraints{SourceArn: aws.String(bucket)}, CreationDate: aws.Time(w.clock()), GrantId: &id,
			GranteeServicePrincipal: aws.String(s3Name), IssuingAccount: &root.Principal, KeyId: &w.key, Name: aws.String(""),
			Operations: []types.GrantOperation{opEncrypt}, RetiringServicePrincipal: aws.String(logsName),
		}
		narrowed := do[sdk.ListGrantsOutput](t, w.as(root), &sdk.ListGrantsInput{KeyId: &w.key, GranteeServicePrincipal: aws.String(s3Name)})
		require.Equal(t, []types.GrantListEntry{want}, narrowed.Grants)
		require.Empty(t, listGrants(t, w.as(root), &sdk.ListGrantsInput{KeyId: &w.key, GranteeServicePrincipal: aws.String(logsName)}))
		require.Equal(t, []string{plain}, listGrants(t, w.as(root), &sdk.ListGrantsInput{KeyId: &w.key, GranteePrincipal: &bob}))
		require.ElementsMatch(t, []string{id, plain}, listGrants(t, w.as(root), &sdk.ListGrantsInput{KeyId: &w.key}))
		refused(t, w.as(root), &sdk.ListGrantsInput{KeyId: &w.key, GranteePrincipal: &bob, GranteeServicePrincipal: aws.String(s3Name)}, "ValidationException",
			"Specify either GranteePrincipal or GranteeServicePrincipal, but not both.")

		retirable := &sdk.ListRetirableGrantsInput{RetiringServicePrincipal: aws.String(logsName)}
		got := do[sdk.ListRetirableGrantsOutput](t, w.as(serviceCaller(t, logsName, "")), retirable)
		require.Equal(t, []types.GrantListEntry{want}, got.Grants)
		for _, c := range []identity.Caller{root, alice, serviceCaller(t, s3Name, bucket)} {
			refused(t, w.as(c), retirable, "AccessDeniedException", "The retiring service principal must be the caller.")
		}
		refused(t, w.as(serviceCaller(t, logsName, "")), &sdk.ListRetirableGrantsInput{RetiringPrincipal: &bob}, "AccessDeniedException", "The retiring principal must be one of the caller's account.")
		refused(t, w.as(root), &sdk.ListRetirableGrantsInput{RetiringPrincipal: &bob, RetiringServicePrincipal: aws.String(logsName)}, "ValidationException",
			"Specify either RetiringPrincipal or RetiringServicePrincipal, but not both.")
		refused(t, w.as(root), &sdk.ListRetirableGrantsInput{RetiringServicePrincipal: aws.String("logs")}, "ValidationException", "logs is not a service principal.")
	})
}

// TestServicesRetire: the retiring service, whatever the source, and a grantee with
// RetireGrant.
func TestServicesRetire(t *testing.T) {
	t.Parallel()
	eachWorld(t, func(t *testing.T, w *world) {
		s3, logs := serviceCaller(t, s3Name, others), serviceCaller(t, logsName, "")
		id, token := grantFor(t, w.as(root), w.key, "", forBucket, opEncrypt)
		denied(t, w.as(s3), s3, &sdk.RetireGrantInput{KeyId: &w.key, GrantId: &id}, "kms:RetireGrant", w.key, deniedToService("kms:RetireGrant"))
		succeeds(t, w.as(logs), &sdk.RetireGrantInput{GrantToken: &token})
		id, _ = grantFor(t, w.as(root), w.key, "", forBucket, opEncrypt, opRetire)
		succeeds(t, w.as(s3), &sdk.RetireGrantInput{KeyId: &w.key, GrantId: &id})
		id, _ = grantFor(t, w.as(root), w.key, "", func(in *sdk.CreateGrantInput) {
			forBucket(in)
			in.RetiringPrincipal, in.RetiringServicePrincipal = &carol.Principal, nil
		}, opEncrypt)
		denied(t, w.as(logs), logs, &sdk.RetireGrantInput{KeyId: &w.key, GrantId: &id}, "kms:RetireGrant", w.key, deniedToService("kms:RetireGrant"))
		succeeds(t, w.as(carol), &sdk.RetireGrantInput{KeyId: &w.key, GrantId: &id})
		require.Empty(t, listGrants(t, w.as(root), &sdk.ListGrantsInput{KeyId: &w.key}))
	})
}

func TestServiceGrantNames(t *testing.T) {
	t.Parallel()
	eachWorld(t, func(t *testing.T, w *world) {
		named := func(change func(*sdk.CreateGrantInput)) string {
			id, _ := grantFor(t, w.as(root), w.key, "", func(in *sdk.CreateGrantInput) {
				forBucket(in)
				in.Name = aws.String("once")
				if change != nil {
					change(in)
				}
			}, opEncrypt)
			return id
		}
		first := named(nil)
		require.Equal(t, first, named(nil))
		seen := map[string]bool{first: true}
		for i, change := range []func(*sdk.CreateGrantInput){
			func(in *sdk.CreateGrantInput) { in.GranteeServicePrincipal = aws.String("ssm.amazonaws.com") },
			func(in *sdk.CreateGrantInput) { in.RetiringServicePrincipal = aws.String("ssm.amazonaws.com") },
			func(in *sdk.CreateGrantInput) { in.RetiringPrincipal, in.RetiringServicePrincipal = &bob, nil },
			func(in *sdk.CreateGrantInput) { in.Constraints.SourceArn = aws.String(others) },
			func(in *sdk.CreateGrantInput) { in.GranteePrincipal, in.GranteeServicePrincipal = &bob, nil },
		} {
			id := named(change)
			require.False(t, seen[id], "change %d", i)
			seen[id] = true
		}
	})
}

// TestServiceChildGrants has a service pass on what it has, for the same resource only.
// The account that such a grant is made in is the key's.
func TestServiceChildGrants(t *testing.T) {
	t.Parallel()
	eachWorld(t, func(t *testing.T, w *world) {
		s3 := serviceCaller(t, s3Name, bucket)
		grantFor(t, w.as(root), w.key, "", forBucket, opEncrypt, opCreate)
		child := func(source *string, o types.GrantOperation) *sdk.CreateGrantInput {
			return &sdk.CreateGrantInput{KeyId: &w.key, GranteePrincipal: &bob, Operations: []types.GrantOperation{o}, Constraints: &types.GrantConstraints{SourceArn: source}}
		}
		for _, in := range []*sdk.CreateGrantInput{child(nil, opEncrypt), child(aws.String(others), opEncrypt), child(aws.String(bucket), opDecrypt)} {
			denied(t, w.as(s3), s3, in, "kms:CreateGrant", w.key, deniedToService("kms:CreateGrant"))
		}
		elsewhere := serviceCaller(t, s3Name, others)
		denied(t, w.as(elsewhere), elsewhere, child(aws.String(bucket), opEncrypt), "kms:CreateGrant", w.key, deniedToService("kms:CreateGrant"))
		id := do[sdk.CreateGrantOutput](t, w.as(s3), child(aws.String(bucket), opEncrypt)).GrantId
		entry := do[sdk.ListGrantsOutput](t, w.as(root), &sdk.ListGrantsInput{KeyId: &w.key, GrantId: id}).Grants[0]
		require.Equal(t, root.Principal, *entry.IssuingAccount)
	})
}

// TestServiceByKeyPolicy has a key policy, and nothing else, let a service in.
func TestServiceByKeyPolicy(t *testing.T) {
	t.Parallel()
	eachWorld(t, func(t *testing.T, w *world) {
		w.setPolicy(t, w.key, document(statement("Allow", account, "kms:*"),
			`{"Effect":"Allow","Principal":{"Service":"`+s3Name+`"},"Action":"kms:Encrypt","Resource":"*","Condition":{"ArnLike":{"aws:SourceArn":"`+bucket+`*"}}}`))
		s3, elsewhere := serviceCaller(t, s3Name, bucket), serviceCaller(t, s3Name, others)
		succeeds(t, w.as(s3), encryptKey(w))
		denied(t, w.as(elsewhere), elsewhere, encryptKey(w), "kms:Encrypt", w.key, deniedToService("kms:Encrypt"))
		refused(t, w.as(s3), &sdk.EncryptInput{KeyId: aws.String(idOf(w.key)), Plaintext: []byte("x")}, "NotFoundException",
			"Key 'arn:aws:kms:us-east-1::key/"+idOf(w.key)+"' does not exist") // a service has no account to look in
		refused(t, w.as(s3), &sdk.EncryptInput{KeyId: aws.String("alias/aws/s3"), Plaintext: []byte("x")}, "NotFoundException",
			"Alias arn:aws:kms:us-east-1::alias/aws/s3 is not found.")
		for _, in := range []any{&sdk.ListKeysInput{}, &sdk.CreateKeyInput{}} {
			_, err := call(t.Context(), w.as(s3), in)
			require.Equal(t, "AccessDeniedException", codeOf(err))
		}
		wrong := s3
		wrong.Region = "US EAST"
		refused(t, w.service.Client(wrong), encryptKey(w), "ValidationException", "The request is not made in a valid account and Region.")
	})
}

// TestRecordsOfServices has the audit record say which service made a request.
func TestRecordsOfServices(t *testing.T) {
	t.Parallel()
	ring := &audit.Ring{}
	service, err := kms.New(t.Context(), kms.Config{Audit: ring, Now: func() time.Time { return time.Unix(1, 0) }})
	require.NoError(t, err)
	key := do[sdk.CreateKeyOutput](t, service.Client(root), &sdk.CreateKeyInput{}).KeyMetadata.Arn
	describe := &sdk.DescribeKeyInput{KeyId: key}
	succeeds(t, service.Client(root.Through("a.amazonaws.com").Through("ssm.amazonaws.com")), describe)
	s3 := serviceCaller(t, s3Name, bucket)
	denied(t, service.Client(s3), s3, describe, "kms:DescribeKey", *key, deniedToService("kms:DescribeKey"))
	events := ring.Events()
	require.Equal(t, audit.Identity{Type: "Root", ARN: root.Principal, Account: account, InvokedBy: "ssm.amazonaws.com"}, events[1].Identity)
	require.Equal(t, audit.Identity{Type: "AWSService", InvokedBy: s3Name}, events[2].Identity)
}
