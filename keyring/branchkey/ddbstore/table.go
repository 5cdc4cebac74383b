package ddbstore

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/sealring/sealring/keyring/branchkey"
)

// Table is a branch key store's table in DynamoDB. It is safe for concurrent use if
// its API is.
type Table struct {
	api  API
	name string
}

var _ branchkey.Table = (*Table)(nil)

// New returns the table with the given name. DynamoDB is not called.
func New(api API, name string) (*Table, error) {
	if api == nil {
		return nil, errors.New("ddbstore: a table without an API")
	}
	if name == "" {
		return nil, errors.New("ddbstore: a table without a name")
	}
	return &Table{api, name}, nil
}

// Get reads the item of the given id and type. The errors are
// [branchkey.ErrNotFound], a [*branchkey.ItemError] for an attribute of another type
// than the schema gives it, and those of DynamoDB.
func (t *Table) Get(ctx context.Context, id, itemType string) (branchkey.Item, error) {
	out, err := t.api.GetItem(ctx, &dynamodb.GetItemInput{
		TableName: &t.name,
		Key: map[string]types.AttributeValue{
			branchkey.AttributeID:   &types.AttributeValueMemberS{Value: id},
			branchkey.AttributeType: &types.AttributeValueMemberS{Value: itemType},
		},
		ConsistentRead: aws.Bool(true),
	})
	switch {
	case err != nil:
		return branchkey.Item{}, fmt.Errorf("ddbstore: GetItem %.100q %q: %w", id, itemType, err)
	case out == nil:
		return branchkey.Item{}, fmt.Errorf("%w: GetItem gave none", branchkey.ErrResponse)
	case len(out.Item) == 0:
		return branchkey.Item{}, fmt.Errorf("%w: %.100q %q", branchkey.ErrNotFound, id, itemType)
	}
	item, attribute, reason := fromAttributes(out.Item)
	if reason != "" {
		return branchkey.Item{}, &branchkey.ItemError{ID: id, Type: itemType, Attribute: attribute, Reason: reason}
	}
	return item, nil
}

// The conditions of the writes. "#id" and "#enc" stand for the names of the partition
// key, which has hyphens, and of the ciphertext.
const (
	absent    = "attribute_not_exists(#id)"
	unchanged = "attribute_exists(#id) AND #enc = :previous"
)

// Create writes all the items in one transaction, or none. The errors are
// [branchkey.ErrExists], [branchkey.ErrConflict] if another transaction is writing
// one of them, and those of DynamoDB.
func (t *Table) Create(ctx context.Context, items ...branchkey.Item) error {
	puts := make([]types.TransactWriteItem, len(items))
	for i, item := range items {
		puts[i] = t.putNew(item)
	}
	return t.transact(ctx, puts, branchkey.ErrExists)
}

// Rotate writes version and replaces the active item if its ciphertext is previous, in
// one transaction. The errors are [branchkey.ErrConflict] and those of DynamoDB.
func (t *Table) Rotate(ctx context.Context, version, active branchkey.Item, previous []byte) error {
	replace := types.TransactWriteItem{Put: &types.Put{
		TableName:           &t.name,
		Item:                toAttributes(active),
		ConditionExpression: aws.String(unchanged),
		ExpressionAttributeNames: map[string]string{
			"#id": branchkey.AttributeID, "#enc": branchkey.AttributeCiphertext,
		},
		ExpressionAttributeValues: map[string]types.AttributeValue{
			":previous": &types.AttributeValueMemberB{Value: previous},
		},
	}}
	return t.transact(ctx, []types.TransactWriteItem{t.putNew(version), replace}, branchkey.ErrConflict)
}

// putNew writes an item that must not exist.
func (t *Table) putNew(item branchkey.Item) types.TransactWriteItem {
	return types.TransactWriteItem{Put: &types.Put{
		TableName:                &t.name,
		Item:                     toAttributes(item),
		ConditionExpression:      aws.String(absent),
		ExpressionAttributeNames: map[string]string{"#id": branchkey.AttributeID},
	}}
}

// transact returns an error that wraps failed if a condition does not hold.
func (t *Table) transact(ctx context.Context, writes []types.TransactWriteItem, failed error) error {
	_, err := t.api.TransactWriteItems(ctx, &dynamodb.TransactWriteItemsInput{TransactItems: writes})
	if err == nil {
		return nil
	}
	var cancelled *types.TransactionCanceledException
	if errors.As(err, &cancelled) {
		for _, reason := range cancelled.CancellationReasons {
			switch aws.ToString(reason.Code) {
			case "ConditionalCheckFailed":
				return fmt.Errorf("%w: TransactWriteItems: a condition does not hold", failed)
			case "TransactionConflict":
				return fmt.Errorf("%w: TransactWriteItems: another transaction is under way", branchkey.ErrConflict)
			}
		}
	}
	return fmt.Errorf("ddbstore: TransactWriteItems: %w", err)
}
