package kmscrypto_test

import (
	"github.com/sealring/sealring/kms"
	"github.com/sealring/sealring/kmscrypto"
)

// The local engine's clients are as good as the SDK's.
var (
	_ kmscrypto.SigningAPI       = (*kms.Client)(nil)
	_ kmscrypto.DecryptionAPI    = (*kms.Client)(nil)
	_ kmscrypto.AgreementAPI     = (*kms.Client)(nil)
	_ kmscrypto.EncapsulationAPI = (*kms.Client)(nil)
)
