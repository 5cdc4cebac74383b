package kms_test

import (
	"cmp"
	"crypto/rsa"
	"crypto/x509"
	"encoding/binary"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/internal/keyrecord"
	"github.com/sealring/sealring/kms"
)

// plantAll makes all that the requests of permissions and session are about, beside the
// key of alias/app.
func (f *fixture) plantAll(t *testing.T) {
	t.Helper()
	f.plantGrants(t)
	f.plantKeys(t)
	f.plantImport(t)
	f.plantCopies(t)
	f.plantKeyStores(t)
}

// plantImport makes a key for imported material and what is needed for an import.
func (f *fixture) plantImport(t *testing.T) {
	t.Helper()
	key := do[sdk.CreateKeyOutput](t, f.api, &sdk.CreateKeyInput{Origin: types.OriginTypeExternal}).KeyMetadata
	f.external = *key.Arn
	f.importing = plantToken(t, f.Service(), *key.Arn, f.Now()).imported(t, random(32))
}

// plantToken stores an import token for a key of the account, good for a day from now
// on. Its wrapping key, which takes long to make, is always the same.
func plantToken(t *testing.T, s *kms.Service, key string, now time.Time) importer {
	t.Helper()
	private := generated(t, "RSA_2048")
	parsed, err := x509.ParsePKCS8PrivateKey(private)
	require.NoError(t, err)
	kept := &keyrecord.ImportToken{
		WrappingKeySpec: string(rsa2048), WrappingAlgorithm: string(oaep256), PrivateKey: private, Expires: now.Add(day),
	}
	token := append([]byte{1}, idOf(key)...) // docs/formats.md
	token = append(binary.BigEndian.AppendUint64(token, uint64(kept.Expires.UnixMilli())), random(32)...)
	require.NoError(t, s.PutImportToken(t.Context(), account, regionOf(key), idOf(key), token, kept))
	return importer{key, token, &parsed.(*rsa.PrivateKey).PublicKey, oaep256}
}

// plantCopies makes a multi-Region key with a replica in Frankfurt.
func (f *fixture) plantCopies(t *testing.T) {
	t.Helper()
	f.copies = *do[sdk.CreateKeyOutput](t, f.api, &sdk.CreateKeyInput{MultiRegion: aws.Bool(true)}).KeyMetadata.Arn
	succeeds(t, f.api, &sdk.ReplicateKeyInput{KeyId: &f.copies, ReplicaRegion: aws.String(frankfurt)})
}

// multiRegion returns the planted multi-Region key. Without it, that is the fixture's
// own key.
func (f *fixture) multiRegion() *string { return aws.String(cmp.Or(f.copies, f.arn)) }

// plantKeyStores makes two custom key stores, one of which is connected.
func (f *fixture) plantKeyStores(t *testing.T) {
	t.Helper()
	for i, id := range []*string{&f.keyStore, &f.connectedStore} {
		in := hsmStore([]string{"planted", "connected"}[i], "cluster-2222222222"+string(rune('a'+i)))
		*id = *do[sdk.CreateCustomKeyStoreOutput](t, f.api, in).CustomKeyStoreId
	}
	succeeds(t, f.api, &sdk.ConnectCustomKeyStoreInput{CustomKeyStoreId: &f.connectedStore})
}

// store returns the planted custom key store, or one that nobody has.
func (f *fixture) store() *string { return aws.String(cmp.Or(f.keyStore, unknownStore)) }

// hsmStore is a request for an AWS CloudHSM key store with any cluster.
func hsmStore(name, cluster string) *sdk.CreateCustomKeyStoreInput {
	return &sdk.CreateCustomKeyStoreInput{
		CustomKeyStoreName: &name, CloudHsmClusterId: &cluster,
		KeyStorePassword: aws.String(password), TrustAnchorCertificate: aws.String(anchor),
	}
}

// anyCluster knows a cluster of every id, in good order, that has nothing to do with any
// other.
func anyCluster(id string) (kms.CloudHSMCluster, bool) {
	c := goodCluster()
	c.History = id
	return c, true
}

// aboutCopies is a request of every operation on multi-Region keys.
func aboutCopies(f *fixture) []permission {
	key := f.multiRegion()
	return []permission{
		{&sdk.ReplicateKeyInput{KeyId: key, ReplicaRegion: aws.String(tokyo)}, "kms:ReplicateKey", *key},
		{&sdk.UpdatePrimaryRegionInput{KeyId: key, PrimaryRegion: aws.String(frankfurt)}, "kms:UpdatePrimaryRegion", *key},
	}
}

// aboutKeyStores is a request of every operation on custom key stores. They succeed in
// this order.
func aboutKeyStores(f *fixture) []permission {
	id := f.store()
	all := []any{
		&sdk.UpdateCustomKeyStoreInput{CustomKeyStoreId: id, NewCustomKeyStoreName: aws.String("renamed")},
		&sdk.DescribeCustomKeyStoresInput{},
		&sdk.ConnectCustomKeyStoreInput{CustomKeyStoreId: id},
		&sdk.DisconnectCustomKeyStoreInput{CustomKeyStoreId: id},
		&sdk.DeleteCustomKeyStoreInput{CustomKeyStoreId: id},
		hsmStore("another", clusterID),
	}
	list := make([]permission, len(all))
	for i, in := range all {
		list[i] = permission{in, "kms:" + nameOf(in), "*"}
	}
	return list
}
