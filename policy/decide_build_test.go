package policy

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The cast of the worked decisions.
const (
	accountA = "111122223333" // owns the keys
	accountB = "444455556666"
	keyOne   = "arn:aws:kms:us-west-2:111122223333:key/K1"
	keyTwo   = "arn:aws:kms:us-west-2:111122223333:key/K2"
	aliasApp = "arn:aws:kms:us-west-2:111122223333:alias/app"

	rootARN    = "arn:aws:iam::111122223333:root"
	aliceARN   = "arn:aws:iam::111122223333:user/alice"
	roleARN    = "arn:aws:iam::111122223333:role/app/Svc"
	sessionARN = "arn:aws:sts::111122223333:assumed-role/Svc/s1"

	foreignRoot    = "arn:aws:iam::444455556666:root"
	foreignRole    = "arn:aws:iam::444455556666:role/app/Svc"
	foreignSession = "arn:aws:sts::444455556666:assumed-role/Svc/s1"

	viaSSM = "ssm.us-west-2.amazonaws.com"
	viaEC2 = "ec2.us-west-2.amazonaws.com"
)

var (
	alice  = Caller{Kind: UserCaller, Account: accountA, ARN: aliceARN, UserName: "alice", UserID: "AIDAALICE", OrgID: "o-1"}
	bob    = Caller{Kind: UserCaller, Account: accountA, ARN: "arn:aws:iam::111122223333:user/bob", UserName: "bob", OrgID: "o-1"}
	svc    = Caller{Kind: RoleCaller, Account: accountA, ARN: sessionARN, RoleARN: roleARN, UserID: "AROASVC:s1", OrgID: "o-1"}
	root   = Caller{Kind: RootCaller, Account: accountA, ARN: rootARN, OrgID: "o-1"}
	svcB   = Caller{Kind: RoleCaller, Account: accountB, ARN: foreignSession, RoleARN: foreignRole, OrgID: "o-1"}
	logs   = Caller{Kind: ServiceCaller, Service: "logs.us-west-2.amazonaws.com", ARN: ""}
	nobody = Caller{}
)

// statementText writes a statement. who is the value of Principal as JSON, or "" for
// none; what is one action or several, separated by spaces; more holds further
// elements as JSON and replaces the Resource "*" if it has one.
func statementText(effect, who, what, more string) string {
	var b strings.Builder
	b.WriteString(`{"Effect":"` + effect + `"`)
	if who != "" {
		if who[0] != '{' && who[0] != '"' {
			who = `{"AWS":"` + who + `"}`
		}
		b.WriteString(`,"Principal":` + who)
	}
	if what != "" {
		list, _ := json.Marshal(strings.Fields(what))
		b.WriteString(`,"Action":` + string(list))
	}
	if !strings.Contains(more, `"Resource"`) && !strings.Contains(more, `"NotResource"`) {
		b.WriteString(`,"Resource":"*"`)
	}
	if more != "" {
		b.WriteString("," + more)
	}
	return b.String() + "}"
}

func permitFor(who, what string) string { return statementText("Allow", who, what, "") }
func denyFor(who, what string) string   { return statementText("Deny", who, what, "") }
func permitAny(what string) string      { return statementText("Allow", "", what, "") }
func denyAny(what string) string        { return statementText("Deny", "", what, "") }

// when is a Condition element.
func when(conditions string) string { return `"Condition":{` + conditions + `}` }

// on is a Resource element.
func on(resource string) string { return `"Resource":"` + resource + `"` }

func documentText(version string, statements ...string) string {
	if version != "" {
		version = `"Version":"` + version + `",`
	}
	return `{` + version + `"Statement":[` + strings.Join(statements, ",") + `]}`
}

// compiled parses and compiles a policy in the language of 2012-10-17.
func compiled(t testing.TB, kind Kind, statements ...string) *Policy {
	t.Helper()
	return compiledText(t, kind, documentText("2012-10-17", statements...))
}

func compiledText(t testing.TB, kind Kind, text string) *Policy {
	t.Helper()
	d, _, err := Parse(kind, []byte(text))
	require.NoError(t, err, text)
	p, err := Compile(d)
	require.NoError(t, err, text)
	return p
}

// compiledLarge compiles a key policy of more statements than Parse admits.
func compiledLarge(t testing.TB, statements ...string) *Policy {
	t.Helper()
	whole := &Document{Kind: KeyPolicy, Version: "2012-10-17"}
	for _, s := range statements {
		d, _, err := Parse(KeyPolicy, []byte(documentText("2012-10-17", s)))
		require.NoError(t, err)
		whole.Statements = append(whole.Statements, d.Statements...)
	}
	p, err := Compile(whole)
	require.NoError(t, err)
	return p
}

// given is a context of names and values: each name with one value, or with a list.
func given(pairs ...any) *Context {
	c := new(Context)
	for i := 0; i < len(pairs); i += 2 {
		var values []string
		switch v := pairs[i+1].(type) {
		case string:
			values = []string{v}
		case []string:
			values = v
		}
		name := pairs[i].(string)
		if f, rest, ok := strings.Cut(name, "EncryptionContext:"); ok && f == "kms:" {
			c.Add(EncryptionContext, rest, values[0])
		} else if !c.Set(name, values...) {
			panic("cannot set " + name)
		}
	}
	return c
}
