package ddbstore_test

import (
	"context"
	"errors"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/keyring/branchkey"
	"github.com/sealring/sealring/keyring/branchkey/branchkeytest"
	"github.com/sealring/sealring/keyring/branchkey/ddbstore"
)

const tableName = "keys"

func newTable(t *testing.T, api ddbstore.API) *ddbstore.Table {
	t.Helper()
	table, err := ddbstore.New(api, tableName)
	require.NoError(t, err)
	_, err = table.CreateTable(t.Context())
	require.NoError(t, err)
	return table
}

func TestConformance(t *testing.T) {
	t.Parallel()
	branchkeytest.Run(t, func(t *testing.T) branchkey.Table { return newTable(t, newFake()) })
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	_, err := ddbstore.New(nil, tableName)
	require.ErrorContains(t, err, "without an API")
	_, err = ddbstore.New(newFake(), "")
	require.ErrorContains(t, err, "without a name")
}

func str(s string) types.AttributeValue    { return &types.AttributeValueMemberS{Value: s} }
func number(s string) types.AttributeValue { return &types.AttributeValueMemberN{Value: s} }
func binary(s string) types.AttributeValue { return &types.AttributeValueMemberB{Value: []byte(s)} }

// put writes an item past the table.
func put(t *testing.T, f *fakeDynamoDB, item attributes) {
	t.Helper()
	_, err := f.TransactWriteItems(t.Context(), &dynamodb.TransactWriteItemsInput{TransactItems: []types.TransactWriteItem{{
		Put: &types.Put{
			TableName: aws.String(tableName), Item: item,
			ConditionExpression:      aws.String("attribute_not_exists(#none)"),
			ExpressionAttributeNames: map[string]string{"#none": "none"},
		},
	}}})
	require.NoError(t, err)
}

// The attributes have the types of the public schema, and reads are consistent.
func TestItemsHaveThePublicSchema(t *testing.T) {
	t.Parallel()
	f := newFake()
	table := newTable(t, f)
	item := branchkey.Item{
		Attributes: map[string]string{
			"branch-key-id": "orders", "type": "branch:ACTIVE", "version": "branch:version:x",
			"create-time": "2023-06-03T19:03:29.358123Z", "kms-arn": "arn:x", "hierarchy-version": "1",
			"aws-crypto-ec:tenant": "42",
		},
		Ciphertext: []byte("blob"),
	}
	require.NoError(t, table.Create(t.Context(), item))
	require.Equal(t, attributes{
		"branch-key-id": str("orders"), "type": str("branch:ACTIVE"), "version": str("branch:version:x"),
		"create-time": str("2023-06-03T19:03:29.358123Z"), "kms-arn": str("arn:x"), "hierarchy-version": number("1"),
		"aws-crypto-ec:tenant": str("42"), "enc": binary("blob"),
	}, f.tables[tableName].items[`"orders" "branch:ACTIVE"`])
	got, err := table.Get(t.Context(), "orders", "branch:ACTIVE")
	require.NoError(t, err)
	require.Equal(t, item, got)
	require.True(t, *f.calls[len(f.calls)-1].(*dynamodb.GetItemInput).ConsistentRead)
}

func TestAttributesOfOtherTypesAreRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		attribute string
		value     types.AttributeValue
		reason    string
	}{
		{"enc", str("blob"), "is not binary"},
		{"enc", number("1"), "is not binary"},
		{"hierarchy-version", str("1"), "is not a number"},
		{"hierarchy-version", binary("1"), "is not a number"},
		{"create-time", number("1"), "is not a string"},
		{"kms-arn", binary("arn"), "is not a string"},
		{"version", &types.AttributeValueMemberNULL{Value: true}, "is not a string"},
		{"aws-crypto-ec:x", &types.AttributeValueMemberSS{Value: []string{"a"}}, "is not a string"},
		{"other", &types.AttributeValueMemberBOOL{Value: true}, "is not a string"},
		{"none", nil, "is not a string"},
	} {
		f := newFake()
		table := newTable(t, f)
		item := attributes{"branch-key-id": str("orders"), "type": str("t"), "hierarchy-version": number("1"), "enc": binary("x")}
		item[c.attribute] = c.value
		if c.value == nil {
			f.tables[tableName].items[`"orders" "t"`] = item
		} else {
			put(t, f, item)
		}
		_, err := table.Get(t.Context(), "orders", "t")
		var bad *branchkey.ItemError
		require.ErrorAs(t, err, &bad, c.attribute)
		require.Equal(t, &branchkey.ItemError{ID: "orders", Type: "t", Attribute: c.attribute, Reason: c.reason}, bad)
	}
}

