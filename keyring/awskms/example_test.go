package awskms_test

import (
	"context"
	"fmt"

	"github.com/sealring/sealring/keyring"
	"github.com/sealring/sealring/keyring/awskms"
)

// The client of a program is a *kms.Client of aws-sdk-go-v2.
func ExampleNew() {
	client := newFakeKMS()
	ring, err := awskms.New(client, keyARN, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	m, err := keyring.NewManager(ring).EncryptionMaterials(context.Background(), keyring.EncryptionRequest{
		Context: keyring.EncryptionContext{"tenant": "42"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer m.Destroy()
	for _, k := range m.EncryptedDataKeys() {
		fmt.Printf("%s %s\n", k.Provider, k.Info)
	}
	// Output: aws-kms arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab
}
