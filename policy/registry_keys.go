package policy

import (
	"iter"
	"math/bits"
	"strings"
)

// Key is a condition key that the package knows. The keys that describe the caller
// and the resource's account, such as aws:PrincipalArn, have no constant: they
// follow from the [Request].
type Key uint8

// The keys that follow from the request.
const (
	keyPrincipalARN Key = iota
	keyPrincipalAccount
	keyPrincipalType
	keyPrincipalOrgID
	keyPrincipalOrgPaths
	keyPrincipalIsAWSService
	keyPrincipalServiceName
	keyPrincipalServiceNamesList
	keyUserID
	keyUserName
	keyFederatedProvider
	keyResourceAccount
	keyCallerAccount
	numDerivedKeys
)

// The global condition keys of the request. See the IAM User Guide, "AWS global
// condition context keys", for when AWS sets each. A key that AWS does not set must
// not be set here either: absence has its own meaning, and false is not absent.
const (
	AWSSourceIdentity             Key = iota + numDerivedKeys // aws:SourceIdentity, string
	AWSTokenIssueTime                                         // aws:TokenIssueTime, time
	AWSMultiFactorAuthPresent                                 // aws:MultiFactorAuthPresent, bool
	AWSMultiFactorAuthAge                                     // aws:MultiFactorAuthAge, seconds
	AWSAssumedRoot                                            // aws:AssumedRoot, bool
	AWSEC2InstanceSourceVPC                                   // aws:Ec2InstanceSourceVpc, string
	AWSEC2InstanceSourcePrivateIP                             // aws:Ec2InstanceSourcePrivateIPv4, address
	AWSChatbotSourceARN                                       // aws:ChatbotSourceArn, ARN
	AWSSourceIP                                               // aws:SourceIp, address
	AWSVPCSourceIP                                            // aws:VpcSourceIp, address
	AWSSourceVPC                                              // aws:SourceVpc, string
	AWSSourceVPCE                                             // aws:SourceVpce, string: the request came through this endpoint
	AWSSourceVPCARN                                           // aws:SourceVpcArn, ARN
	AWSVPCEAccount                                            // aws:VpceAccount, string
	AWSVPCEOrgID                                              // aws:VpceOrgID, string
	AWSVPCEOrgPaths                                           // aws:VpceOrgPaths, multi-valued
	AWSSourceARN                                              // aws:SourceArn, ARN
	AWSSourceAccount                                          // aws:SourceAccount, string
	AWSSourceOrgID                                            // aws:SourceOrgID, string
	AWSSourceOrgPaths                                         // aws:SourceOrgPaths, multi-valued
	AWSCalledVia                                              // aws:CalledVia, multi-valued
	AWSCalledViaFirst                                         // aws:CalledViaFirst, string
	AWSCalledViaLast                                          // aws:CalledViaLast, string
	AWSViaAWSService                                          // aws:ViaAWSService, bool; false if it is not set
	AWSViaAWSMCPService                                       // aws:ViaAWSMCPService, bool
	AWSCalledViaAWSMCP                                        // aws:CalledViaAWSMCP, string
	AWSIsMCPServiceAction                                     // aws:IsMcpServiceAction, bool
	AWSResourceOrgID                                          // aws:ResourceOrgID, string
	AWSResourceOrgPaths                                       // aws:ResourceOrgPaths, multi-valued
	AWSTagKeys                                                // aws:TagKeys, multi-valued
	AWSRequestedRegion                                        // aws:RequestedRegion, string
	AWSSecureTransport                                        // aws:SecureTransport, bool
	AWSCurrentTime                                            // aws:CurrentTime, time
	AWSEpochTime                                              // aws:EpochTime, time
	AWSUserAgent                                              // aws:UserAgent, string
	AWSReferer                                                // aws:referer, string

	// The keys of AWS KMS (AWS KMS Developer Guide, "Condition keys for AWS KMS").
	// A parameter that the caller leaves out is set to its default, except for
	// KMSBypassPolicyLockoutSafetyCheck, which is then absent.

	KMSBypassPolicyLockoutSafetyCheck         // kms:BypassPolicyLockoutSafetyCheck, bool
	KMSDataKeyPairSpec                        // kms:DataKeyPairSpec, string
	KMSEncryptionAlgorithm                    // kms:EncryptionAlgorithm, string
	KMSEncryptionContextKeys                  // kms:EncryptionContextKeys, multi-valued
	KMSExpirationModel                        // kms:ExpirationModel, string
	KMSGrantConstraintSourceARN               // kms:GrantConstraintSourceArn, ARN
	KMSGrantConstraintType                    // kms:GrantConstraintType, string
	KMSGranteePrincipal                       // kms:GranteePrincipal, string
	KMSGranteeServicePrincipal                // kms:GranteeServicePrincipal, string
	KMSGrantIsForAWSResource                  // kms:GrantIsForAWSResource, bool
	KMSGrantOperations                        // kms:GrantOperations, multi-valued
	KMSKeyAgreementAlgorithm                  // kms:KeyAgreementAlgorithm, string
	KMSKeyOrigin                              // kms:KeyOrigin, string
	KMSKeySpec                                // kms:KeySpec, string; also kms:CustomerMasterKeySpec
	KMSKeyUsage                               // kms:KeyUsage, string; also kms:CustomerMasterKeyUsage
	KMSMACAlgorithm                           // kms:MacAlgorithm, string
	KMSMessageType                            // kms:MessageType, string
	KMSMultiRegion                            // kms:MultiRegion, bool
	KMSMultiRegionKeyType                     // kms:MultiRegionKeyType, string
	KMSPrimaryRegion                          // kms:PrimaryRegion, string
	KMSReEncryptOnSameKey                     // kms:ReEncryptOnSameKey, bool
	KMSReplicaRegion                          // kms:ReplicaRegion, string
	KMSRequestAlias                           // kms:RequestAlias, string: alias/name, also if an alias ARN was given
	KMSResourceAliases                        // kms:ResourceAliases, multi-valued
	KMSRetiringPrincipal                      // kms:RetiringPrincipal, string
	KMSRetiringServicePrincipal               // kms:RetiringServicePrincipal, string
	KMSRotationPeriodInDays                   // kms:RotationPeriodInDays, number
	KMSScheduleKeyDeletionPendingWindowInDays // kms:ScheduleKeyDeletionPendingWindowInDays, number
	KMSSigningAlgorithm                       // kms:SigningAlgorithm, string
	KMSTrailingDaysWithoutKeyUsage            // kms:TrailingDaysWithoutKeyUsage, number
	KMSValidTo                                // kms:ValidTo, time
	KMSViaService                             // kms:ViaService, string; absent on direct calls
	KMSWrappingAlgorithm                      // kms:WrappingAlgorithm, string
	KMSWrappingKeySpec                        // kms:WrappingKeySpec, string

	// The keys of AWS Secrets Manager.

	SecretsSecretID                      // secretsmanager:SecretId, ARN
	SecretsAllowRotationLambdaARN        // secretsmanager:resource/AllowRotationLambdaArn, ARN
	SecretsResourceType                  // secretsmanager:resource/Type, string
	SecretsType                          // secretsmanager:Type, string
	SecretsSecretPrimaryRegion           // secretsmanager:SecretPrimaryRegion, string
	SecretsName                          // secretsmanager:Name, string
	SecretsDescription                   // secretsmanager:Description, string
	SecretsKMSKeyARN                     // secretsmanager:KmsKeyArn, ARN
	SecretsKMSKeyID                      // secretsmanager:KmsKeyId, string
	SecretsAddReplicaRegions             // secretsmanager:AddReplicaRegions, multi-valued
	SecretsForceOverwriteReplicaSecret   // secretsmanager:ForceOverwriteReplicaSecret, bool
	SecretsVersionID                     // secretsmanager:VersionId, string
	SecretsVersionStage                  // secretsmanager:VersionStage, string
	SecretsRecoveryWindowInDays          // secretsmanager:RecoveryWindowInDays, number
	SecretsForceDeleteWithoutRecovery    // secretsmanager:ForceDeleteWithoutRecovery, bool
	SecretsRotationLambdaARN             // secretsmanager:RotationLambdaARN, ARN
	SecretsRotateImmediately             // secretsmanager:RotateImmediately, bool
	SecretsModifyRotationRules           // secretsmanager:ModifyRotationRules, bool
	SecretsExternalSecretRotationRoleARN // secretsmanager:ExternalSecretRotationRoleArn, ARN
	SecretsBlockPublicPolicy             // secretsmanager:BlockPublicPolicy, bool

	// The keys of AWS Systems Manager's Parameter Store.

	SSMOverwrite // ssm:Overwrite, "true" or "false"
	SSMPolicies  // ssm:Policies, string
	SSMRecursive // ssm:Recursive, "true" or "false"

	numKeys
)

