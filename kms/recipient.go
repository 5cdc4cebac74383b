package kms

import (
	"context"
	"encoding/hex"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/sealring/sealring/nitro"
	"github.com/sealring/sealring/policy"
)

// A request can name a recipient: a Nitro enclave, which proves itself with an
// attestation document. What the answer would hold in the clear is then encrypted for
// the enclave, and policies can ask what runs in it.

// maxAttestation bounds an attestation document, bytes.
const maxAttestation = 262144

// recipient bounds the recipient of a request, if it names one.
func (c *constraints) recipient(to *types.RecipientInfo) {
	if to == nil {
		return
	}
	c.blob("recipient.attestationDocument", to.AttestationDocument, 1, maxAttestation)
	c.present("recipient.keyEncryptionAlgorithm", to.KeyEncryptionAlgorithm != "")
	oneOf(c, "recipient.keyEncryptionAlgorithm", to.KeyEncryptionAlgorithm, to.KeyEncryptionAlgorithm.Values())
}

// attest verifies the attestation document of a request's recipient, once, and notes
// what it says.
func (r *request) attest(to *types.RecipientInfo) (err error) {
	if to == nil {
		return nil
	}
	verifier := r.service.attestation
	if verifier == nil {
		return validation("Recipient cannot be used: this service verifies no attestation documents.")
	}
	r.recipient, err = ask(r, "attestation", func(context.Context) (*nitro.Document, error) {
		d, err := verifier.Verify(to.AttestationDocument)
		if err == nil {
			_, err = nitro.Seal(d.PublicKey, nil) // a key that nothing can be sealed for is found now
		}
		if err != nil {
			return nil, &attestationError{validation("The attestation document is not valid."), err}
		}
		return d, nil
	})
	return err
}

// attestationError is the refusal of an attestation document with its cause, which is for
// whoever runs the service and stays in the process.
type attestationError struct{ refusal, cause error }

// Error returns the refusal and its cause, and Unwrap both as errors.
func (e *attestationError) Error() string   { return e.refusal.Error() + ": " + e.cause.Error() }
func (e *attestationError) Unwrap() []error { return []error{e.refusal, e.cause} }

// setRecipient sets the keys that describe the attested recipient: its registers, of
// which the first is also the image's hash.
func (r *request) setRecipient(c *policy.Context) {
	if r.recipient == nil {
		return
	}
	for i, v := range r.recipient.PCRs {
		value := hex.EncodeToString(v)
		c.Add(policy.RecipientAttestation, "PCR"+strconv.Itoa(i), value)
		if i == 0 {
			c.Add(policy.RecipientAttestation, "ImageSha384", value)
		}
	}
}

// deliver returns what the answer holds of a secret: the secret itself, or what only the
// attested recipient can open. The secret is wiped then.
func (r *request) deliver(secret []byte) (plaintext, forRecipient []byte, err error) {
	if r.recipient == nil {
		return secret, nil, nil
	}
	defer clear(secret)
	forRecipient, err = nitro.Seal(r.recipient.PublicKey, secret)
	return nil, forRecipient, err
}

// unlessAttested returns a member that AWS leaves out of answers to a recipient.
func (r *request) unlessAttested(member string) *string {
	if r.recipient != nil {
		return nil
	}
	return &member
}
