package awskms_test

import (
	"context"
	"crypto/ecdh"
	"crypto/rand"
	"fmt"

	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/sealring/sealring/keyring"
	"github.com/sealring/sealring/keyring/awskms"
	"github.com/sealring/sealring/local"
)

// A service with a KMS key writes for a device that holds its private key itself.
func ExampleNewECDH() {
	ctx := context.Background()
	device, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		fmt.Println(err)
		return
	}
	cloud, err := local.New(nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	client := cloud.SDK("eu-west-1") // or that of AWS
	key, err := client.CreateKey(ctx, &sdk.CreateKeyInput{
		KeySpec: types.KeySpecEccNistP256, KeyUsage: types.KeyUsageTypeKeyAgreement,
	})
	if err != nil {
		fmt.Println(err)
		return
	}

	service, err := awskms.NewECDH(ctx, client, *key.KeyMetadata.Arn, device.PublicKey(), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	m, err := keyring.NewManager(service).EncryptionMaterials(ctx, keyring.EncryptionRequest{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer m.Destroy()

	reader, err := keyring.NewRawECDHDiscovery(device)
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = keyring.NewManager(reader).DecryptionMaterials(ctx, keyring.DecryptionRequest{
		Suite: m.Suite(), EncryptedDataKeys: m.EncryptedDataKeys(), Context: m.StoredContext(),
	})
	fmt.Println(m.EncryptedDataKeys()[0].Provider, err)
	// Output: aws-kms-ecdh <nil>
}

// What anyone has encrypted for the public key of a KMS key.
func ExampleNewECDHDiscovery() {
	ctx := context.Background()
	cloud, err := local.New(nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	key, err := cloud.SDK("eu-west-1").CreateKey(ctx, &sdk.CreateKeyInput{
		KeySpec: types.KeySpecEccNistP521, KeyUsage: types.KeyUsageTypeKeyAgreement,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = awskms.NewECDHDiscovery(ctx, cloud.SDK("eu-west-1"), *key.KeyMetadata.Arn, nil)
	fmt.Println(err)
	_, err = awskms.NewECDHDiscovery(ctx, cloud.SDK("eu-west-1"), "key/1234", nil)
	fmt.Println(err)
	// Output:
	// <nil>
	// awskms: not the ARN of a KMS key: "key/1234"
}
