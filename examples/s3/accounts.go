package main

import (
	"context"
	"embed"
	"io/fs"

	"github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/sealring/sealring/identity"
	"github.com/sealring/sealring/local"
)

const (
	accountA, regionA = "111122223333", "eu-west-1"
	accountB, regionB = "444455556666", "us-east-1"
)

//go:embed policies
var policies embed.FS

// accounts are two accounts, each with a KMS key and a user. The KMS is a local one; with
// clients of AWS the rest is the same.
type accounts struct {
	cloud      *local.Cloud
	keyA, keyB string // ARNs
	ann, bob   *local.Access
}

// openAccounts makes them. What ann, of account A, and bob, of account B, may do with the
// keys is in the folder policies.
func openAccounts(ctx context.Context) (*accounts, error) {
	identities, err := fs.Sub(policies, "policies/identities")
	if err != nil {
		return nil, err
	}
	source, _, err := identity.Load(identities)
	if err != nil {
		return nil, err
	}
	a := &accounts{}
	if a.cloud, err = local.New(&local.Options{Identities: source}); err != nil {
		return nil, err
	}
	if a.keyA, err = a.createKey(ctx, accountA, regionA, "policies/key-a.json"); err != nil {
		return nil, err
	}
	if a.keyB, err = a.createKey(ctx, accountB, regionB, "policies/key-b.json"); err != nil {
		return nil, err
	}
	ann, err := identity.User("arn:aws:iam::" + accountA + ":user/ann")
	if err != nil {
		return nil, err
	}
	bob, err := identity.User("arn:aws:iam::" + accountB + ":user/bob")
	if err != nil {
		return nil, err
	}
	a.ann, a.bob = a.cloud.As(ann), a.cloud.As(bob)
	return a, nil
}

// createKey has the account's root user make a key, and returns its ARN.
func (a *accounts) createKey(ctx context.Context, account, region, keyPolicy string) (string, error) {
	text, err := policies.ReadFile(keyPolicy)
	if err != nil {
		return "", err
	}
	document := string(text)
	root := a.cloud.As(identity.Root(account, region)).SDK()
	key, err := root.CreateKey(ctx, &kms.CreateKeyInput{Policy: &document})
	if err != nil {
		return "", err
	}
	return *key.KeyMetadata.Arn, nil
}
