package local_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/internal/keyrecord"
	"github.com/sealring/sealring/keyring"
	"github.com/sealring/sealring/kms"
	"github.com/sealring/sealring/local"
	"github.com/sealring/sealring/store"
)

// single is what provokes an exception that one operation has, or that others get in
// another way. It starts from a key of the kind that is in good order.
type single struct {
	kind  kind
	of    func(c *scene) provocation
	alone bool // it changes its scene
}

// ofOne has the provocations of exceptions that are not about custom key stores, which
// are in keystoreprovocations_test.go.
var ofOne = map[pair]single{
	{"CancelKeyDeletion", "KMSInvalidStateException"}: {kind: symmetric, of: func(c *scene) provocation {
		return c.request(&sdk.CancelKeyDeletionInput{KeyId: &c.key.id}, c.key.arn+" is not pending deletion.")
	}},

	{"CreateAlias", "AlreadyExistsException"}: {kind: symmetric, of: func(c *scene) provocation {
		return c.request(&sdk.CreateAliasInput{AliasName: &c.key.alias, TargetKeyId: &c.key.id},
			"An alias with the name "+c.aliasARN(c.key.alias)+" already exists")
	}},
	{"CreateAlias", "InvalidAliasNameException"}: {kind: symmetric, of: func(c *scene) provocation {
		return c.request(&sdk.CreateAliasInput{AliasName: aws.String("alias/"), TargetKeyId: &c.key.id}, "")
	}},
	{"CreateAlias", "LimitExceededException"}: {kind: symmetric, alone: true, of: func(c *scene) provocation {
		c.fillAliases()
		return c.request(&sdk.CreateAliasInput{AliasName: aws.String("alias/new"), TargetKeyId: &c.key.id}, "")
	}},
	{"UpdateAlias", "LimitExceededException"}: {kind: symmetric, alone: true, of: func(c *scene) provocation {
		c.fillAliases()
		return c.request(&sdk.UpdateAliasInput{AliasName: aws.String("alias/other"), TargetKeyId: &c.key.id}, "")
	}},
	{"DeleteAlias", "NotFoundException"}: {kind: symmetric, of: func(c *scene) provocation {
		return c.request(&sdk.DeleteAliasInput{AliasName: aws.String("alias/none")}, "Alias "+c.aliasARN("alias/none")+" is not found.")
	}},

	{"CreateKey", "LimitExceededException"}: {kind: symmetric, of: func(c *scene) provocation {
		return c.request(&sdk.CreateKeyInput{Policy: &longPolicy}, "")
	}},
	{"CreateKey", "MalformedPolicyDocumentException"}: {kind: symmetric, of: func(c *scene) provocation {
		return c.request(&sdk.CreateKeyInput{Policy: &lockingPolicy}, lockedOut)
	}},
	{"CreateKey", "TagException"}: {kind: symmetric, of: func(c *scene) provocation {
		return c.request(&sdk.CreateKeyInput{Tags: tags("AWS:a")}, "Tags beginning with aws: are reserved")
	}},
	{"CreateKey", "UnsupportedOperationException"}: {kind: symmetric, of: func(c *scene) provocation {
		return c.request(&sdk.CreateKeyInput{KeySpec: types.KeySpecSm2, KeyUsage: types.KeyUsageTypeSignVerify}, "")
	}},
	{"TagResource", "TagException"}: {kind: symmetric, of: func(c *scene) provocation {
		var names []string
		for i := range 51 {
			names = append(names, fmt.Sprint(i))
		}
		return c.request(&sdk.TagResourceInput{KeyId: &c.key.id, Tags: tags(names...)}, "Too many tags")
	}},
	{"PutKeyPolicy", "LimitExceededException"}: {kind: symmetric, of: func(c *scene) provocation {
		return c.request(&sdk.PutKeyPolicyInput{KeyId: &c.key.id, Policy: &longPolicy}, "")
	}},
	{"PutKeyPolicy", "MalformedPolicyDocumentException"}: {kind: symmetric, of: func(c *scene) provocation {
		return c.request(&sdk.PutKeyPolicyInput{KeyId: &c.key.id, Policy: &lockingPolicy}, lockedOut)
	}},
	{"PutKeyPolicy", "UnsupportedOperationException"}: {kind: symmetric, of: func(c *scene) provocation {
		return c.request(&sdk.PutKeyPolicyInput{KeyId: &c.key.id, Policy: aws.String(openPolicy), PolicyName: aws.String("other")}, "")
	}},

	{"CreateGrant", "LimitExceededException"}: {kind: symmetric, of: fullOfGrants},
	{"RetireGrant", "InvalidGrantTokenException"}: {kind: symmetric, of: func(c *scene) provocation {
		return c.request(&sdk.RetireGrantInput{GrantToken: aws.String("garbage")}, "")
	}},
	{"ListRetirableGrants", "InvalidArnException"}: {kind: symmetric, of: func(c *scene) provocation {
		return c.request(&sdk.ListRetirableGrantsInput{RetiringPrincipal: aws.String("bob")}, "")
	}},

	{"Decrypt", "IncorrectKeyException"}: {kind: symmetric, of: func(c *scene) provocation {
		return c.request(&sdk.DecryptInput{CiphertextBlob: c.key.blob, KeyId: &c.key.other}, wrongKey)
	}},
	{"ReEncrypt", "IncorrectKeyException"}: {kind: symmetric, of: func(c *scene) provocation {
		return c.request(&sdk.ReEncryptInput{CiphertextBlob: c.key.blob, SourceKeyId: &c.key.other, DestinationKeyId: &c.key.id}, wrongKey)
	}},
	{"Decrypt", "InvalidCiphertextException"}: {kind: symmetric, of: func(c *scene) provocation {
		return c.request(&sdk.DecryptInput{CiphertextBlob: damaged(c.key.blob)}, silent)
	}},
	{"ReEncrypt", "InvalidCiphertextException"}: {kind: symmetric, of: func(c *scene) provocation {
		return c.request(&sdk.ReEncryptInput{CiphertextBlob: damaged(c.key.blob), DestinationKeyId: &c.key.other}, silent)
	}},
	{"Decapsulate", "InvalidCiphertextException"}: {kind: kemming, of: func(c *scene) provocation {
		return c.request(&sdk.DecapsulateInput{
			KeyId: &c.key.id, EncapsulationAlgorithm: types.EncapsulationAlgorithmSpecMlKem, SharedSecretCiphertextBlob: c.key.encapsulated[1:],
		}, "")
	}},
	{"Verify", "KMSInvalidSignatureException"}: {kind: signing, of: func(c *scene) provocation {
		return c.request(&sdk.VerifyInput{
			KeyId: &c.key.id, Message: []byte("another message"), Signature: c.key.signature, SigningAlgorithm: types.SigningAlgorithmSpecEcdsaSha256,
		}, silent)
	}},
	{"VerifyMac", "KMSInvalidMacException"}: {kind: macking, of: func(c *scene) provocation {
		return c.request(&sdk.VerifyMacInput{
			KeyId: &c.key.id, Message: []byte("another message"), Mac: c.key.mac, MacAlgorithm: types.MacAlgorithmSpecHmacSha256,
		}, silent)
	}},
	{"GenerateDataKeyPair", "UnsupportedOperationException"}: {kind: symmetric, of: func(c *scene) provocation {
		return c.request(&sdk.GenerateDataKeyPairInput{KeyId: &c.key.id, KeyPairSpec: types.DataKeyPairSpecSm2}, "")
	}},
	{"GenerateDataKeyPairWithoutPlaintext", "UnsupportedOperationException"}: {kind: symmetric, of: func(c *scene) provocation {
		return c.request(&sdk.GenerateDataKeyPairWithoutPlaintextInput{KeyId: &c.key.id, KeyPairSpec: types.DataKeyPairSpecSm2}, "")
	}},
	{"GetPublicKey", "UnsupportedOperationException"}: {kind: symmetric, of: func(c *scene) provocation {
		return c.request(&sdk.GetPublicKeyInput{KeyId: &c.key.id}, silent)
	}},

	{"DeleteImportedKeyMaterial", "UnsupportedOperationException"}: {kind: symmetric, of: func(c *scene) provocation {
		return c.request(&sdk.DeleteImportedKeyMaterialInput{KeyId: &c.key.id}, c.wrongOrigin())
	}},
	{"GetParametersForImport", "UnsupportedOperationException"}: {kind: symmetric, of: func(c *scene) provocation {
		return c.request(walk["GetParametersForImport"].input(c.key), c.wrongOrigin())
	}},
	{"ImportKeyMaterial", "UnsupportedOperationException"}: {kind: symmetric, of: func(c *scene) provocation {
		return c.request(&sdk.ImportKeyMaterialInput{
			KeyId: &c.key.id, ImportToken: []byte("token"), EncryptedKeyMaterial: []byte("material"), ExpirationModel: types.ExpirationModelTypeKeyMaterialDoesNotExpire,
		}, c.wrongOrigin())
	}},
	{"ImportKeyMaterial", "ExpiredImportTokenException"}: {kind: imported, alone: true, of: func(c *scene) provocation {
		c.now = c.now.Add(24 * time.Hour)
		return c.request(walk["ImportKeyMaterial"].input(c.key), "")
	}},
	{"ImportKeyMaterial", "InvalidImportTokenException"}: {kind: imported, of: func(c *scene) provocation {
		in := walk["ImportKeyMaterial"].input(c.key)
		set(in, "ImportToken", damaged(c.key.importToken))
		return c.request(in, "")
	}},
	{"ImportKeyMaterial", "InvalidCiphertextException"}: {kind: imported, of: func(c *scene) provocation {
		in := walk["ImportKeyMaterial"].input(c.key)
		set(in, "EncryptedKeyMaterial", damaged(c.key.imported))
		return c.request(in, "")
	}},
	{"ImportKeyMaterial", "IncorrectKeyMaterialException"}: {kind: imported, alone: true, of: otherMaterial},

	{"DisableKeyRotation", "UnsupportedOperationException"}: {kind: imported, of: func(c *scene) provocation {
		return c.request(&sdk.DisableKeyRotationInput{KeyId: &c.key.id}, c.wrongOrigin())
	}},
	{"EnableKeyRotation", "UnsupportedOperationException"}: {kind: imported, of: func(c *scene) provocation {
		return c.request(&sdk.EnableKeyRotationInput{KeyId: &c.key.id}, c.wrongOrigin())
	}},
	{"GetKeyRotationStatus", "UnsupportedOperationException"}: {kind: imported, of: func(c *scene) provocation {
		return c.request(&sdk.GetKeyRotationStatusInput{KeyId: &c.key.id}, c.wrongOrigin())
	}},
	{"ListKeyRotations", "UnsupportedOperationException"}: {kind: signing, of: func(c *scene) provocation {
		return c.request(&sdk.ListKeyRotationsInput{KeyId: &c.key.id}, "")
	}},
	{"RotateKeyOnDemand", "UnsupportedOperationException"}: {kind: signing, of: func(c *scene) provocation {
		return c.request(&sdk.RotateKeyOnDemandInput{KeyId: &c.key.id}, silent)
	}},
	{"RotateKeyOnDemand", "ConflictException"}: {kind: symmetric, alone: true, of: func(c *scene) provocation {
		must[sdk.EnableKeyRotationOutput](c.laboratory, c.key.region, &sdk.EnableKeyRotationInput{KeyId: &c.key.id, RotationPeriodInDays: aws.Int32(90)})
		c.now = c.now.Add(90*24*time.Hour - 10*time.Minute)
		return c.request(&sdk.RotateKeyOnDemandInput{KeyId: &c.key.id}, "")
	}},
	{"RotateKeyOnDemand", "LimitExceededException"}: {kind: symmetric, alone: true, of: func(c *scene) provocation {
		for range 25 {
			must[sdk.RotateKeyOnDemandOutput](c.laboratory, c.key.region, &sdk.RotateKeyOnDemandInput{KeyId: &c.key.id})
		}
		return c.request(&sdk.RotateKeyOnDemandInput{KeyId: &c.key.id},
			"The on-demand rotations limit has been reached for the given keyId. No more on-demand rotations can be performed for this key: "+c.key.arn)
	}},

	{"ReplicateKey", "AlreadyExistsException"}: {kind: multiRegion, of: func(c *scene) provocation {
		return c.request(&sdk.ReplicateKeyInput{KeyId: &c.key.id, ReplicaRegion: aws.String(replicaRegion)}, "")
	}},
	{"ReplicateKey", "LimitExceededException"}: {kind: multiRegion, of: func(c *scene) provocation {
		return c.request(&sdk.ReplicateKeyInput{KeyId: &c.key.id, ReplicaRegion: &thirdRegion, Policy: &longPolicy}, "")
	}},
	{"ReplicateKey", "MalformedPolicyDocumentException"}: {kind: multiRegion, of: func(c *scene) provocation {
		return c.request(&sdk.ReplicateKeyInput{KeyId: &c.key.id, ReplicaRegion: &thirdRegion, Policy: &lockingPolicy}, lockedOut)
	}},
	{"ReplicateKey", "TagException"}: {kind: multiRegion, of: func(c *scene) provocation {
		return c.request(&sdk.ReplicateKeyInput{KeyId: &c.key.id, ReplicaRegion: &thirdRegion, Tags: tags("a", "a")}, "Duplicate tag keys")
	}},
	{"ReplicateKey", "UnsupportedOperationException"}: {kind: multiRegion, of: func(c *scene) provocation {
		p := c.request(&sdk.ReplicateKeyInput{KeyId: &c.key.id, ReplicaRegion: &thirdRegion},
			strings.Replace(c.key.arn, homeRegion, replicaRegion, 1)+" is not a multi-region primary key.")
		p.region = replicaRegion
		return p
	}},
	{"UpdatePrimaryRegion", "UnsupportedOperationException"}: {kind: symmetric, of: func(c *scene) provocation {
		return c.request(&sdk.UpdatePrimaryRegionInput{KeyId: &c.key.id, PrimaryRegion: aws.String(replicaRegion)}, "")
	}},
}

