package keyring_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/sealring/sealring/keyring"
)

// A writer gets a data key from the manager, and a reader gets it back from the
// encrypted data key, the suite and the encryption context in the message.
// Packages such as envelope do this.
func ExampleNewManager() {
	ctx := context.Background()
	wrappingKey := make([]byte, 32)
	rand.Read(wrappingKey)
	ring, err := keyring.NewRawAES("fleet", "2026-01", wrappingKey)
	if err != nil {
		fmt.Println(err)
		return
	}
	manager := keyring.NewManager(ring)

	sealing, err := manager.EncryptionMaterials(ctx, keyring.EncryptionRequest{
		Context: keyring.EncryptionContext{"tenant": "42"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer sealing.Destroy()

	opening, err := manager.DecryptionMaterials(ctx, keyring.DecryptionRequest{
		Suite:             sealing.Suite(),
		EncryptedDataKeys: sealing.EncryptedDataKeys(),
		Context:           sealing.StoredContext(),
		Reproduced:        keyring.EncryptionContext{"tenant": "42"}, // what the reader insists on
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer opening.Destroy()
	fmt.Println(opening.Suite())
	fmt.Println(bytes.Equal(sealing.DataKey(), opening.DataKey()))
	// Output:
	// ALG_AES_256_GCM_HKDF_SHA512_COMMIT_KEY_ECDSA_P384
	// true
}

func ExampleNewRawAES() {
	ring, err := keyring.NewRawAES("fleet", "2026-01", make([]byte, 32))
	fmt.Println(ring, err)

	_, err = keyring.NewRawAES("fleet", "2026-01", make([]byte, 31))
	fmt.Println(err)
	// Output:
	// keyring.RawAES{"fleet", "2026-01"} <nil>
	// keyring: wrapping key of 31 bytes, AES takes 16, 24 or 32
}

func ExampleNewRawRSA() {
	key := rsaKeys()[0]
	writer, err := keyring.NewRawRSA("fleet", "2026-01", keyring.OAEPSHA256, &key.PublicKey, nil)
	fmt.Println(writer, err)
	// Output: keyring.RawRSA{"fleet", "2026-01", OAEP_SHA256_MGF1} <nil>
}

// Each keyring of a multi-keyring can decrypt alone what all have encrypted.
func ExampleNewMulti() {
	ctx := context.Background()
	current, err := keyring.NewRawAES("fleet", "2026-01", make([]byte, 32))
	if err != nil {
		fmt.Println(err)
		return
	}
	escrow, err := keyring.NewRawAES("escrow", "vault", make([]byte, 32))
	if err != nil {
		fmt.Println(err)
		return
	}
	both, err := keyring.NewMulti(current, escrow)
	if err != nil {
		fmt.Println(err)
		return
	}
	m, err := keyring.NewManager(both).EncryptionMaterials(ctx, keyring.EncryptionRequest{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, k := range m.EncryptedDataKeys() {
		fmt.Println(k.Provider)
	}
	_, err = keyring.NewManager(escrow).DecryptionMaterials(ctx, keyring.DecryptionRequest{
		Suite: m.Suite(), EncryptedDataKeys: m.EncryptedDataKeys(), Context: m.StoredContext(),
	})
	fmt.Println(err)
	// Output:
	// fleet
	// escrow
	// <nil>
}

func ExampleNoMatchError() {
	ring, err := keyring.NewRawAES("fleet", "2026-02", make([]byte, 32))
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = keyring.NewManager(ring).DecryptionMaterials(context.Background(), keyring.DecryptionRequest{
		Suite: keyring.AES256GCMHKDFSHA512CommitKey,
		EncryptedDataKeys: []keyring.EncryptedDataKey{
			{Provider: "fleet", Info: []byte("2026-01"), Ciphertext: make([]byte, 48)},
		},
	})
	var none *keyring.NoMatchError
	fmt.Println(errors.As(err, &none), len(none.Attempts))
	fmt.Println(err)
	// Output:
	// true 0
	// keyring: no encrypted data key could be decrypted: none is addressed to this keyring
}
