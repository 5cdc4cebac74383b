package kms

import (
	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/sealring/sealring/internal/keyrecord"
)

// The operations on custom key stores. How a store is set up and changed is checked in
// keystoresettings.go.

// maxKeyStores is how many custom key stores an account can have in a Region unless the
// service's quotas say otherwise.
const maxKeyStores = 10

var createCustomKeyStore = &operation[sdk.CreateCustomKeyStoreInput, sdk.CreateCustomKeyStoreOutput]{
	name: "CreateCustomKeyStore",
	validate: func(c *constraints, in *sdk.CreateCustomKeyStoreInput) {
		c.text("customKeyStoreName", in.CustomKeyStoreName, 1, 256)
		oneOf(c, "customKeyStoreType", in.CustomKeyStoreType, in.CustomKeyStoreType.Values())
		s := newSettings(in)
		c.storeSettings(s)
		if s.service != nil {
			c.length("xksProxyVpcEndpointServiceName", *s.service, 20, 64)
		}
		external := in.CustomKeyStoreType == types.CustomKeyStoreTypeExternalKeyStore
		err := s.fit(external, true)
		c.reject(err != nil, err)
	},
	run: func(r *request, in *sdk.CreateCustomKeyStoreInput, _ []target) (*sdk.CreateCustomKeyStoreOutput, error) {
		all, err := r.keyStores(r.caller.Account, r.caller.Region)
		if err != nil {
			return nil, err
		}
		if len(all.Stores) >= r.service.quotas.KeyStores {
			return nil, limitExceeded("There are %d custom key stores already.", len(all.Stores))
		}
		s := keyrecord.KeyStore{
			ID:         newKeyStoreID(),
			Name:       *in.CustomKeyStoreName,
			Created:    r.now,
			Connection: keyrecord.Connection{Outcome: keyrecord.Disconnected},
		}
		if err := checkStoreName(&s, all); err != nil {
			return nil, err
		}
		if settings := newSettings(in); in.CustomKeyStoreType == types.CustomKeyStoreTypeExternalKeyStore {
			s.Proxy = r.newProxy(settings)
			err = r.checkProxy(&s, all)
		} else {
			err = r.setCluster(&s, all, *settings.cluster, *settings.trustAnchor, *settings.password)
		}
		if err != nil {
			return nil, err
		}
		all.Add(s)
		return &sdk.CreateCustomKeyStoreOutput{CustomKeyStoreId: aws.String(s.ID)}, r.writeKeyStores(all)
	},
}

var updateCustomKeyStore = &operation[sdk.UpdateCustomKeyStoreInput, sdk.UpdateCustomKeyStoreOutput]{
	name: "UpdateCustomKeyStore",
	validate: func(c *constraints, in *sdk.UpdateCustomKeyStoreInput) {
		c.keyStoreID(in.CustomKeyStoreId)
		if in.NewCustomKeyStoreName != nil {
			c.length("newCustomKeyStoreName", *in.NewCustomKeyStoreName, 1, 256)
		}
		c.storeSettings(changedSettings(in))
	},
	run: func(r *request, in *sdk.UpdateCustomKeyStoreInput, _ []target) (*sdk.UpdateCustomKeyStoreOutput, error) {
		s, all, err := r.ownKeyStore(*in.CustomKeyStoreId)
		if err != nil {
			return nil, err
		}
		settings := changedSettings(in)
		if err := settings.fit(s.Proxy != nil, false); err != nil {
			return nil, err
		}
		state := s.Connection.State(r.now)
		if state != keyrecord.Disconnected && (state != keyrecord.Connected || settings.needDisconnected()) {
			return nil, wrongConnection(s, state)
		}
		if in.NewCustomKeyStoreName != nil {
			s.Name = *in.NewCustomKeyStoreName
			if err := checkStoreName(s, all); err != nil {
				return nil, err
			}
		}
		if s.Proxy != nil {
			err = r.changeProxy(s, all, settings)
		} else {
			err = r.changeKeyStoreCluster(s.Cluster, settings)
		}
		if err != nil {
			return nil, err
		}
		return &sdk.UpdateCustomKeyStoreOutput{}, r.writeKeyStores(all)
	},
}

