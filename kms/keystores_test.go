package kms_test

import (
	"fmt"
	"regexp"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/identity"
	"github.com/sealring/sealring/internal/xks"
	"github.com/sealring/sealring/internal/xks/xkstest"
	"github.com/sealring/sealring/kms"
	"github.com/sealring/sealring/kms/kmstest"
)

const unknownStore = "cks-00000000000000000"

func storeNotFound(id string) string { return "Custom key store " + id + " does not exist." }

func wrongState(id string, state types.ConnectionStateType) string {
	return fmt.Sprintf("The connection state of the custom key store %s is %s.", id, state)
}

func TestCreateCustomKeyStore(t *testing.T) {
	t.Parallel()
	eachWithStores(t, func(t *testing.T, f *storeFixture) {
		external := f.create(t, f.externalStore("a"))
		require.Regexp(t, regexp.MustCompile(`^cks-[0-9a-f]{17}$`), external)
		require.Equal(t, types.CustomKeyStoresListEntry{
			ConnectionState:    types.ConnectionStateTypeDisconnected,
			CreationDate:       aws.Time(kmstest.Start),
			CustomKeyStoreId:   &external,
			CustomKeyStoreName: aws.String("a"),
			CustomKeyStoreType: types.CustomKeyStoreTypeExternalKeyStore,
			XksProxyConfiguration: &types.XksProxyConfigurationType{
				AccessKeyId:  &f.proxy.AccessKeyID,
				Connectivity: types.XksProxyConnectivityTypePublicEndpoint,
				UriEndpoint:  aws.String("https://a.example.com"),
				UriPath:      &f.proxy.Path,
			},
		}, f.describe(t, external))

		vpc := f.create(t, f.vpcStore("b"))
		require.Equal(t, &types.XksProxyConfigurationType{
			AccessKeyId:             &f.proxy.AccessKeyID,
			Connectivity:            types.XksProxyConnectivityTypeVpcEndpointService,
			UriEndpoint:             aws.String("https://" + vpcHost),
			UriPath:                 &f.proxy.Path,
			VpcEndpointServiceName:  aws.String(vpcService),
			VpcEndpointServiceOwner: aws.String(account),
		}, f.describe(t, vpc).XksProxyConfiguration)

		f.Advance(time.Second)
		hsm := f.create(t, f.hsmStore("c"))
		require.Equal(t, types.CustomKeyStoresListEntry{
			CloudHsmClusterId:      aws.String(clusterID),
			ConnectionState:        types.ConnectionStateTypeDisconnected,
			CreationDate:           aws.Time(kmstest.Start.Add(time.Second)),
			CustomKeyStoreId:       &hsm,
			CustomKeyStoreName:     aws.String("c"),
			CustomKeyStoreType:     types.CustomKeyStoreTypeAwsCloudhsm,
			TrustAnchorCertificate: aws.String(anchor),
		}, f.describe(t, hsm))
	})
}

