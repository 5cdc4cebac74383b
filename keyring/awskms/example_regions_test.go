package awskms_test

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"log"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/sealring/sealring/keyring"
	"github.com/sealring/sealring/keyring/awskms"
	"github.com/sealring/sealring/local"
)

// A local cloud stands for AWS in these examples: in a program, client makes a
// *kms.Client for the Region.
func newRegions() (cloud *local.Cloud, client awskms.ClientFunc) {
	cloud, err := local.New(nil)
	if err != nil {
		log.Fatal(err)
	}
	return cloud, func(region string) (awskms.API, error) { return cloud.SDK(region), nil }
}

// replicated makes a multi-Region key with one replica and returns both ARNs.
func replicated(cloud *local.Cloud, primary, replica string) []string {
	ctx, home := context.Background(), cloud.SDK(primary)
	key, err := home.CreateKey(ctx, &kms.CreateKeyInput{MultiRegion: aws.Bool(true)})
	if err != nil {
		log.Fatal(err)
	}
	second, err := home.ReplicateKey(ctx, &kms.ReplicateKeyInput{KeyId: key.KeyMetadata.KeyId, ReplicaRegion: &replica})
	if err != nil {
		log.Fatal(err)
	}
	return []string{*key.KeyMetadata.Arn, *second.ReplicaKeyMetadata.Arn}
}

// printRegions prints the Regions of the keys that have wrapped a data key.
func printRegions(m *keyring.EncryptionMaterials) {
	for _, k := range m.EncryptedDataKeys() {
		fmt.Println(strings.Split(string(k.Info), ":")[3])
	}
}

// Messages are written and read while either Region is down.
func ExampleNewMRKFailover() {
	cloud, client := newRegions()
	arns := replicated(cloud, "eu-west-1", "eu-central-1")

	ring, err := awskms.NewMRKFailover(arns, client, nil)
	if err != nil {
		log.Fatal(err)
	}
	m, err := keyring.NewManager(ring).EncryptionMaterials(context.Background(), keyring.EncryptionRequest{})
	if err != nil {
		log.Fatal(err)
	}
	defer m.Destroy()
	printRegions(m)
	// Output: eu-west-1
}

// What one Region has encrypted is decrypted in another.
func ExampleNewMRK() {
	ctx := context.Background()
	cloud, _ := newRegions()
	arns := replicated(cloud, "eu-west-1", "eu-central-1")

	writer, err := awskms.NewMRK(cloud.SDK("eu-west-1"), arns[0], nil)
	if err != nil {
		log.Fatal(err)
	}
	reader, err := awskms.NewMRK(cloud.SDK("eu-central-1"), arns[1], nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(roundTrip(ctx, writer, reader, 0))
	// Output: true <nil>
}

// Either key alone opens what is encrypted under both.
func ExampleNewMulti() {
	ctx := context.Background()
	cloud, client := newRegions()
	var arns []string
	for _, region := range []string{"eu-west-1", "us-east-1"} {
		key, err := cloud.SDK(region).CreateKey(ctx, &kms.CreateKeyInput{})
		if err != nil {
			log.Fatal(err)
		}
		arns = append(arns, *key.KeyMetadata.Arn)
	}

	writer, err := awskms.NewMulti(arns[0], arns[1:], client, nil)
	if err != nil {
		log.Fatal(err)
	}
	reader, err := awskms.New(cloud.SDK("us-east-1"), arns[1], nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(roundTrip(ctx, writer, reader, 0))
	// Output: true <nil>
}

// A reader that does not know the keys trusts those of one account.
func ExampleNewDiscovery() {
	ctx := context.Background()
	cloud, _ := newRegions()
	client := cloud.SDK("eu-west-1")
	key, err := client.CreateKey(ctx, &kms.CreateKeyInput{})
	if err != nil {
		log.Fatal(err)
	}
	writer, err := awskms.New(client, *key.KeyMetadata.Arn, nil)
	if err != nil {
		log.Fatal(err)
	}

	reader, err := awskms.NewDiscovery(client, awskms.Filter{Partition: "aws", Accounts: []string{"111122223333"}}, nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(roundTrip(ctx, writer, reader, 0))
	// Output: true <nil>
}

// The writer needs no access to KMS, and a suite that does not sign.
func ExampleNewRSA() {
	ctx := context.Background()
	cloud, _ := newRegions()
	client := cloud.SDK("eu-west-1")
	key, err := client.CreateKey(ctx, &kms.CreateKeyInput{
		KeySpec: types.KeySpecRsa2048, KeyUsage: types.KeyUsageTypeEncryptDecrypt,
	})
	if err != nil {
		log.Fatal(err)
	}
	arn := *key.KeyMetadata.Arn
	out, err := client.GetPublicKey(ctx, &kms.GetPublicKeyInput{KeyId: &arn})
	if err != nil {
		log.Fatal(err)
	}
	public, err := x509.ParsePKIXPublicKey(out.PublicKey)
	if err != nil {
		log.Fatal(err)
	}

	const algorithm = types.EncryptionAlgorithmSpecRsaesOaepSha256
	writer, err := awskms.NewRSA(nil, arn, algorithm, public.(*rsa.PublicKey), nil)
	if err != nil {
		log.Fatal(err)
	}
	reader, err := awskms.NewRSA(client, arn, algorithm, nil, nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(roundTrip(ctx, writer, reader, keyring.AES256GCMHKDFSHA512CommitKey))
	// Output: true <nil>
}

// roundTrip reports whether reader finds the data key that writer has made.
func roundTrip(ctx context.Context, writer, reader keyring.Keyring, suite keyring.Suite) (bool, error) {
	m, err := keyring.NewManager(writer).EncryptionMaterials(ctx, keyring.EncryptionRequest{Suite: suite})
	if err != nil {
		return false, err
	}
	defer m.Destroy()
	d, err := keyring.NewManager(reader).DecryptionMaterials(ctx, keyring.DecryptionRequest{
		Suite: m.Suite(), EncryptedDataKeys: m.EncryptedDataKeys(), Context: m.Context(),
	})
	if err != nil {
		return false, err
	}
	defer d.Destroy()
	return string(d.DataKey()) == string(m.DataKey()), nil
}