var connectCustomKeyStore = &operation[sdk.ConnectCustomKeyStoreInput, sdk.ConnectCustomKeyStoreOutput]{
	name:     "ConnectCustomKeyStore",
	validate: func(c *constraints, in *sdk.ConnectCustomKeyStoreInput) { c.keyStoreID(in.CustomKeyStoreId) },
	run: func(r *request, in *sdk.ConnectCustomKeyStoreInput, _ []target) (*sdk.ConnectCustomKeyStoreOutput, error) {
		out := &sdk.ConnectCustomKeyStoreOutput{}
		s, all, err := r.ownKeyStore(*in.CustomKeyStoreId)
		if err != nil {
			return nil, err
		}
		switch state := s.Connection.State(r.now); state {
		case keyrecord.Connected, keyrecord.Connecting:
			return out, nil
		case keyrecord.Failed, keyrecord.Disconnecting:
			return nil, wrongConnection(s, state)
		}
		var failure types.ConnectionErrorCodeType
		if s.Proxy != nil {
			failure, err = r.connectProxy(s.Proxy)
		} else {
			failure, err = r.connectCluster(s.Cluster)
		}
		if err != nil {
			return nil, err
		}
		s.Connection = r.connection(keyrecord.Connected)
		if failure != "" {
			s.Connection.Outcome, s.Connection.Error = keyrecord.Failed, string(failure)
		}
		return out, r.writeKeyStores(all)
	},
}

// connection returns the connection that begins now to come to its outcome.
func (r *request) connection(outcome string) keyrecord.Connection {
	c := keyrecord.Connection{Outcome: outcome}
	if r.service.settling > 0 {
		c.Until = r.now.Add(r.service.settling)
	}
	return c
}

var disconnectCustomKeyStore = &operation[sdk.DisconnectCustomKeyStoreInput, sdk.DisconnectCustomKeyStoreOutput]{
	name:     "DisconnectCustomKeyStore",
	validate: func(c *constraints, in *sdk.DisconnectCustomKeyStoreInput) { c.keyStoreID(in.CustomKeyStoreId) },
	run: func(r *request, in *sdk.DisconnectCustomKeyStoreInput, _ []target) (*sdk.DisconnectCustomKeyStoreOutput, error) {
		s, all, err := r.ownKeyStore(*in.CustomKeyStoreId)
		if err != nil {
			return nil, err
		}
		switch state := s.Connection.State(r.now); state {
		case keyrecord.Disconnected, keyrecord.Disconnecting:
			return nil, wrongConnection(s, state)
		}
		s.Connection = r.connection(keyrecord.Disconnected)
		return &sdk.DisconnectCustomKeyStoreOutput{}, r.writeKeyStores(all)
	},
}

var deleteCustomKeyStore = &operation[sdk.DeleteCustomKeyStoreInput, sdk.DeleteCustomKeyStoreOutput]{
	name:     "DeleteCustomKeyStore",
	validate: func(c *constraints, in *sdk.DeleteCustomKeyStoreInput) { c.keyStoreID(in.CustomKeyStoreId) },
	run: func(r *request, in *sdk.DeleteCustomKeyStoreInput, _ []target) (*sdk.DeleteCustomKeyStoreOutput, error) {
		s, all, err := r.ownKeyStore(*in.CustomKeyStoreId)
		if err != nil {
			return nil, err
		}
		if state := s.Connection.State(r.now); state != keyrecord.Disconnected {
			return nil, wrongConnection(s, state)
		}
		switch holds, err := r.holdsKeys(s.ID); {
		case err != nil:
			return nil, err
		case holds:
			return nil, &types.CustomKeyStoreHasCMKsException{Message: text("The custom key store %s contains KMS keys.", s.ID)}
		}
		all.Remove(s.ID)
		return &sdk.DeleteCustomKeyStoreOutput{}, r.writeKeyStores(all)
	},
}

// holdsKeys reports whether there is a key in one of the caller's stores. What it reads
// is not compared when the request is committed, because it could be a lot: a key that is
// made meanwhile, or is not to be deleted after all, changes the record of the stores.
func (r *request) holdsKeys(storeID string) (bool, error) {
	prefix := keyrecord.StoreKeyPrefix(r.caller.Account, r.caller.Region, storeID)
	for e, err := range r.draft.Scan(prefix, "") {
		if err != nil {
			return false, err
		}
		k, err := r.scanKey(string(e.Value))
		if err != nil {
			return false, err
		}
		if k != nil && !k.Gone(r.now) {
			return true, nil
		}
	}
	return false, nil
}

// scanKey returns the record of one of the caller's keys, gone or not, nil if there is
// none.
func (r *request) scanKey(id string) (*keyrecord.Key, error) {
	name := keyrecord.KeyName(r.caller.Account, r.caller.Region, id)
	for e, err := range r.draft.Scan(name, "") {
		if err != nil {
			return nil, err
		}
		if e.Key == name {
			defer clear(e.Value)
			return keyrecord.UnmarshalKey(e.Value)
		}
	}
	return nil, nil
}
