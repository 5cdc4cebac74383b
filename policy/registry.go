package policy

import "strings"

// actionFlags say what is peculiar to an action of AWS KMS.
type actionFlags uint16

const (
	onKey        actionFlags = 1 << iota // authorised on a key ARN
	onAlias                              // authorised on an alias ARN
	onNothing                            // authorised on "*"
	crossAccount                         // works on a key of another account
	isKMS                                // an action of AWS KMS
)

// Combinations that many actions share.
const (
	kmsKey     = isKMS | onKey
	kmsForeign = isKMS | onKey | crossAccount
	kmsAlias   = isKMS | onKey | onAlias
	kmsAny     = isKMS | onNothing
)

// actionInfo is one action that the package knows.
type actionInfo struct {
	name  string
	flags actionFlags
	grant GrantOperations // the operation's bit, if a grant can give it
}

// unknownAction is the index of every action that is not in [actions].
const unknownAction = len(actions)

// actions is the registry of actions, sorted by name (AWS Service Authorization
// Reference of 2026-09, with Encapsulate and Decapsulate of the KMS SDK 1.62.4).
// An action is known by its index.
var actions = [...]actionInfo{
	{"kms:CancelKeyDeletion", kmsKey, 0},
	{"kms:ConnectCustomKeyStore", kmsAny, 0},
	{"kms:CreateAlias", kmsAlias, 0},
	{"kms:CreateCustomKeyStore", kmsAny, 0},
	{"kms:CreateGrant", kmsForeign, GrantCreateGrant},
	{"kms:CreateKey", kmsAny, 0},
	{"kms:Decapsulate", kmsForeign, GrantDecapsulate},
	{"kms:Decrypt", kmsForeign, GrantDecrypt},
	{"kms:DeleteAlias", kmsAlias, 0},
	{"kms:DeleteCustomKeyStore", kmsAny, 0},
	{"kms:DeleteImportedKeyMaterial", kmsKey, 0},
	{"kms:DeriveSharedSecret", kmsForeign, GrantDeriveSharedSecret},
	{"kms:DescribeCustomKeyStores", kmsAny, 0},
	{"kms:DescribeKey", kmsForeign, GrantDescribeKey},
	{"kms:DisableKey", kmsKey, 0},
	{"kms:DisableKeyRotation", kmsKey, 0},
	{"kms:DisconnectCustomKeyStore", kmsAny, 0},
	{"kms:EnableKey", kmsKey, 0},
	{"kms:EnableKeyRotation", kmsKey, 0},
	{"kms:Encapsulate", kmsForeign, GrantEncapsulate},
	{"kms:Encrypt", kmsForeign, GrantEncrypt},
	{"kms:GenerateDataKey", kmsForeign, GrantGenerateDataKey},
	{"kms:GenerateDataKeyPair", kmsForeign, GrantGenerateDataKeyPair},
	{"kms:GenerateDataKeyPairWithoutPlaintext", kmsForeign, GrantGenerateDataKeyPairWithoutPlaintext},
	{"kms:GenerateDataKeyWithoutPlaintext", kmsForeign, GrantGenerateDataKeyWithoutPlaintext},
	{"kms:GenerateMac", kmsForeign, GrantGenerateMac},
	{"kms:GenerateRandom", kmsAny, 0},
	{"kms:GetKeyLastUsage", kmsKey, 0},
	{"kms:GetKeyPolicy", kmsKey, 0},
	{"kms:GetKeyRotationStatus", kmsForeign, 0},
	{"kms:GetParametersForImport", kmsKey, 0},
	{"kms:GetPublicKey", kmsForeign, GrantGetPublicKey},
	{"kms:ImportKeyMaterial", kmsKey, 0},
	{"kms:ListAliases", kmsAny, 0},
	{"kms:ListGrants", kmsForeign, 0},
	{"kms:ListKeyPolicies", kmsKey, 0},
	{"kms:ListKeyRotations", kmsKey, 0},
	{"kms:ListKeys", kmsAny, 0},
	{"kms:ListResourceTags", kmsKey, 0},
	{"kms:ListRetirableGrants", kmsAny, 0},
	{"kms:PutKeyPolicy", kmsKey, 0},
	{"kms:ReEncryptFrom", kmsForeign, GrantReEncryptFrom},
	{"kms:ReEncryptTo", kmsForeign, GrantReEncryptTo},
	{"kms:ReplicateKey", kmsKey, 0},
	{"kms:RetireGrant", kmsForeign, GrantRetireGrant},
	{"kms:RevokeGrant", kmsForeign, 0},
	{"kms:RotateKeyOnDemand", kmsKey, 0},
	{"kms:ScheduleKeyDeletion", kmsKey, 0},
	{"kms:Sign", kmsForeign, GrantSign},
	{"kms:SynchronizeMultiRegionKey", kmsKey, 0},
	{"kms:TagResource", kmsKey | onNothing, 0}, // on "*" beside CreateKey
	{"kms:UntagResource", kmsKey, 0},
	{"kms:UpdateAlias", kmsAlias, 0},
	{"kms:UpdateCustomKeyStore", kmsAny, 0},
	{"kms:UpdateKeyDescription", kmsKey, 0},
	{"kms:UpdatePrimaryRegion", kmsKey, 0},
	{"kms:Verify", kmsForeign, GrantVerify},
	{"kms:VerifyMac", kmsForeign, GrantVerifyMac},
	{"secretsmanager:BatchGetSecretValue", 0, 0},
	{"secretsmanager:CancelRotateSecret", 0, 0},
	{"secretsmanager:CreateSecret", 0, 0},
	{"secretsmanager:DeleteResourcePolicy", 0, 0},
	{"secretsmanager:DeleteSecret", 0, 0},
	{"secretsmanager:DescribeSecret", 0, 0},
	{"secretsmanager:GetRandomPassword", 0, 0},
	{"secretsmanager:GetResourcePolicy", 0, 0},
	{"secretsmanager:GetSecretValue", 0, 0},
	{"secretsmanager:ListSecretVersionIds", 0, 0},
	{"secretsmanager:ListSecrets", 0, 0},
	{"secretsmanager:PutResourcePolicy", 0, 0},
	{"secretsmanager:PutSecretValue", 0, 0},
	{"secretsmanager:RemoveRegionsFromReplication", 0, 0},
	{"secretsmanager:ReplicateSecretToRegions", 0, 0},
	{"secretsmanager:RestoreSecret", 0, 0},
	{"secretsmanager:RotateSecret", 0, 0},
	{"secretsmanager:StopReplicationToReplica", 0, 0},
	{"secretsmanager:TagResource", 0, 0},
	{"secretsmanager:UntagResource", 0, 0},
	{"secretsmanager:UpdateSecret", 0, 0},
	{"secretsmanager:UpdateSecretVersionStage", 0, 0},
	{"secretsmanager:ValidateResourcePolicy", 0, 0},
	{"ssm:AddTagsToResource", 0, 0},
	{"ssm:DeleteParameter", 0, 0},
	{"ssm:DeleteParameters", 0, 0},
	{"ssm:DeleteResourcePolicy", 0, 0},
	{"ssm:DescribeParameters", 0, 0},
	{"ssm:GetParameter", 0, 0},
	{"ssm:GetParameterHistory", 0, 0},
	{"ssm:GetParameters", 0, 0},
	{"ssm:GetParametersByPath", 0, 0},
	{"ssm:GetResourcePolicies", 0, 0},
	{"ssm:LabelParameterVersion", 0, 0},
	{"ssm:ListTagsForResource", 0, 0},
	{"ssm:PutParameter", 0, 0},
	{"ssm:PutResourcePolicy", 0, 0},
	{"ssm:RemoveTagsFromResource", 0, 0},
	{"ssm:UnlabelParameterVersion", 0, 0},
}

