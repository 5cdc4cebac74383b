package keyspec

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	_ "crypto/sha1"   // crypto.SHA1 in the table
	_ "crypto/sha256" // crypto.SHA224 and crypto.SHA256 in the table
	_ "crypto/sha512" // crypto.SHA384 and crypto.SHA512 in the table

	"filippo.io/mldsa"
	"filippo.io/mldsa/mldsacrypto"
)

// algorithm is one of AWS's algorithms, of whichever kind.
type algorithm struct {
	name   string
	hash   crypto.Hash // of OAEP and HMAC
	inputs []input     // of a signing algorithm: the message types that it takes
}

// input says what a signing algorithm makes of a message of one type.
type input struct {
	messageType string
	size        int               // of the message, in bytes; 0: any
	hash        crypto.Hash       // what is signed is the message's hash; 0: the message
	opts        crypto.SignerOpts // for signer and verifier
}

// The MessageType values of AWS KMS.
const (
	raw        = "RAW"
	digest     = "DIGEST"
	externalMu = "EXTERNAL_MU"
)

// The algorithms, each under AWS's name.
var (
	symmetricDefault = &algorithm{name: "SYMMETRIC_DEFAULT"}
	ecdhAlgorithm    = &algorithm{name: "ECDH"}
	mlkemAlgorithm   = &algorithm{name: "ML_KEM"}

	oaepSHA1   = &algorithm{name: "RSAES_OAEP_SHA_1", hash: crypto.SHA1}
	oaepSHA256 = &algorithm{name: "RSAES_OAEP_SHA_256", hash: crypto.SHA256}

	hmacSHA224 = &algorithm{name: "HMAC_SHA_224", hash: crypto.SHA224}
	hmacSHA256 = &algorithm{name: "HMAC_SHA_256", hash: crypto.SHA256}
	hmacSHA384 = &algorithm{name: "HMAC_SHA_384", hash: crypto.SHA384}
	hmacSHA512 = &algorithm{name: "HMAC_SHA_512", hash: crypto.SHA512}

	pkcs1SHA256 = hashed("RSASSA_PKCS1_V1_5_SHA_256", crypto.SHA256, crypto.SHA256)
	pkcs1SHA384 = hashed("RSASSA_PKCS1_V1_5_SHA_384", crypto.SHA384, crypto.SHA384)
	pkcs1SHA512 = hashed("RSASSA_PKCS1_V1_5_SHA_512", crypto.SHA512, crypto.SHA512)
	pssSHA256   = hashed("RSASSA_PSS_SHA_256", crypto.SHA256, pss(crypto.SHA256))
	pssSHA384   = hashed("RSASSA_PSS_SHA_384", crypto.SHA384, pss(crypto.SHA384))
	pssSHA512   = hashed("RSASSA_PSS_SHA_512", crypto.SHA512, pss(crypto.SHA512))

	ecdsaSHA256 = hashed("ECDSA_SHA_256", crypto.SHA256, crypto.SHA256)
	ecdsaSHA384 = hashed("ECDSA_SHA_384", crypto.SHA384, crypto.SHA384)
	ecdsaSHA512 = hashed("ECDSA_SHA_512", crypto.SHA512, crypto.SHA512)

	ed25519Pure = &algorithm{name: "ED25519_SHA_512", inputs: []input{
		{messageType: raw, opts: &ed25519.Options{}},
	}}
	// The digest that the caller gives is the message of Ed25519ph, which begins by
	// hashing it: a signature is over the hash of a hash.
	ed25519Prehash = &algorithm{name: "ED25519_PH_SHA_512", inputs: []input{
		{messageType: digest, size: 64, hash: crypto.SHA512, opts: &ed25519.Options{Hash: crypto.SHA512}},
	}}
	// Pure ML-DSA with an empty context, from the message or from its representative µ
	// (FIPS 204, algorithms 2 and 7; RFC 9881, appendix D).
	mldsaSHAKE256 = &algorithm{name: "ML_DSA_SHAKE_256", inputs: []input{
		{messageType: raw, opts: &mldsa.Options{}},
		{messageType: externalMu, size: 64, opts: mldsacrypto.MLDSAMu},
	}}
)

// hashed returns a signing algorithm that signs h of a message, and leaves it to the
// caller who computes that.
func hashed(name string, h crypto.Hash, opts crypto.SignerOpts) *algorithm {
	return &algorithm{name: name, inputs: []input{
		{messageType: raw, hash: h, opts: opts},
		{messageType: digest, size: h.Size(), opts: opts},
	}}
}

// pss returns the options of RSASSA-PSS as AWS KMS has it: MGF1 with the same hash, and
// a salt that is as long as the hash, in signing and verifying alike.
func pss(h crypto.Hash) *rsa.PSSOptions {
	return &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: h}
}

// prepare returns what is signed for a message, and the options for it. No message type
// means RAW. The error is [ErrMessageType] or [ErrDigestLength].
func (a *algorithm) prepare(messageType string, message []byte) ([]byte, crypto.SignerOpts, error) {
	if messageType == "" {
		messageType = raw
	}
	for _, in := range a.inputs {
		if in.messageType != messageType {
			continue
		}
		if in.size != 0 && len(message) != in.size {
			return nil, nil, ErrDigestLength
		}
		if in.hash != 0 {
			h := in.hash.New()
			h.Write(message)
			message = h.Sum(nil)
		}
		return message, in.opts, nil
	}
	return nil, nil, ErrMessageType
}