// keyInfo is what the package knows of a condition key.
type keyInfo struct {
	name      string
	kind      valueKind // what [Context.Set] makes of text
	sensitive bool      // its values are redacted in explanations
}

// keys describes every known key.
var keys = [numKeys]keyInfo{
	keyPrincipalARN:              {name: "aws:PrincipalArn"},
	keyPrincipalAccount:          {name: "aws:PrincipalAccount"},
	keyPrincipalType:             {name: "aws:PrincipalType"},
	keyPrincipalOrgID:            {name: "aws:PrincipalOrgID"},
	keyPrincipalOrgPaths:         {name: "aws:PrincipalOrgPaths", kind: listValue},
	keyPrincipalIsAWSService:     {name: "aws:PrincipalIsAWSService", kind: boolValue},
	keyPrincipalServiceName:      {name: "aws:PrincipalServiceName"},
	keyPrincipalServiceNamesList: {name: "aws:PrincipalServiceNamesList", kind: listValue},
	keyUserID:                    {name: "aws:userid"},
	keyUserName:                  {name: "aws:username"},
	keyFederatedProvider:         {name: "aws:FederatedProvider"},
	keyResourceAccount:           {name: "aws:ResourceAccount"},
	keyCallerAccount:             {name: "kms:CallerAccount"},

	AWSSourceIdentity:             {name: "aws:SourceIdentity"},
	AWSTokenIssueTime:             {name: "aws:TokenIssueTime", kind: timeValue},
	AWSMultiFactorAuthPresent:     {name: "aws:MultiFactorAuthPresent", kind: boolValue},
	AWSMultiFactorAuthAge:         {name: "aws:MultiFactorAuthAge", kind: intValue},
	AWSAssumedRoot:                {name: "aws:AssumedRoot", kind: boolValue},
	AWSEC2InstanceSourceVPC:       {name: "aws:Ec2InstanceSourceVpc"},
	AWSEC2InstanceSourcePrivateIP: {name: "aws:Ec2InstanceSourcePrivateIPv4", kind: addrValue},
	AWSChatbotSourceARN:           {name: "aws:ChatbotSourceArn"},
	AWSSourceIP:                   {name: "aws:SourceIp", kind: addrValue},
	AWSVPCSourceIP:                {name: "aws:VpcSourceIp", kind: addrValue},
	AWSSourceVPC:                  {name: "aws:SourceVpc"},
	AWSSourceVPCE:                 {name: "aws:SourceVpce"},
	AWSSourceVPCARN:               {name: "aws:SourceVpcArn"},
	AWSVPCEAccount:                {name: "aws:VpceAccount"},
	AWSVPCEOrgID:                  {name: "aws:VpceOrgID"},
	AWSVPCEOrgPaths:               {name: "aws:VpceOrgPaths", kind: listValue},
	AWSSourceARN:                  {name: "aws:SourceArn"},
	AWSSourceAccount:              {name: "aws:SourceAccount"},
	AWSSourceOrgID:                {name: "aws:SourceOrgID"},
	AWSSourceOrgPaths:             {name: "aws:SourceOrgPaths", kind: listValue},
	AWSCalledVia:                  {name: "aws:CalledVia", kind: listValue},
	AWSCalledViaFirst:             {name: "aws:CalledViaFirst"},
	AWSCalledViaLast:              {name: "aws:CalledViaLast"},
	AWSViaAWSService:              {name: "aws:ViaAWSService", kind: boolValue},
	AWSViaAWSMCPService:           {name: "aws:ViaAWSMCPService", kind: boolValue},
	AWSCalledViaAWSMCP:            {name: "aws:CalledViaAWSMCP"},
	AWSIsMCPServiceAction:         {name: "aws:IsMcpServiceAction", kind: boolValue},
	AWSResourceOrgID:              {name: "aws:ResourceOrgID"},
	AWSResourceOrgPaths:           {name: "aws:ResourceOrgPaths", kind: listValue},
	AWSTagKeys:                    {name: "aws:TagKeys", kind: listValue},
	AWSRequestedRegion:            {name: "aws:RequestedRegion"},
	AWSSecureTransport:            {name: "aws:SecureTransport", kind: boolValue},
	AWSCurrentTime:                {name: "aws:CurrentTime", kind: timeValue},
	AWSEpochTime:                  {name: "aws:EpochTime", kind: timeValue},
	AWSUserAgent:                  {name: "aws:UserAgent"},
	AWSReferer:                    {name: "aws:referer"},

	KMSBypassPolicyLockoutSafetyCheck:         {name: "kms:BypassPolicyLockoutSafetyCheck", kind: boolValue},
	KMSDataKeyPairSpec:                        {name: "kms:DataKeyPairSpec"},
	KMSEncryptionAlgorithm:                    {name: "kms:EncryptionAlgorithm"},
	KMSEncryptionContextKeys:                  {name: "kms:EncryptionContextKeys", kind: listValue},
	KMSExpirationModel:                        {name: "kms:ExpirationModel"},
	KMSGrantConstraintSourceARN:               {name: "kms:GrantConstraintSourceArn"},
	KMSGrantConstraintType:                    {name: "kms:GrantConstraintType"},
	KMSGranteePrincipal:                       {name: "kms:GranteePrincipal"},
	KMSGranteeServicePrincipal:                {name: "kms:GranteeServicePrincipal"},
	KMSGrantIsForAWSResource:                  {name: "kms:GrantIsForAWSResource", kind: boolValue},
	KMSGrantOperations:                        {name: "kms:GrantOperations", kind: listValue},
	KMSKeyAgreementAlgorithm:                  {name: "kms:KeyAgreementAlgorithm"},
	KMSKeyOrigin:                              {name: "kms:KeyOrigin"},
	KMSKeySpec:                                {name: "kms:KeySpec"},
	KMSKeyUsage:                               {name: "kms:KeyUsage"},
	KMSMACAlgorithm:                           {name: "kms:MacAlgorithm"},
	KMSMessageType:                            {name: "kms:MessageType"},
	KMSMultiRegion:                            {name: "kms:MultiRegion", kind: boolValue},
	KMSMultiRegionKeyType:                     {name: "kms:MultiRegionKeyType"},
	KMSPrimaryRegion:                          {name: "kms:PrimaryRegion"},
	KMSReEncryptOnSameKey:                     {name: "kms:ReEncryptOnSameKey", kind: boolValue},
	KMSReplicaRegion:                          {name: "kms:ReplicaRegion"},
	KMSRequestAlias:                           {name: "kms:RequestAlias"},
	KMSResourceAliases:                        {name: "kms:ResourceAliases", kind: listValue},
	KMSRetiringPrincipal:                      {name: "kms:RetiringPrincipal"},
	KMSRetiringServicePrincipal:               {name: "kms:RetiringServicePrincipal"},
	KMSRotationPeriodInDays:                   {name: "kms:RotationPeriodInDays", kind: intValue},
	KMSScheduleKeyDeletionPendingWindowInDays: {name: "kms:ScheduleKeyDeletionPendingWindowInDays", kind: intValue},
	KMSSigningAlgorithm:                       {name: "kms:SigningAlgorithm"},
	KMSTrailingDaysWithoutKeyUsage:            {name: "kms:TrailingDaysWithoutKeyUsage", kind: intValue},
	KMSValidTo:                                {name: "kms:ValidTo", kind: timeValue},
	KMSViaService:                             {name: "kms:ViaService"},
	KMSWrappingAlgorithm:                      {name: "kms:WrappingAlgorithm"},
	KMSWrappingKeySpec:                        {name: "kms:WrappingKeySpec"},

	SecretsSecretID:                      {name: "secretsmanager:SecretId", sensitive: true},
	SecretsAllowRotationLambdaARN:        {name: "secretsmanager:resource/AllowRotationLambdaArn"},
	SecretsResourceType:                  {name: "secretsmanager:resource/Type"},
	SecretsType:                          {name: "secretsmanager:Type"},
	SecretsSecretPrimaryRegion:           {name: "secretsmanager:SecretPrimaryRegion"},
	SecretsName:                          {name: "secretsmanager:Name", sensitive: true},
	SecretsDescription:                   {name: "secretsmanager:Description", sensitive: true},
	SecretsKMSKeyARN:                     {name: "secretsmanager:KmsKeyArn"},
	SecretsKMSKeyID:                      {name: "secretsmanager:KmsKeyId"},
	SecretsAddReplicaRegions:             {name: "secretsmanager:AddReplicaRegions", kind: listValue},
	SecretsForceOverwriteReplicaSecret:   {name: "secretsmanager:ForceOverwriteReplicaSecret", kind: boolValue},
	SecretsVersionID:                     {name: "secretsmanager:VersionId"},
	SecretsVersionStage:                  {name: "secretsmanager:VersionStage"},
	SecretsRecoveryWindowInDays:          {name: "secretsmanager:RecoveryWindowInDays", kind: intValue},
	SecretsForceDeleteWithoutRecovery:    {name: "secretsmanager:ForceDeleteWithoutRecovery", kind: boolValue},
	SecretsRotationLambdaARN:             {name: "secretsmanager:RotationLambdaARN"},
	SecretsRotateImmediately:             {name: "secretsmanager:RotateImmediately", kind: boolValue},
	SecretsModifyRotationRules:           {name: "secretsmanager:ModifyRotationRules", kind: boolValue},
	SecretsExternalSecretRotationRoleARN: {name: "secretsmanager:ExternalSecretRotationRoleArn"},
	SecretsBlockPublicPolicy:             {name: "secretsmanager:BlockPublicPolicy", kind: boolValue},

	SSMOverwrite: {name: "ssm:Overwrite"},
	SSMPolicies:  {name: "ssm:Policies"},
	SSMRecursive: {name: "ssm:Recursive"},
}

