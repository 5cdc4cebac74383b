package integration

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/keyring"
	"github.com/sealring/sealring/keyring/branchkey"
	"github.com/sealring/sealring/keyring/branchkey/ddbstore"
	"github.com/sealring/sealring/kms/kmstest"
)

// branchKeyItems is a DynamoDB as far as a branch key store uses it: an HTTP client that
// keeps the items of one table and knows GetItem, and puts in TransactWriteItems whose
// condition is that an item exists or not.
type branchKeyItems struct {
	mu    sync.Mutex
	items map[string]json.RawMessage
}

func (d *branchKeyItems) client() *dynamodb.Client {
	return dynamodb.New(dynamodb.Options{
		Region: region, HTTPClient: d,
		Credentials: credentials.NewStaticCredentialsProvider("AKIAIOSFODNN7EXAMPLE", "secret", ""),
	})
}

func (d *branchKeyItems) Do(r *http.Request) (*http.Response, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	status, answer := http.StatusOK, any(struct{}{})
	var err error
	switch operation := r.Header.Get("X-Amz-Target"); operation {
	case "DynamoDB_20120810.GetItem":
		answer, err = d.get(r.Body)
	case "DynamoDB_20120810.TransactWriteItems":
		var failed bool
		if failed, err = d.put(r.Body); failed {
			status = http.StatusBadRequest
			answer = map[string]any{
				"__type":              "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
				"CancellationReasons": []map[string]string{{"Code": "ConditionalCheckFailed"}},
			}
		}
	default:
		err = fmt.Errorf("%s is not known here", operation)
	}
	if err != nil {
		return nil, err
	}
	body, err := json.Marshal(answer)
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(body))}, err
}

// itemKey is the primary key of an item, and of what may be more than that.
type itemKey struct {
	ID   struct{ S string } `json:"branch-key-id"`
	Type struct{ S string } `json:"type"`
}

func (k itemKey) String() string { return k.ID.S + " " + k.Type.S }

func (d *branchKeyItems) get(body io.Reader) (any, error) {
	var in struct{ Key itemKey }
	err := json.NewDecoder(body).Decode(&in)
	if item, ok := d.items[in.Key.String()]; ok {
		return map[string]any{"Item": item}, err
	}
	return struct{}{}, err
}

// put writes all items or, if a condition fails, none.
func (d *branchKeyItems) put(body io.Reader) (failed bool, err error) {
	var in struct {
		TransactItems []struct {
			Put struct {
				Item                json.RawMessage
				ConditionExpression string
			}
		}
	}
	if err := json.NewDecoder(body).Decode(&in); err != nil {
		return false, err
	}
	written := map[string]json.RawMessage{}
	for _, w := range in.TransactItems {
		var key itemKey
		if err := json.Unmarshal(w.Put.Item, &key); err != nil {
			return false, err
		}
		_, exists := d.items[key.String()]
		failed = failed || exists == strings.HasPrefix(w.Put.ConditionExpression, "attribute_not_exists(")
		written[key.String()] = w.Put.Item
	}
	for key, item := range written {
		if !failed {
			d.items[key] = item
		}
	}
	return failed, nil
}

// TestOfficialEncryptionSDKBranchKeys has both libraries make branch keys in one table,
// give them new versions, and exchange messages under them: one library's branch key is
// as good as the other's.
func TestOfficialEncryptionSDKBranchKeys(t *testing.T) {
	const table, logicalName = "branch-keys", "logical"
	o := newOfficial(t)
	cloud := kmstest.New(t, nil)
	arn := cloud.Seed(kmstest.Key{})
	db := (&branchKeyItems{items: map[string]json.RawMessage{}}).client()
	theirStore := o.keyStore(cloud.SDK(), arn, db, table, logicalName)
	ourTable, err := ddbstore.New(db, table)
	require.NoError(t, err)
	ourStore, err := branchkey.NewKeyStore(branchkey.Config{
		LogicalName: logicalName, Table: ourTable, KMS: cloud.SDK(), KMSKey: branchkey.ExactKey(arn),
	})
	require.NoError(t, err)

	c := keyring.EncryptionContext{"tenant": "42", "\U0001F511": "key"}
	create := map[string]func(id string){
		"ours":   func(id string) { _, err := ourStore.CreateKey(t.Context(), id, c); require.NoError(t, err) },
		"theirs": func(id string) { o.createBranchKey(theirStore, id, c) },
	}
	version := map[string]func(id string){
		"ours":   func(id string) { _, err := ourStore.VersionKey(t.Context(), id); require.NoError(t, err) },
		"theirs": func(id string) { o.versionBranchKey(theirStore, id) },
	}
	// The keyrings are new after each change: they hold on to the active version.
	newManagers := func(id string) managers {
		ring, err := branchkey.New(ourStore, id, time.Minute, nil)
		require.NoError(t, err)
		return rings{"", ring, o.hierarchical(theirStore, id)}.managers(o)
	}
	for id := range create {
		t.Run(id, func(t *testing.T) {
			create[id](id)
			var old [][]byte
			for _, by := range []string{"ours", "theirs", "ours"} {
				m := newManagers(id)
				for _, s := range keyring.Suites() {
					o.requireExchange(t, m, writing{s, 512, c}, nil, bytes.Repeat([]byte("plaintext "), 100))
				}
				w := writing{keyring.AES256GCMHKDFSHA512CommitKey, 512, c}
				message, err := o.encrypt(m.theirWriter, w, []byte("old"))
				require.NoError(t, err)
				old = append(old, message, weEncrypt(t, m.ourWriter, w, []byte("old")))
				version[by](id)
			}
			m := newManagers(id)
			for _, message := range old {
				requireWeRead(t, m.ourReader, writing{keyring.AES256GCMHKDFSHA512CommitKey, 512, c}, message, nil, []byte("old"))
				plaintext, _, err := o.decrypt(m.theirReader, message, nil)
				require.NoError(t, err)
				require.Equal(t, "old", string(plaintext))
			}
		})
	}
}
