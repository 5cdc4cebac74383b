package xkstest_test

import (
	"context"
	"fmt"

	"github.com/sealring/sealring/internal/xks"
	"github.com/sealring/sealring/internal/xks/xkstest"
)

func Example() {
	proxy := xkstest.New()
	proxy.AddKey("key-1")
	client := proxy.Client()

	ctx := context.Background()
	call := xks.Call{
		PrincipalARN: "arn:aws:iam::111122223333:user/Alice",
		KeyARN:       "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab",
		Operation:    "Encrypt",
		RequestID:    "4112f4d6-db54-4af4-ae30-c55a22a8dfae",
	}
	blob, err := client.Encrypt(ctx, "key-1", []byte("an inner ciphertext"), []byte("context"), call)
	if err != nil {
		fmt.Println(err)
		return
	}
	plaintext, err := client.Decrypt(ctx, "key-1", blob, []byte("context"), call)
	fmt.Printf("%s %v\n", plaintext, err)
	_, err = client.Decrypt(ctx, "key-1", blob, []byte("another context"), call)
	fmt.Println(err)

	proxy.Fail(xkstest.Exception(xks.ThrottlingException))
	_, err = client.Health(ctx, call)
	fmt.Println(err)
	// Output:
	// an inner ciphertext <nil>
	// xks: the proxy answered 400 InvalidCiphertextException
	// xks: the proxy answered 429 ThrottlingException
}
