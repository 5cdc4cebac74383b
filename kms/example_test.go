package kms_test

import (
	"context"
	"errors"
	"fmt"

	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/sealring/sealring/identity"
	"github.com/sealring/sealring/kms"
)

// A KMS in memory: a key, a secret there and back, and an error to tell apart.
func Example() {
	ctx := context.Background()
	service, err := kms.New(ctx, kms.Config{})
	if err != nil {
		panic(err)
	}
	defer service.Close()
	client := service.Client(identity.Root("111122223333", "eu-west-1"))

	key, err := client.CreateKey(ctx, &sdk.CreateKeyInput{})
	if err != nil {
		panic(err)
	}
	id := key.KeyMetadata.KeyId
	sealed, err := client.Encrypt(ctx, &sdk.EncryptInput{KeyId: id, Plaintext: []byte("attack at dawn")})
	if err != nil {
		panic(err)
	}
	opened, err := client.Decrypt(ctx, &sdk.DecryptInput{CiphertextBlob: sealed.CiphertextBlob})
	fmt.Printf("%s %v\n", opened.Plaintext, err)

	_, err = client.DisableKey(ctx, &sdk.DisableKeyInput{KeyId: id})
	if err != nil {
		panic(err)
	}
	_, err = client.Decrypt(ctx, &sdk.DecryptInput{CiphertextBlob: sealed.CiphertextBlob})
	var disabled *types.DisabledException
	fmt.Println(errors.As(err, &disabled))
	// Output:
	// attack at dawn <nil>
	// true
}

// SDK returns the concrete client of aws-sdk-go-v2, for code that holds one.
func ExampleService_SDK() {
	ctx := context.Background()
	service, err := kms.New(ctx, kms.Config{})
	if err != nil {
		panic(err)
	}
	defer service.Close()
	var client *sdk.Client = service.SDK(identity.Root("111122223333", "eu-west-1"))

	name, missing := "alias/orders", "1234abcd-12ab-34cd-56ef-1234567890ab"
	_, err = client.CreateAlias(ctx, &sdk.CreateAliasInput{AliasName: &name, TargetKeyId: &missing})
	var notFound *types.NotFoundException
	if errors.As(err, &notFound) {
		fmt.Println(*notFound.Message)
	}
	// Output:
	// Key 'arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab' does not exist
}
