// Package keyspec is the cryptography of every key spec of AWS KMS outside China:
// which usages and algorithms a spec has, how its key material is made and encoded,
// and what a key does with it. It knows nothing of requests, policies or key states,
// and names specs, usages, algorithms and message types by AWS's own strings.
//
// [Lookup] finds a [Spec]. [Spec.Generate] makes key material, which is what a store
// keeps; [Spec.Parse] turns it into a [Key], which does the work:
//
//	spec, ok := keyspec.Lookup("ECC_NIST_P256")
//	material, err := spec.Generate()
//	key, err := spec.Parse(material)
//	signature, err := key.Sign("ECDSA_SHA_256", "RAW", message)
//
// The material of a symmetric or an HMAC key is the key itself, all other is a PKCS #8
// private key in DER. SYMMETRIC_DEFAULT has no operations here: how a ciphertext of AWS
// KMS is built is the engine's affair.
//
// Specs and keys are immutable and safe for concurrent use.
package keyspec

import "slices"

// Spec is a key spec: what a key is made of and what it can be used for. There is one
// value of each, which [Lookup] and [All] return; compare by pointer.
type Spec struct {
	name   string
	kind   kind
	pair   bool // may be a KeyPairSpec
	usages []usage
	family family
}

// kind sorts specs by what AWS calls the type of a key.
type kind int

const (
	symmetric kind = iota
	mac
	asymmetric
)

// usage is a KeyUsage that a spec allows, with the algorithms that it brings.
type usage struct {
	name       string
	algorithms []*algorithm
}

// The KeyUsage values of AWS KMS.
const (
	encryptDecrypt         = "ENCRYPT_DECRYPT"
	signVerify             = "SIGN_VERIFY"
	generateVerifyMAC      = "GENERATE_VERIFY_MAC"
	keyAgreement           = "KEY_AGREEMENT"
	encapsulateDecapsulate = "ENCAPSULATE_DECAPSULATE"
)

// family makes and reads the key material of the specs that share a construction.
type family interface {
	// generate returns new key material.
	generate() ([]byte, error)
	// parse returns what key material can do: a value that has some of the
	// capabilities in key.go. Its error says why the material is refused, and nothing
	// of what is in it.
	parse(material []byte) (any, error)
}

// publicFamily is a family whose keys have a public half.
type publicFamily interface {
	family
	// parsePublic returns what a public key (DER, SubjectPublicKeyInfo) can do.
	parsePublic(spki []byte) (any, error)
}

// Lookup returns the spec of that name, as AWS's KeySpec has it, and whether there is
// one. There is none for SM2, which exists in China only.
func Lookup(name string) (*Spec, bool) {
	for _, s := range specs {
		if s.name == name {
			return s, true
		}
	}
	return nil, false
}

// All returns every spec in the order of AWS's KeySpec enumeration. The slice belongs
// to the caller.
func All() []*Spec { return slices.Clone(specs) }

// Name returns the spec's name in AWS's KeySpec enumeration.
func (s *Spec) Name() string { return s.name }

// Usages returns the KeyUsage values that a key of the spec can be created for, of
// which it gets one. The slice belongs to the caller.
func (s *Spec) Usages() []string {
	names := make([]string, len(s.usages))
	for i, u := range s.usages {
		names[i] = u.name
	}
	return names
}

// Algorithms returns the algorithms of a key of the spec that has the usage, in the
// order in which AWS lists them: encryption, signing, MAC, key agreement or key
// encapsulation algorithms. It is nil if the spec does not allow the usage. The slice
// belongs to the caller.
func (s *Spec) Algorithms(usage string) []string {
	for _, u := range s.usages {
		if u.name != usage {
			continue
		}
		names := make([]string, len(u.algorithms))
		for i, a := range u.algorithms {
			names[i] = a.name
		}
		return names
	}
	return nil
}

// Takes reports whether the algorithm is one of a key of the spec that has the usage.
func (s *Spec) Takes(usage, algorithm string) bool { return s.algorithm(usage, algorithm) != nil }

// algorithm returns the algorithm of that name and usage, or nil.
func (s *Spec) algorithm(usage, name string) *algorithm {
	for _, u := range s.usages {
		if u.name != usage {
			continue
		}
		for _, a := range u.algorithms {
			if a.name == name {
				return a
			}
		}
	}
	return nil
}

// Symmetric reports whether the spec is that of a symmetric encryption key.
func (s *Spec) Symmetric() bool { return s.kind == symmetric }

// HMAC reports whether the spec is that of an HMAC key.
func (s *Spec) HMAC() bool { return s.kind == mac }