// TestConnectionStates is the state machine of custom key stores: what each operation
// does to a store in each state.
func TestConnectionStates(t *testing.T) {
	t.Parallel()
	const (
		connected     = types.ConnectionStateTypeConnected
		connecting    = types.ConnectionStateTypeConnecting
		failed        = types.ConnectionStateTypeFailed
		disconnected  = types.ConnectionStateTypeDisconnected
		disconnecting = types.ConnectionStateTypeDisconnecting

		refusal = types.ConnectionStateType("") // CustomKeyStoreInvalidStateException
		gone    = types.ConnectionStateType("gone")
	)
	type row = map[types.ConnectionStateType]types.ConnectionStateType
	cloudHSM := func(f *storeFixture) *sdk.CreateCustomKeyStoreInput { return f.hsmStore("s") }
	external := func(f *storeFixture) *sdk.CreateCustomKeyStoreInput { return f.externalStore("s") }
	vpc := func(f *storeFixture) *sdk.CreateCustomKeyStoreInput { return f.vpcStore("s") }
	kinds := map[string]func(f *storeFixture) *sdk.CreateCustomKeyStoreInput{"CloudHSM": cloudHSM, "external": external, "VPC": vpc}

	stays := row{connected: connected, connecting: refusal, failed: refusal, disconnected: disconnected, disconnecting: refusal}
	needsDisconnected := row{connected: refusal, connecting: refusal, failed: refusal, disconnected: disconnected, disconnecting: refusal}
	update := func(change func(f *storeFixture, in *sdk.UpdateCustomKeyStoreInput)) func(f *storeFixture, id *string) any {
		return func(f *storeFixture, id *string) any {
			in := &sdk.UpdateCustomKeyStoreInput{CustomKeyStoreId: id}
			change(f, in)
			return in
		}
	}
	for name, test := range map[string]struct {
		in   func(f *storeFixture, id *string) any
		then row
		only []string // kinds
	}{
		"connect": {
			in:   func(_ *storeFixture, id *string) any { return &sdk.ConnectCustomKeyStoreInput{CustomKeyStoreId: id} },
			then: row{connected: connected, connecting: connecting, failed: refusal, disconnected: connecting, disconnecting: refusal},
		},
		"disconnect": {
			in:   func(_ *storeFixture, id *string) any { return &sdk.DisconnectCustomKeyStoreInput{CustomKeyStoreId: id} },
			then: row{connected: disconnecting, connecting: disconnecting, failed: disconnecting, disconnected: refusal, disconnecting: refusal},
		},
		"delete": {
			in:   func(_ *storeFixture, id *string) any { return &sdk.DeleteCustomKeyStoreInput{CustomKeyStoreId: id} },
			then: row{connected: refusal, connecting: refusal, failed: refusal, disconnected: gone, disconnecting: refusal},
		},
		"describe": {
			in:   func(_ *storeFixture, id *string) any { return &sdk.DescribeCustomKeyStoresInput{CustomKeyStoreId: id} },
			then: row{connected: connected, connecting: connecting, failed: failed, disconnected: disconnected, disconnecting: disconnecting},
		},
		"update nothing": {in: update(func(*storeFixture, *sdk.UpdateCustomKeyStoreInput) {}), then: stays},
		"update name": {
			in:   update(func(_ *storeFixture, in *sdk.UpdateCustomKeyStoreInput) { in.NewCustomKeyStoreName = aws.String("new") }),
			then: stays,
		},
		"update path": {
			in:   update(func(f *storeFixture, in *sdk.UpdateCustomKeyStoreInput) { in.XksProxyUriPath = &f.proxy.Path }),
			then: stays, only: []string{"external", "VPC"},
		},
		"update credential": {
			in: update(func(f *storeFixture, in *sdk.UpdateCustomKeyStoreInput) {
				in.XksProxyAuthenticationCredential = f.externalStore("").XksProxyAuthenticationCredential
			}),
			then: stays, only: []string{"external", "VPC"},
		},
		"update endpoint": {
			in: update(func(_ *storeFixture, in *sdk.UpdateCustomKeyStoreInput) {
				in.XksProxyUriEndpoint = aws.String("https://new.example.com")
			}),
			then: needsDisconnected, only: []string{"external"},
		},
		"update connectivity": {
			in: update(func(_ *storeFixture, in *sdk.UpdateCustomKeyStoreInput) {
				in.XksProxyConnectivity = types.XksProxyConnectivityTypePublicEndpoint
			}),
			then: needsDisconnected, only: []string{"external"},
		},
		"update service": {
			in: update(func(_ *storeFixture, in *sdk.UpdateCustomKeyStoreInput) {
				in.XksProxyVpcEndpointServiceName = aws.String(vpcService)
			}),
			then: needsDisconnected, only: []string{"VPC"},
		},
		"update owner": {
			in: update(func(_ *storeFixture, in *sdk.UpdateCustomKeyStoreInput) {
				in.XksProxyVpcEndpointServiceOwner = aws.String(account)
			}),
			then: needsDisconnected, only: []string{"VPC"},
		},
		"update password": {
			in:   update(func(_ *storeFixture, in *sdk.UpdateCustomKeyStoreInput) { in.KeyStorePassword = aws.String(password) }),
			then: needsDisconnected, only: []string{"CloudHSM"},
		},
		"update cluster": {
			in:   update(func(_ *storeFixture, in *sdk.UpdateCustomKeyStoreInput) { in.CloudHsmClusterId = aws.String(clusterID) }),
			then: needsDisconnected, only: []string{"CloudHSM"},
		},
	} {
		require.Len(t, test.then, 5)
		only := test.only
		if only == nil {
			only = []string{"CloudHSM", "external", "VPC"}
		}
		for _, kind := range only {
			t.Run(name+"/"+kind, func(t *testing.T) {
				t.Parallel()
				for from, to := range test.then {
					f := newStoreFixture(t, len(from)%2 == 0, func(c *kms.Config) { c.Settling = time.Minute })
					id := f.create(t, kinds[kind](f))
					f.bring(t, id, from)
					require.Equal(t, from, f.describe(t, id).ConnectionState)
					switch to {
					case refusal:
						f.unchanged(t, func() {
							refused(t, f.api, test.in(f, &id), "CustomKeyStoreInvalidStateException", wrongState(id, from))
						})
					case gone:
						succeeds(t, f.api, test.in(f, &id))
						refused(t, f.api, &sdk.DescribeCustomKeyStoresInput{CustomKeyStoreId: &id}, "CustomKeyStoreNotFoundException", storeNotFound(id))
					default:
						succeeds(t, f.api, test.in(f, &id))
						require.Equal(t, to, f.describe(t, id).ConnectionState, "from %s", from)
					}
				}
			})
		}
	}
}

