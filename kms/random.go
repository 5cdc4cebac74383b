package kms

import (
	"crypto/rand"

	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
)

var generateRandom = &operation[sdk.GenerateRandomInput, sdk.GenerateRandomOutput]{
	name:       "GenerateRandom",
	readOnly:   true,
	sharesKeys: true,
	validate: func(c *constraints, in *sdk.GenerateRandomInput) {
		c.number("numberOfBytes", in.NumberOfBytes, 1, 1024)
		c.reject(in.NumberOfBytes == nil, validation("NumberOfBytes is required."))
		if in.CustomKeyStoreId != nil {
			c.keyStoreID(in.CustomKeyStoreId)
		}
	},
	recipient: func(in *sdk.GenerateRandomInput) *types.RecipientInfo { return in.Recipient },
	run: func(r *request, in *sdk.GenerateRandomInput, _ []target) (*sdk.GenerateRandomOutput, error) {
		if in.CustomKeyStoreId != nil { // all randomness is the process's, but what AWS refuses is refused
			if err := r.randomStore(*in.CustomKeyStoreId); err != nil {
				return nil, err
			}
		}
		b := make([]byte, *in.NumberOfBytes)
		rand.Read(b)
		plaintext, forRecipient, err := r.deliver(b)
		return &sdk.GenerateRandomOutput{CiphertextForRecipient: forRecipient, Plaintext: plaintext}, err
	},
}