func TestCreateTable(t *testing.T) {
	t.Parallel()
	f := newFake()
	table, err := ddbstore.New(f, tableName)
	require.NoError(t, err)
	const want = "arn:aws:dynamodb:eu-west-1:111122223333:table/keys"
	for range 2 { // the second time it is there
		arn, err := table.CreateTable(t.Context())
		require.NoError(t, err)
		require.Equal(t, want, arn)
	}
	var created []*dynamodb.CreateTableInput
	for _, in := range f.calls {
		if c, ok := in.(*dynamodb.CreateTableInput); ok {
			created = append(created, c)
		}
	}
	require.Equal(t, []*dynamodb.CreateTableInput{{
		TableName:   aws.String(tableName),
		BillingMode: types.BillingModePayPerRequest,
		KeySchema: []types.KeySchemaElement{
			{AttributeName: aws.String("branch-key-id"), KeyType: types.KeyTypeHash},
			{AttributeName: aws.String("type"), KeyType: types.KeyTypeRange},
		},
		AttributeDefinitions: []types.AttributeDefinition{
			{AttributeName: aws.String("branch-key-id"), AttributeType: types.ScalarAttributeTypeS},
			{AttributeName: aws.String("type"), AttributeType: types.ScalarAttributeTypeS},
		},
	}}, created)
}

func TestCreateTableRefusesAnotherSchema(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*types.TableDescription){
		"no sort key":       func(d *types.TableDescription) { d.KeySchema = d.KeySchema[:1] },
		"roles exchanged":   func(d *types.TableDescription) { d.KeySchema[0].KeyType, d.KeySchema[1].KeyType = "RANGE", "HASH" },
		"another name":      func(d *types.TableDescription) { d.KeySchema[1].AttributeName = aws.String("kind") },
		"a number":          func(d *types.TableDescription) { d.AttributeDefinitions[0].AttributeType = "N" },
		"no definition":     func(d *types.TableDescription) { d.AttributeDefinitions = nil },
		"a third attribute": func(d *types.TableDescription) { d.KeySchema = append(d.KeySchema, types.KeySchemaElement{}) },
		"nameless":          func(d *types.TableDescription) { d.KeySchema[0].AttributeName = nil },
	} {
		f := newFake()
		table := newTable(t, f)
		change(f.tables[tableName].description)
		_, err := table.CreateTable(t.Context())
		require.ErrorIs(t, err, ddbstore.ErrSchema, name)
	}
	// More than the key may be defined, for indexes.
	f := newFake()
	table := newTable(t, f)
	d := f.tables[tableName].description
	d.AttributeDefinitions = append([]types.AttributeDefinition{{AttributeName: aws.String("x"), AttributeType: "N"}}, d.AttributeDefinitions...)
	_, err := table.CreateTable(t.Context())
	require.NoError(t, err)
}

// answering is an API that gives what a test wants.
type answering struct {
	get      func() (*dynamodb.GetItemOutput, error)
	transact error
	describe func() (*dynamodb.DescribeTableOutput, error)
	create   func() (*dynamodb.CreateTableOutput, error)
}

func (a answering) GetItem(context.Context, *dynamodb.GetItemInput, ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error) {
	return a.get()
}

func (a answering) TransactWriteItems(context.Context, *dynamodb.TransactWriteItemsInput, ...func(*dynamodb.Options)) (*dynamodb.TransactWriteItemsOutput, error) {
	return nil, a.transact
}

func (a answering) DescribeTable(context.Context, *dynamodb.DescribeTableInput, ...func(*dynamodb.Options)) (*dynamodb.DescribeTableOutput, error) {
	return a.describe()
}

func (a answering) CreateTable(context.Context, *dynamodb.CreateTableInput, ...func(*dynamodb.Options)) (*dynamodb.CreateTableOutput, error) {
	return a.create()
}

