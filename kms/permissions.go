package kms

// role is the part that a resource plays in a request. The table of permissions
// names resources by it.
type role int

const (
	onAccount     role = iota // no resource of its own: "*"
	onKey                     // the key
	onAlias                   // the alias
	onSource                  // ReEncrypt: the key to decrypt with
	onDestination             // ReEncrypt: the key to encrypt with
	onNewTags                 // CreateKey, ReplicateKey: tags that come with the key
	onOldTarget               // UpdateAlias: the key that the alias leaves
	onReplica                 // UpdatePrimaryRegion: the key that becomes primary
	mentioned                 // a key that a listing is narrowed to: needs no permission
)

// permission is one that an operation needs on a resource.
type permission struct {
	action string
	on     role
}

// permissions lists what each operation needs, all of it (AWS KMS Developer Guide,
// "AWS KMS permissions"). A row that names a role applies to every target in that
// role; a request without such a target does not need it. RetireGrant is decided by
// the grant.
var permissions = map[string][]permission{
	"CancelKeyDeletion":                   {{"kms:CancelKeyDeletion", onKey}},
	"ConnectCustomKeyStore":               {{"kms:ConnectCustomKeyStore", onAccount}},
	"CreateAlias":                         {{"kms:CreateAlias", onAlias}, {"kms:CreateAlias", onKey}},
	"CreateCustomKeyStore":                {{"kms:CreateCustomKeyStore", onAccount}},
	"CreateGrant":                         {{"kms:CreateGrant", onKey}},
	"CreateKey":                           {{"kms:CreateKey", onAccount}, {"kms:TagResource", onNewTags}},
	"Decapsulate":                         {{"kms:Decapsulate", onKey}},
	"Decrypt":                             {{"kms:Decrypt", onKey}},
	"DeleteAlias":                         {{"kms:DeleteAlias", onAlias}, {"kms:DeleteAlias", onKey}},
	"DeleteCustomKeyStore":                {{"kms:DeleteCustomKeyStore", onAccount}},
	"DeleteImportedKeyMaterial":           {{"kms:DeleteImportedKeyMaterial", onKey}},
	"DeriveSharedSecret":                  {{"kms:DeriveSharedSecret", onKey}},
	"DescribeCustomKeyStores":             {{"kms:DescribeCustomKeyStores", onAccount}},
	"DescribeKey":                         {{"kms:DescribeKey", onKey}},
	"DisableKey":                          {{"kms:DisableKey", onKey}},
	"DisableKeyRotation":                  {{"kms:DisableKeyRotation", onKey}},
	"DisconnectCustomKeyStore":            {{"kms:DisconnectCustomKeyStore", onAccount}},
	"EnableKey":                           {{"kms:EnableKey", onKey}},
	"EnableKeyRotation":                   {{"kms:EnableKeyRotation", onKey}},
	"Encapsulate":                         {{"kms:Encapsulate", onKey}},
	"Encrypt":                             {{"kms:Encrypt", onKey}},
	"GenerateDataKey":                     {{"kms:GenerateDataKey", onKey}},
	"GenerateDataKeyPair":                 {{"kms:GenerateDataKeyPair", onKey}},
	"GenerateDataKeyPairWithoutPlaintext": {{"kms:GenerateDataKeyPairWithoutPlaintext", onKey}},
	"GenerateDataKeyWithoutPlaintext":     {{"kms:GenerateDataKeyWithoutPlaintext", onKey}},
	"GenerateMac":                         {{"kms:GenerateMac", onKey}},
	"GenerateRandom":                      {{"kms:GenerateRandom", onAccount}},
	"GetKeyLastUsage":                     {{"kms:GetKeyLastUsage", onKey}},
	"GetKeyPolicy":                        {{"kms:GetKeyPolicy", onKey}},
	"GetKeyRotationStatus":                {{"kms:GetKeyRotationStatus", onKey}},
	"GetParametersForImport":              {{"kms:GetParametersForImport", onKey}},
	"GetPublicKey":                        {{"kms:GetPublicKey", onKey}},
	"ImportKeyMaterial":                   {{"kms:ImportKeyMaterial", onKey}},
	"ListAliases":                         {{"kms:ListAliases", onAccount}},
	"ListGrants":                          {{"kms:ListGrants", onKey}},
	"ListKeyPolicies":                     {{"kms:ListKeyPolicies", onKey}},
	"ListKeyRotations":                    {{"kms:ListKeyRotations", onKey}},
	"ListKeys":                            {{"kms:ListKeys", onAccount}},
	"ListResourceTags":                    {{"kms:ListResourceTags", onKey}},
	"ListRetirableGrants":                 {{"kms:ListRetirableGrants", onAccount}},
	"PutKeyPolicy":                        {{"kms:PutKeyPolicy", onKey}},
	"ReEncrypt":                           {{"kms:ReEncryptFrom", onSource}, {"kms:ReEncryptTo", onDestination}},
	"ReplicateKey":                        {{"kms:ReplicateKey", onKey}, {"kms:CreateKey", onAccount}, {"kms:TagResource", onNewTags}},
	"RetireGrant":                         {{"kms:RetireGrant", onKey}},
	"RevokeGrant":                         {{"kms:RevokeGrant", onKey}},
	"RotateKeyOnDemand":                   {{"kms:RotateKeyOnDemand", onKey}},
	"ScheduleKeyDeletion":                 {{"kms:ScheduleKeyDeletion", onKey}},
	"Sign":                                {{"kms:Sign", onKey}},
	"TagResource":                         {{"kms:TagResource", onKey}},
	"UntagResource":                       {{"kms:UntagResource", onKey}},
	"UpdateAlias":                         {{"kms:UpdateAlias", onAlias}, {"kms:UpdateAlias", onOldTarget}, {"kms:UpdateAlias", onKey}},
	"UpdateCustomKeyStore":                {{"kms:UpdateCustomKeyStore", onAccount}},
	"UpdateKeyDescription":                {{"kms:UpdateKeyDescription", onKey}},
	"UpdatePrimaryRegion":                 {{"kms:UpdatePrimaryRegion", onKey}, {"kms:UpdatePrimaryRegion", onReplica}},
	"Verify":                              {{"kms:Verify", onKey}},
	"VerifyMac":                           {{"kms:VerifyMac", onKey}},
}
