// Package arn parses and prints Amazon Resource Names.
package arn

import "strings"

// ARN is the parts of arn:partition:service:region:account:resource.
type ARN struct {
	Partition, Service, Region, Account string
	Resource                            string // may itself hold colons
}

// Parse splits s. It reports false unless s has all six parts and starts with
// "arn"; parts may be empty.
func Parse(s string) (ARN, bool) {
	a := ARN{}
	rest, ok := strings.CutPrefix(s, "arn:")
	for _, part := range [...]*string{&a.Partition, &a.Service, &a.Region, &a.Account} {
		if ok {
			*part, rest, ok = strings.Cut(rest, ":")
		}
	}
	if !ok {
		return ARN{}, false
	}
	a.Resource = rest
	return a, true
}

// String returns the ARN's text.
func (a ARN) String() string {
	return "arn:" + a.Partition + ":" + a.Service + ":" + a.Region + ":" + a.Account + ":" + a.Resource
}

// Partition returns the partition that a Region belongs to.
func Partition(region string) string {
	switch {
	case strings.HasPrefix(region, "cn-"):
		return "aws-cn"
	case strings.HasPrefix(region, "us-gov-"):
		return "aws-us-gov"
	case strings.HasPrefix(region, "us-iso-"):
		return "aws-iso"
	case strings.HasPrefix(region, "us-isob-"):
		return "aws-iso-b"
	case strings.HasPrefix(region, "eu-isoe-"):
		return "aws-iso-e"
	case strings.HasPrefix(region, "us-isof-"):
		return "aws-iso-f"
	case strings.HasPrefix(region, "eusc-"):
		return "aws-eusc"
	}
	return "aws"
}

// KMSKey splits a KMS ARN's resource into its type, "key" or "alias", and the id
// or name behind the first slash. It reports false unless s is a KMS ARN with
// every part filled (Encryption SDK framework, "AWS KMS key ARN").
func KMSKey(s string) (a ARN, kind, id string, ok bool) {
	a, ok = Parse(s)
	if !ok || a.Partition == "" || a.Service != "kms" || a.Region == "" || a.Account == "" {
		return ARN{}, "", "", false
	}
	kind, id, ok = strings.Cut(a.Resource, "/")
	if !ok || id == "" || kind != "key" && kind != "alias" {
		return ARN{}, "", "", false
	}
	return a, kind, id, true
}

// IsAccount reports whether s has the form of an account id, 12 digits.
func IsAccount(s string) bool {
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(s) == 12
}

// IsRegion reports whether s has the form of a Region's name, such as "eu-west-1".
func IsRegion(s string) bool {
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') && c != '-' {
			return false
		}
	}
	return s != "" && len(s) <= 32
}