const (
	lockedOut = "The new key policy will not allow you to update the key policy in the future."
	wrongKey  = "The key ID in the request does not identify a CMK that can perform this operation."
)

var (
	longPolicy    = openPolicy + strings.Repeat(" ", 32768)
	lockingPolicy = strings.Replace(openPolicy, "kms:*", "kms:DescribeKey", 1)
	thirdRegion   = "eu-west-3"
)

func tags(names ...string) []types.Tag {
	var all []types.Tag
	for _, n := range names {
		all = append(all, types.Tag{TagKey: &n, TagValue: aws.String("value")})
	}
	return all
}

// damaged returns bytes the last of which is another one.
func damaged(b []byte) []byte {
	b = bytes.Clone(b)
	b[len(b)-1] ^= 1
	return b
}

func (c *scene) aliasARN(name string) string {
	return strings.Replace(c.key.arn, "key/"+c.key.id, name, 1)
}

// fillAliases gives the scene's key as many aliases as it can have.
func (c *scene) fillAliases() {
	c.t.Helper()
	for i := range 49 {
		must[sdk.CreateAliasOutput](c.laboratory, c.key.region, &sdk.CreateAliasInput{AliasName: aws.String(fmt.Sprintf("alias/%d", i)), TargetKeyId: &c.key.id})
	}
}

