package endpoint_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/identity"
	"github.com/sealring/sealring/internal/xks/xkstest"
	"github.com/sealring/sealring/kms"
	"github.com/sealring/sealring/kms/kmstest"
)

// is reports whether err holds an E, as users of the SDK ask.
func is[E error](err error) bool {
	var e E
	return errors.As(err, &e)
}

// unmodeled reports whether err holds the SDK's error for a code that the API does
// not model.
func unmodeled(err error) bool { return is[*smithy.GenericAPIError](err) }

// exceptions has one way to each exception. <key> in the message is the key's ARN, or
// what the call puts in its place.
var exceptions = []struct {
	code    string
	is      func(error) bool
	message string
	call    func(u user, key *string) error
}{
	{
		"NotFoundException", is[*types.NotFoundException], "Invalid keyId 'fake-key-id'",
		func(u user, _ *string) error {
			_, err := u.DescribeKey(u.ctx, &sdk.DescribeKeyInput{KeyId: aws.String("fake-key-id")})
			return err
		},
	},
	{
		"AlreadyExistsException", is[*types.AlreadyExistsException],
		"An alias with the name arn:aws:kms:us-east-1:111122223333:alias/site already exists",
		func(u user, key *string) error {
			_, err := u.CreateAlias(u.ctx, &sdk.CreateAliasInput{AliasName: aws.String("alias/site"), TargetKeyId: key})
			return err
		},
	},
	{
		"DisabledException", is[*types.DisabledException], "<key> is disabled.",
		func(u user, key *string) error {
			_, err := u.DisableKey(u.ctx, &sdk.DisableKeyInput{KeyId: key})
			require.NoError(u.t, err)
			_, err = u.Encrypt(u.ctx, &sdk.EncryptInput{KeyId: key, Plaintext: []byte("x")})
			return err
		},
	},
	{
		"KMSInvalidStateException", is[*types.KMSInvalidStateException], "<key> is pending deletion.",
		func(u user, key *string) error {
			_, err := u.ScheduleKeyDeletion(u.ctx, &sdk.ScheduleKeyDeletionInput{KeyId: key})
			require.NoError(u.t, err)
			_, err = u.Encrypt(u.ctx, &sdk.EncryptInput{KeyId: key, Plaintext: []byte("x")})
			return err
		},
	},
	{
		"InvalidCiphertextException", is[*types.InvalidCiphertextException], "",
		func(u user, key *string) error {
			b := u.encrypt(key, "x", map[string]string{"ab": "c"})
			_, err := u.Decrypt(u.ctx, &sdk.DecryptInput{CiphertextBlob: b, EncryptionContext: map[string]string{"a": "bc"}})
			return err
		},
	},
	{
		"IncorrectKeyException", is[*types.IncorrectKeyException],
		"The key ID in the request does not identify a CMK that can perform this operation.",
		func(u user, key *string) error {
			b := u.encrypt(key, "x", nil)
			_, err := u.Decrypt(u.ctx, &sdk.DecryptInput{CiphertextBlob: b, KeyId: aws.String("alias/site")})
			return err
		},
	},
	{
		"InvalidKeyUsageException", is[*types.InvalidKeyUsageException],
		"Algorithm RSAES_OAEP_SHA_256 is incompatible with key spec SYMMETRIC_DEFAULT.",
		func(u user, key *string) error {
			_, err := u.Encrypt(u.ctx, &sdk.EncryptInput{
				KeyId: key, Plaintext: []byte("x"), EncryptionAlgorithm: types.EncryptionAlgorithmSpecRsaesOaepSha256,
			})
			return err
		},
	},
	{
		"UnsupportedOperationException", is[*types.UnsupportedOperationException], "<key> origin is AWS_KMS which is not valid for this operation.",
		func(u user, key *string) error {
			_, err := u.DeleteImportedKeyMaterial(u.ctx, &sdk.DeleteImportedKeyMaterialInput{KeyId: key})
			return err
		},
	},
	{
		"TagException", is[*types.TagException], "Tags beginning with aws: are reserved",
		func(u user, key *string) error {
			_, err := u.TagResource(u.ctx, &sdk.TagResourceInput{
				KeyId: key, Tags: []types.Tag{{TagKey: aws.String("AWS:team"), TagValue: aws.String("x")}},
			})
			return err
		},
	},
	{
		"InvalidMarkerException", is[*types.InvalidMarkerException], "The marker is not valid for this listing.",
		func(u user, _ *string) error {
			_, err := u.ListKeys(u.ctx, &sdk.ListKeysInput{Marker: aws.String("page 2")})
			return err
		},
	},
	{
		"InvalidAliasNameException", is[*types.InvalidAliasNameException], "alias/ is not a valid alias name",
		func(u user, key *string) error {
			_, err := u.CreateAlias(u.ctx, &sdk.CreateAliasInput{AliasName: aws.String("alias/"), TargetKeyId: key})
			return err
		},
	},
	{
		"LimitExceededException", is[*types.LimitExceededException], "<key> has 50 aliases, the most that a key can have",
		func(u user, key *string) (err error) {
			for i := range 51 {
				require.NoError(u.t, err)
				_, err = u.CreateAlias(u.ctx, &sdk.CreateAliasInput{
					AliasName: aws.String(fmt.Sprintf("%s-%d", *u.name(), i)), TargetKeyId: key,
				})
			}
			return err
		},
	},
	{
		"DryRunOperationException", is[*types.DryRunOperationException],
		"The request would have succeeded, but the DryRun option is set.",
		func(u user, key *string) error {
			_, err := u.Encrypt(u.ctx, &sdk.EncryptInput{KeyId: key, Plaintext: []byte("x"), DryRun: aws.Bool(true)})
			return err
		},
	},
	{
		"InvalidArnException", is[*types.InvalidArnException], "Invalid arn arn:aws:s3:::bucket",
		func(u user, _ *string) error {
			_, err := u.DescribeKey(u.ctx, &sdk.DescribeKeyInput{KeyId: aws.String("arn:aws:s3:::bucket")})
			return err
		},
	},
	{
		"InvalidGrantTokenException", is[*types.InvalidGrantTokenException], "The grant token is not valid.",
		func(u user, _ *string) error {
			_, err := u.RetireGrant(u.ctx, &sdk.RetireGrantInput{GrantToken: aws.String("none")})
			return err
		},
	},
	{
		"InvalidGrantIdException", is[*types.InvalidGrantIdException], "none is not a grant id.",
		func(u user, key *string) error {
			_, err := u.RevokeGrant(u.ctx, &sdk.RevokeGrantInput{KeyId: key, GrantId: aws.String("none")})
			return err
		},
	},
	{
		"MalformedPolicyDocumentException", is[*types.MalformedPolicyDocumentException],
		"The new key policy will not allow you to update the key policy in the future.",
		func(u user, key *string) error {
			const lockout = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":"kms:Get*","Resource":"*"}}`
			_, err := u.PutKeyPolicy(u.ctx, &sdk.PutKeyPolicyInput{KeyId: key, Policy: aws.String(lockout)})
			return err
		},
	},
	{
		"KMSInvalidSignatureException", is[*types.KMSInvalidSignatureException], "",
		func(u user, _ *string) error {
			key := u.signingKey()
			_, err := u.Verify(u.ctx, &sdk.VerifyInput{
				KeyId: key, Message: []byte("attack at dusk"), Signature: u.sign(key, "attack at dawn"), SigningAlgorithm: ecdsa256,
			})
			return err
		},
	},
	{
		"KMSInvalidMacException", is[*types.KMSInvalidMacException], "",
		func(u user, _ *string) error {
			key := u.macKey()
			_, err := u.VerifyMac(u.ctx, &sdk.VerifyMacInput{
				KeyId: key, Message: []byte("attack at dusk"), Mac: u.mac(key, "attack at dawn"), MacAlgorithm: mac256,
			})
			return err
		},
	},
	{
		"ConflictException", is[*types.ConflictException], "An on-demand rotation of the key <key> is in progress.",
		func(u user, key *string) error {
			u.rotate(key)
			_, err := u.RotateKeyOnDemand(u.ctx, &sdk.RotateKeyOnDemandInput{KeyId: key})
			return err
		},
	},
	{
		"IncorrectKeyMaterialException", is[*types.IncorrectKeyMaterialException],
		"The key material is not valid for the key spec SYMMETRIC_DEFAULT of the key <key>.",
		func(u user, key *string) error {
			*key = *u.externalKey()
			_, err := u.ImportKeyMaterial(u.ctx, u.importing(key, make([]byte, 31)))
			return err
		},
	},
	{
		"InvalidImportTokenException", is[*types.InvalidImportTokenException],
		"The import token is invalid or is associated with a different KMS key.",
		func(u user, _ *string) error {
			in := u.importing(u.externalKey(), make([]byte, 32))
			in.KeyId = u.externalKey()
			_, err := u.ImportKeyMaterial(u.ctx, in)
			return err
		},
	},
	{
		"ExpiredImportTokenException", is[*types.ExpiredImportTokenException], "The import token is expired.",
		func(u user, _ *string) error {
			in := u.importing(u.externalKey(), make([]byte, 32))
			clear(in.ImportToken[37:45]) // docs/formats.md: when it expires
			_, err := u.ImportKeyMaterial(u.ctx, in)
			return err
		},
	},
	{
		"CloudHsmClusterNotFoundException", is[*types.CloudHsmClusterNotFoundException], "The CloudHSM cluster cluster-2222222222a was not found.",
		func(u user, _ *string) error {
			in := hsmStore(u.t.Name())
			in.CloudHsmClusterId = aws.String("cluster-2222222222a")
			_, err := u.CreateCustomKeyStore(u.ctx, in)
			return err
		},
	},
	{
		"IncorrectTrustAnchorException", is[*types.IncorrectTrustAnchorException],
		"The trust anchor certificate is not that of the CloudHSM cluster " + cluster + ".",
		func(u user, _ *string) error {
			in := hsmStore(u.t.Name())
			in.TrustAnchorCertificate = aws.String("x")
			_, err := u.CreateCustomKeyStore(u.ctx, in)
			return err
		},
	},
	{
		"CloudHsmClusterInUseException", is[*types.CloudHsmClusterInUseException],
		"The CloudHSM cluster " + cluster + ", or one that shares its backup history, is already associated with a custom key store.",
		func(u user, _ *string) error {
			u.newStore()
			_, err := u.CreateCustomKeyStore(u.ctx, hsmStore("another"))
			return err
		},
	},
	{
		"CustomKeyStoreNameInUseException", is[*types.CustomKeyStoreNameInUseException], "The custom key store name taken is already in use.",
		func(u user, _ *string) error {
			u.newStoreLike(hsmStore("taken"))
			_, err := u.CreateCustomKeyStore(u.ctx, externalStore("taken"))
			return err
		},
	},
	{
		"CustomKeyStoreNotFoundException", is[*types.CustomKeyStoreNotFoundException], "Custom key store cks-0 does not exist.",
		func(u user, _ *string) error {
			_, err := u.ConnectCustomKeyStore(u.ctx, &sdk.ConnectCustomKeyStoreInput{CustomKeyStoreId: aws.String("cks-0")})
			return err
		},
	},
	{
		"CustomKeyStoreInvalidStateException", is[*types.CustomKeyStoreInvalidStateException],
		"The connection state of the custom key store <key> is DISCONNECTED.",
		func(u user, id *string) error {
			*id = *u.newStore()
			_, err := u.DisconnectCustomKeyStore(u.ctx, &sdk.DisconnectCustomKeyStoreInput{CustomKeyStoreId: id})
			return err
		},
	},
	{
		"XksProxyUriInUseException", is[*types.XksProxyUriInUseException],
		"The URI " + xkstest.Endpoint + proxyPath + " is already associated with another external key store.",
		func(u user, _ *string) error {
			u.newStoreLike(externalStore("one"))
			_, err := u.CreateCustomKeyStore(u.ctx, externalStore("two"))
			return err
		},
	},
	{
		"XksProxyIncorrectAuthenticationCredentialException", is[*types.XksProxyIncorrectAuthenticationCredentialException],
		"The external key store proxy rejected the request because it could not authenticate AWS KMS. Verify the XKS proxy authentication credentials for your external key store and update if necessary.",
		func(u user, _ *string) error {
			in := externalStore(u.t.Name())
			in.XksProxyAuthenticationCredential.AccessKeyId = aws.String("ABCDEFGHIJKLMNOPQRSTUVWY")
			_, err := u.CreateCustomKeyStore(u.ctx, in)
			return err
		},
	},
	{
		"ValidationException", unmodeled,
		"1 validation error detected: Value at 'plaintext' failed to satisfy constraint: Member must have length less than or equal to 4096",
		func(u user, key *string) error {
			_, err := u.Encrypt(u.ctx, &sdk.EncryptInput{KeyId: key, Plaintext: make([]byte, 4097)})
			return err
		},
	},
	{
		"NotAuthorizedException", unmodeled, "UnknownError", // the SDK's word for a message that is not there
		func(u user, key *string) error {
			_, err := u.CreateAlias(u.ctx, &sdk.CreateAliasInput{AliasName: aws.String("alias/aws/s3"), TargetKeyId: key})
			return err
		},
	},
}

