package integration

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/keyring"
	"github.com/sealring/sealring/keyring/branchkey"
	"github.com/sealring/sealring/keyring/branchkey/branchkeytest"
	"github.com/sealring/sealring/keyring/branchkey/ddbstore"
	"github.com/sealring/sealring/local"
)

// newDynamoDB returns a client of the server at SEALRING_DYNAMODB, which is the URL of
// anything that speaks DynamoDB with transactions, such as DynamoDB local or moto.
func newDynamoDB(t *testing.T) *dynamodb.Client {
	t.Helper()
	url := os.Getenv("SEALRING_DYNAMODB")
	if url == "" {
		t.Skip("SEALRING_DYNAMODB does not name a server")
	}
	return dynamodb.New(dynamodb.Options{
		Region: region, BaseEndpoint: &url,
		Credentials: credentials.NewStaticCredentialsProvider("AKIAIOSFODNN7EXAMPLE", "secret", ""),
		HTTPClient:  &oneAtATime{},
	})
}

// oneAtATime is an HTTP client that sends a request when the one before it has been
// answered: of the servers meant here, moto does not isolate transactions.
type oneAtATime struct{ mu sync.Mutex }

func (o *oneAtATime) Do(r *http.Request) (*http.Response, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	response.Body = io.NopCloser(bytes.NewReader(body))
	return response, err
}

var tables atomic.Int64

// newBranchKeyTable creates a table that is empty.
func newBranchKeyTable(t *testing.T, client *dynamodb.Client) *ddbstore.Table {
	t.Helper()
	name := fmt.Sprintf("branchkeys-%d-%d", time.Now().UnixNano(), tables.Add(1))
	table, err := ddbstore.New(client, name)
	require.NoError(t, err)
	arn, err := table.CreateTable(t.Context())
	require.NoError(t, err)
	require.True(t, strings.HasSuffix(arn, ":table/"+name), arn)
	t.Cleanup(func() {
		_, err := client.DeleteTable(context.WithoutCancel(t.Context()), &dynamodb.DeleteTableInput{TableName: &name})
		require.NoError(t, err)
	})
	waiter := dynamodb.NewTableExistsWaiter(client, func(o *dynamodb.TableExistsWaiterOptions) {
		o.MinDelay, o.MaxDelay = 10*time.Millisecond, time.Second
	})
	require.NoError(t, waiter.Wait(t.Context(), &dynamodb.DescribeTableInput{TableName: &name}, time.Minute))
	again, err := table.CreateTable(t.Context())
	require.NoError(t, err)
	require.Equal(t, arn, again)
	return table
}

func TestBranchKeyTable(t *testing.T) {
	t.Parallel()
	client := newDynamoDB(t)
	branchkeytest.Run(t, func(t *testing.T) branchkey.Table { return newBranchKeyTable(t, client) })
}

// A branch key in DynamoDB, encrypted by the local KMS, wraps data keys over three
// versions, each of which opens.
func TestBranchKeysInDynamoDB(t *testing.T) {
	t.Parallel()
	client := newDynamoDB(t)
	cloud, err := local.New(nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, cloud.Close()) })
	key, err := cloud.SDK(region).CreateKey(t.Context(), &kms.CreateKeyInput{})
	require.NoError(t, err)
	keys, err := branchkey.NewKeyStore(branchkey.Config{
		LogicalName: "logical", Table: newBranchKeyTable(t, client),
		KMS: cloud.SDK(region), KMSKey: branchkey.ExactKey(aws.ToString(key.KeyMetadata.Arn)),
	})
	require.NoError(t, err)
	id, err := keys.CreateKey(t.Context(), "tenant/42", keyring.EncryptionContext{"tenant": "42"})
	require.NoError(t, err)
	_, err = keys.CreateKey(t.Context(), "tenant/42", keyring.EncryptionContext{"tenant": "42"})
	require.ErrorIs(t, err, branchkey.ErrExists)

	newRing := func() *branchkey.Keyring {
		ring, err := branchkey.New(keys, id, time.Minute, nil)
		require.NoError(t, err)
		return ring
	}
	var messages []*keyring.EncryptionMaterials
	for range 3 {
		m, err := keyring.NewManager(newRing()).EncryptionMaterials(t.Context(), keyring.EncryptionRequest{})
		require.NoError(t, err)
		messages = append(messages, m)
		_, err = keys.VersionKey(t.Context(), id)
		require.NoError(t, err)
	}
	for _, m := range messages {
		d, err := keyring.NewManager(newRing()).DecryptionMaterials(t.Context(), keyring.DecryptionRequest{
			Suite: m.Suite(), Context: m.Context(), EncryptedDataKeys: m.EncryptedDataKeys(),
		})
		require.NoError(t, err)
		require.Equal(t, m.DataKey(), d.DataKey())
	}
}
