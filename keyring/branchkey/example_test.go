package branchkey_test

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/sealring/sealring/keyring"
	"github.com/sealring/sealring/keyring/branchkey"
	"github.com/sealring/sealring/keyring/branchkey/kvstore"
	"github.com/sealring/sealring/local"
	"github.com/sealring/sealring/store"
)

// newExampleStore returns a key store in memory, with a KMS of its own.
func newExampleStore(ctx context.Context) (*branchkey.KeyStore, error) {
	cloud, err := local.New(nil)
	if err != nil {
		return nil, err
	}
	client := cloud.SDK("eu-west-1") // in production a *kms.Client of AWS
	key, err := client.CreateKey(ctx, &kms.CreateKeyInput{})
	if err != nil {
		return nil, err
	}
	table, err := kvstore.New(store.NewMemory(), "branchkeys/")
	if err != nil {
		return nil, err
	}
	return branchkey.NewKeyStore(branchkey.Config{
		LogicalName: "orders", Table: table, KMS: client, KMSKey: branchkey.ExactKey(*key.KeyMetadata.Arn),
	})
}

func ExampleNew() {
	ctx := context.Background()
	keys, err := newExampleStore(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	id, err := keys.CreateKey(ctx, "orders", keyring.EncryptionContext{"purpose": "orders"})
	if err != nil {
		fmt.Println(err)
		return
	}
	ring, err := branchkey.New(keys, id, 10*time.Minute, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	m, err := keyring.NewManager(ring).EncryptionMaterials(ctx, keyring.EncryptionRequest{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer m.Destroy()
	for _, k := range m.EncryptedDataKeys() {
		fmt.Printf("%s %s, %d bytes\n", k.Provider, k.Info, len(k.Ciphertext))
	}
	// Output: aws-kms-hierarchy orders, 92 bytes
}

// Each tenant's messages are wrapped with the tenant's own branch key.
func ExampleNewWithSupplier() {
	ctx := context.Background()
	keys, err := newExampleStore(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, tenant := range []string{"ann", "bob"} {
		if _, err := keys.CreateKey(ctx, "tenant-"+tenant, keyring.EncryptionContext{"tenant": tenant}); err != nil {
			fmt.Println(err)
			return
		}
	}
	ofTenant := func(c keyring.EncryptionContext) (string, error) { return "tenant-" + c["tenant"], nil }
	ring, err := branchkey.NewWithSupplier(keys, ofTenant, 10*time.Minute, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, tenant := range []string{"ann", "bob", "eve"} {
		m, err := keyring.NewManager(ring).EncryptionMaterials(ctx, keyring.EncryptionRequest{
			Context: keyring.EncryptionContext{"tenant": tenant},
		})
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Printf("%s\n", m.EncryptedDataKeys()[0].Info)
		m.Destroy()
	}
	// Output:
	// tenant-ann
	// tenant-bob
	// branchkey: no such item: "tenant-eve" "branch:ACTIVE"
}

// A new version is for new messages; older ones open as before.
func ExampleKeyStore_VersionKey() {
	ctx := context.Background()
	keys, err := newExampleStore(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	id, err := keys.CreateKey(ctx, "", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	before, err := keys.ActiveBranchKey(ctx, id)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer before.Destroy()
	version, err := keys.VersionKey(ctx, id)
	if err != nil {
		fmt.Println(err)
		return
	}
	after, err := keys.ActiveBranchKey(ctx, id)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer after.Destroy()
	_, err = keys.BranchKeyVersion(ctx, id, before.Version())
	fmt.Println(after.Version() == version, before.Version() == version, err)
	// Output: true false <nil>
}
