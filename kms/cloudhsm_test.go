package kms_test

import (
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/kms"
)

const otherCluster = "cluster-2222222222a"

const (
	noCluster       = "The CloudHSM cluster " + clusterID + " was not found."
	inactiveCluster = "The CloudHSM cluster " + clusterID + " is not active."
	unfitCluster    = "The CloudHSM cluster " + clusterID + " does not meet the configuration requirements for a CloudHSM key store."
	smallCluster    = "The CloudHSM cluster " + clusterID + " must contain at least %d active HSMs."
	usedCluster     = "The CloudHSM cluster %s, or one that shares its backup history, is already associated with a custom key store."
)

// TestClusters has a cluster in every condition, and what the operations make of it.
func TestClusters(t *testing.T) {
	t.Parallel()
	type outcome struct {
		code, message string // of an exception
		connection    types.ConnectionErrorCodeType
	}
	good := outcome{}
	notFound := outcome{"CloudHsmClusterNotFoundException", noCluster, ""}
	inactive := outcome{"CloudHsmClusterNotActiveException", inactiveCluster, ""}
	unfit := outcome{"CloudHsmClusterInvalidConfigurationException", unfitCluster, ""}
	needs := func(n int) outcome {
		return outcome{"CloudHsmClusterInvalidConfigurationException", fmt.Sprintf(smallCluster, n), ""}
	}
	for name, test := range map[string]struct {
		change                          func(c *kms.CloudHSMCluster) // nil: there is none
		create, update, connect, newKey outcome
	}{
		"good":           {func(*kms.CloudHSMCluster) {}, good, good, good, good},
		"none":           {nil, notFound, notFound, outcome{connection: types.ConnectionErrorCodeTypeClusterNotFound}, needs(2)},
		"not active":     {func(c *kms.CloudHSMCluster) { c.Active = false }, inactive, inactive, inactive, needs(2)},
		"misconfigured":  {func(c *kms.CloudHSMCluster) { c.Misconfigured = true }, unfit, unfit, unfit, needs(2)},
		"one HSM":        {func(c *kms.CloudHSMCluster) { c.HSMs = 1 }, needs(2), needs(2), good, needs(2)},
		"no HSM":         {func(c *kms.CloudHSMCluster) { c.HSMs = 0 }, needs(2), needs(2), needs(1), needs(2)},
		"other password": {func(c *kms.CloudHSMCluster) { c.Password = "changed" }, good, good, outcome{connection: types.ConnectionErrorCodeTypeInvalidCredentials}, good},
		"other anchor":   {func(c *kms.CloudHSMCluster) { c.TrustAnchor = "x" }, outcome{"IncorrectTrustAnchorException", "The trust anchor certificate is not that of the CloudHSM cluster " + clusterID + ".", ""}, good, good, good},
		"line breaks":    {func(c *kms.CloudHSMCluster) { c.TrustAnchor = "\n" + anchor + "\n" }, good, good, good, good},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachWithStores(t, func(t *testing.T, f *storeFixture) {
				spoil := func() {
					if test.change == nil {
						f.change(func(s *surroundings) { delete(s.clusters, clusterID) })
						return
					}
					f.setCluster(test.change)
				}
				restore := func() { f.setCluster(func(c *kms.CloudHSMCluster) { *c = goodCluster() }) }
				expect := func(want outcome, in any) {
					t.Helper()
					if want.code == "" {
						succeeds(t, f.api, in)
						return
					}
					f.unchanged(t, func() { refused(t, f.api, in, want.code, want.message) })
				}

				spoil()
				expect(test.create, f.hsmStore("a"))
				restore()
				if test.create.code != "" {
					succeeds(t, f.api, f.hsmStore("a"))
				}
				id := *do[sdk.DescribeCustomKeyStoresOutput](t, f.api, &sdk.DescribeCustomKeyStoresInput{}).CustomKeyStores[0].CustomKeyStoreId

				spoil()
				expect(test.update, &sdk.UpdateCustomKeyStoreInput{CustomKeyStoreId: &id, CloudHsmClusterId: aws.String(clusterID)})
				expect(test.connect, &sdk.ConnectCustomKeyStoreInput{CustomKeyStoreId: &id})
				if s := f.describe(t, id); test.connect == good {
					require.Equal(t, types.ConnectionStateTypeConnected, s.ConnectionState)
				} else if test.connect.code == "" {
					require.Equal(t, types.ConnectionStateTypeFailed, s.ConnectionState)
					require.Equal(t, test.connect.connection, s.ConnectionErrorCode)
					f.disconnect(t, id)
				} else {
					require.Equal(t, types.ConnectionStateTypeDisconnected, s.ConnectionState)
				}

				restore()
				f.connect(t, id)
				spoil()
				expect(test.newKey, hsmKey(id))
			})
		})
	}
}

