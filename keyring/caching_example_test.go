package keyring_test

import (
	"context"
	"fmt"
	"time"

	"github.com/sealring/sealring/envelope"
	"github.com/sealring/sealring/keyring"
)

// Ten messages of one tenant share a data key: the keyring is asked once.
func ExampleNewCaching() {
	ring, err := keyring.NewRawAES("fleet", "2026-01", make([]byte, 32))
	if err != nil {
		fmt.Println(err)
		return
	}
	m, err := keyring.NewCaching(keyring.NewManager(ring), keyring.CachingOptions{
		MaxAge:      5 * time.Minute, // how long a lost right to use the key still works
		MaxMessages: 1000,
		MaxBytes:    1 << 30,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for range 10 {
		_, err := envelope.Encrypt(context.Background(), m, []byte("text"), &envelope.EncryptOptions{
			Context: keyring.EncryptionContext{"tenant": "42"},
		})
		if err != nil {
			fmt.Println(err)
			return
		}
	}
	s := m.Stats()
	fmt.Println(s.Hits, s.Misses, s.Entries)
	// Output: 9 1 1
}

// Managers of several tenants share the room of one cache, but never an entry.
func ExampleNewMaterialsCache() {
	shared := keyring.NewMaterialsCache(10_000)
	for _, tenant := range []string{"blue", "green"} {
		ring, err := keyring.NewRawAES("fleet", tenant, make([]byte, 32))
		if err != nil {
			fmt.Println(err)
			return
		}
		m, err := keyring.NewCaching(keyring.NewManager(ring), keyring.CachingOptions{
			MaxAge: time.Minute, Cache: shared, Partition: tenant,
		})
		if err != nil {
			fmt.Println(err)
			return
		}
		if _, err := envelope.Encrypt(context.Background(), m, []byte("text"), nil); err != nil {
			fmt.Println(err)
			return
		}
	}
	fmt.Println(shared.Stats().Entries)
	shared.Clear()
	fmt.Println(shared.Stats().Entries)
	// Output:
	// 2
	// 0
}

// Whoever does not say whose message it is cannot read it.
func ExampleNewRequiredContext() {
	ctx := context.Background()
	ring, err := keyring.NewRawAES("fleet", "2026-01", make([]byte, 32))
	if err != nil {
		fmt.Println(err)
		return
	}
	m, err := keyring.NewRequiredContext(keyring.NewManager(ring), "tenant")
	if err != nil {
		fmt.Println(err)
		return
	}
	tenant := keyring.EncryptionContext{"tenant": "42"}
	message, err := envelope.Encrypt(ctx, m, []byte("text"), &envelope.EncryptOptions{Context: tenant})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, _, err = envelope.Decrypt(ctx, m, message, nil)
	fmt.Println(err)
	text, _, err := envelope.Decrypt(ctx, m, message, &envelope.DecryptOptions{Context: tenant})
	fmt.Println(string(text), err)
	// Output:
	// envelope: keyring: encryption context refused: the required key "tenant" is missing
	// text <nil>
}
