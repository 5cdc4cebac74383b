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
	"github.com/sealring/sealring/kms"
	"github.com/sealring/sealring/kms/kmstest"
)

// changing is a fixture whose changes are recorded.
func changing(t *testing.T) (*fixture, *changeRecorder) {
	t.Helper()
	told := &changeRecorder{}
	f := newFixture(t, false, func(c *kms.Config) { c.Changes = told })
	return f, told
}

// TestChangesOfASession has one event for each request that is not read-only, beside its
// audit record.
func TestChangesOfASession(t *testing.T) {
	t.Parallel()
	f, told := changing(t)
	blob := f.plant(t, "secret", nil)
	f.plantAll(t)
	told.take("")
	for _, in := range session(f, blob) {
		seen := len(f.Events())
		succeeds(t, f.api, in)
		e := f.Events()[seen]
		changes := told.take("")
		if e.ReadOnly {
			require.Empty(t, changes, e.Name)
			continue
		}
		require.NotEmpty(t, changes, e.Name)
		require.Equal(t, audit.Recorded(e), changes[0], e.Name)
		require.Equal(t, audit.APICall, changes[0].DetailType)
		if _, ok := in.(*sdk.RotateKeyOnDemandInput); ok {
			require.Equal(t, []audit.ChangeEvent{audit.KeyChange(audit.KeyRotated, f.arn, f.Now())}, changes[1:])
			continue
		}
		require.Len(t, changes, 1, e.Name)
	}
}

// TestNoChange is told of no request that was refused, tried out, or could not be recorded
// or stored.
func TestNoChange(t *testing.T) {
	t.Parallel()
	f, told := changing(t)
	create := &sdk.CreateGrantInput{KeyId: &f.arn, GranteePrincipal: &bob, Operations: []types.GrantOperation{"Decrypt"}}
	tried := *create
	tried.DryRun = aws.Bool(true)
	for _, in := range []any{
		&tried,
		&sdk.CancelKeyDeletionInput{KeyId: &f.arn},
		&sdk.DisableKeyInput{KeyId: aws.String(unknownID)},
		&sdk.CreateAliasInput{AliasName: aws.String("alias/app"), TargetKeyId: &f.arn},
	} {
		_, err := call(t.Context(), f.api, in)
		require.Error(t, err)
	}
	_, err := f.Client(identity.Caller{}).DisableKey(t.Context(), &sdk.DisableKeyInput{KeyId: &f.arn})
	require.Error(t, err)
	require.Empty(t, told.take(""))

	r := newRig(t, false, 0)
	service, err := kms.New(t.Context(), kms.Config{Store: r.sealed, Audit: r.events, Changes: told, Now: r.clock})
	require.NoError(t, err)
	client := service.Client(root)
	r.create(t, &sdk.CreateKeyInput{})
	r.broken.broken.Store(true)
	refused(t, client, &sdk.RotateKeyOnDemandInput{KeyId: &r.id}, "KMSInternalException", internalText)
	r.broken.broken.Store(false)
	r.events.before = func(audit.Event) error { return errors.New("disk full") }
	refused(t, client, &sdk.RotateKeyOnDemandInput{KeyId: &r.id}, "KMSInternalException", internalText)
	r.events.before = nil
	require.Empty(t, told.take(""))
	succeeds(t, client, &sdk.RotateKeyOnDemandInput{KeyId: &r.id})
	require.Len(t, told.take(""), 2)
}

// TestChangesMakeNoDifference has the sink fail, and a caller go away once its request has
// been carried out.
func TestChangesMakeNoDifference(t *testing.T) {
	t.Parallel()
	f, told := changing(t)
	told.err = errors.New("nobody listens")
	succeeds(t, f.api, &sdk.DisableKeyInput{KeyId: &f.arn})
	require.Len(t, told.take(""), 1)

	r := newRig(t, false, 0)
	ctx, cancel := context.WithCancel(t.Context())
	service, err := kms.New(t.Context(), kms.Config{Store: r.sealed, Changes: leaving{told, cancel}})
	require.NoError(t, err)
	_, err = service.Client(root).CreateKey(ctx, &sdk.CreateKeyInput{})
	require.NoError(t, err)
	require.NoError(t, told.gone)
	require.Len(t, told.take(""), 1)
}

