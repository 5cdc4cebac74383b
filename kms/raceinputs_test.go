package kms_test

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
)

// spareClusters is how many clusters there are for key stores that come and go.
const spareClusters = 6

func spareCluster(i int) string { return "cluster-2222222222" + string(rune('a'+i)) }

// pick returns one of several by chance.
func pick[E any](r *racer, of ...E) *E { return &of[r.IntN(len(of))] }

// symmetricKey returns a key that encrypts, most often one that is in the Region.
func (r *racer) symmetricKey() *string {
	if r.region != region && r.IntN(8) > 0 {
		return &r.copied
	}
	return pick(r, r.plain, r.copied, r.due, r.external, r.inHSM, r.outside)
}

// anyKey returns a key of any kind.
func (r *racer) anyKey() *string {
	if r.region != region || r.IntN(2) == 0 {
		return r.symmetricKey()
	}
	return pick(r, r.signing, r.authentication, r.agreement, r.encapsulation, r.cipher)
}

func (r *racer) aliasName() *string { return aws.String(fmt.Sprintf("alias/%d", r.IntN(12))) }

// encryptionContext returns one that takes room or none.
func (r *racer) encryptionContext() map[string]string {
	if r.IntN(2) == 0 {
		return nil
	}
	return map[string]string{"racer": fmt.Sprint(r.n), "purpose": "race"}
}

func (r *racer) someSecret() secret {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.secrets[r.IntN(len(r.secrets))]
}

// someGrant returns a grant, which may have ended, and turns to its Region. It reports
// false if there has never been one.
func (r *racer) someGrant() (grantMade, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.grants) == 0 {
		return grantMade{}, false
	}
	g := r.grants[r.IntN(len(r.grants))]
	r.region = g.region
	return g, true
}

func (r *racer) spareStore() *string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.stores) == 0 {
		return aws.String(unknownStore)
	}
	return &r.stores[r.IntN(len(r.stores))]
}

func (r *racer) keyStore() *string {
	r.region = region
	if r.IntN(8) == 0 {
		return r.spareStore()
	}
	return pick(r, r.hsmStore, r.xksStore)
}

// tag is either the racer's own counter, on a key that it shares with half of the others,
// or anything.
func (r *racer) tag() *sdk.TagResourceInput {
	if r.IntN(4) == 0 {
		return &sdk.TagResourceInput{KeyId: r.anyKey(), Tags: tags(fmt.Sprintf("x%d=%d", r.IntN(4), r.n))}
	}
	r.region, r.bob = region, false
	key := &[]string{r.plain, r.copied}[r.n%2]
	return &sdk.TagResourceInput{KeyId: key, Tags: tags(fmt.Sprintf("racer%02d=%d", r.n, r.counter+1))}
}

// newKey is a request for a key of some kind, or in some key store.
func (r *racer) newKeyInput() *sdk.CreateKeyInput {
	switch r.IntN(5) {
	case 0:
		return &sdk.CreateKeyInput{MultiRegion: aws.Bool(true), Tags: tags("a=1")}
	case 1:
		return &sdk.CreateKeyInput{KeySpec: "HMAC_384", KeyUsage: forAuthentication}
	case 2:
		r.region = region
		return hsmKey(r.hsmStore)
	case 3:
		r.region = region
		return externalKey(r.xksStore, "key-2")
	}
	return &sdk.CreateKeyInput{}
}

// imported is the import of one of the external key's materials.
func (r *racer) importOf(id string, kind types.ImportType) *sdk.ImportKeyMaterialInput {
	r.region = region
	return &sdk.ImportKeyMaterialInput{
		KeyId: &r.external, ImportToken: r.token, EncryptedKeyMaterial: r.wrapped[id], ExpirationModel: noExpiry, ImportType: kind,
	}
}

func (r *racer) someMaterial() *string { return pick(r, slices.Collect(maps.Keys(r.materials))...) }

