package ddbstore

import (
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/sealring/sealring/keyring/branchkey"
)

// toAttributes returns the attributes of an item: the ciphertext is binary, the
// schema's version a number, and all else text.
func toAttributes(item branchkey.Item) map[string]types.AttributeValue {
	out := make(map[string]types.AttributeValue, len(item.Attributes)+1)
	for name, value := range item.Attributes {
		out[name] = &types.AttributeValueMemberS{Value: value}
	}
	out[branchkey.AttributeSchema] = &types.AttributeValueMemberN{Value: item.Attributes[branchkey.AttributeSchema]}
	out[branchkey.AttributeCiphertext] = &types.AttributeValueMemberB{Value: item.Ciphertext}
	return out
}

// fromAttributes is the inverse of toAttributes. It returns the name of an attribute
// of another type and what is wrong with it. The names and values of the others are
// checked by the key store.
func fromAttributes(in map[string]types.AttributeValue) (item branchkey.Item, attribute, reason string) {
	item.Attributes = make(map[string]string, len(in))
	for name, value := range in {
		switch name {
		case branchkey.AttributeCiphertext:
			v, ok := value.(*types.AttributeValueMemberB)
			if !ok {
				return branchkey.Item{}, name, "is not binary"
			}
			item.Ciphertext = v.Value
		case branchkey.AttributeSchema:
			v, ok := value.(*types.AttributeValueMemberN)
			if !ok {
				return branchkey.Item{}, name, "is not a number"
			}
			item.Attributes[name] = v.Value
		default:
			v, ok := value.(*types.AttributeValueMemberS)
			if !ok {
				return branchkey.Item{}, name, "is not a string"
			}
			item.Attributes[name] = v.Value
		}
	}
	return item, "", ""
}
