package keyring

import "context"

// Manager supplies the materials of each message: the Encryption SDK's
// cryptographic materials manager. A manager is safe for concurrent use.
type Manager interface {
	// EncryptionMaterials returns complete materials for a new message.
	EncryptionMaterials(ctx context.Context, r EncryptionRequest) (*EncryptionMaterials, error)

	// DecryptionMaterials returns materials with the data key of a message whose
	// header holds what r says.
	DecryptionMaterials(ctx context.Context, r DecryptionRequest) (*DecryptionMaterials, error)
}

// NewManager returns the default manager: new materials for each message, the
// data key from k.
func NewManager(k Keyring) Manager { return defaultManager{k} }

type defaultManager struct{ keyring Keyring }

var _ Manager = defaultManager{}

func (d defaultManager) EncryptionMaterials(ctx context.Context, r EncryptionRequest) (*EncryptionMaterials, error) {
	m, err := NewEncryptionMaterials(r)
	if err != nil {
		return nil, err
	}
	if err := d.keyring.OnEncrypt(ctx, m); err != nil {
		return nil, err
	}
	if err := m.Complete(); err != nil {
		return nil, err
	}
	return m, nil
}

func (d defaultManager) DecryptionMaterials(ctx context.Context, r DecryptionRequest) (*DecryptionMaterials, error) {
	m, err := NewDecryptionMaterials(r)
	if err != nil {
		return nil, err
	}
	if err := d.keyring.OnDecrypt(ctx, m, r.EncryptedDataKeys); err != nil {
		return nil, err
	}
	if err := m.Complete(); err != nil {
		return nil, err
	}
	return m, nil
}
