package kms

import (
	"crypto/rand"

	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
)

var generateRandom = &operation[sdk.GenerateRandomInput, sdk.GenerateRandomOutput]{
	name:     "GenerateRandom",
	readOnly: true,
	validate: func(c *constraints, in *sdk.GenerateRandomInput) {
		c.number("numberOfBytes", in.NumberOfBytes, 1, 1024)
		c.reject(in.NumberOfBytes == nil, validation("NumberOfBytes is required."))
		c.refuse("CustomKeyStoreId", in.CustomKeyStoreId != nil)
		c.refuse("Recipient", in.Recipient != nil)
	},
	run: func(_ *request, in *sdk.GenerateRandomInput, _ []target) (*sdk.GenerateRandomOutput, error) {
		b := make([]byte, *in.NumberOfBytes)
		rand.Read(b)
		return &sdk.GenerateRandomOutput{Plaintext: b}, nil
	},
}