func TestConnectionErrorCodesOfClusters(t *testing.T) {
	t.Parallel()
	eachWithStores(t, func(t *testing.T, f *storeFixture) {
		id := f.create(t, f.hsmStore("s"))
		for _, code := range types.ConnectionErrorCodeType("").Values() {
			f.setCluster(func(c *kms.CloudHSMCluster) { c.Failure = code })
			f.connect(t, id)
			s := f.describe(t, id)
			require.Equal(t, types.ConnectionStateTypeFailed, s.ConnectionState)
			require.Equal(t, code, s.ConnectionErrorCode)
			refused(t, f.api, hsmKey(id), "CustomKeyStoreInvalidStateException", wrongState(id, "FAILED"))
			f.disconnect(t, id)
			require.Empty(t, f.describe(t, id).ConnectionErrorCode)
		}
	})
}

func TestClustersWithoutConfig(t *testing.T) {
	t.Parallel()
	f := newStoreFixture(t, false, func(c *kms.Config) { c.CloudHSM = nil })
	refused(t, f.api, f.hsmStore("s"), "CloudHsmClusterNotFoundException", noCluster)
}

func TestClustersOfOneHistory(t *testing.T) {
	t.Parallel()
	eachWithStores(t, func(t *testing.T, f *storeFixture) {
		set := func(id, history string) {
			f.change(func(s *surroundings) {
				c := goodCluster()
				c.History = history
				s.clusters[id] = c
			})
		}
		id := f.create(t, f.hsmStore("a"))
		another := f.hsmStore("b")
		refused(t, f.api, another, "CloudHsmClusterInUseException", fmt.Sprintf(usedCluster, clusterID))
		another.CloudHsmClusterId = aws.String(otherCluster)
		set(otherCluster, "backup-1")
		refused(t, f.api, another, "CloudHsmClusterInUseException", fmt.Sprintf(usedCluster, otherCluster))

		// a related cluster can take the place, another one cannot
		change := &sdk.UpdateCustomKeyStoreInput{CustomKeyStoreId: &id, CloudHsmClusterId: aws.String(otherCluster)}
		for _, history := range []string{"", "backup-2"} {
			set(otherCluster, history)
			f.unchanged(t, func() {
				refused(t, f.api, change, "CloudHsmClusterNotRelatedException",
					"The CloudHSM cluster "+otherCluster+" does not share a backup history with the cluster "+clusterID+".")
			})
		}
		set(otherCluster, "backup-1")
		f.connect(t, id)
		key := f.createKey(t, hsmKey(id))
		f.disconnect(t, id)
		succeeds(t, f.api, change)
		require.Equal(t, otherCluster, *f.describe(t, id).CloudHsmClusterId)
		require.Equal(t, anchor, *f.describe(t, id).TrustAnchorCertificate)
		require.Equal(t, otherCluster, *do[sdk.DescribeKeyOutput](t, f.api, &sdk.DescribeKeyInput{KeyId: &key}).KeyMetadata.CloudHsmClusterId)

		// unrelated clusters have a store each
		set(clusterID, "")
		succeeds(t, f.api, f.hsmStore("c"))
	})
}

