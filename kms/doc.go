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
// All operations of AWS KMS are offered, on keys of every key spec that AWS has outside
// of China: symmetric, RSA, ECC, HMAC, ML-DSA and ML-KEM, of AWS's material or imported,
// in one Region or in many, rotated, and in custom key stores. What reaches out of the
// process does so only through what [Config] gives: external key stores through
// [Config].XKS, nothing else. Where AWS's behaviour is not known, docs/compat.md says
// what was chosen.
//
// Every request is decided by the key's policy, its grants, and the policies that
// [Config].Identities attaches to the caller, with every permission that AWS asks for.
// A key made without a policy has AWS's default one: its account's root user may do
// everything, and IAM policies of the account decide for everybody else.
//
// Tests of code that uses KMS want package kmstest.
package kms
