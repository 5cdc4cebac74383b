package local_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/smithy-go"

	"github.com/sealring/sealring/identity"
	"github.com/sealring/sealring/local"
)

func ExampleCloud_As() {
	cloud, err := local.New(nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer cloud.Close()
	ann, err := identity.User("arn:aws:iam::111122223333:user/ann")
	if err != nil {
		fmt.Println(err)
		return
	}
	client := cloud.As(ann.In("eu-west-1")).SDK() // *kms.Client of aws-sdk-go-v2
	_, err = client.CreateKey(context.Background(), &kms.CreateKeyInput{})
	var refused smithy.APIError
	if errors.As(err, &refused) {
		fmt.Println(refused.ErrorCode())
		fmt.Println(refused.ErrorMessage())
	}
	// Output:
	// AccessDeniedException
	// User: arn:aws:iam::111122223333:user/ann is not authorized to perform: kms:CreateKey on resource: * because no identity-based policy allows the kms:CreateKey action
}

func ExampleCloud_AssumeRole() {
	cloud, err := local.New(nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer cloud.Close()
	nightly, err := cloud.AssumeRole("arn:aws:iam::111122223333:role/app/Svc", "nightly", &identity.SessionOptions{
		Policies: []string{`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"kms:Decrypt","Resource":"*"}}`},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	client := kms.NewFromConfig(nightly.In("eu-west-1").AWSConfig()) // signed, and answered in process
	fmt.Println(nightly.Caller(), client.Options().Region)
	// Output:
	// arn:aws:sts::111122223333:assumed-role/Svc/nightly eu-west-1
}