// raceInputs make a request of each operation. One that returns nil leaves it to others.
var raceInputs = map[string]func(r *racer) any{
	"CancelKeyDeletion":     func(r *racer) any { return &sdk.CancelKeyDeletionInput{KeyId: r.anyKey()} },
	"ConnectCustomKeyStore": func(r *racer) any { return &sdk.ConnectCustomKeyStoreInput{CustomKeyStoreId: r.keyStore()} },
	"CreateAlias":           func(r *racer) any { return &sdk.CreateAliasInput{AliasName: r.aliasName(), TargetKeyId: r.anyKey()} },
	"CreateCustomKeyStore": func(r *racer) any {
		in := r.storeFixture.hsmStore(fmt.Sprint("spare", r.IntN(8)))
		in.CloudHsmClusterId = aws.String(spareCluster(r.IntN(spareClusters)))
		r.region = region
		return in
	},
	"CreateGrant": func(r *racer) any {
		in := &sdk.CreateGrantInput{KeyId: r.symmetricKey(), GranteePrincipal: &bob, RetiringPrincipal: &root.Principal}
		in.Operations = [][]types.GrantOperation{{opDecrypt}, {opDecrypt, opEncrypt}, {opDecrypt, opDescribe, "GenerateDataKey"}}[r.IntN(3)]
		if r.IntN(2) == 0 {
			in.Name = aws.String("named")
		}
		return in
	},
	"CreateKey": func(r *racer) any { return r.newKeyInput() },
	"Decapsulate": func(r *racer) any {
		return &sdk.DecapsulateInput{KeyId: &r.encapsulation, EncapsulationAlgorithm: "ML_KEM", SharedSecretCiphertextBlob: r.sealedSecret}
	},
	"Decrypt": func(r *racer) any {
		s := r.someSecret()
		return &sdk.DecryptInput{CiphertextBlob: s.blob, EncryptionContext: s.context}
	},
	"DeleteAlias": func(r *racer) any { return &sdk.DeleteAliasInput{AliasName: r.aliasName()} },
	"DeleteCustomKeyStore": func(r *racer) any {
		r.region = region
		return &sdk.DeleteCustomKeyStoreInput{CustomKeyStoreId: *pick(r, r.spareStore(), &r.hsmStore)}
	},
	"DeleteImportedKeyMaterial": func(r *racer) any {
		if r.n%4 > 0 {
			return nil // it takes long to put back
		}
		r.region = region
		return &sdk.DeleteImportedKeyMaterialInput{KeyId: &r.external, KeyMaterialId: *pick(r, nil, r.someMaterial())}
	},
	"DeriveSharedSecret": func(r *racer) any {
		return &sdk.DeriveSharedSecretInput{KeyId: &r.agreement, PublicKey: r.peer, KeyAgreementAlgorithm: "ECDH"}
	},
	"DescribeCustomKeyStores": func(r *racer) any { return &sdk.DescribeCustomKeyStoresInput{Limit: aws.Int32(1 + r.Int32N(5))} },
	"DescribeKey":             func(r *racer) any { return &sdk.DescribeKeyInput{KeyId: *pick(r, r.anyKey(), r.aliasName())} },
	"DisableKey":              func(r *racer) any { return &sdk.DisableKeyInput{KeyId: r.anyKey()} },
	"DisableKeyRotation": func(r *racer) any {
		return &sdk.DisableKeyRotationInput{KeyId: pick(r, r.plain, r.plain, r.signing, r.external)}
	},
	"DisconnectCustomKeyStore": func(r *racer) any { return &sdk.DisconnectCustomKeyStoreInput{CustomKeyStoreId: r.keyStore()} },
	"EnableKey":                func(r *racer) any { return &sdk.EnableKeyInput{KeyId: r.anyKey()} },
	"EnableKeyRotation": func(r *racer) any {
		return &sdk.EnableKeyRotationInput{KeyId: &r.plain, RotationPeriodInDays: aws.Int32(90 + r.Int32N(100))}
	},
	"Encapsulate": func(r *racer) any {
		return &sdk.EncapsulateInput{KeyId: &r.encapsulation, EncapsulationAlgorithm: "ML_KEM"}
	},
	"Encrypt": func(r *racer) any {
		return &sdk.EncryptInput{KeyId: r.symmetricKey(), Plaintext: fmt.Appendf(nil, "of racer %d", r.n), EncryptionContext: r.encryptionContext()}
	},
	"GenerateDataKey": func(r *racer) any {
		return &sdk.GenerateDataKeyInput{KeyId: r.symmetricKey(), NumberOfBytes: aws.Int32(1 + r.Int32N(64)), EncryptionContext: r.encryptionContext()}
	},
	"GenerateDataKeyPair": func(r *racer) any {
		return &sdk.GenerateDataKeyPairInput{KeyId: r.symmetricKey(), KeyPairSpec: "ECC_NIST_P256", EncryptionContext: r.encryptionContext()}
	},
	"GenerateDataKeyPairWithoutPlaintext": func(r *racer) any {
		return &sdk.GenerateDataKeyPairWithoutPlaintextInput{KeyId: r.symmetricKey(), KeyPairSpec: "ECC_NIST_EDWARDS25519"}
	},
	"GenerateDataKeyWithoutPlaintext": func(r *racer) any {
		return &sdk.GenerateDataKeyWithoutPlaintextInput{KeyId: r.symmetricKey(), KeySpec: types.DataKeySpecAes256}
	},
	"GenerateMac": func(r *racer) any {
		return &sdk.GenerateMacInput{KeyId: &r.authentication, Message: messageOfTests, MacAlgorithm: "HMAC_SHA_256"}
	},
	"GenerateRandom": func(r *racer) any {
		return &sdk.GenerateRandomInput{NumberOfBytes: aws.Int32(1 + r.Int32N(64)), CustomKeyStoreId: *pick(r, nil, &r.hsmStore)}
	},
	"GetKeyLastUsage":      func(r *racer) any { return &sdk.GetKeyLastUsageInput{KeyId: r.anyKey()} },
	"GetKeyPolicy":         func(r *racer) any { return &sdk.GetKeyPolicyInput{KeyId: r.anyKey()} },
	"GetKeyRotationStatus": func(r *racer) any { return &sdk.GetKeyRotationStatusInput{KeyId: r.anyKey()} },
	"GetParametersForImport": func(r *racer) any {
		if r.n > 1 {
			return nil // the wrapping key takes long
		}
		r.region, r.bob = region, false
		return &sdk.GetParametersForImportInput{KeyId: &r.external, WrappingAlgorithm: oaep256, WrappingKeySpec: rsa2048}
	},
	"GetPublicKey": func(r *racer) any { return &sdk.GetPublicKeyInput{KeyId: pick(r, r.signing, r.cipher, *r.anyKey())} },
	"ImportKeyMaterial": func(r *racer) any {
		if r.n%4 > 0 {
			return nil // it takes long to unwrap
		}
		return r.importOf(*r.someMaterial(), *pick(r, "", types.ImportTypeNewKeyMaterial, types.ImportTypeExistingKeyMaterial))
	},
	"ListAliases":     func(r *racer) any { return &sdk.ListAliasesInput{KeyId: *pick(r, nil, r.anyKey())} },
	"ListGrants":      func(r *racer) any { return &sdk.ListGrantsInput{KeyId: r.anyKey()} },
	"ListKeyPolicies": func(r *racer) any { return &sdk.ListKeyPoliciesInput{KeyId: r.anyKey()} },
	"ListKeyRotations": func(r *racer) any {
		return &sdk.ListKeyRotationsInput{KeyId: r.anyKey(), IncludeKeyMaterial: allMaterial}
	},
	"ListKeys":            func(r *racer) any { return &sdk.ListKeysInput{Limit: aws.Int32(1 + r.Int32N(100))} },
	"ListResourceTags":    func(r *racer) any { return &sdk.ListResourceTagsInput{KeyId: r.anyKey()} },
	"ListRetirableGrants": func(r *racer) any { return &sdk.ListRetirableGrantsInput{RetiringPrincipal: &root.Principal} },
	"PutKeyPolicy": func(r *racer) any {
		return &sdk.PutKeyPolicyInput{KeyId: r.anyKey(), Policy: pick(r, openPolicy, document(statement("Allow", root.Principal, "kms:*")))}
	},
	"ReEncrypt": func(r *racer) any {
		s := r.someSecret()
		return &sdk.ReEncryptInput{
			CiphertextBlob: s.blob, SourceEncryptionContext: s.context, DestinationKeyId: r.symmetricKey(), DestinationEncryptionContext: r.encryptionContext(),
		}
	},
	"ReplicateKey": func(r *racer) any { return &sdk.ReplicateKeyInput{KeyId: &r.copied, ReplicaRegion: aws.String(tokyo)} },
	"RetireGrant": func(r *racer) any {
		g, ok := r.someGrant()
		if !ok {
			return nil
		}
		r.bob = false
		return &sdk.RetireGrantInput{GrantToken: &g.token}
	},
	"RevokeGrant": func(r *racer) any {
		g, ok := r.someGrant()
		if !ok {
			return nil
		}
		return &sdk.RevokeGrantInput{KeyId: &g.key, GrantId: &g.id}
	},
	"RotateKeyOnDemand":   func(r *racer) any { return &sdk.RotateKeyOnDemandInput{KeyId: pick(r, r.plain, r.copied, r.external)} },
	"ScheduleKeyDeletion": func(r *racer) any { return &sdk.ScheduleKeyDeletionInput{KeyId: r.anyKey()} },
	"Sign": func(r *racer) any {
		return &sdk.SignInput{KeyId: &r.signing, Message: messageOfTests, SigningAlgorithm: "ECDSA_SHA_256"}
	},
	"TagResource": func(r *racer) any { return r.tag() },
	"UntagResource": func(r *racer) any {
		return &sdk.UntagResourceInput{KeyId: r.anyKey(), TagKeys: []string{fmt.Sprintf("x%d", r.IntN(4))}}
	},
	"UpdateAlias": func(r *racer) any { return &sdk.UpdateAliasInput{AliasName: r.aliasName(), TargetKeyId: r.anyKey()} },
	"UpdateCustomKeyStore": func(r *racer) any {
		return &sdk.UpdateCustomKeyStoreInput{CustomKeyStoreId: r.keyStore(), NewCustomKeyStoreName: aws.String(fmt.Sprint("name", r.IntN(8)))}
	},
	"UpdateKeyDescription": func(r *racer) any {
		return &sdk.UpdateKeyDescriptionInput{KeyId: r.anyKey(), Description: aws.String(strings.Repeat("d", r.IntN(100)))}
	},
	"UpdatePrimaryRegion": func(r *racer) any {
		return &sdk.UpdatePrimaryRegionInput{KeyId: &r.copied, PrimaryRegion: pick(r, region, otherRegion)}
	},
	"Verify": func(r *racer) any {
		return &sdk.VerifyInput{KeyId: &r.signing, Message: messageOfTests, Signature: r.signature, SigningAlgorithm: "ECDSA_SHA_256"}
	},
	"VerifyMac": func(r *racer) any {
		return &sdk.VerifyMacInput{KeyId: &r.authentication, Message: messageOfTests, Mac: r.mac, MacAlgorithm: "HMAC_SHA_256"}
	},
}