func TestExceptions(t *testing.T) {
	t.Parallel()
	s := newSite(t, &kmstest.Options{Configure: func(c *kms.Config) {
		withClusters(c)
		c.Settling = time.Second // of a clock that stands still
	}})
	for carrier, client := range map[string]*sdk.Client{
		"Transport": s.overTransport(rootCredentials(), region),
		"HTTP":      s.overHTTP(t, rootCredentials(), region),
	} {
		t.Run(carrier, func(t *testing.T) {
			for _, e := range exceptions {
				t.Run(e.code, func(t *testing.T) {
					u := user{client, t, t.Context()}
					key := u.newKey()
					err := e.call(u, key)
					require.True(t, e.is(err), "%T: %v", err, err)
					requireAPIError(t, err, http.StatusBadRequest, e.code, strings.ReplaceAll(e.message, "<key>", *key))
				})
			}
		})
	}
}

// requireAPIError checks everything that the SDK says of an error which came over
// HTTP.
func requireAPIError(t *testing.T, err error, status int, code, message string) {
	t.Helper()
	var api smithy.APIError
	require.ErrorAs(t, err, &api)
	require.Equal(t, code, api.ErrorCode())
	require.Equal(t, message, api.ErrorMessage())
	var response *awshttp.ResponseError
	require.ErrorAs(t, err, &response)
	require.Equal(t, status, response.HTTPStatusCode())
	require.Regexp(t, uuidPattern, response.ServiceRequestID())
}

func TestAccessDeniedReachesTheSDK(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	creds := aws.Credentials{}
	ann := identity.Caller{Principal: "arn:aws:iam::111122223333:user/ann", Account: account}
	creds.AccessKeyID, creds.SecretAccessKey = s.keys.Create(ann)
	_, err := s.overHTTP(t, creds, region).DescribeKey(t.Context(), &sdk.DescribeKeyInput{KeyId: &s.key})
	require.True(t, unmodeled(err), "%T: %v", err, err)
	requireAPIError(t, err, http.StatusBadRequest, "AccessDeniedException",
		"User: arn:aws:iam::111122223333:user/ann is not authorized to perform: kms:DescribeKey on resource: "+s.key+
			" because no identity-based policy allows the kms:DescribeKey action")
}
