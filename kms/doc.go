// Package kms is a local AWS KMS: the semantics of the service, with real
// cryptography, in a Go process.
//
// A [Service] holds the keys of any number of accounts and Regions in one
// [store.Store], sealed under a root key. Requests reach it in three ways:
//
//   - [Service.Client]: direct calls with the SDK's own input and output types;
//   - [Service.SDK]: a *kms.Client of aws-sdk-go-v2 whose requests never leave the
//     process, for code that holds the concrete type;
//   - package endpoint: HTTP, for any AWS SDK and the AWS CLI.
//
// All of them are made by an [identity.Caller], and all of them take the same way:
// validate, find the key, authorise, check its state, compute, record, store.
// Errors are the SDK's exception types, so errors.As finds the same ones against
// AWS:
//
//	svc, err := kms.New(ctx, kms.Config{})
//	client := svc.Client(identity.Root("111122223333", "eu-west-1"))
//	key, err := client.CreateKey(ctx, &sdk.CreateKeyInput{})
//	_, err = client.Encrypt(ctx, &sdk.EncryptInput{KeyId: key.KeyMetadata.KeyId, Plaintext: secret})
//	if disabled := new(types.DisabledException); errors.As(err, &disabled) { … }
//
// Symmetric encryption keys and the operations of [API] are offered. A parameter
// that belongs to more than that (other key specs, imported material …) is answered
// with UnsupportedOperationException, never ignored.
//
// Every request is decided by the key's policy, its grants, and the policies that
// [Config].Identities attaches to the caller, with every permission that AWS asks for.
// A key made without a policy has AWS's default one: its account's root user may do
// everything, and IAM policies of the account decide for everybody else.
//
// Tests of code that uses KMS want package kmstest.
package kms
