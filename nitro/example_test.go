package nitro_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"fmt"

	"github.com/sealring/sealring/nitro"
	"github.com/sealring/sealring/nitro/nitrotest"
)

// What passes between an enclave and KMS, with an authority for tests in the place of
// the hypervisor.
func Example() {
	// The enclave has its key attested.
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		fmt.Println(err)
		return
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		fmt.Println(err)
		return
	}
	authority, err := nitrotest.NewAuthority()
	if err != nil {
		fmt.Println(err)
		return
	}
	document, err := authority.Attest(nitro.Document{PublicKey: public})
	if err != nil {
		fmt.Println(err)
		return
	}

	// KMS verifies the document and seals its answer.
	verifier := &nitro.Verifier{Roots: authority.Roots()}
	attested, err := verifier.Verify(document)
	if err != nil {
		fmt.Println(err)
		return
	}
	envelope, err := nitro.Seal(attested.PublicKey, []byte("swordfish"))
	if err != nil {
		fmt.Println(err)
		return
	}

	// Only the enclave can open it.
	plaintext, err := nitro.Open(key, envelope)
	fmt.Printf("%s %v\n", plaintext, err)
	// Output: swordfish <nil>
}

func ExampleVerifier_Verify() {
	authority, err := nitrotest.NewAuthority()
	if err != nil {
		fmt.Println(err)
		return
	}
	document, err := authority.Attest(nitro.Document{})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = new(nitro.Verifier).Verify(document) // trusts nobody
	fmt.Println(err)
	// Output: nitro: attestation document refused: the verifier has no roots
}

func ExampleSeal() {
	_, err := nitro.Seal([]byte("not a key"), []byte("swordfish"))
	fmt.Println(err)
	// Output: nitro: the public key is not RSA of 2048 to 4096 bits in DER
}

func ExampleOpen() {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = nitro.Open(key, []byte("not an envelope"))
	fmt.Println(err)
	// Output: nitro: the envelope cannot be opened
}
