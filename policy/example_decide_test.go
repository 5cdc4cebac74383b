package policy_test

import (
	"fmt"

	"github.com/sealring/sealring/policy"
)

func compile(kind policy.Kind, text string) *policy.Policy {
	doc, _, err := policy.Parse(kind, []byte(text))
	if err != nil {
		panic(err)
	}
	p, err := policy.Compile(doc)
	if err != nil {
		panic(err)
	}
	return p
}

const exampleKey = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"

func exampleRequest() *policy.Request {
	context := new(policy.Context)
	context.Add(policy.EncryptionContext, "tenant", "41")
	return &policy.Request{
		Caller: policy.Caller{
			Kind:     policy.UserCaller,
			Account:  "111122223333",
			ARN:      "arn:aws:iam::111122223333:user/ann",
			UserName: "ann",
		},
		Action:   "kms:Decrypt",
		Resource: exampleKey,
		Context:  context,
	}
}

// The key policy lets the account use identity policies, and one of Ann's allows it.
func ExampleDecide() {
	layers := &policy.Layers{
		Resource: compile(policy.KeyPolicy, `{"Version": "2012-10-17", "Statement": {
			"Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": "kms:*", "Resource": "*"}}`),
		Identity: []*policy.Policy{compile(policy.Identity, `{"Version": "2012-10-17", "Statement": {
			"Effect": "Allow", "Action": "kms:Decrypt", "Resource": "arn:aws:kms:*:111122223333:key/*"}}`)},
	}
	d := policy.Decide(exampleRequest(), layers)
	fmt.Println(d.Allowed, d.Code())
	// Output: true Allowed.keyPolicyDelegated
}

// A condition on the encryption context is not met. Its value is not printed.
func ExampleExplain() {
	layers := &policy.Layers{
		Resource: compile(policy.KeyPolicy, `{"Version": "2012-10-17", "Statement": {
  "Sid": "Ann", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:user/ann"},
  "Action": "kms:Decrypt", "Resource": "*",
  "Condition": {"StringEquals": {"kms:EncryptionContext:tenant": "42"}}}}`),
	}
	x := policy.Explain(exampleRequest(), layers)
	fmt.Print(x)
	// Output:
	// IMPLICITDENY: ImplicitDeny.NoResourceAllow
	//   principal arn:aws:iam::111122223333:user/ann
	//   action    kms:Decrypt
	//   resource  arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab
	//   message   User: arn:aws:iam::111122223333:user/ann is not authorized to perform: kms:Decrypt on resource: arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab because no resource-based policy allows the kms:Decrypt action
	//   to allow  have the resource's policy allow the action to the caller, or to its account and a policy of the caller
	// layers
	//   SCP       does not apply: there are no service control policies
	//   RCP       does not apply: there are no resource control policies
	//   VPCE      does not apply: there is no endpoint policy
	//   Resource  implicitDeny
	//   Identity  implicitDeny
	//   Boundary  does not apply: there is no boundary
	//   Session   does not apply: there are no session policies
	// statements that nearly match
	//   Allow in Resource statement 1 "Ann" at line 1 column 40
	//     StringEquals kms:EncryptionContext:tenant wants ["42"], the request has ["(redacted)"]
}

// A new key policy would leave nobody but Bob in charge.
func ExampleWouldLockOut() {
	candidate := compile(policy.KeyPolicy, `{"Version": "2012-10-17", "Statement": {
		"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:user/bob"}, "Action": "kms:*", "Resource": "*"}}`)
	fmt.Println(policy.WouldLockOut(candidate, exampleRequest(), &policy.Layers{}))
	// Output: true
}