func TestErrorsOfDynamoDB(t *testing.T) {
	t.Parallel()
	denied := errors.New("access denied")
	cancelled := func(codes ...string) error {
		e := &types.TransactionCanceledException{}
		for _, c := range codes {
			e.CancellationReasons = append(e.CancellationReasons, types.CancellationReason{Code: aws.String(c)})
		}
		return e
	}
	var asCancelled *types.TransactionCanceledException
	for _, c := range []struct {
		name           string
		err            error
		create, rotate error // nil: the cancellation itself
	}{
		{"denied", denied, denied, denied},
		{"condition", cancelled("None", "ConditionalCheckFailed", "None"), branchkey.ErrExists, branchkey.ErrConflict},
		{"conflict", cancelled("TransactionConflict", "None"), branchkey.ErrConflict, branchkey.ErrConflict},
		{"throttled", cancelled("None", "ThrottlingError"), nil, nil},
		{"no reasons", cancelled(), nil, nil},
		{"no code", &types.TransactionCanceledException{CancellationReasons: make([]types.CancellationReason, 2)}, nil, nil},
	} {
		table, err := ddbstore.New(answering{transact: c.err}, tableName)
		require.NoError(t, err)
		created := table.Create(t.Context(), branchkey.Item{})
		rotated := table.Rotate(t.Context(), branchkey.Item{}, branchkey.Item{}, nil)
		if c.create == nil {
			require.ErrorAs(t, created, &asCancelled, c.name)
			require.ErrorAs(t, rotated, &asCancelled, c.name)
			continue
		}
		require.ErrorIs(t, created, c.create, c.name)
		require.ErrorIs(t, rotated, c.rotate, c.name)
	}

	table, err := ddbstore.New(answering{
		get:      func() (*dynamodb.GetItemOutput, error) { return nil, denied },
		describe: func() (*dynamodb.DescribeTableOutput, error) { return nil, denied },
	}, tableName)
	require.NoError(t, err)
	_, err = table.Get(t.Context(), "a", "b")
	require.ErrorIs(t, err, denied)
	_, err = table.CreateTable(t.Context())
	require.ErrorIs(t, err, denied)

	absent := func() (*dynamodb.DescribeTableOutput, error) { return nil, &types.ResourceNotFoundException{} }
	table, err = ddbstore.New(answering{
		describe: absent,
		create:   func() (*dynamodb.CreateTableOutput, error) { return nil, denied },
	}, tableName)
	require.NoError(t, err)
	_, err = table.CreateTable(t.Context())
	require.ErrorIs(t, err, denied)

	// A table that is not there is not an item that is not there.
	table, err = ddbstore.New(newFake(), tableName)
	require.NoError(t, err)
	var noTable *types.ResourceNotFoundException
	_, err = table.Get(t.Context(), "a", "b")
	require.ErrorAs(t, err, &noTable)
	require.NotErrorIs(t, err, branchkey.ErrNotFound)
}

// Two may create a table at once: who comes second finds the other's.
func TestTableMadeMeanwhile(t *testing.T) {
	t.Parallel()
	fake := newFake()
	other, err := ddbstore.New(fake, tableName)
	require.NoError(t, err)
	asked := 0
	table, err := ddbstore.New(answering{
		describe: func() (*dynamodb.DescribeTableOutput, error) {
			if asked++; asked == 1 {
				return nil, &types.ResourceNotFoundException{}
			}
			return fake.DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: aws.String(tableName)})
		},
		create: func() (*dynamodb.CreateTableOutput, error) {
			_, err := other.CreateTable(t.Context())
			require.NoError(t, err)
			return nil, &types.ResourceInUseException{}
		},
	}, tableName)
	require.NoError(t, err)
	arn, err := table.CreateTable(t.Context())
	require.NoError(t, err)
	want, err := other.CreateTable(t.Context())
	require.NoError(t, err)
	require.Equal(t, want, arn)
}

func TestEmptyResponsesAreRefused(t *testing.T) {
	t.Parallel()
	for name, a := range map[string]answering{
		"nothing": {
			get:      func() (*dynamodb.GetItemOutput, error) { return nil, nil },
			describe: func() (*dynamodb.DescribeTableOutput, error) { return nil, nil },
		},
		"no table": {
			get:      func() (*dynamodb.GetItemOutput, error) { return nil, nil },
			describe: func() (*dynamodb.DescribeTableOutput, error) { return &dynamodb.DescribeTableOutput{}, nil },
		},
		"nothing created": {
			get:      func() (*dynamodb.GetItemOutput, error) { return nil, nil },
			describe: func() (*dynamodb.DescribeTableOutput, error) { return nil, &types.ResourceNotFoundException{} },
			create:   func() (*dynamodb.CreateTableOutput, error) { return nil, nil },
		},
	} {
		table, err := ddbstore.New(a, tableName)
		require.NoError(t, err)
		_, err = table.Get(t.Context(), "a", "b")
		require.ErrorIs(t, err, branchkey.ErrResponse, name)
		_, err = table.CreateTable(t.Context())
		require.ErrorIs(t, err, branchkey.ErrResponse, name)
	}
}