func TestPasswordOfKeyStore(t *testing.T) {
	t.Parallel()
	eachWithStores(t, func(t *testing.T, f *storeFixture) {
		in := f.hsmStore("s")
		in.KeyStorePassword = aws.String("not-yet-known")
		id := f.create(t, in)
		f.connect(t, id)
		require.Equal(t, types.ConnectionErrorCodeTypeInvalidCredentials, f.describe(t, id).ConnectionErrorCode)
		f.disconnect(t, id)
		succeeds(t, f.api, &sdk.UpdateCustomKeyStoreInput{CustomKeyStoreId: &id, KeyStorePassword: aws.String(password)})
		f.connect(t, id)
		require.Equal(t, types.ConnectionStateTypeConnected, f.describe(t, id).ConnectionState)
	})
}

// TestKeyInCloudHSMKeyStore takes a key through its life.
func TestKeyInCloudHSMKeyStore(t *testing.T) {
	t.Parallel()
	eachWithStores(t, func(t *testing.T, f *storeFixture) {
		id := f.createConnected(t, f.hsmStore("s"))
		created := do[sdk.CreateKeyOutput](t, f.api, hsmKey(id)).KeyMetadata
		want := &types.KeyMetadata{
			AWSAccountId:          aws.String(account),
			Arn:                   created.Arn,
			CloudHsmClusterId:     aws.String(clusterID),
			CreationDate:          aws.Time(f.Now()),
			CustomKeyStoreId:      &id,
			CustomerMasterKeySpec: "SYMMETRIC_DEFAULT", //lint:ignore SA1019 AWS still sends it
			Description:           aws.String(""),
			Enabled:               true,
			EncryptionAlgorithms:  []types.EncryptionAlgorithmSpec{"SYMMETRIC_DEFAULT"},
			KeyId:                 created.KeyId,
			KeyManager:            types.KeyManagerTypeCustomer,
			KeySpec:               types.KeySpecSymmetricDefault,
			KeyState:              types.KeyStateEnabled,
			KeyUsage:              types.KeyUsageTypeEncryptDecrypt,
			MultiRegion:           aws.Bool(false),
			Origin:                types.OriginTypeAwsCloudhsm,
		}
		require.Equal(t, want, created)

		key := created.Arn
		blob := do[sdk.EncryptOutput](t, f.api, &sdk.EncryptInput{KeyId: key, Plaintext: []byte("secret")}).CiphertextBlob
		use := []any{
			&sdk.EncryptInput{KeyId: key, Plaintext: []byte("x")},
			&sdk.DecryptInput{CiphertextBlob: blob},
			&sdk.GenerateDataKeyInput{KeyId: key, KeySpec: types.DataKeySpecAes256},
			&sdk.GenerateDataKeyWithoutPlaintextInput{KeyId: key, KeySpec: types.DataKeySpecAes256},
			&sdk.ReEncryptInput{CiphertextBlob: blob, DestinationKeyId: &f.id},
			&sdk.ReEncryptInput{CiphertextBlob: f.plant(t, "secret", nil), DestinationKeyId: key},
		}
		for _, in := range use {
			succeeds(t, f.api, in)
		}
		f.disconnect(t, id)
		want.KeyState, want.Enabled = types.KeyStateUnavailable, false
		require.Equal(t, want, do[sdk.DescribeKeyOutput](t, f.api, &sdk.DescribeKeyInput{KeyId: key}).KeyMetadata)
		for _, in := range use {
			refused(t, f.api, in, "KMSInvalidStateException", *key+" is unavailable.")
		}
		refused(t, f.api, hsmKey(id), "CustomKeyStoreInvalidStateException", wrongState(id, "DISCONNECTED"))
		refused(t, f.api, &sdk.CancelKeyDeletionInput{KeyId: key}, "KMSInvalidStateException", *key+" is not pending deletion.")

		// what can be done meanwhile takes effect when the store is back
		succeeds(t, f.api, &sdk.CreateGrantInput{KeyId: key, GranteePrincipal: &bob, Operations: []types.GrantOperation{"Decrypt"}})
		succeeds(t, f.api, &sdk.DisableKeyInput{KeyId: key})
		require.Equal(t, types.KeyStateUnavailable, f.state(t, *key))
		f.connect(t, id)
		require.Equal(t, types.KeyStateDisabled, f.state(t, *key))
		f.disconnect(t, id)
		succeeds(t, f.api, &sdk.EnableKeyInput{KeyId: key})
		f.connect(t, id)
		for _, in := range use {
			succeeds(t, f.api, in)
		}
	})
}