// bring takes a new store to a state. Its transitions take a minute.
func (f *storeFixture) bring(t *testing.T, id string, to types.ConnectionStateType) {
	t.Helper()
	if to == types.ConnectionStateTypeDisconnected {
		return
	}
	if to == types.ConnectionStateTypeFailed {
		f.proxy.Fail(xkstest.Exception(xks.AccessDeniedException))
		f.setCluster(func(c *kms.CloudHSMCluster) { c.Failure = types.ConnectionErrorCodeTypeUserLockedOut })
	}
	f.connect(t, id)
	f.proxy.Fail(nil)
	f.setCluster(func(c *kms.CloudHSMCluster) { c.Failure = "" })
	if to == types.ConnectionStateTypeConnecting {
		return
	}
	f.Advance(time.Minute)
	if to == types.ConnectionStateTypeDisconnecting {
		f.disconnect(t, id)
	}
}

// TestTransitionsTakeTheirTime looks at a store just before and just after.
func TestTransitionsTakeTheirTime(t *testing.T) {
	t.Parallel()
	eachWithStores(t, func(t *testing.T, f *storeFixture) {
		id := f.create(t, f.hsmStore("s"))
		states := func(first, second types.ConnectionStateType) {
			t.Helper()
			require.Equal(t, first, f.describe(t, id).ConnectionState)
			f.Advance(time.Minute - time.Millisecond)
			require.Equal(t, first, f.describe(t, id).ConnectionState)
			f.Advance(time.Millisecond)
			require.Equal(t, second, f.describe(t, id).ConnectionState)
		}
		f.connect(t, id)
		states(types.ConnectionStateTypeConnecting, types.ConnectionStateTypeConnected)
		key := f.createKey(t, hsmKey(id))
		f.disconnect(t, id)
		require.Equal(t, types.KeyStateUnavailable, f.state(t, key))
		states(types.ConnectionStateTypeDisconnecting, types.ConnectionStateTypeDisconnected)

		f.setCluster(func(c *kms.CloudHSMCluster) { c.Failure = types.ConnectionErrorCodeTypeNetworkErrors })
		f.connect(t, id)
		require.Empty(t, f.describe(t, id).ConnectionErrorCode) // not before it is told
		states(types.ConnectionStateTypeConnecting, types.ConnectionStateTypeFailed)
		require.Equal(t, types.ConnectionErrorCodeTypeNetworkErrors, f.describe(t, id).ConnectionErrorCode)
		f.disconnect(t, id)
		require.Empty(t, f.describe(t, id).ConnectionErrorCode)
		states(types.ConnectionStateTypeDisconnecting, types.ConnectionStateTypeDisconnected)
	}, func(c *kms.Config) { c.Settling = time.Minute })
}

// TestConnectionAndTheClock has a clock that goes back.
func TestConnectionAndTheClock(t *testing.T) {
	t.Parallel()
	f := newStoreFixture(t, false)
	id := f.createConnected(t, f.hsmStore("s"))
	f.Advance(-time.Hour)
	require.Equal(t, types.ConnectionStateTypeConnected, f.describe(t, id).ConnectionState)
	f.disconnect(t, id)
	f.Advance(-time.Hour)
	require.Equal(t, types.ConnectionStateTypeDisconnected, f.describe(t, id).ConnectionState)
}

