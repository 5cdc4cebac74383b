package policy

import (
	"fmt"
	"slices"
	"strings"
)

// The partitions of AWS.
var partitions = [...]string{
	"aws", "aws-cn", "aws-us-gov", "aws-iso", "aws-iso-b", "aws-iso-e", "aws-iso-f", "aws-eusc",
}

// validPartition reports whether s is a partition, or a pattern for some.
func validPartition(s string) bool {
	return strings.ContainsAny(s, "*?") || slices.Contains(partitions[:], s)
}

// What the resource part of an IAM ARN may begin with.
var iamResources = [...]string{
	"user/", "federated-user/", "role/", "group/", "instance-profile/", "mfa/",
	"server-certificate/", "policy/", "sms-mfa/", "saml-provider/", "oidc-provider/", "report/",
	"access-report/",
}

// checkResource checks one resource as IAM's newer parser does. It is lenient
// about what follows the service and about the word "arn".
func checkResource(n *node) *problem {
	if n.text == "*" {
		return nil
	}
	_, rest, found := strings.Cut(n.text, ":")
	if !found {
		return textProblem(n, fmt.Sprintf("Resource %s must be in ARN format or \"*\".", n.text),
			"the resource %q is no ARN", n.text)
	}
	partition, rest, found := strings.Cut(rest, ":")
	if !validPartition(partition) {
		return textProblem(n, fmt.Sprintf("Partition \"%s\" is not valid for resource \"%s\".",
			partition, filledARN(partition, rest)), "%q is not a partition", partition)
	}
	service, rest, _ := strings.Cut(rest, ":")
	if !found || strings.ContainsAny(service, "*?") {
		return textProblem(n, "Resource vendor must be fully qualified and cannot contain regexes.",
			"the resource %q does not name its service", n.text)
	}
	region, rest, _ := strings.Cut(rest, ":")
	account, resource, _ := strings.Cut(rest, ":")
	switch {
	case service == "iam" && region != "":
		return textProblem(n, fmt.Sprintf("IAM resource %s cannot contain region information.", n.text),
			"the resource %q names a Region; IAM has none", n.text)
	case service == "s3" && region != "" && account == "":
		return textProblem(n, fmt.Sprintf("Resource %s can not contain region information.", n.text),
			"the resource %q names a Region; a bucket's ARN does not", n.text)
	case service == "iam" && !iamResource(resource):
		return textProblem(n, `IAM resource path must either be "*" or start with `+
			strings.Join(iamResources[:], ", ")+".",
			"the resource %q is none that IAM has", n.text)
	}
	return nil
}

func iamResource(s string) bool {
	return s == "*" || slices.ContainsFunc(iamResources[:], func(prefix string) bool {
		return strings.HasPrefix(s, prefix)
	})
}

// filledARN returns the ARN that IAM prints for one in an unknown partition: what
// is missing of the fields behind the partition is an asterisk.
func filledARN(partition, rest string) string {
	fields := strings.SplitN(rest, ":", 4)
	if rest == "" {
		fields = nil
	}
	for len(fields) < 4 {
		fields = append(fields, "*")
	}
	return "arn:" + partition + ":" + strings.Join(fields, ":")
}

// legacyResource reports whether IAM's older parser accepts a resource that
// [checkResource] found nothing wrong with.
func legacyResource(s string) bool {
	if s == "*" {
		return true
	}
	fields := strings.Split(s, ":")
	short := len(fields) < 6 && strings.Contains(s, "::")
	return !short && len(fields) > 2 && fields[2] != ""
}
