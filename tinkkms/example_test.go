package tinkkms_test

import (
	"bytes"
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"

	"github.com/sealring/sealring/local"
	"github.com/sealring/sealring/tinkkms"
)

// A keyset is stored wrapped by a KMS key, here one of a local KMS.
func Example() {
	ctx := context.Background()
	cloud, err := local.New(nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	api := cloud.SDK("eu-west-1") // in a program: any *kms.Client of aws-sdk-go-v2
	key, err := api.CreateKey(ctx, &kms.CreateKeyInput{})
	if err != nil {
		fmt.Println(err)
		return
	}

	client, err := tinkkms.NewClient(api, "aws-kms://", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	wrap, err := client.AEAD("aws-kms://" + *key.KeyMetadata.Arn)
	if err != nil {
		fmt.Println(err)
		return
	}
	handle, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		fmt.Println(err)
		return
	}
	var stored bytes.Buffer
	if err := handle.WriteWithContext(ctx, keyset.NewBinaryWriter(&stored), wrap, []byte("orders")); err != nil {
		fmt.Println(err)
		return
	}
	_, err = keyset.ReadWithContext(ctx, keyset.NewBinaryReader(&stored), wrap, []byte("orders"))
	fmt.Println(err)
	// Output: <nil>
}

// Tink's envelope AEAD asks KMS for the encryption of a data key only.
func ExampleClient_AEAD() {
	ctx := context.Background()
	cloud, err := local.New(nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	api := cloud.SDK("eu-west-1")
	key, err := api.CreateKey(ctx, &kms.CreateKeyInput{})
	if err != nil {
		fmt.Println(err)
		return
	}
	client, err := tinkkms.NewClient(api, "aws-kms://arn:aws:kms:eu-west-1:", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	wrap, err := client.AEAD("aws-kms://" + *key.KeyMetadata.Arn)
	if err != nil {
		fmt.Println(err)
		return
	}
	envelope, err := aead.NewKMSEnvelopeAEADWithContext(aead.AES256GCMKeyTemplate(), wrap)
	if err != nil {
		fmt.Println(err)
		return
	}
	ciphertext, err := envelope.EncryptWithContext(ctx, []byte("plaintext"), []byte("order 42"))
	if err != nil {
		fmt.Println(err)
		return
	}
	plaintext, err := envelope.DecryptWithContext(ctx, ciphertext, []byte("order 42"))
	fmt.Printf("%s %v\n", plaintext, err)
	_, err = envelope.DecryptWithContext(ctx, ciphertext, []byte("order 43"))
	fmt.Println(err != nil)
	// Output:
	// plaintext <nil>
	// true
}