// actionTable finds actions by a hash of their names: an index into actions plus 1, or
// 0. Names that collide follow one another.
var actionTable = func() (t [512]uint8) {
	for i := range actions {
		h := hashAction(actions[i].name)
		for t[h] != 0 {
			h = (h + 1) % len(t)
		}
		t[h] = uint8(i + 1)
	}
	return t
}()

// hashAction condenses an action's name, which is not empty, by its length and four
// of its bytes.
func hashAction(name string) int {
	n := len(name)
	h := uint32(n)
	for _, at := range [...]int{n - 1, n * 3 / 4, n / 2, n / 3} {
		h = h*31 + uint32(name[at])
	}
	return int(h % 512)
}

// lookupAction returns the index of an action in [actions], or unknownAction. The
// spelling of AWS is found by its hash; any other case by a slower scan.
func lookupAction(name string) int {
	if name == "" {
		return unknownAction
	}
	for h := hashAction(name); actionTable[h] != 0; h = (h + 1) % len(actionTable) {
		if i := int(actionTable[h]) - 1; actions[i].name == name {
			return i
		}
	}
	for i := range actions {
		if len(actions[i].name) == len(name) && strings.EqualFold(actions[i].name, name) {
			return i
		}
	}
	return unknownAction
}

// flagsOf returns the flags of a looked-up action. An unknown action of KMS is taken
// for one on a key that no other account can use: the strictest reading.
func flagsOf(index int, name string) actionFlags {
	if index != unknownAction {
		return actions[index].flags
	}
	if hasPrefixFold(name, "kms:") {
		return kmsKey
	}
	return 0
}

// rcpCovers reports whether resource control policies bind a service. Of the services
// that the package knows, Parameter Store is not covered; the policies given for a
// service that it does not know are applied.
func rcpCovers(service string) bool { return !strings.EqualFold(service, "ssm") }

// hasPrefixFold reports whether s begins with an ASCII prefix in any case.
func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}