// remedies put back what an operation may have taken away.
var remedies = map[string]func(r *racer, in any) []any{
	"DisableKey": func(_ *racer, in any) []any {
		return []any{&sdk.EnableKeyInput{KeyId: in.(*sdk.DisableKeyInput).KeyId}}
	},
	"ScheduleKeyDeletion": func(_ *racer, in any) []any {
		id := in.(*sdk.ScheduleKeyDeletionInput).KeyId
		return []any{&sdk.CancelKeyDeletionInput{KeyId: id}, &sdk.EnableKeyInput{KeyId: id}}
	},
	"DeleteImportedKeyMaterial": func(r *racer, _ any) []any {
		var all []any
		for id := range r.materials {
			all = append(all, r.importOf(id, types.ImportTypeExistingKeyMaterial))
		}
		return all
	},
	"DisconnectCustomKeyStore": func(r *racer, in any) []any {
		r.Advance(settling)
		return []any{&sdk.ConnectCustomKeyStoreInput{CustomKeyStoreId: in.(*sdk.DisconnectCustomKeyStoreInput).CustomKeyStoreId}}
	},
}

// vary adds by chance what many requests can have: a dry run, a grant token.
func (r *racer) vary(in any) {
	if dry := reflect.ValueOf(in).Elem().FieldByName("DryRun"); dry.IsValid() && r.IntN(8) == 0 {
		dry.Set(reflect.ValueOf(aws.Bool(true)))
	}
	tokens := reflect.ValueOf(in).Elem().FieldByName("GrantTokens")
	if tokens.IsValid() && nameOf(in) != "DescribeKey" && r.IntN(8) == 0 {
		at := r.region
		if g, ok := r.someGrant(); ok && g.region == at {
			tokens.Set(reflect.ValueOf([]string{g.token}))
		}
		r.region = at
	}
}
