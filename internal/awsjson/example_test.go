package awsjson_test

import (
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/sealring/sealring/internal/awsjson"
)

func ExampleAppend() {
	body, err := awsjson.Append(nil, &kms.GenerateRandomOutput{Plaintext: []byte("random")})
	fmt.Println(string(body), err)
	body, err = awsjson.Append(nil, &kms.ListKeysOutput{NextMarker: aws.String("page 2")})
	fmt.Println(string(body), err)
	// Output:
	// {"Plaintext":"cmFuZG9t"} <nil>
	// {"NextMarker":"page 2","Truncated":false} <nil>
}

func ExampleDecode() {
	var in kms.CreateAliasInput
	err := awsjson.Decode([]byte(`{"AliasName":"alias/orders","TargetKeyId":"1234","Later":[]}`), &in)
	fmt.Println(*in.AliasName, *in.TargetKeyId, err)

	err = awsjson.Decode([]byte(`{"AliasName":"alias/orders","TargetKeyId":1234}`), &in)
	var syntax *awsjson.SyntaxError
	fmt.Println(errors.As(err, &syntax), syntax.Path, syntax.Offset)
	fmt.Println(err)
	// Output:
	// alias/orders 1234 <nil>
	// true TargetKeyId 42
	// awsjson: TargetKeyId: NUMBER_VALUE cannot be converted to String at byte 42
}

func ExampleAppendError() {
	body := awsjson.AppendError(nil, "NotFoundException", "Alias arn:aws:kms:us-east-1:111122223333:alias/orders is not found.")
	fmt.Println(string(body))
	// Output:
	// {"__type":"NotFoundException","message":"Alias arn:aws:kms:us-east-1:111122223333:alias/orders is not found."}
}