func TestKeysThatCannotBeInKeyStores(t *testing.T) {
	t.Parallel()
	eachWithStores(t, func(t *testing.T, f *storeFixture) {
		hsm, external := f.createConnected(t, f.hsmStore("hsm")), f.createConnected(t, f.externalStore("external"))
		for _, test := range []struct {
			in            *sdk.CreateKeyInput
			code, message string
		}{
			{hsmKey(external), "ValidationException", "Origin AWS_CLOUDHSM is not valid for the custom key store " + external + "."},
			{externalKey(hsm, "key-1"), "ValidationException", "Origin EXTERNAL_KEY_STORE is not valid for the custom key store " + hsm + "."},
			{&sdk.CreateKeyInput{CustomKeyStoreId: &hsm}, "ValidationException", "CustomKeyStoreId is not valid for Origin AWS_KMS."},
			{&sdk.CreateKeyInput{Origin: "EXTERNAL", CustomKeyStoreId: &hsm}, "ValidationException", "CustomKeyStoreId is not valid for Origin EXTERNAL."},
			{&sdk.CreateKeyInput{Origin: "AWS_CLOUDHSM"}, "ValidationException", "CustomKeyStoreId is required for Origin AWS_CLOUDHSM."},
			{&sdk.CreateKeyInput{Origin: "EXTERNAL_KEY_STORE", XksKeyId: aws.String("key-1")}, "ValidationException", "CustomKeyStoreId is required for Origin EXTERNAL_KEY_STORE."},
			{&sdk.CreateKeyInput{Origin: "EXTERNAL_KEY_STORE", CustomKeyStoreId: &external}, "ValidationException", "XksKeyId is required for Origin EXTERNAL_KEY_STORE."},
			{&sdk.CreateKeyInput{Origin: "AWS_CLOUDHSM", CustomKeyStoreId: &hsm, XksKeyId: aws.String("key-1")}, "ValidationException", "XksKeyId is not valid for Origin AWS_CLOUDHSM."},
			{&sdk.CreateKeyInput{Origin: "AWS_CLOUDHSM", CustomKeyStoreId: &hsm, MultiRegion: aws.Bool(true)}, "UnsupportedOperationException", "A key in a custom key store cannot be a multi-Region key."},
			{externalKey(external, "."), "ValidationException", "XksKeyId . is not valid."},
			{externalKey(external, ".."), "ValidationException", "XksKeyId .. is not valid."},
			{externalKey(external, "a/b"), "ValidationException", offPattern("a/b", "xksKeyId", "^[a-zA-Z0-9-_.]+$")},
		} {
			f.unchanged(t, func() { refused(t, f.api, test.in, test.code, test.message) })
		}
	})
}

// TestClusterIsNotPrinted searches what a cluster prints as for its password.
func TestClusterIsNotPrinted(t *testing.T) {
	t.Parallel()
	c := goodCluster()
	for _, v := range []any{c, &c, []kms.CloudHSMCluster{c}, struct{ C kms.CloudHSMCluster }{c}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
			require.NotContains(t, fmt.Sprintf(verb, v), "PASSWORD")
			require.Contains(t, fmt.Sprintf(verb, v), "2 HSMs")
		}
	}
}
