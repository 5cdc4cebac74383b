package ddbstore_test

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"reflect"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

type attributes = map[string]types.AttributeValue

// fakeDynamoDB is a small DynamoDB: four operations on tables whose primary key is two
// strings, with transactions and the parts of condition expressions that are a
// conjunction of attribute_exists, attribute_not_exists and equality.
type fakeDynamoDB struct {
	mu     sync.Mutex
	tables map[string]*fakeTable // guarded by mu
	calls  []any                 // inputs, guarded by mu
}

type fakeTable struct {
	description *types.TableDescription
	items       map[string]attributes
}

func newFake() *fakeDynamoDB { return &fakeDynamoDB{tables: map[string]*fakeTable{}} }

func (f *fakeDynamoDB) begin(ctx context.Context, in any, table *string) (*fakeTable, error) {
	f.calls = append(f.calls, in)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if t := f.tables[aws.ToString(table)]; t != nil {
		return t, nil
	}
	return nil, &types.ResourceNotFoundException{Message: aws.String("Requested resource not found")}
}

// keyOf returns the value of the primary key in item.
func (t *fakeTable) keyOf(item attributes) (string, error) {
	var key []string
	for _, e := range t.description.KeySchema {
		v, ok := item[*e.AttributeName].(*types.AttributeValueMemberS)
		if !ok || v.Value == "" {
			return "", fmt.Errorf("ValidationException: key attribute %s", *e.AttributeName)
		}
		key = append(key, fmt.Sprintf("%q", v.Value))
	}
	return strings.Join(key, " "), nil
}

func (f *fakeDynamoDB) GetItem(ctx context.Context, in *dynamodb.GetItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	t, err := f.begin(ctx, in, in.TableName)
	if err != nil {
		return nil, err
	}
	key, err := t.keyOf(in.Key)
	if err != nil || len(in.Key) != len(t.description.KeySchema) {
		return nil, fmt.Errorf("ValidationException: the key is not the schema's: %v", err)
	}
	return &dynamodb.GetItemOutput{Item: cloneItem(t.items[key])}, nil
}

func (f *fakeDynamoDB) TransactWriteItems(ctx context.Context, in *dynamodb.TransactWriteItemsInput, _ ...func(*dynamodb.Options)) (*dynamodb.TransactWriteItemsOutput, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	reasons := make([]types.CancellationReason, len(in.TransactItems))
	cancelled := false
	var commit []func()
	for i, w := range in.TransactItems {
		t, err := f.begin(ctx, in, w.Put.TableName)
		if err != nil {
			return nil, err
		}
		key, err := t.keyOf(w.Put.Item)
		if err != nil {
			return nil, err
		}
		holds, err := condition(w.Put, t.items[key])
		if err != nil {
			return nil, err
		}
		reasons[i].Code = aws.String("None")
		if !holds {
			cancelled, reasons[i].Code = true, aws.String("ConditionalCheckFailed")
		}
		item := cloneItem(w.Put.Item)
		commit = append(commit, func() { t.items[key] = item })
	}
	if cancelled {
		return nil, &types.TransactionCanceledException{CancellationReasons: reasons}
	}
	for _, put := range commit {
		put()
	}
	return &dynamodb.TransactWriteItemsOutput{}, nil
}

// condition evaluates a Put's condition on the item that is there, nil for none. As
// DynamoDB does, it refuses names and values that are missing or not used.
func condition(p *types.Put, item attributes) (bool, error) {
	names, values := maps.Clone(p.ExpressionAttributeNames), maps.Clone(p.ExpressionAttributeValues)
	name := func(s string) string {
		s = strings.TrimSpace(s)
		defer delete(names, s)
		return p.ExpressionAttributeNames[s]
	}
	holds := true
	for term := range strings.SplitSeq(aws.ToString(p.ConditionExpression), " AND ") {
		function, argument, called := strings.Cut(strings.TrimSuffix(term, ")"), "(")
		left, right, compared := strings.Cut(term, "=")
		switch {
		case called && function == "attribute_exists":
			_, ok := item[name(argument)]
			holds = holds && ok
		case called && function == "attribute_not_exists":
			_, ok := item[name(argument)]
			holds = holds && !ok
		case compared:
			right = strings.TrimSpace(right)
			want, ok := p.ExpressionAttributeValues[right]
			if !ok {
				return false, fmt.Errorf("ValidationException: %q is not defined", right)
			}
			delete(values, right)
			holds = reflect.DeepEqual(item[name(left)], want) && holds
		default:
			return false, fmt.Errorf("ValidationException: %q", term)
		}
	}
	if len(names)+len(values) > 0 {
		return false, fmt.Errorf("ValidationException: unused in the condition: %v %v", names, values)
	}
	return holds, nil
}

func (f *fakeDynamoDB) DescribeTable(ctx context.Context, in *dynamodb.DescribeTableInput, _ ...func(*dynamodb.Options)) (*dynamodb.DescribeTableOutput, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	t, err := f.begin(ctx, in, in.TableName)
	if err != nil {
		return nil, err
	}
	return &dynamodb.DescribeTableOutput{Table: t.description}, nil
}

func (f *fakeDynamoDB) CreateTable(ctx context.Context, in *dynamodb.CreateTableInput, _ ...func(*dynamodb.Options)) (*dynamodb.CreateTableOutput, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, err := f.begin(ctx, in, in.TableName); err == nil {
		return nil, &types.ResourceInUseException{}
	} else if ctx.Err() != nil {
		return nil, err
	}
	d := &types.TableDescription{
		TableName:            in.TableName,
		TableArn:             aws.String("arn:aws:dynamodb:eu-west-1:111122223333:table/" + *in.TableName),
		KeySchema:            in.KeySchema,
		AttributeDefinitions: in.AttributeDefinitions,
		TableStatus:          types.TableStatusCreating,
	}
	f.tables[*in.TableName] = &fakeTable{d, map[string]attributes{}}
	return &dynamodb.CreateTableOutput{TableDescription: d}, nil
}

// cloneItem copies the three types of values that there are.
func cloneItem(item attributes) attributes {
	out := maps.Clone(item)
	for name, value := range item {
		switch v := value.(type) {
		case *types.AttributeValueMemberB:
			out[name] = &types.AttributeValueMemberB{Value: bytes.Clone(v.Value)}
		case *types.AttributeValueMemberN:
			out[name] = &types.AttributeValueMemberN{Value: v.Value}
		case *types.AttributeValueMemberS:
			out[name] = &types.AttributeValueMemberS{Value: v.Value}
		}
	}
	return out
}