// wrongOrigin is what an operation says that is for keys of another origin.
func (c *scene) wrongOrigin() string {
	c.t.Helper()
	origin := must[sdk.DescribeKeyOutput](c.laboratory, c.key.region, &sdk.DescribeKeyInput{KeyId: &c.key.id}).KeyMetadata.Origin
	return c.key.arn + " origin is " + string(origin) + " which is not valid for this operation."
}

// otherMaterial is the import of material that the key never had in place of its own.
func otherMaterial(c *scene) provocation {
	c.t.Helper()
	p := must[sdk.GetParametersForImportOutput](c.laboratory, c.key.region, walk["GetParametersForImport"].input(c.key))
	public, err := x509.ParsePKIXPublicKey(p.PublicKey)
	require.NoError(c.t, err)
	wrapped, err := rsa.EncryptOAEP(sha256.New(), rand.Reader, public.(*rsa.PublicKey), make([]byte, 32), nil)
	require.NoError(c.t, err)
	in := walk["ImportKeyMaterial"].input(c.key)
	set(in, "ImportToken", p.ImportToken)
	set(in, "EncryptedKeyMaterial", wrapped)
	return c.request(in, "")
}

// fullOfGrants is another cloud, with a key that has as many grants as it can have: its
// record says so, to make them would take long.
func fullOfGrants(c *scene) provocation {
	c.t.Helper()
	root, err := keyring.NewRawAES("test", "root", make([]byte, 32))
	require.NoError(c.t, err)
	sealed, err := store.Seal(c.t.Context(), store.NewMemory(), root, nil)
	require.NoError(c.t, err)
	cloud := newCloud(c.t, &local.Options{Configure: func(o *kms.Config) { o.Store = sealed }})
	l := &laboratory{t: c.t, cloud: cloud}
	m := must[sdk.CreateKeyOutput](l, homeRegion, &sdk.CreateKeyInput{}).KeyMetadata
	require.NoError(c.t, sealed.Update(c.t.Context(), func(tx store.Tx) error {
		name := keyrecord.KeyName(*m.AWSAccountId, homeRegion, *m.KeyId)
		b, err := tx.Get(name)
		if err != nil {
			return err
		}
		k, err := keyrecord.UnmarshalKey(b)
		if err != nil {
			return err
		}
		k.Grants = 50000
		if b, err = k.Marshal(); err != nil {
			return err
		}
		return tx.Put(name, b)
	}))
	return provocation{cloud: cloud, region: homeRegion, in: &sdk.CreateGrantInput{
		KeyId: m.KeyId, GranteePrincipal: &grantee, Operations: []types.GrantOperation{types.GrantOperationDecrypt},
	}}
}