// String returns the key's name as AWS writes it.
func (k Key) String() string {
	if k >= numKeys {
		return "unknown"
	}
	return keys[k].name
}

// Family is a condition key whose name goes on with a name of the caller's own, such
// as aws:ResourceTag/ with a tag's key.
type Family uint8

// The families.
const (
	PrincipalTag         Family = iota // aws:PrincipalTag/; follows from [Caller.Tags]
	ResourceTag                        // aws:ResourceTag/, and the same in secretsmanager: and ssm:
	RequestTag                         // aws:RequestTag/
	EncryptionContext                  // kms:EncryptionContext:
	RecipientAttestation               // kms:RecipientAttestation:
	numFamilies
)

// familyPrefixes lists the beginnings of key names that make a family. The first of
// a family is the one it is called by.
var familyPrefixes = [...]struct {
	prefix string
	family Family
}{
	{"aws:PrincipalTag/", PrincipalTag},
	{"aws:ResourceTag/", ResourceTag},
	{"aws:RequestTag/", RequestTag},
	{"kms:EncryptionContext:", EncryptionContext},
	{"kms:RecipientAttestation:", RecipientAttestation},
	{"secretsmanager:ResourceTag/", ResourceTag},
	{"ssm:resourceTag/", ResourceTag},
}

// String returns what the names of the family's keys begin with.
func (f Family) String() string {
	if f >= numFamilies {
		return "unknown"
	}
	return familyPrefixes[f].prefix
}