func TestUnknownCustomKeyStore(t *testing.T) {
	t.Parallel()
	eachWithStores(t, func(t *testing.T, f *storeFixture) {
		own := f.createConnected(t, f.hsmStore("own"))
		elsewhere := f.Client(identity.Root(account, "eu-west-1"))
		stranger := f.Client(identity.Root(otherAccount, region))
		for _, in := range []func(id *string) any{
			func(id *string) any { return &sdk.ConnectCustomKeyStoreInput{CustomKeyStoreId: id} },
			func(id *string) any { return &sdk.DisconnectCustomKeyStoreInput{CustomKeyStoreId: id} },
			func(id *string) any { return &sdk.DeleteCustomKeyStoreInput{CustomKeyStoreId: id} },
			func(id *string) any { return &sdk.UpdateCustomKeyStoreInput{CustomKeyStoreId: id} },
			func(id *string) any { return &sdk.DescribeCustomKeyStoresInput{CustomKeyStoreId: id} },
			func(id *string) any { return hsmKey(*id) },
			func(id *string) any { return externalKey(*id, "key-1") },
		} {
			f.unchanged(t, func() {
				refused(t, f.api, in(aws.String(unknownStore)), "CustomKeyStoreNotFoundException", storeNotFound(unknownStore))
				for _, api := range []kms.API{elsewhere, stranger} {
					refused(t, api, in(&own), "CustomKeyStoreNotFoundException", storeNotFound(own))
				}
			})
		}
		refused(t, f.api, &sdk.DescribeCustomKeyStoresInput{CustomKeyStoreName: aws.String("none")}, "CustomKeyStoreNotFoundException", storeNotFound("none"))
		empty := do[sdk.DescribeCustomKeyStoresOutput](t, stranger, &sdk.DescribeCustomKeyStoresInput{})
		require.Equal(t, &sdk.DescribeCustomKeyStoresOutput{CustomKeyStores: []types.CustomKeyStoresListEntry{}}, empty)
	})
}

func TestDeleteCustomKeyStoreWithKeys(t *testing.T) {
	t.Parallel()
	eachWithStores(t, func(t *testing.T, f *storeFixture) {
		for name, id := range map[string]string{
			"hsm":      f.createConnected(t, f.hsmStore("hsm")),
			"external": f.createConnected(t, f.externalStore("external")),
		} {
			in := hsmKey(id)
			if name == "external" {
				in = externalKey(id, "key-1")
			}
			key := f.createKey(t, in)
			holds := func() {
				t.Helper()
				f.unchanged(t, func() {
					refused(t, f.api, &sdk.DeleteCustomKeyStoreInput{CustomKeyStoreId: &id}, "CustomKeyStoreHasCMKsException", "The custom key store "+id+" contains KMS keys.")
				})
			}
			f.disconnect(t, id)
			holds()
			succeeds(t, f.api, &sdk.ScheduleKeyDeletionInput{KeyId: &key, PendingWindowInDays: aws.Int32(7)})
			require.Equal(t, types.KeyStatePendingDeletion, f.state(t, key)) // not masked
			f.Advance(7*day - time.Millisecond)
			holds()
			f.Advance(time.Millisecond)
			succeeds(t, f.api, &sdk.DeleteCustomKeyStoreInput{CustomKeyStoreId: &id})
			refused(t, f.api, &sdk.DescribeKeyInput{KeyId: &key}, "NotFoundException", "Key '"+key+"' does not exist")
		}
		require.Empty(t, do[sdk.DescribeCustomKeyStoresOutput](t, f.api, &sdk.DescribeCustomKeyStoresInput{}).CustomKeyStores)
	})
}

// TestDeleteCustomKeyStoreOfManyGoneKeys has more of them than a transaction may touch.
func TestDeleteCustomKeyStoreOfManyGoneKeys(t *testing.T) {
	t.Parallel()
	f := newStoreFixture(t, false)
	id := f.createConnected(t, f.hsmStore("s"))
	for range 120 {
		key := f.createKey(t, hsmKey(id))
		succeeds(t, f.api, &sdk.ScheduleKeyDeletionInput{KeyId: &key, PendingWindowInDays: aws.Int32(7)})
	}
	f.disconnect(t, id)
	refused(t, f.api, &sdk.DeleteCustomKeyStoreInput{CustomKeyStoreId: &id}, "CustomKeyStoreHasCMKsException", "The custom key store "+id+" contains KMS keys.")
	f.Advance(7 * day)
	succeeds(t, f.api, &sdk.DeleteCustomKeyStoreInput{CustomKeyStoreId: &id})
}

