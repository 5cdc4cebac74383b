package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsarn "github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/sealring/sealring/local"
)

// open returns a KMS client and the ARN of the key to use: a new one in a local
// KMS, or the named one of the KMS at endpoint.
func open(ctx context.Context, out io.Writer, endpoint, keyARN string) (*kms.Client, string, error) {
	switch {
	case endpoint == "" && keyARN == "":
		return openLocal(ctx, out)
	case endpoint == "" || keyARN == "":
		return nil, "", errors.New("-aws-endpoint and -key go together")
	}
	parsed, err := awsarn.Parse(keyARN)
	if err != nil {
		return nil, "", fmt.Errorf("-key: %w", err)
	}
	fmt.Fprintf(out, "key        %s\n  at       %s\n", keyARN, endpoint)
	return kms.New(kms.Options{
		Region:       parsed.Region,
		BaseEndpoint: aws.String(endpoint),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{
				AccessKeyID:     os.Getenv("AWS_ACCESS_KEY_ID"),
				SecretAccessKey: os.Getenv("AWS_SECRET_ACCESS_KEY"),
				SessionToken:    os.Getenv("AWS_SESSION_TOKEN"),
			}, nil
		}),
	}), keyARN, nil
}

// openLocal makes a KMS in this process, with a key and an alias for it.
func openLocal(ctx context.Context, out io.Writer) (*kms.Client, string, error) {
	cloud, err := local.New(nil)
	if err != nil {
		return nil, "", err
	}
	client := cloud.SDK("eu-west-1")
	key, err := client.CreateKey(ctx, &kms.CreateKeyInput{Description: aws.String("sealring quickstart")})
	if err != nil {
		return nil, "", err
	}
	alias := "alias/quickstart"
	if _, err := client.CreateAlias(ctx, &kms.CreateAliasInput{AliasName: &alias, TargetKeyId: key.KeyMetadata.KeyId}); err != nil {
		return nil, "", err
	}
	described, err := client.DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: &alias})
	if err != nil {
		return nil, "", err
	}
	fmt.Fprintf(out, "key        %s\n  alias    %s, in a local KMS in this process\n", *described.KeyMetadata.Arn, alias)
	return client, *described.KeyMetadata.Arn, nil
}