// leaving has the caller of a request go away when its change is told of.
type leaving struct {
	*changeRecorder
	leave func()
}

func (l leaving) Publish(ctx context.Context, e audit.ChangeEvent) error {
	l.leave()
	l.gone = ctx.Err()
	return l.changeRecorder.Publish(ctx, e)
}

// TestChangesOfAConflict tells of a request that was decided twice once, as it was
// decided last.
func TestChangesOfAConflict(t *testing.T) {
	t.Parallel()
	r := newRig(t, false, 0)
	told := &changeRecorder{}
	service, err := kms.New(t.Context(), kms.Config{Store: r.sealed, Audit: r.events, Changes: told, Now: r.clock})
	require.NoError(t, err)
	r.create(t, &sdk.CreateKeyInput{})
	once := true
	r.events.before = func(audit.Event) error {
		if once {
			once = false
			_, err := r.api.TagResource(context.Background(), &sdk.TagResourceInput{KeyId: &r.id, Tags: tags("a=b")})
			return err
		}
		return nil
	}
	succeeds(t, service.Client(root), &sdk.RotateKeyOnDemandInput{KeyId: &r.id})
	require.Len(t, told.take(""), 2)
	requireSound(t, r.sealed)
}

// TestChangesByTheClock tells of rotations that a request finds due, and of material that
// it finds expired.
func TestChangesByTheClock(t *testing.T) {
	t.Parallel()
	r := newRig(t, false, time.Hour)
	told := &changeRecorder{}
	service, err := kms.New(t.Context(), kms.Config{Store: r.sealed, Audit: r.events, Changes: told, Now: r.clock, Settling: time.Hour})
	require.NoError(t, err)
	client := service.Client(root)
	r.create(t, &sdk.CreateKeyInput{})
	succeeds(t, client, &sdk.RotateKeyOnDemandInput{KeyId: &r.id})
	require.Len(t, told.take(""), 1, "it has only begun")
	r.advance(2 * time.Hour)
	r.events.take()
	succeeds(t, client, &sdk.EncryptInput{KeyId: &r.id, Plaintext: []byte("x")})
	require.Equal(t, []audit.ChangeEvent{
		audit.Recorded(r.rotations()[0]), audit.KeyChange(audit.KeyRotated, r.arn, kmstest.Start.Add(time.Hour)),
	}, told.take(""))

	succeeds(t, client, &sdk.EnableKeyRotationInput{KeyId: &r.id, RotationPeriodInDays: aws.Int32(90)})
	told.take("")
	r.advance(200 * day)
	succeeds(t, client, &sdk.DescribeKeyInput{KeyId: &r.id})
	enabled := kmstest.Start.Add(2 * time.Hour)
	changes := told.take("")
	require.Len(t, changes, 3)
	require.Equal(t, audit.ServiceEvent, changes[0].DetailType)
	require.Equal(t, []audit.ChangeEvent{
		audit.KeyChange(audit.KeyRotated, r.arn, enabled.Add(90*day)), audit.KeyChange(audit.KeyRotated, r.arn, enabled.Add(180*day)),
	}, changes[1:], "each of those that were missed")

	r.external(t, sdk.CreateKeyInput{})
	in := plantToken(t, r.service, r.arn, r.clock()).imported(t, random(32))
	until := r.clock().Add(time.Hour)
	in.ExpirationModel, in.ValidTo = "", &until
	importID(t, r.api, in)
	r.advance(2 * time.Hour)
	told.take("")
	succeeds(t, client, &sdk.DescribeKeyInput{KeyId: &r.id})
	require.Empty(t, told.take(""))
	succeeds(t, client, &sdk.PutKeyPolicyInput{KeyId: &r.id, Policy: aws.String(openPolicy)}) // writes the key's record
	require.Equal(t, []audit.ChangeEvent{audit.KeyChange(audit.KeyMaterialExpired, r.arn, until)}, told.take("")[1:])
	succeeds(t, client, &sdk.PutKeyPolicyInput{KeyId: &r.id, Policy: aws.String(openPolicy)})
	require.Len(t, told.take(""), 1)
}
