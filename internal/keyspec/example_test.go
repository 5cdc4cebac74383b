package keyspec_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"

	"github.com/sealring/sealring/internal/keyspec"
)

// Make a key, sign with it, and verify with the public key alone.
func Example() {
	spec, ok := keyspec.Lookup("ECC_NIST_P256")
	if !ok {
		return
	}
	material, err := spec.Generate()
	if err != nil {
		fmt.Println(err)
		return
	}
	key, err := spec.Parse(material)
	if err != nil {
		fmt.Println(err)
		return
	}
	message := []byte("pay 100 to Alice")
	signature, err := key.Sign("ECDSA_SHA_256", "RAW", message)
	if err != nil {
		fmt.Println(err)
		return
	}
	public, err := spec.ParsePublic(key.PublicKey())
	if err != nil {
		fmt.Println(err)
		return
	}
	digest := sha256.Sum256(message)
	fmt.Println(public.Verify("ECDSA_SHA_256", "DIGEST", digest[:], signature))
	fmt.Println(public.Verify("ECDSA_SHA_256", "DIGEST", digest[:20], signature))
	// Output:
	// true <nil>
	// false keyspec: invalid length of a digest
}

func ExampleSpec_Algorithms() {
	for _, spec := range keyspec.All() {
		if strings.HasPrefix(spec.Name(), "ECC_") {
			for _, usage := range spec.Usages() {
				fmt.Println(spec.Name(), usage, spec.Algorithms(usage))
			}
		}
	}
	// Output:
	// ECC_NIST_P256 SIGN_VERIFY [ECDSA_SHA_256]
	// ECC_NIST_P256 KEY_AGREEMENT [ECDH]
	// ECC_NIST_P384 SIGN_VERIFY [ECDSA_SHA_384]
	// ECC_NIST_P384 KEY_AGREEMENT [ECDH]
	// ECC_NIST_P521 SIGN_VERIFY [ECDSA_SHA_512]
	// ECC_NIST_P521 KEY_AGREEMENT [ECDH]
	// ECC_SECG_P256K1 SIGN_VERIFY [ECDSA_SHA_256]
	// ECC_NIST_EDWARDS25519 SIGN_VERIFY [ED25519_SHA_512 ED25519_PH_SHA_512]
}

func ExampleKey_Encrypt() {
	key, err := keyspec.All()[0].Parse(material("RSA_2048"))
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = key.Encrypt("RSAES_OAEP_SHA_256", make([]byte, 200))
	var tooLong *keyspec.LengthError
	if errors.As(err, &tooLong) {
		fmt.Println("at most", tooLong.Limit, "bytes")
	}
	// Output: at most 190 bytes
}
