package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	ann   = "arn:aws:iam::111122223333:user/eng/ann"
	carol = "arn:aws:iam::444455556666:user/carol"
	root  = "arn:aws:iam::111122223333:root"
)

func answer(t *testing.T, args ...string) string {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, run(&out, args))
	return out.String()
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	name = filepath.Join(t.TempDir(), filepath.FromSlash(name))
	require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o700))
	require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
	return name
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	const encryptOnly = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"kms:Encrypt","Resource":"*"}}`
	for _, row := range []struct {
		name, code string
		args       []string
		more       string // what the explanation has to say
	}{
		{"the default", "ImplicitDeny.NoIdentityAllow", nil, "kms:EncryptionContext:tenant"},
		{"with the context", "Allowed.keyPolicyDelegated", []string{"-context", "tenant=42"}, "OwnTenantOnly"},
		{"with more context", "Allowed.keyPolicyDelegated", []string{"-context", "tenant=42", "-context", "purpose=a=b"}, "OwnTenantOnly"},
		{"with another's", "ImplicitDeny.NoIdentityAllow", []string{"-context", "tenant=43"}, `"43"`},
		{"an administrator reading", "ExplicitDeny.Identity", []string{"-as", ann}, "ButNotRead"},
		{"an administrator managing", "Allowed.keyPolicyDelegated", []string{"-as", ann, "-action", "kms:DisableKey"}, "Manage"},
		{"an administrator deleting", "ExplicitDeny.SCP", []string{"-as", ann, "-action", "kms:ScheduleKeyDeletion"}, "scp/KeepKeys.json"},
		{"the root user deleting", "ExplicitDeny.SCP", []string{"-as", root, "-action", "kms:ScheduleKeyDeletion"}, "service control policy"},
		{"the root user reading", "Allowed.keyPolicyDirect", []string{"-as", root}, "testdata/keypolicy.json"},
		{"another account reading", "ImplicitDeny.CrossAccountResourceSide", []string{"-as", carol}, "its Principal does not cover"},
		{"another account writing", "Allowed.crossAccount", []string{"-as", carol, "-action", "kms:Encrypt"}, "carol/Encrypt.policy.json"},
		{"a role beyond its boundary", "ImplicitDeny.NoIdentityAllow", []string{"-action", "kms:DisableKey"}, "Boundary  implicitDeny"},
		{"a restricted session", "ImplicitDeny.SessionNoAllow", []string{"-context", "tenant=42", "-session", "s2", "-session-policy", write(t, "p.json", encryptOnly)}, "assumed-role/Svc/s2"},
		{"a user who is not known", "ImplicitDeny.NoIdentityAllow", []string{"-as", "arn:aws:iam::111122223333:user/ann"}, "user/ann"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			out := answer(t, row.args...)
			first, _, _ := strings.Cut(out, "\n")
			require.True(t, strings.HasSuffix(first, ": "+row.code), out)
			require.Contains(t, out, row.more)
			require.NotContains(t, out, "note:", "the example's own files are without findings")
		})
	}
}

func TestFilesOfOnesOwn(t *testing.T) {
	t.Parallel()
	key := write(t, "key.json", `{"Version":"2012-10-17","Statement":{"Sid":"","Effect":"Allow","Principal":{"AWS":"`+ann+`"},
		"Action":"kms:Decrypt","Resource":"*","Condition":{"StringEquals":{"kms:ViaService":"ssm.eu-west-1.amazonaws.com"},
		"ForAllValues:StringEquals":{"kms:ResourceAliases":["alias/a","alias/b"]}}}}`)
	folder := write(t, "f/aws/111122223333/user/eng/ann/x.policy.json", `{"Version":"2012-10-17","Statement":{"Sid":"","Effect":"Allow","Action":"s3:*","Resource":"*"}}`)
	folder, _, _ = strings.Cut(filepath.ToSlash(folder), "/aws/")
	ask := func(args ...string) string {
		return answer(t, append([]string{"-key", key, "-identities", folder, "-as", ann}, args...)...)
	}
	require.Contains(t, ask(), "the request does not have the key")
	via := []string{"-condition", "kms:ViaService=ssm.eu-west-1.amazonaws.com"}
	out := ask(via...)
	require.Contains(t, out, "Allowed.keyPolicyDirect")
	require.Contains(t, out, "note: "+key+":1:")
	require.Contains(t, out, "note: aws/111122223333/user/eng/ann/x.policy.json:1:")
	require.Contains(t, ask(append(via, "-condition", "kms:ResourceAliases=alias/a", "-condition", "kms:ResourceAliases=alias/b")...), "Allowed.")
	require.Contains(t, ask(append(via, "-condition", "kms:ResourceAliases=alias/a", "-condition", "kms:ResourceAliases=alias/c")...), "alias/c")
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		args []string
		want string
	}{
		{[]string{"-what"}, "-what"},
		{[]string{"decrypt"}, `what is "decrypt"?`},
		{[]string{"-as", "ann"}, `-as "ann"`},
		{[]string{"-as", "arn:aws:sts::111122223333:assumed-role/Svc/s1"}, "name the role and -session"},
		{[]string{"-as", "arn:aws:iam::111122223333:group/admins"}, "neither a user nor a role"},
		{[]string{"-session", "x"}, "session"},
		{[]string{"-session-policy", "none.json"}, "none.json"},
		{[]string{"-session-policy", write(t, "p.json", "{}")}, "session policy 0"},
		{[]string{"-resource", "key"}, `-resource "key"`},
		{[]string{"-key", "none.json"}, "none.json"},
		{[]string{"-key", write(t, "k.json", "{\n}")}, "k.json: policy: MalformedPolicyDocumentException"},
		{[]string{"-identities", filepath.Dir(write(t, "odd.json", "{}"))}, "odd.json: it has no place"},
		{[]string{"-context", "tenant"}, "not of the form key=value"},
		{[]string{"-condition", "=x"}, "not of the form key=value"},
		{[]string{"-condition", "aws:PrincipalArn=x"}, "it follows from who asks"},
	} {
		var out bytes.Buffer
		require.ErrorContains(t, run(&out, row.args), row.want)
		require.NotContains(t, out.String(), "ALLOWED")
	}
	require.Contains(t, answer(t, "-h"), "-identities folder")
}