// keyRef is a condition key as a policy names it: a known key, a member of a family,
// or any other.
type keyRef struct {
	kind   refKind
	key    Key
	family Family
	name   string // what follows the family's prefix, or the whole name
}

type refKind uint8

const (
	otherRef refKind = iota
	knownRef
	familyRef
)

// resolveKey finds the key of a name; case is not significant.
func resolveKey(name string) keyRef {
	switch {
	case strings.EqualFold(name, "kms:CustomerMasterKeySpec"):
		return keyRef{kind: knownRef, key: KMSKeySpec}
	case strings.EqualFold(name, "kms:CustomerMasterKeyUsage"):
		return keyRef{kind: knownRef, key: KMSKeyUsage}
	}
	for k := range keys {
		if strings.EqualFold(keys[k].name, name) {
			return keyRef{kind: knownRef, key: Key(k)}
		}
	}
	for _, f := range familyPrefixes {
		if len(name) > len(f.prefix) && hasPrefixFold(name, f.prefix) {
			return keyRef{kind: familyRef, family: f.family, name: name[len(f.prefix):]}
		}
	}
	return keyRef{kind: otherRef, name: name}
}

// sensitive reports whether the values of the key may be secret.
func (r keyRef) sensitive() bool {
	switch r.kind {
	case knownRef:
		return keys[r.key].sensitive
	case familyRef:
		return r.family != RecipientAttestation
	}
	return true
}