// Asymmetric reports whether keys of the spec have a public and a private half.
func (s *Spec) Asymmetric() bool { return s.kind == asymmetric }

// DataKeyPair reports whether the spec may be the KeyPairSpec of GenerateDataKeyPair.
func (s *Spec) DataKeyPair() bool { return s.pair }

// Generate returns new key material from crypto/rand, which belongs to the caller:
// 32 bytes for a symmetric key, as many as the hash has for an HMAC key, otherwise a
// private key in DER (PKCS #8, RFC 5958, version 1). ML-DSA and ML-KEM keys are in seed
// form (RFC 9881 and RFC 9935), which is the same length for every parameter set.
func (s *Spec) Generate() ([]byte, error) { return s.family.generate() }

// specs is in the order of AWS's enumeration.
var specs = []*Spec{
	{name: "RSA_2048", kind: asymmetric, pair: true, usages: rsaUsages, family: rsaFamily{2048}},
	{name: "RSA_3072", kind: asymmetric, pair: true, usages: rsaUsages, family: rsaFamily{3072}},
	{name: "RSA_4096", kind: asymmetric, pair: true, usages: rsaUsages, family: rsaFamily{4096}},
	{name: "ECC_NIST_P256", kind: asymmetric, pair: true, usages: nistUsages(ecdsaSHA256), family: p256},
	{name: "ECC_NIST_P384", kind: asymmetric, pair: true, usages: nistUsages(ecdsaSHA384), family: p384},
	{name: "ECC_NIST_P521", kind: asymmetric, pair: true, usages: nistUsages(ecdsaSHA512), family: p521},
	{name: "ECC_SECG_P256K1", kind: asymmetric, pair: true, usages: only(signVerify, ecdsaSHA256), family: secp256k1Family{}},
	{name: "SYMMETRIC_DEFAULT", kind: symmetric, usages: only(encryptDecrypt, symmetricDefault), family: rawFamily{32, 32, 32}},
	{name: "HMAC_224", kind: mac, usages: only(generateVerifyMAC, hmacSHA224), family: hmacFamily{rawFamily{28, 28, 64}}},
	{name: "HMAC_256", kind: mac, usages: only(generateVerifyMAC, hmacSHA256), family: hmacFamily{rawFamily{32, 32, 64}}},
	{name: "HMAC_384", kind: mac, usages: only(generateVerifyMAC, hmacSHA384), family: hmacFamily{rawFamily{48, 48, 128}}},
	{name: "HMAC_512", kind: mac, usages: only(generateVerifyMAC, hmacSHA512), family: hmacFamily{rawFamily{64, 64, 128}}},
	{name: "ML_DSA_44", kind: asymmetric, usages: only(signVerify, mldsaSHAKE256), family: mldsa44},
	{name: "ML_DSA_65", kind: asymmetric, usages: only(signVerify, mldsaSHAKE256), family: mldsa65},
	{name: "ML_DSA_87", kind: asymmetric, usages: only(signVerify, mldsaSHAKE256), family: mldsa87},
	{name: "ECC_NIST_EDWARDS25519", kind: asymmetric, pair: true, usages: only(signVerify, ed25519Pure, ed25519Prehash), family: ed25519Family{}},
	{name: "ML_KEM_512", kind: asymmetric, pair: true, usages: only(encapsulateDecapsulate, mlkemAlgorithm), family: mlkem512Set},
	{name: "ML_KEM_768", kind: asymmetric, pair: true, usages: only(encapsulateDecapsulate, mlkemAlgorithm), family: mlkem768Set},
	{name: "ML_KEM_1024", kind: asymmetric, pair: true, usages: only(encapsulateDecapsulate, mlkemAlgorithm), family: mlkem1024Set},
}

// rsaUsages is shared by the RSA specs.
var rsaUsages = []usage{
	{encryptDecrypt, []*algorithm{oaepSHA1, oaepSHA256}},
	{signVerify, []*algorithm{pkcs1SHA256, pkcs1SHA384, pkcs1SHA512, pssSHA256, pssSHA384, pssSHA512}},
}

// nistUsages returns the usages of a NIST curve, which signs with one algorithm.
func nistUsages(signing *algorithm) []usage {
	return []usage{{signVerify, []*algorithm{signing}}, {keyAgreement, []*algorithm{ecdhAlgorithm}}}
}

// only returns the usages of a spec that has a single one.
func only(name string, algorithms ...*algorithm) []usage {
	return []usage{{name, algorithms}}
}
