package identity_test

import (
	"errors"
	"fmt"
	"testing/fstest"

	"github.com/sealring/sealring/identity"
	"github.com/sealring/sealring/policy"
)

func ExampleLoad() {
	// Usually os.DirFS("identities").
	folder := fstest.MapFS{
		"aws/111122223333/user/eng/ann/Decrypt.policy.json": {Data: []byte(`{
  "Version": "2012-10-17",
  "Statement": {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": "*"}
}`)},
		"aws/111122223333/user/eng/ann/tags.json": {Data: []byte(`{"team": "blue"}`)},
	}
	source, findings, err := identity.Load(folder)
	if err != nil {
		fmt.Println(err)
		return
	}
	ann, err := identity.User("arn:aws:iam::111122223333:user/eng/ann")
	if err != nil {
		fmt.Println(err)
		return
	}
	p := source.Principal(ann)
	fmt.Println(p.Policies[0].Name())
	fmt.Println(p.Tags, len(findings))
	// Output:
	// aws/111122223333/user/eng/ann/Decrypt.policy.json
	// [{team blue}] 0
}

func ExampleLoad_error() {
	_, _, err := identity.Load(fstest.MapFS{
		"aws/111122223333/user/ann/Decrypt.policy.json": {Data: []byte(`{
  "Version": "2012-10-17",
  "Statement": {"Effect": "Permit", "Action": "kms:Decrypt", "Resource": "*"}
}`)},
	})
	var refused *policy.ParseError
	if errors.As(err, &refused) {
		fmt.Println(refused.ErrorCode(), refused.Line, refused.Column, refused.Pointer)
	}
	_, _, err = identity.Load(fstest.MapFS{"aws/111122223333/users/ann/tags.json": {Data: []byte(`{}`)}})
	fmt.Println(err)
	// Output:
	// MalformedPolicyDocument 3 27 /Statement/Effect
	// identity: aws/111122223333/users: it has no place in the layout, see identity.Load
}

func ExampleAssumedRole() {
	c, err := identity.AssumedRole("arn:aws:iam::111122223333:role/app/Svc", "nightly", &identity.SessionOptions{
		Policies: []string{`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"kms:Decrypt","Resource":"*"}}`},
		Tags:     []policy.Pair{{Key: "tenant", Value: "42"}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(c.In("eu-west-1"))
	fmt.Println(c.Session.Role)
	// Output:
	// arn:aws:sts::111122223333:assumed-role/Svc/nightly
	// arn:aws:iam::111122223333:role/app/Svc
}

// A Static can change while requests are made, as policies in AWS do.
func ExampleStatic() {
	var source identity.Static
	ann, err := identity.User("arn:aws:iam::111122223333:user/ann")
	if err != nil {
		fmt.Println(err)
		return
	}
	d, _, err := policy.Parse(policy.Identity, []byte(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"kms:*","Resource":"*"}}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	p, err := policy.Compile(d)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(len(source.Principal(ann).Policies))
	source.SetPrincipal(ann.Principal, identity.Principal{Policies: []*policy.Policy{p}})
	fmt.Println(len(source.Principal(ann).Policies))
	// Output:
	// 0
	// 1
}

// A service acts for itself, on behalf of a resource; or it passes a principal's request
// on.
func ExampleService() {
	s3, err := identity.Service("s3.amazonaws.com", "arn:aws:s3:::orders")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(s3.In("eu-west-1"), s3.SourceARN)
	ann, err := identity.User("arn:aws:iam::111122223333:user/ann")
	if err != nil {
		fmt.Println(err)
		return
	}
	passed := ann.Through("secretsmanager.amazonaws.com")
	fmt.Println(passed, passed.Via)
	// Output:
	// s3.amazonaws.com arn:aws:s3:::orders
	// arn:aws:iam::111122223333:user/ann [secretsmanager.amazonaws.com]
}

// What a Source says of a caller is what the policy engine needs.
func ExampleCaller_Subject() {
	source := &identity.Static{}
	ann, err := identity.User("arn:aws:iam::111122223333:user/ann")
	if err != nil {
		fmt.Println(err)
		return
	}
	bound, home := source.Principal(ann), source.Account(ann.Account)
	layers := ann.Layers(bound, home) // the key policy would be added here
	d := policy.Decide(&policy.Request{
		Caller:   ann.Subject(bound, home),
		Action:   "kms:Decrypt",
		Resource: "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab",
	}, &layers)
	fmt.Println(d.Allowed, d.Code())
	// Output:
	// false ImplicitDeny.NoResourceAllow
}
