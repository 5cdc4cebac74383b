package kms_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"

	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/smithy-go"

	"github.com/sealring/sealring/identity"
	"github.com/sealring/sealring/kms"
	"github.com/sealring/sealring/nitro"
	"github.com/sealring/sealring/nitro/nitrotest"
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

// A service that throttles as AWS does, and a test that wants it sooner.
func ExampleDefaultRates() {
	ctx := context.Background()
	rates := kms.DefaultRates()
	rates[kms.RateSymmetric] = 2
	service, err := kms.New(ctx, kms.Config{Rates: rates})
	if err != nil {
		panic(err)
	}
	defer service.Close()
	client := service.Client(identity.Root("111122223333", "eu-west-1"))
	for range 3 {
		n := int32(16)
		_, err = client.GenerateRandom(ctx, &sdk.GenerateRandomInput{NumberOfBytes: &n})
		var api smithy.APIError
		if errors.As(err, &api) {
			fmt.Println(api.ErrorCode())
		}
	}
	// Output: ThrottlingException
}

// What an enclave asks for is encrypted for the enclave. The authority stands in for the
// hypervisor.
func ExampleConfig_attestation() {
	ctx := context.Background()
	authority, err := nitrotest.NewAuthority()
	if err != nil {
		panic(err)
	}
	service, err := kms.New(ctx, kms.Config{Attestation: &nitro.Verifier{Roots: authority.Roots()}})
	if err != nil {
		panic(err)
	}
	defer service.Close()

	// In the enclave.
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		panic(err)
	}
	document, err := authority.Attest(nitro.Document{PublicKey: public})
	if err != nil {
		panic(err)
	}
	client, n := service.Client(identity.Root("111122223333", "eu-west-1")), int32(16)
	out, err := client.GenerateRandom(ctx, &sdk.GenerateRandomInput{NumberOfBytes: &n, Recipient: &types.RecipientInfo{
		AttestationDocument: document, KeyEncryptionAlgorithm: types.KeyEncryptionMechanismRsaesOaepSha256,
	}})
	if err != nil {
		panic(err)
	}
	random, err := nitro.Open(key, out.CiphertextForRecipient)
	fmt.Println(len(out.Plaintext), len(random), err)
	// Output: 0 16 <nil>
}
