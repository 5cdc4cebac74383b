package ddbstore

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/sealring/sealring/keyring/branchkey"
)

// ErrSchema is returned by [Table.CreateTable] for a table that exists with another
// primary key.
var ErrSchema = errors.New("ddbstore: not the table of a branch key store")

// The primary key: both attributes are strings.
var primaryKey = [...]struct {
	name string
	role types.KeyType
}{
	{branchkey.AttributeID, types.KeyTypeHash},
	{branchkey.AttributeType, types.KeyTypeRange},
}

// CreateTable creates the table, billed by request, unless it exists, and returns its
// ARN. A table that is new takes a while until it can be used, for which the SDK has
// dynamodb.NewTableExistsWaiter. The errors are [ErrSchema], [branchkey.ErrResponse]
// and those of DynamoDB.
func (t *Table) CreateTable(ctx context.Context) (arn string, err error) {
	arn, err = t.describe(ctx)
	if _, absent := errors.AsType[*types.ResourceNotFoundException](err); !absent {
		return arn, err
	}
	in := &dynamodb.CreateTableInput{TableName: &t.name, BillingMode: types.BillingModePayPerRequest}
	for _, k := range primaryKey {
		in.KeySchema = append(in.KeySchema, types.KeySchemaElement{AttributeName: aws.String(k.name), KeyType: k.role})
		in.AttributeDefinitions = append(in.AttributeDefinitions, types.AttributeDefinition{
			AttributeName: aws.String(k.name), AttributeType: types.ScalarAttributeTypeS,
		})
	}
	created, err := t.api.CreateTable(ctx, in)
	if _, exists := errors.AsType[*types.ResourceInUseException](err); exists { // somebody else's, made meanwhile
		return t.describe(ctx)
	}
	switch {
	case err != nil:
		return "", fmt.Errorf("ddbstore: CreateTable: %w", err)
	case created == nil:
		return "", fmt.Errorf("%w: CreateTable gave none", branchkey.ErrResponse)
	}
	return checkTable(created.TableDescription)
}

// describe returns the ARN of a table that exists.
func (t *Table) describe(ctx context.Context) (arn string, err error) {
	out, err := t.api.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: &t.name})
	switch {
	case err != nil:
		return "", fmt.Errorf("ddbstore: DescribeTable: %w", err)
	case out == nil:
		return "", fmt.Errorf("%w: DescribeTable gave none", branchkey.ErrResponse)
	}
	return checkTable(out.Table)
}

// checkTable returns the table's ARN. The table may have indexes and settings of its
// own, but the primary key has to be the schema's.
func checkTable(d *types.TableDescription) (arn string, err error) {
	if d == nil || d.TableArn == nil {
		return "", fmt.Errorf("%w: no ARN of the table", branchkey.ErrResponse)
	}
	if len(d.KeySchema) != len(primaryKey) {
		return "", fmt.Errorf("%w: its primary key has %d attributes", ErrSchema, len(d.KeySchema))
	}
	for _, k := range primaryKey {
		inKey := func(e types.KeySchemaElement) bool {
			return aws.ToString(e.AttributeName) == k.name && e.KeyType == k.role
		}
		isString := func(a types.AttributeDefinition) bool {
			return aws.ToString(a.AttributeName) == k.name && a.AttributeType == types.ScalarAttributeTypeS
		}
		if !slices.ContainsFunc(d.KeySchema, inKey) || !slices.ContainsFunc(d.AttributeDefinitions, isString) {
			return "", fmt.Errorf("%w: %q is not its %s key and a string", ErrSchema, k.name, k.role)
		}
	}
	return *d.TableArn, nil
}