func TestDescribeCustomKeyStores(t *testing.T) {
	t.Parallel()
	eachWithStores(t, func(t *testing.T, f *storeFixture) {
		ids := map[string]bool{}
		for i := range 10 {
			ids[f.create(t, f.externalStore(fmt.Sprintf("s%d", i)))] = true
		}
		whole := do[sdk.DescribeCustomKeyStoresOutput](t, f.api, &sdk.DescribeCustomKeyStoresInput{})
		require.False(t, whole.Truncated)
		require.Nil(t, whole.NextMarker)
		require.Len(t, whole.CustomKeyStores, 10)
		for i, s := range whole.CustomKeyStores {
			require.True(t, ids[*s.CustomKeyStoreId])
			require.True(t, i == 0 || *whole.CustomKeyStores[i-1].CustomKeyStoreId < *s.CustomKeyStoreId)
		}
		for limit := int32(1); limit <= 11; limit++ {
			var all []types.CustomKeyStoresListEntry
			in := &sdk.DescribeCustomKeyStoresInput{Limit: &limit}
			for {
				out := do[sdk.DescribeCustomKeyStoresOutput](t, f.api, in)
				require.LessOrEqual(t, len(out.CustomKeyStores), int(limit))
				require.Equal(t, out.Truncated, out.NextMarker != nil)
				all = append(all, out.CustomKeyStores...)
				if in.Marker = out.NextMarker; in.Marker == nil {
					break
				}
			}
			require.Equal(t, whole.CustomKeyStores, all)
		}
		byName := do[sdk.DescribeCustomKeyStoresOutput](t, f.api, &sdk.DescribeCustomKeyStoresInput{CustomKeyStoreName: aws.String("s7")})
		require.Len(t, byName.CustomKeyStores, 1)
		require.Equal(t, "s7", *byName.CustomKeyStores[0].CustomKeyStoreName)

		// a page goes on where it ended, though the last of it is gone
		first := do[sdk.DescribeCustomKeyStoresOutput](t, f.api, &sdk.DescribeCustomKeyStoresInput{Limit: aws.Int32(4)})
		succeeds(t, f.api, &sdk.DeleteCustomKeyStoreInput{CustomKeyStoreId: first.CustomKeyStores[3].CustomKeyStoreId})
		rest := do[sdk.DescribeCustomKeyStoresOutput](t, f.api, &sdk.DescribeCustomKeyStoresInput{Marker: first.NextMarker})
		require.Equal(t, whole.CustomKeyStores[4:], rest.CustomKeyStores)

		refused(t, f.api, &sdk.DescribeCustomKeyStoresInput{Marker: aws.String("x")}, "InvalidMarkerException", "The marker is not valid for this listing.")
		refused(t, f.api, &sdk.DescribeCustomKeyStoresInput{CustomKeyStoreId: byName.CustomKeyStores[0].CustomKeyStoreId, CustomKeyStoreName: aws.String("s7")},
			"ValidationException", "CustomKeyStoreId and CustomKeyStoreName cannot be used together.")
	})
}

func TestTenCustomKeyStores(t *testing.T) {
	t.Parallel()
	eachWithStores(t, func(t *testing.T, f *storeFixture) {
		last := ""
		for i := range 10 {
			last = f.create(t, f.externalStore(fmt.Sprintf("s%d", i)))
		}
		refused(t, f.api, f.externalStore("more"), "LimitExceededException", "There are 10 custom key stores already.")
		refused(t, f.api, f.hsmStore("more"), "LimitExceededException", "There are 10 custom key stores already.")
		elsewhere := f.Client(identity.Root(account, "eu-west-1"))
		succeeds(t, elsewhere, f.externalStore("more"))
		succeeds(t, f.api, &sdk.DeleteCustomKeyStoreInput{CustomKeyStoreId: &last})
		succeeds(t, f.api, f.externalStore("more"))
	})
}

func TestEmptyOutputsOfCustomKeyStores(t *testing.T) {
	t.Parallel()
	eachWithStores(t, func(t *testing.T, f *storeFixture) {
		id := f.create(t, f.hsmStore("s"))
		require.Equal(t, &sdk.UpdateCustomKeyStoreOutput{}, do[sdk.UpdateCustomKeyStoreOutput](t, f.api, &sdk.UpdateCustomKeyStoreInput{CustomKeyStoreId: &id}))
		require.Equal(t, &sdk.ConnectCustomKeyStoreOutput{}, do[sdk.ConnectCustomKeyStoreOutput](t, f.api, &sdk.ConnectCustomKeyStoreInput{CustomKeyStoreId: &id}))
		require.Equal(t, &sdk.DisconnectCustomKeyStoreOutput{}, do[sdk.DisconnectCustomKeyStoreOutput](t, f.api, &sdk.DisconnectCustomKeyStoreInput{CustomKeyStoreId: &id}))
		require.Equal(t, &sdk.DeleteCustomKeyStoreOutput{}, do[sdk.DeleteCustomKeyStoreOutput](t, f.api, &sdk.DeleteCustomKeyStoreInput{CustomKeyStoreId: &id}))
	})
}
