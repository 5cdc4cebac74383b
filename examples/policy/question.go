package main

import (
	"embed"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/sealring/sealring/identity"
	"github.com/sealring/sealring/policy"
)

//go:embed testdata
var testdata embed.FS

// question is what is asked, by whom, under which policies.
type question struct {
	keyPolicy, identities  string // files; "" for the example's
	as                     string
	session, sessionPolicy string
	action, resource       string
	context, conditions    pairs
}

// ask answers the question and prints the explanation.
func (q *question) ask(out io.Writer) error {
	keyPolicy, err := q.loadKeyPolicy(out)
	if err != nil {
		return err
	}
	source, err := q.loadIdentities(out)
	if err != nil {
		return err
	}
	caller, err := q.caller()
	if err != nil {
		return err
	}
	key := strings.SplitN(q.resource, ":", 6) // arn:partition:service:region:account:resource
	if len(key) != 6 {
		return fmt.Errorf("-resource %q is no ARN", q.resource)
	}
	caller = caller.In(key[3])
	conditions, err := q.conditionKeys(caller)
	if err != nil {
		return err
	}

	// This is all that a service has to do: who asks, what binds them, what the
	// resource says, and the decision.
	bound, home := source.Principal(caller), source.Account(caller.Account)
	layers := caller.Layers(bound, home)
	owner := source.Account(key[4])
	layers.Resource, layers.RCP = keyPolicy, owner.RCP
	layers.Choices.RevealValues = true // they are the values that were just typed
	fmt.Fprint(out, policy.Explain(&policy.Request{
		Caller:                      caller.Subject(bound, home),
		Action:                      q.action,
		Resource:                    q.resource,
		Context:                     conditions,
		ResourceInManagementAccount: owner.Management,
	}, &layers))
	return nil
}

// caller returns who asks.
func (q *question) caller() (identity.Caller, error) {
	as := strings.SplitN(q.as, ":", 6)
	switch {
	case len(as) != 6:
		return identity.Caller{}, fmt.Errorf("-as %q is no ARN", q.as)
	case as[2] == "sts":
		return identity.Caller{}, fmt.Errorf("-as %q: a session's ARN lacks the path of its role; name the role and -session", q.as)
	case as[5] == "root":
		return identity.Root(as[4], ""), nil
	case !strings.HasPrefix(as[5], "role/"):
		return identity.User(q.as)
	}
	var o identity.SessionOptions
	if q.sessionPolicy != "" {
		text, err := os.ReadFile(q.sessionPolicy)
		if err != nil {
			return identity.Caller{}, err
		}
		o.Policies = []string{string(text)}
	}
	return identity.AssumedRole(q.as, q.session, &o)
}

// conditionKeys returns the condition keys that the request would have.
func (q *question) conditionKeys(caller identity.Caller) (*policy.Context, error) {
	now := time.Now()
	c := &policy.Context{}
	c.SetString(policy.AWSRequestedRegion, caller.Region)
	c.SetBool(policy.AWSSecureTransport, true)
	c.SetTime(policy.AWSCurrentTime, now)
	c.SetTime(policy.AWSEpochTime, now)
	if caller.Session != nil {
		c.SetTime(policy.AWSTokenIssueTime, caller.Session.Issued)
	}
	for _, p := range q.context {
		c.Add(policy.EncryptionContext, p[0], p[1])
	}
	values := map[string][]string{}
	for _, p := range q.conditions {
		values[p[0]] = append(values[p[0]], p[1])
	}
	for key, list := range values {
		if !c.Set(key, list...) {
			return nil, fmt.Errorf("-condition %s: it follows from who asks and what for", key)
		}
	}
	return c, nil
}

func (q *question) loadKeyPolicy(out io.Writer) (*policy.Policy, error) {
	name, read := q.keyPolicy, os.ReadFile
	if name == "" {
		name, read = "testdata/keypolicy.json", testdata.ReadFile
	}
	text, err := read(name)
	if err != nil {
		return nil, err
	}
	d, findings, err := policy.Parse(policy.KeyPolicy, text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	for _, f := range findings {
		fmt.Fprintf(out, "note: %s:%s\n", name, f)
	}
	p, err := policy.Compile(d)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return p.Named(name), nil
}

func (q *question) loadIdentities(out io.Writer) (*identity.Static, error) {
	folder := os.DirFS(q.identities)
	if q.identities == "" {
		var err error
		if folder, err = fs.Sub(testdata, "testdata/identities"); err != nil {
			return nil, err
		}
	}
	source, findings, err := identity.Load(folder)
	if err != nil {
		return nil, err
	}
	for _, f := range findings {
		fmt.Fprintf(out, "note: %s\n", f)
	}
	return source, nil
}
