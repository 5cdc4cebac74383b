package kmstest_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/sealring/sealring/kms/kmstest"
)

// A test takes a cloud of its own, hands its client to the code under test, and
// moves the clock.
func ExampleNew() {
	t := exampleTB{} // in a test: the test's own t
	ctx := context.Background()

	cloud := kmstest.New(t, nil)
	key := cloud.Seed(kmstest.Key{Alias: "alias/orders"})
	client := cloud.SDK() // a *kms.Client of aws-sdk-go-v2

	sealed, err := client.Encrypt(ctx, &sdk.EncryptInput{KeyId: aws.String("alias/orders"), Plaintext: []byte("order 42")})
	fmt.Println(err, *sealed.KeyId == key)

	_, err = client.ScheduleKeyDeletion(ctx, &sdk.ScheduleKeyDeletionInput{KeyId: &key})
	fmt.Println(err)
	cloud.Advance(31 * 24 * time.Hour)

	_, err = client.DescribeKey(ctx, &sdk.DescribeKeyInput{KeyId: &key})
	var notFound *types.NotFoundException
	fmt.Println(errors.As(err, &notFound))
	// Output:
	// <nil> true
	// <nil>
	// true
}

// The SDK retries what can be retried, so code under test sees a throttled request
// only if it goes on.
func ExampleCloud_FailTimes() {
	ctx := context.Background()
	cloud := kmstest.New(exampleTB{}, nil)
	client := cloud.SDK()

	cloud.FailTimes("GenerateRandom", 2, kmstest.Throttled())
	_, err := client.GenerateRandom(ctx, &sdk.GenerateRandomInput{NumberOfBytes: aws.Int32(32)})
	fmt.Println(err)
	for _, e := range cloud.Events() {
		fmt.Printf("%s %q\n", e.Name, e.ErrorCode)
	}
	// Output:
	// <nil>
	// GenerateRandom "ThrottlingException"
	// GenerateRandom "ThrottlingException"
	// GenerateRandom ""
}

// exampleTB stands in for the *testing.T that an example does not have.
type exampleTB struct{ testing.TB }

func (exampleTB) Helper()                           {}
func (exampleTB) Cleanup(func())                    {}
func (exampleTB) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }
