//go:build go1.26

package kmscrypto

import "crypto"

var _ crypto.Decapsulator = (*KEM)(nil)

// Encapsulator returns the public key: an *mlkem.EncapsulationKey768 or an
// *mlkem.EncapsulationKey1024. It is nil for ML_KEM_512, which the standard library
// does not have.
func (k *KEM) Encapsulator() crypto.Encapsulator {
	if k.local == nil {
		return nil
	}
	return k.local
}
