package policy_test

import (
	"errors"
	"fmt"

	"github.com/sealring/sealring/policy"
)

func ExampleParse() {
	d, findings, err := policy.Parse(policy.KeyPolicy, []byte(`{
  "Version": "2012-10-17",
  "Statement": [{
    "Sid": "Allow use through Parameter Store",
    "Effect": "Allow",
    "Principal": {"AWS": "arn:aws:iam::111122223333:role/app"},
    "Action": ["kms:Decrypt", "kms:ListKeys"],
    "Resource": "*",
    "Condition": {"StringEquals": {"kms:ViaService": "ssm.*.amazonaws.com"}}
  }]
}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(d.Kind, "with", len(d.Statements), "statement")
	for _, f := range findings {
		fmt.Println(f)
	}
	// Output:
	// key policy with 1 statement
	// 7:31: error UNSUPPORTED_ACTION_IN_POLICY: "kms:ListKeys" is not about a key; allow it in an identity policy (/Statement/0/Action/1)
	// 9:54: warning WILDCARD_WITHOUT_LIKE_OPERATOR: StringEquals takes the wildcards in "ssm.*.amazonaws.com" literally; use StringLike or StringNotLike (/Statement/0/Condition/StringEquals/kms:ViaService)
}

func ExampleParse_error() {
	_, _, err := policy.Parse(policy.KeyPolicy, []byte(`{
  "Version": "2012-10-17",
  "Statement": {
    "Effect": "Allow",
    "Principal": {"AWS": "arn:aws:iam::111122223333:user/*"},
    "Action": "kms:*",
    "Resource": "*"
  }
}`))
	fmt.Println(err)
	if e := (*policy.ParseError)(nil); errors.As(err, &e) {
		fmt.Println(e.Code)
		fmt.Println(e.Message)
		fmt.Println(e.Line, e.Column, e.Pointer)
	}
	// Output:
	// policy: MalformedPolicyDocumentException: "arn:aws:iam::111122223333:user/*" has a wildcard, which a principal cannot have (line 5, column 26, at "/Statement/Principal/AWS")
	// MalformedPolicyDocumentException
	// Policy contains a statement with one or more invalid principals.
	// 5 26 /Statement/Principal/AWS
}

func ExamplePrint() {
	d, _, err := policy.Parse(policy.Identity, []byte(
		`{"Statement":{"Resource":["*"],"Action":"kms:Decrypt","Effect":"Allow"},"Version":"2012-10-17"}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%s", policy.Print(d))
	// Output:
	// {
	//   "Version": "2012-10-17",
	//   "Statement": [
	//     {
	//       "Effect": "Allow",
	//       "Action": "kms:Decrypt",
	//       "Resource": "*"
	//     }
	//   ]
	// }
}
