package kms_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/identity"
	"github.com/sealring/sealring/internal/keyrecord"
	"github.com/sealring/sealring/kms"
	"github.com/sealring/sealring/kms/kmstest"
	"github.com/sealring/sealring/store"
)

const (
	account = identity.DefaultAccount
	region  = identity.DefaultRegion

	otherAccount = "444455556666"

	// A key id of the right form that no test creates.
	unknownID = "00000000-0000-4000-8000-000000000000"
)

// A grant id of the right form that no test creates, and a principal.
var (
	unknownGrant = strings.Repeat("0123456789abcdef", 4)
	bob          = "arn:aws:iam::111122223333:user/bob"
)

// fixture is a cloud with one seeded key, alias/app, and one of the two clients
// that Go code can have of it.
type fixture struct {
	*kmstest.Cloud
	api    kms.API
	viaSDK bool
	inner  *store.Memory // what the sealed store writes to

	arn, id string // of the key of alias/app

	grants []string // ids of two grants on the key, once plantGrants has made them
	keys   *keySet  // keys of other usages, once plantKeys has made them

	external  string                      // ARN of a key for imported material, once plantImport has made it
	importing *sdk.ImportKeyMaterialInput // a request that imports some

	copies                   string // ARN of a multi-Region key with a replica, once plantCopies has made it
	keyStore, connectedStore string // ids of custom key stores, once plantKeyStores has made them
}

func newFixture(t *testing.T, viaSDK bool, configure ...func(*kms.Config)) *fixture {
	t.Helper()
	f := &fixture{viaSDK: viaSDK, inner: store.NewMemory()}
	f.Cloud = kmstest.New(t, &kmstest.Options{Store: f.inner, Configure: func(c *kms.Config) {
		c.CloudHSM = anyCluster
		for _, set := range configure {
			set(c)
		}
	}})
	t.Cleanup(func() { f.Service().RequireKnownKeys(t) })
	f.arn = f.Seed(kmstest.Key{Alias: "alias/app", Description: "of the application"})
	f.id = idOf(f.arn)
	f.api = f.Client(f.Root())
	if viaSDK {
		f.api = f.SDK()
	}
	return f
}

// each runs a test against the direct client and against the SDK's.
func each(t *testing.T, test func(t *testing.T, f *fixture), configure ...func(*kms.Config)) {
	t.Helper()
	for _, viaSDK := range []bool{false, true} {
		t.Run(map[bool]string{false: "Client", true: "SDK"}[viaSDK], func(t *testing.T) {
			t.Parallel()
			test(t, newFixture(t, viaSDK, configure...))
		})
	}
}

func idOf(arn string) string { return arn[strings.LastIndexByte(arn, '/')+1:] }

func regionOf(arn string) string { return strings.Split(arn, ":")[3] }

func aliasARN(name string) string { return keyrecord.AliasARN(region, account, name) }

// nameOf returns the operation that an Input struct belongs to.
func nameOf(in any) string {
	return strings.TrimSuffix(reflect.TypeOf(in).Elem().Name(), "Input")
}

// call makes the request that in is the input of.
func call(ctx context.Context, api kms.API, in any) (out any, err error) {
	results := reflect.ValueOf(api).MethodByName(nameOf(in)).Call([]reflect.Value{reflect.ValueOf(ctx), reflect.ValueOf(in)})
	err, _ = results[1].Interface().(error)
	if err != nil && !results[0].IsNil() {
		err = fmt.Errorf("%s gives an output and the error %w", nameOf(in), err)
	}
	return results[0].Interface(), err
}

// do makes a request that must succeed. The output comes without ResultMetadata.
func do[O any](t *testing.T, api kms.API, in any) *O {
	t.Helper()
	out, err := call(t.Context(), api, in)
	require.NoError(t, err)
	metadata := reflect.ValueOf(out).Elem().FieldByName("ResultMetadata")
	metadata.SetZero()
	return out.(*O)
}

// succeeds makes a request that must succeed.
func succeeds(t *testing.T, api kms.API, in any) {
	t.Helper()
	_, err := call(t.Context(), api, in)
	require.NoError(t, err)
}

// refused makes a request that must fail with exactly this code and text.
func refused(t *testing.T, api kms.API, in any, code, message string) {
	t.Helper()
	_, err := call(t.Context(), api, in)
	requireRefusal(t, err, code, message)
}

// The codes that the SDK has no type for.
var unmodeled = []string{"ValidationException", "AccessDeniedException", "NotAuthorizedException", "ThrottlingException"}

// requireRefusal checks an error's operation wrapper, its exact type, and its text.
// An empty text stands for an exception without a message.
func requireRefusal(t *testing.T, err error, code, message string) {
	t.Helper()
	require.Error(t, err)
	var operation *smithy.OperationError
	require.ErrorAs(t, err, &operation)
	require.Equal(t, sdk.ServiceID, operation.ServiceID)
	var api smithy.APIError
	require.ErrorAs(t, err, &api)
	require.Equal(t, code+": "+message, api.ErrorCode()+": "+api.ErrorMessage())
	if slices.Contains(unmodeled, code) {
		require.IsType(t, &smithy.GenericAPIError{}, api)
		return
	}
	require.Equal(t, "*types."+code, fmt.Sprintf("%T", api))
	require.Equal(t, message == "", reflect.ValueOf(api).Elem().FieldByName("Message").IsNil())
}

// requireInvalidParams checks that the SDK has refused a request by itself.
func requireInvalidParams(t *testing.T, err error) {
	t.Helper()
	var invalid smithy.InvalidParamsError
	require.ErrorAs(t, err, &invalid)
}

// dump returns what a store holds.
func dump(t *testing.T, s store.Store) map[string]string {
	t.Helper()
	all := map[string]string{}
	require.NoError(t, s.View(context.Background(), func(tx store.Tx) error {
		for e, err := range tx.Scan("", "") {
			if err != nil {
				return err
			}
			all[e.Key] = string(e.Value)
		}
		return nil
	}))
	return all
}

// plant encrypts a plaintext under the key of alias/app.
func (f *fixture) plant(t *testing.T, plaintext string, context map[string]string) []byte {
	t.Helper()
	return do[sdk.EncryptOutput](t, f.api, &sdk.EncryptInput{
		KeyId: &f.arn, Plaintext: []byte(plaintext), EncryptionContext: context,
	}).CiphertextBlob
}

// plantGrants makes two grants on the key of alias/app, for requests about grants.
func (f *fixture) plantGrants(t *testing.T) {
	t.Helper()
	root := f.Root().Principal
	for range 2 {
		out := do[sdk.CreateGrantOutput](t, f.api, &sdk.CreateGrantInput{
			KeyId: &f.arn, GranteePrincipal: &bob, RetiringPrincipal: &root,
			Operations: []types.GrantOperation{types.GrantOperationDecrypt},
		})
		f.grants = append(f.grants, *out.GrantId)
	}
}

// grant returns the id of one of the planted grants, or one that no grant has.
func (f *fixture) grant(i int) *string {
	id := unknownGrant
	if i < len(f.grants) {
		id = f.grants[i]
	}
	return &id
}

func codeOf(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}
