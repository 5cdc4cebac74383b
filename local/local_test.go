package local_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/audit"
	"github.com/sealring/sealring/endpoint"
	"github.com/sealring/sealring/identity"
	"github.com/sealring/sealring/local"
)

func newCloud(t *testing.T, o *local.Options) *local.Cloud {
	t.Helper()
	cloud, err := local.New(o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, cloud.Close()) })
	return cloud
}

func roundTrip(t *testing.T, client *sdk.Client) (keyARN string, blob []byte) {
	t.Helper()
	key, err := client.CreateKey(t.Context(), &sdk.CreateKeyInput{})
	require.NoError(t, err)
	sealed, err := client.Encrypt(t.Context(), &sdk.EncryptInput{KeyId: key.KeyMetadata.Arn, Plaintext: []byte("attack at dawn")})
	require.NoError(t, err)
	opened, err := client.Decrypt(t.Context(), &sdk.DecryptInput{CiphertextBlob: sealed.CiphertextBlob})
	require.NoError(t, err)
	require.Equal(t, "attack at dawn", string(opened.Plaintext))
	return *key.KeyMetadata.Arn, sealed.CiphertextBlob
}

func TestEveryEntranceLeadsToTheSameKeys(t *testing.T) {
	t.Parallel()
	cloud := newCloud(t, nil)
	server := httptest.NewServer(cloud.Handler())
	t.Cleanup(server.Close)

	inProcess := cloud.SDK("eu-west-1")
	overTransport := sdk.NewFromConfig(cloud.AWSConfig("eu-west-1"))
	overHTTP := cloud.AWSConfig("eu-west-1")
	overHTTP.HTTPClient, overHTTP.BaseEndpoint = nil, aws.String(server.URL)
	direct := cloud.KMS().Client(identity.Root(identity.DefaultAccount, "eu-west-1"))

	for name, client := range map[string]*sdk.Client{"SDK": inProcess, "Transport": overTransport, "HTTP": sdk.NewFromConfig(overHTTP)} {
		t.Run(name, func(t *testing.T) {
			arn, blob := roundTrip(t, client)
			require.Contains(t, arn, "arn:aws:kms:eu-west-1:111122223333:key/")
			out, err := direct.Decrypt(t.Context(), &sdk.DecryptInput{CiphertextBlob: blob})
			require.NoError(t, err)
			require.Equal(t, arn, *out.KeyId)
		})
	}
}

func TestRegionsAndAccountsAreApart(t *testing.T) {
	t.Parallel()
	cloud := newCloud(t, &local.Options{Account: "444455556666"})
	arn, blob := roundTrip(t, cloud.SDK("eu-west-1"))
	require.Contains(t, arn, ":444455556666:")

	var notFound *types.NotFoundException
	_, err := cloud.SDK("us-east-1").DescribeKey(t.Context(), &sdk.DescribeKeyInput{KeyId: &arn})
	require.ErrorAs(t, err, &notFound)
	require.Equal(t, "Invalid arn eu-west-1", notFound.ErrorMessage())

	_, err = cloud.KMS().Client(identity.Root("111122223333", "eu-west-1")).Decrypt(t.Context(), &sdk.DecryptInput{CiphertextBlob: blob})
	require.ErrorContains(t, err, "AccessDeniedException")
}

func TestAccessKeyBelongsToItsCaller(t *testing.T) {
	t.Parallel()
	cloud := newCloud(t, nil)
	ann := identity.Caller{Principal: "arn:aws:iam::111122223333:user/ann", Account: "111122223333"}
	config := cloud.AWSConfig("eu-west-1")
	config.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return cloud.AccessKey(ann), nil })
	_, err := sdk.NewFromConfig(config).CreateKey(t.Context(), &sdk.CreateKeyInput{})
	require.ErrorContains(t, err, "User: arn:aws:iam::111122223333:user/ann is not authorized to perform: kms:CreateKey on resource: * because no identity-based policy allows the kms:CreateKey action")
}

func TestAWSConfigReachesNoNetwork(t *testing.T) {
	t.Parallel()
	client := newCloud(t, nil).AWSConfig("eu-west-1").HTTPClient
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://example.com/", nil)
	require.NoError(t, err)
	response, err := client.Do(r)
	require.NoError(t, err)
	defer response.Body.Close()
	require.Equal(t, http.StatusBadRequest, response.StatusCode)
	require.Equal(t, "UnknownOperationException", response.Header.Get("X-Amzn-Errortype"))
}

func TestEvents(t *testing.T) {
	t.Parallel()
	cloud := newCloud(t, nil)
	arn, _ := roundTrip(t, cloud.SDK("eu-west-1"))
	events := cloud.Events()
	require.Len(t, events, 3)
	for i, name := range []string{"CreateKey", "Encrypt", "Decrypt"} {
		require.Equal(t, name, events[i].Name)
		require.Contains(t, events[i].Resources, arn)
	}

	var sink audit.Ring
	elsewhere := newCloud(t, &local.Options{Audit: &sink})
	roundTrip(t, elsewhere.SDK("eu-west-1"))
	require.Empty(t, elsewhere.Events())
	require.Len(t, sink.Events(), 3)
}

func TestClosedCloudFails(t *testing.T) {
	t.Parallel()
	cloud, err := local.New(nil)
	require.NoError(t, err)
	require.NoError(t, cloud.Close())
	direct := cloud.KMS().Client(identity.Root(identity.DefaultAccount, "eu-west-1"))
	_, err = direct.ListKeys(t.Context(), nil)
	var internal *types.KMSInternalException
	require.True(t, errors.As(err, &internal), "%v", err)
}

func TestAccountIsChecked(t *testing.T) {
	t.Parallel()
	_, err := local.New(&local.Options{Account: "abc"})
	require.ErrorContains(t, err, "12 digits")
}

func TestPrintingACloudShowsNoCredentials(t *testing.T) {
	t.Parallel()
	cloud := newCloud(t, nil)
	credentials, err := cloud.AWSConfig("eu-west-1").Credentials.Retrieve(t.Context())
	require.NoError(t, err)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		for _, v := range []any{cloud, cloud.Handler()} {
			require.NotContains(t, fmt.Sprintf(verb, v), credentials.SecretAccessKey)
		}
		require.Equal(t, "local.Cloud{111122223333}", fmt.Sprintf(verb, cloud))
	}
}

func TestLimitsHoldAtTheHandler(t *testing.T) {
	t.Parallel()
	cloud := newCloud(t, &local.Options{Limits: endpoint.Limits{Rate: 0.001, Burst: 2}})
	client := sdk.NewFromConfig(cloud.AWSConfig("eu-west-1"), func(o *sdk.Options) { o.RetryMaxAttempts = 1 })
	for range 2 {
		_, err := client.ListKeys(t.Context(), &sdk.ListKeysInput{})
		require.NoError(t, err)
	}
	_, err := client.ListKeys(t.Context(), &sdk.ListKeysInput{})
	require.ErrorContains(t, err, "ThrottlingException")
	_, err = cloud.SDK("eu-west-1").ListKeys(t.Context(), &sdk.ListKeysInput{})
	require.NoError(t, err, "in process there is no limit")

	_, err = local.New(&local.Options{Limits: endpoint.Limits{Rate: -1}})
	require.Error(t, err)
}
