package kms

import (
	"crypto/rand"
	"encoding/hex"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/sealring/sealring/internal/keyrecord"
	"github.com/sealring/sealring/store"
)

// Custom key stores: what the other operations need of them. The operations on stores
// themselves are in keystores.go.

// keyStores returns the custom key stores of an account in a Region. They may be
// changed.
func (r *request) keyStores(account, region string) (*keyrecord.KeyStores, error) {
	b, err := r.draft.Get(keyrecord.KeyStoresName(account, region))
	if errors.Is(err, store.ErrNotFound) {
		return &keyrecord.KeyStores{}, nil
	}
	if err != nil {
		return nil, err
	}
	defer clear(b)
	return keyrecord.UnmarshalKeyStores(b)
}

// writeKeyStores stores the caller's custom key stores.
func (r *request) writeKeyStores(all *keyrecord.KeyStores) error {
	return r.put(keyrecord.KeyStoresName(r.caller.Account, r.caller.Region), all.Marshal)
}

// ownKeyStore returns one of the caller's custom key stores, and all of them.
func (r *request) ownKeyStore(id string) (*keyrecord.KeyStore, *keyrecord.KeyStores, error) {
	all, err := r.keyStores(r.caller.Account, r.caller.Region)
	if err != nil {
		return nil, nil, err
	}
	s := all.Store(id)
	if s == nil {
		return nil, nil, keyStoreNotFound(id)
	}
	return s, all, nil
}

func keyStoreNotFound(name string) error {
	return &types.CustomKeyStoreNotFoundException{Message: text("Custom key store %s does not exist.", name)}
}

// keyStoreOf returns the custom key store of k, nil if it is gone.
func (r *request) keyStoreOf(k *keyrecord.Key) (*keyrecord.KeyStore, error) {
	all, err := r.keyStores(k.Account, k.Region)
	if err != nil {
		return nil, err
	}
	return all.Store(k.KeyStore), nil
}

// newKeyStoreID returns a new id for a custom key store.
func newKeyStoreID() string {
	b := make([]byte, 9)
	rand.Read(b)
	return "cks-" + hex.EncodeToString(b)[:17]
}

// connected reports whether the custom key store of k is connected.
func (r *request) connected(k *keyrecord.Key) (bool, error) {
	s, err := r.keyStoreOf(k)
	return err == nil && s != nil && s.Connection.State(r.now) == keyrecord.Connected, err
}

// addToKeyStore puts k, which is about to be made, into the custom key store that it
// names, if it names one.
func (r *request) addToKeyStore(k *keyrecord.Key) error {
	if k.KeyStore == "" {
		return nil
	}
	s, all, err := r.ownKeyStore(k.KeyStore)
	if err != nil {
		return err
	}
	state := s.Connection.State(r.now)
	switch external := k.XksKey != ""; {
	case external != (s.Proxy != nil):
		return validation("Origin %s is not valid for the custom key store %s.", k.Origin, s.ID)
	case state != keyrecord.Connected && external:
		return &types.CustomKeyStoreInvalidStateException{Message: text(notConnected)}
	case state != keyrecord.Connected:
		return wrongConnection(s, state)
	case external:
		err = r.checkExternalKey(s, k)
	default:
		err = r.checkClusterForKey(s.Cluster)
	}
	if err != nil {
		return err
	}
	all.KeysMade++
	r.draft.Put(k.StoreKeyName(), []byte(k.ID))
	return r.writeKeyStores(all)
}

// keepInStore is for a key whose deletion is cancelled. Somebody else, whose clock says
// that k is gone already, may be deleting its custom key store, or giving its external key
// to a new one: one of the two has to be decided again.
func (r *request) keepInStore(k *keyrecord.Key) error {
	if k.KeyStore == "" {
		return nil
	}
	all, err := r.keyStores(k.Account, k.Region)
	if err != nil {
		return err
	}
	holder, err := r.draft.Get(k.StoreKeyName())
	if err != nil {
		return err
	}
	if all.Store(k.KeyStore) == nil || string(holder) != k.ID {
		return notFound("Key '%s' does not exist", k.ARN()) // or it would have both
	}
	all.KeysMade++
	return r.put(keyrecord.KeyStoresName(k.Account, k.Region), all.Marshal)
}

// setKeyStore sets the members of the metadata that describe k's custom key store. The
// id of the material is left to keys that can be rotated.
func (r *request) setKeyStore(m *types.KeyMetadata, k *keyrecord.Key) error {
	if k.KeyStore == "" {
		return nil
	}
	m.CustomKeyStoreId, m.CurrentKeyMaterialId = aws.String(k.KeyStore), nil
	if k.XksKey != "" {
		m.XksKeyConfiguration = &types.XksKeyConfigurationType{Id: aws.String(k.XksKey)}
		return nil
	}
	s, err := r.keyStoreOf(k)
	if err == nil && s != nil {
		m.CloudHsmClusterId = aws.String(s.Cluster.ID)
	}
	return err
}

// randomStore checks that the caller's custom key store can give random bytes: an AWS
// CloudHSM key store that is connected.
func (r *request) randomStore(id string) error {
	s, _, err := r.ownKeyStore(id)
	if err != nil {
		return err
	}
	switch state := s.Connection.State(r.now); {
	case s.Proxy != nil:
		return unsupported("GenerateRandom is not supported for the external key store %s.", id)
	case state != keyrecord.Connected:
		return wrongConnection(s, state)
	}
	return nil
}

// wrongConnection refuses what the state of a store's connection does not allow.
func wrongConnection(s *keyrecord.KeyStore, state string) error {
	return &types.CustomKeyStoreInvalidStateException{Message: text("The connection state of the custom key store %s is %s.", s.ID, state)}
}
