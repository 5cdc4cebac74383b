// Package nitro reads and answers what a Nitro enclave sends to KMS in the parameter
// Recipient: it verifies attestation documents and seals plaintext for the enclave.
//
// An enclave makes an RSA key pair, asks its hypervisor for an attestation document
// that holds the public key, and sends the document with its request. KMS verifies it
// ([Verifier.Verify]), decides on the registers that it lists, and returns its answer
// under the public key ([Seal]) instead of in the clear. The enclave opens it with
// [Open]. Package nitrotest signs documents for tests.
//
// # What is not protected
//
// The envelope is AWS's format: CMS EnvelopedData with AES-256 in CBC mode, which has
// no authentication. Anyone can make an envelope for a public key, and whoever can
// alter one can alter the plaintext. An enclave has to trust the connection that
// brings the envelope (AWS means TLS that ends in the enclave), or authenticate the
// plaintext by other means.
//
// A document is a bearer's: whoever has seen one can send it again while it is fresh,
// but only the enclave can open the answer. Nothing here checks a nonce; see
// [Document.Nonce].
//
// Documents of NitroTPM, which list the registers of an instance under another name,
// are refused: those registers mean something else.
//
// Everything in this package is safe for concurrent use.
package nitro
