package kms

import (
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/sealring/sealring/internal/arn"
	"github.com/sealring/sealring/internal/keyrecord"
	"github.com/sealring/sealring/internal/uuid"
)

// AWS managed keys: those behind the aliases alias/aws/…, one for each service, which
// an account gets in a Region when it first uses one. Services of AWS use them for the
// account; the account itself can look at them but not change them.

// managedPrefix starts the aliases that customers cannot make.
const managedPrefix = aliasPrefix + "aws/"

// managedServices are the services that have such a key, by the names of their aliases,
// sorted.
var managedServices = []string{
	"acm", "backup", "dynamodb", "ebs", "elasticfilesystem", "es", "fsx", "glue", "kinesis", "kinesisvideo",
	"lambda", "rds", "redshift", "s3", "secretsmanager", "sns", "sqs", "ssm", "xray",
}

// managedRotation is the number of days after which AWS rotates such a key.
const managedRotation = 365

// managedKey returns the key behind one of AWS's aliases in the caller's account, which
// it makes if this is its first use; nil if no service has that alias.
func (r *request) managedKey(name string) (*keyrecord.Key, error) {
	service := strings.TrimPrefix(name, managedPrefix)
	if _, ok := slices.BinarySearch(managedServices, service); !ok {
		return nil, nil
	}
	k := &keyrecord.Key{
		Account: r.caller.Account,
		Region:  r.caller.Region,
		ID:      uuid.New(),
		Created: r.now,
		Enabled: true,
		Spec:    keyrecord.SpecSymmetric,
		Usage:   string(types.KeyUsageTypeEncryptDecrypt),
		Origin:  string(types.OriginTypeAwsKms),
		Service: service,
		Local: keyrecord.Local{
			Description: "Default key that protects my data of " + service + " when no other key is defined",
			Policy:      managedKeyPolicy(r.caller.Account, r.caller.Region, service),
			Aliases:     []string{name},
		},
		Rotation: &keyrecord.Rotation{Days: managedRotation, Next: r.now.AddDate(0, 0, managedRotation)},
	}
	if err := r.generate(k); err != nil {
		return nil, err
	}
	if err := r.writeAlias(&keyrecord.Alias{Name: name, Target: k.ID, Created: r.now, Updated: r.now}); err != nil {
		return nil, err
	}
	return k, r.writeNew(k)
}

// managedKeyPolicy is the policy of an AWS managed key: everybody in the account who
// may use the service can use the key through it, and the account can look at the key.
func managedKeyPolicy(account, region, service string) string {
	endpoint := service
	if service == "ebs" {
		endpoint = "ec2" // the one endpoint that is not named as the alias is
	}
	via := endpoint + "." + region + ".amazonaws.com"
	return `{
  "Version" : "2012-10-17",
  "Id" : "auto-` + service + `-1",
  "Statement" : [ {
    "Sid" : "Allow access through ` + service + ` for all principals in the account that are authorized to use it",
    "Effect" : "Allow",
    "Principal" : {
      "AWS" : "*"
    },
    "Action" : [ "kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:CreateGrant", "kms:DescribeKey" ],
    "Resource" : "*",
    "Condition" : {
      "StringEquals" : {
        "kms:CallerAccount" : "` + account + `",
        "kms:ViaService" : "` + via + `"
      }
    }
  }, {
    "Sid" : "Allow direct access to key metadata to the account",
    "Effect" : "Allow",
    "Principal" : {
      "AWS" : "arn:` + arn.Partition(region) + `:iam::` + account + `:root"
    },
    "Action" : [ "kms:Describe*", "kms:Get*", "kms:List*", "kms:RevokeGrant" ],
    "Resource" : "*"
  } ]
}`
}
