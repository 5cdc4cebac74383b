package keyring

// NewCheapPassphrase is NewPassphrase with an Argon2id that costs next to nothing, for
// tests that derive hundreds of times.
func NewCheapPassphrase(namespace, name string, passphrase []byte) (*Passphrase, error) {
	k, err := NewPassphrase(namespace, name, passphrase)
	if err == nil {
		k.cost = argonCost{memory: 8, passes: 1, lanes: 1}
	}
	return k, err
}
