package keyrecord

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// States of the connection of a custom key store, as the API names them.
const (
	Connected     = "CONNECTED"
	Connecting    = "CONNECTING"
	Failed        = "FAILED"
	Disconnected  = "DISCONNECTED"
	Disconnecting = "DISCONNECTING"
)

// KeyStores is all custom key stores of an account in a Region. They have one record,
// so that what has to hold between them is decided by one version.
type KeyStores struct {
	Version int `json:"v"`

	// KeysMade counts the keys that were ever made in the stores or kept from deletion. So
	// each of them changes the record, and no store can be deleted while a key is made in
	// it.
	KeysMade uint64 `json:"keysMade,omitempty"`

	// Stores are in order of their ids.
	Stores []KeyStore `json:"stores"`
}

// KeyStore is one custom key store. It has either a cluster or a proxy.
type KeyStore struct {
	ID         string     `json:"id"`
	Name       string     `json:"name"`
	Created    time.Time  `json:"created"`
	Connection Connection `json:"connection"`
	Cluster    *Cluster   `json:"cluster,omitempty"` // of an AWS CloudHSM key store
	Proxy      *Proxy     `json:"proxy,omitempty"`   // of an external key store
}

// Connection is what connecting or disconnecting a store has come to, or will have
// come to at Until.
type Connection struct {
	Outcome string    `json:"outcome"`         // Connected, Failed or Disconnected
	Error   string    `json:"error,omitempty"` // code of a failure
	Until   time.Time `json:"until,omitzero"`
}

// State returns the state of the connection now.
func (c *Connection) State(now time.Time) string {
	switch {
	case !now.Before(c.Until):
		return c.Outcome
	case c.Outcome == Disconnected:
		return Disconnecting
	}
	return Connecting
}

// Cluster is the AWS CloudHSM cluster of a key store. History names the clusters that
// come from the same backup.
type Cluster struct {
	ID          string `json:"id"`
	History     string `json:"history"`
	TrustAnchor string `json:"trustAnchor"`
	Password    string `json:"password"`
}

// Proxy is the external key store proxy of a key store, and the credential that
// requests to it are signed with.
type Proxy struct {
	Endpoint        string `json:"endpoint"`
	Path            string `json:"path"`
	AccessKeyID     string `json:"accessKeyId"`
	SecretAccessKey string `json:"secretAccessKey"`

	// VPC is set if the proxy is reached through a VPC endpoint service.
	VPC *VPCService `json:"vpc,omitempty"`
}

// VPCService is a VPC endpoint service and the account that it belongs to.
type VPCService struct {
	Name  string `json:"name"`
	Owner string `json:"owner"`
}

// Format prints the store's id only, whatever the verb.
func (s KeyStore) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "key store %s", s.ID) }

// Format prints the cluster's id only, whatever the verb.
func (c Cluster) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "cluster %s", c.ID) }

// Format prints the proxy's address only, whatever the verb.
func (p Proxy) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "proxy %s%s", p.Endpoint, p.Path) }

// Store returns the store with the id, nil if there is none. It may be changed.
func (s *KeyStores) Store(id string) *KeyStore {
	if i, ok := s.find(id); ok {
		return &s.Stores[i]
	}
	return nil
}

// Add adds a store, whose id is new.
func (s *KeyStores) Add(k KeyStore) {
	i, _ := s.find(k.ID)
	s.Stores = slices.Insert(s.Stores, i, k)
}

// Remove removes the store with the id.
func (s *KeyStores) Remove(id string) {
	if i, ok := s.find(id); ok {
		s.Stores = slices.Delete(s.Stores, i, i+1)
	}
}

func (s *KeyStores) find(id string) (int, bool) {
	return slices.BinarySearchFunc(s.Stores, id, func(k KeyStore, id string) int { return strings.Compare(k.ID, id) })
}

// Marshal returns the record of s.
func (s *KeyStores) Marshal() ([]byte, error) {
	s.Version = version
	return json.Marshal(s)
}

// UnmarshalKeyStores reads the record of an account's stores.
func UnmarshalKeyStores(b []byte) (*KeyStores, error) {
	var s KeyStores
	if err := json.Unmarshal(b, &s); err != nil {
		return nil, errors.New("keyrecord: key stores: not the JSON of a record") // whose values are secret
	}
	if s.Version != version {
		return nil, fmt.Errorf("keyrecord: key stores of format %d, this program knows %d", s.Version, version)
	}
	for i := range s.Stores {
		k := &s.Stores[i]
		switch k.Connection.Outcome {
		case Connected, Failed, Disconnected:
		default:
			return nil, fmt.Errorf("keyrecord: key store %q has no state", k.ID)
		}
		switch {
		case i > 0 && s.Stores[i-1].ID >= k.ID:
			return nil, errors.New("keyrecord: key stores are not in order")
		case (k.Cluster == nil) == (k.Proxy == nil):
			return nil, fmt.Errorf("keyrecord: key store %q has not one kind", k.ID)
		}
	}
	return &s, nil
}

// KeyStoresName is the store key of the record of an account's custom key stores in a
// Region.
func KeyStoresName(account, region string) string {
	return "kms/" + account + "/" + region + "/keystores"
}

// StoreKeyPrefix starts the index entries of the keys in a custom key store.
func StoreKeyPrefix(account, region, storeID string) string {
	return "kms/" + account + "/" + region + "/storekey/" + storeID + "/"
}

// StoreKeyName is the index entry of k in its custom key store. Its value is the key's
// id. An external key has one entry, so that no two keys of a store can have the same.
func (k *Key) StoreKeyName() string {
	return StoreKeyPrefix(k.Account, k.Region, k.KeyStore) + cmp.Or(k.XksKey, k.ID)
}
