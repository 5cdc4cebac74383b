package xks

import "errors"

// Call is the request to KMS that makes KMS ask the proxy (specification, Appendix
// B). The proxy may log it, and may authorize by it.
type Call struct {
	// PrincipalARN is the ARN of the caller of KMS, or the name of a service. It is
	// required, except for Health, which does not send it.
	PrincipalARN string `json:"awsPrincipalArn,omitempty"`

	// SourceVPC and SourceVPCE identify the VPC and its endpoint that the request to
	// KMS came through, if it did. KMS gives them only if the caller's account is the
	// key's.
	SourceVPC  string `json:"awsSourceVpc,omitempty"`
	SourceVPCE string `json:"awsSourceVpce,omitempty"`

	// KeyARN is the ARN of the KMS key. It is required for Encrypt and Decrypt, and
	// not known yet in CreateKey.
	KeyARN string `json:"kmsKeyArn,omitempty"`

	// Operation is the operation of KMS, such as "GenerateDataKey", or
	// "KmsHealthCheck" if there is none. It is required.
	Operation string `json:"kmsOperation"`

	// RequestID is the id of the request to KMS. It is required.
	RequestID string `json:"kmsRequestId"`

	// ViaService is the service that called KMS for its own caller, if one did.
	ViaService string `json:"kmsViaService,omitempty"`
}

// check finds members missing that the specification requires.
func (c *Call) check(principal, key bool) error {
	switch {
	case c.Operation == "", c.RequestID == "":
		return errors.New("xks: a call needs an operation and a request id")
	case principal && c.PrincipalARN == "":
		return errors.New("xks: a call needs a principal")
	case key && c.KeyARN == "":
		return errors.New("xks: a call needs the ARN of the KMS key")
	}
	return nil
}
