package s3crypto_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/local"
	"github.com/sealring/sealring/s3crypto"
)

// readme is what README.md shows.
func readme(ctx context.Context, s3Client s3crypto.API, kmsClient s3crypto.KMSAPI, keyARN string, body io.Reader) error {
	wrapper, err := s3crypto.NewKMS(kmsClient, keyARN, nil) // or NewAES, NewRSA
	if err != nil {
		return err
	}
	client, err := s3crypto.New(s3Client, wrapper, nil) // s3Client: *s3.Client of aws-sdk-go-v2
	if err != nil {
		return err
	}
	_, err = client.Put(ctx, &s3.PutObjectInput{
		Bucket: aws.String("reports"), Key: aws.String("orders.csv"), Body: body, // any io.Reader
	}, &s3crypto.PutOptions{Context: map[string]string{"tenant": "42"}})
	if err != nil {
		return err
	}
	out, err := client.Get(ctx, &s3.GetObjectInput{
		Bucket: aws.String("reports"), Key: aws.String("orders.csv"),
	}, &s3crypto.GetOptions{Context: map[string]string{"tenant": "42"}}) // required to match
	if err != nil {
		return err // not a byte was released
	}
	defer out.Body.Close()
	_, err = io.Copy(os.Stdout, out.Body)
	return err
}

func Example() {
	ctx := context.Background()
	cloud, err := local.New(nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer cloud.Close()
	kmsClient := cloud.SDK("eu-west-1")
	key, err := kmsClient.CreateKey(ctx, &kms.CreateKeyInput{})
	if err != nil {
		fmt.Println(err)
		return
	}
	err = readme(ctx, newShelf(), kmsClient, *key.KeyMetadata.Arn, strings.NewReader("twelve chests of tea\n"))
	fmt.Println(err)
	// Output:
	// twelve chests of tea
	// <nil>
}

// TestREADME compares README.md with the code above, which is compiled and run.
func TestREADME(t *testing.T) {
	t.Parallel()
	code, err := goBlock("../README.md", "\n## Encrypt what is in S3\n", "```go\n", "```\n")
	require.NoError(t, err)
	function, err := goBlock("readme_example_test.go", "\nfunc readme(", "{\n", "\n}\n")
	require.NoError(t, err)
	var body strings.Builder
	for line := range strings.Lines(function) {
		body.WriteString(strings.TrimPrefix(line, "\t"))
	}
	require.Equal(t, body.String()+"\n", code)
}

// goBlock returns what stands in a file between begin and end, after a heading.
func goBlock(file, heading, begin, end string) (string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	rest := string(text)
	for _, mark := range []string{heading, begin} {
		_, after, found := strings.Cut(rest, mark)
		if !found {
			return "", errors.New(file + " has no " + mark)
		}
		rest = after
	}
	block, _, found := strings.Cut(rest, end)
	if !found {
		return "", errors.New(file + ": the block does not end")
	}
	return block, nil
}
