package s3crypto_test

import (
	"fmt"

	"github.com/sealring/sealring/s3crypto"
)

// A wrapping key that takes another one's place: new objects get the new key, and the
// description of old ones says which of them to read with.
func ExampleNewAES() {
	oldKey, newKey := make([]byte, 32), make([]byte, 32) // from where keys are kept
	w, err := s3crypto.NewAES(newKey, &s3crypto.AESOptions{
		Description: map[string]string{"key": "2026"},
		DecryptionKeys: []s3crypto.AESKey{
			{Description: map[string]string{"key": "2025"}, Key: oldKey},
		},
	})
	if err != nil {
		panic(err)
	}
	fmt.Println(w) // key bytes are never printed

	// Output:
	// s3crypto.AES{map["key":"2026"], map["key":"2025"]}
}