// keySet is a set of keys.
type keySet struct{ lo, hi uint64 }

func (b *keySet) set(i int) {
	if i < 64 {
		b.lo |= 1 << i
	} else {
		b.hi |= 1 << (i - 64)
	}
}

func (b *keySet) setIf(k Key, present bool) {
	if present {
		b.set(int(k))
	}
}

func (b *keySet) unset(i int) {
	if i < 64 {
		b.lo &^= 1 << i
	} else {
		b.hi &^= 1 << (i - 64)
	}
}

// all yields the members in ascending order.
func (b keySet) all() iter.Seq[int] {
	return func(yield func(int) bool) {
		for lo := b.lo; lo != 0; lo &= lo - 1 {
			if !yield(bits.TrailingZeros64(lo)) {
				return
			}
		}
		for hi := b.hi; hi != 0; hi &= hi - 1 {
			if !yield(64 + bits.TrailingZeros64(hi)) {
				return
			}
		}
	}
}

func (b keySet) has(i int) bool {
	if i < 64 {
		return b.lo>>i&1 != 0
	}
	return b.hi>>(i-64)&1 != 0
}

// contains reports whether all of sub is in b.
func (b keySet) contains(sub keySet) bool { return sub.lo&^b.lo == 0 && sub.hi&^b.hi == 0 }
