package identity_test

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/identity"
	"github.com/sealring/sealring/policy"
)

// files makes a file system of texts.
func files(texts map[string]string) fstest.MapFS {
	fsys := fstest.MapFS{}
	for name, text := range texts {
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return fsys
}

// statement returns a policy that allows or denies an action on everything.
func statement(effect, action string) string {
	return fmt.Sprintf(`{"Version":"2012-10-17","Statement":{"Effect":%q,"Action":%q,"Resource":"*"}}`, effect, action)
}

const denyRCP = `{"Version":"2012-10-17","Statement":{"Effect":"Deny","Principal":"*","Action":"kms:*","Resource":"*"}}`

// wellFormed has one file of each sort.
func wellFormed() map[string]string {
	return map[string]string{
		"aws/111122223333/user/eng/ann/Decrypt.policy.json":            statement("Allow", "kms:Decrypt"),
		"aws/111122223333/user/eng/ann/boundary.policy.json":           statement("Allow", "kms:Encrypt"),
		"aws/111122223333/user/eng/ann/boundary.json":                  statement("Allow", "kms:*"),
		"aws/111122223333/user/eng/ann/tags.json":                      `{"team": "blue", "Site": ""}`,
		"aws/111122223333/user/eng/ann/groups.json":                    `["ops", "admins"]`,
		"aws/111122223333/user/eng/groups.json":                        `[]`, // of a user called eng
		"aws/111122223333/group/admins/KMS.policy.json":                statement("Allow", "kms:*"),
		"aws/111122223333/group/it/ops/a.policy.json":                  statement("Deny", "kms:ScheduleKeyDeletion"),
		"aws/111122223333/group/it/ops/b.policy.json":                  statement("Allow", "kms:ListKeys"),
		"aws/111122223333/role/app/Svc/boundary.json":                  statement("Allow", "kms:*"),
		"aws/111122223333/role/ann/x.policy.json":                      statement("Allow", "kms:*"),
		"aws/111122223333/role/aws-service-role/x.example/L/tags.json": `{}`,
		"aws/111122223333/role/aws-service-role/tags.json":             `{}`,
		"aws/444455556666/user/ann/Decrypt.policy.json":                statement("Allow", "kms:Decrypt"),
		"aws-cn/777788889999/user/ann/tags.json":                       `{"team":"red"}`,
		"scp/NoDeletion.json":                                          statement("Deny", "kms:ScheduleKeyDeletion"),
		"rcp/OnlyUs.json":                                              denyRCP,
		"organization.json": `{
  "id": "o-a1b2c3d4e5",
  "managementAccount": "999900001111",
  "root": {
    "id": "r-ab12",
    "accounts": [{"id": "999900001111"}],
    "units": [
      {"id": "ou-ab12-11111111", "scp": ["FullAWSAccess", "NoDeletion"], "accounts": [{"id": "444455556666"}],
       "units": [{"id": "ou-ab12-22222222", "rcp": ["OnlyUs"], "accounts": [{"id": "111122223333", "scp": ["NoDeletion"]}]}]}
    ]
  }
}`,
	}
}

// names lists what policies are called.
func names(policies []*policy.Policy) (all []string) {
	for _, p := range policies {
		all = append(all, p.Name())
	}
	return all
}

func load(t testing.TB, texts map[string]string) *identity.Static {
	t.Helper()
	s, _, err := identity.Load(files(texts))
	require.NoError(t, err)
	return s
}

func TestLoadPrincipals(t *testing.T) {
	t.Parallel()
	s := load(t, wellFormed())
	ann := s.Principal(user(t, annARN))
	const place = "aws/111122223333/user/eng/ann/"
	require.Equal(t, []string{
		place + "Decrypt.policy.json", place + "boundary.policy.json",
		"aws/111122223333/group/it/ops/a.policy.json", "aws/111122223333/group/it/ops/b.policy.json",
		"aws/111122223333/group/admins/KMS.policy.json",
	}, names(ann.Policies), "its own, then those of its groups in their order")
	require.Equal(t, place+"boundary.json", ann.Boundary.Name())
	require.Equal(t, policy.Boundary, ann.Boundary.Document().Kind)
	require.Equal(t, []policy.Pair{{Key: "Site", Value: ""}, {Key: "team", Value: "blue"}}, ann.Tags)
	require.False(t, ann.ServiceLinked)

	for _, row := range []struct {
		arn               string
		policies, tags    int
		bounded, linkedTo bool
	}{
		{"arn:aws:iam::111122223333:user/eng", 0, 0, false, false},
		{"arn:aws:iam::111122223333:user/ann", 0, 0, false, false},
		{"arn:aws:iam::111122223333:role/app/Svc", 0, 0, true, false},
		{"arn:aws:iam::111122223333:role/ann", 1, 0, false, false},
		{"arn:aws:iam::111122223333:role/aws-service-role/x.example/L", 0, 0, false, true},
		{"arn:aws:iam::111122223333:role/aws-service-role", 0, 0, false, false},
		{"arn:aws:iam::111122223333:group/admins", 0, 0, false, false},
		{"arn:aws:iam::444455556666:user/ann", 1, 0, false, false},
		{"arn:aws-cn:iam::777788889999:user/ann", 0, 1, false, false},
		{"arn:aws:iam::777788889999:user/ann", 0, 0, false, false},
	} {
		p := s.Principal(identity.Caller{Principal: row.arn, Account: "111122223333"})
		require.Len(t, p.Policies, row.policies, row.arn)
		require.Len(t, p.Tags, row.tags, row.arn)
		require.Equal(t, row.bounded, p.Boundary != nil, row.arn)
		require.Equal(t, row.linkedTo, p.ServiceLinked, row.arn)
	}
}

func TestLoadOrganization(t *testing.T) {
	t.Parallel()
	s := load(t, wellFormed())
	require.Zero(t, s.Account("000000000000"))
	levels := func(all [][]*policy.Policy) (out [][]string) {
		for _, level := range all {
			out = append(out, names(level))
		}
		return out
	}
	full, rcpFull := []string{"FullAWSAccess"}, []string{"RCPFullAWSAccess"}
	for _, row := range []struct {
		id         string
		path       string
		management bool
		scp, rcp   [][]string
	}{
		{"999900001111", "o-a1b2c3d4e5/r-ab12/", true, [][]string{full, full}, [][]string{rcpFull, rcpFull}},
		{"444455556666", "o-a1b2c3d4e5/r-ab12/ou-ab12-11111111/", false,
			[][]string{full, {"FullAWSAccess", "scp/NoDeletion.json"}, full}, [][]string{rcpFull, rcpFull, rcpFull}},
		{"111122223333", "o-a1b2c3d4e5/r-ab12/ou-ab12-11111111/ou-ab12-22222222/", false,
			[][]string{full, {"FullAWSAccess", "scp/NoDeletion.json"}, full, {"scp/NoDeletion.json"}},
			[][]string{rcpFull, rcpFull, {"RCPFullAWSAccess", "rcp/OnlyUs.json"}, rcpFull}},
	} {
		a := s.Account(row.id)
		require.Equal(t, "o-a1b2c3d4e5", a.OrgID)
		require.Equal(t, []string{row.path}, a.OrgPaths)
		require.Equal(t, row.management, a.Management)
		require.Equal(t, row.scp, levels(a.SCP), row.id)
		require.Equal(t, row.rcp, levels(a.RCP), row.id)
	}
}

func TestLoadOrganizationWithoutPolicies(t *testing.T) {
	t.Parallel()
	const org = `{"id":"o-a1b2c3d4e5","managementAccount":"111122223333","root":{"id":"r-ab12","accounts":[{"id":"111122223333"%s}]}}`
	a := load(t, map[string]string{"organization.json": fmt.Sprintf(org, "")}).Account("111122223333")
	require.Nil(t, a.SCP)
	require.Nil(t, a.RCP)
	a = load(t, map[string]string{"organization.json": fmt.Sprintf(org, `,"scp":["FullAWSAccess"],"rcp":[]`)}).Account("111122223333")
	require.Len(t, a.SCP, 2)
	require.Nil(t, a.RCP)
}

func TestLoadNothing(t *testing.T) {
	t.Parallel()
	s, findings, err := identity.Load(fstest.MapFS{})
	require.NoError(t, err)
	require.Empty(t, findings)
	require.Zero(t, s.Principal(user(t, annARN)))
	require.Zero(t, s.Account("111122223333"))
}

func TestLoadRefuses(t *testing.T) {
	t.Parallel()
	const (
		ann     = "aws/111122223333/user/eng/ann/"
		unknown = "it has no place in the layout"
	)
	for _, row := range []struct{ file, text, want string }{
		{"README.md", "", unknown},
		{".DS_Store", "", unknown},
		{"organisation.json", "{}", unknown},
		{"iam/a.json", "{}", unknown},
		{"scp/a/b.json", "{}", unknown},
		{"scp/a.policy", "{}", unknown},
		{"rcp/a b.json", denyRCP, "is not the name of a policy"},
		{"scp/FullAWSAccess.json", statement("Allow", "*"), "a policy of AWS has this name"},
		{"rcp/RCPFullAWSAccess.json", denyRCP, "a policy of AWS has this name"},
		{"rcp/Allow.json", strings.Replace(denyRCP, "Deny", "Allow", 1), "cannot allow"},
		{"aws/a.json", "{}", unknown},
		{"aws/11112222333/user/ann/tags.json", "{}", `"11112222333" is not the id of an account`},
		{"aws/111122223333/tags.json", "{}", unknown},
		{"aws/111122223333/users/ann/tags.json", "{}", unknown},
		{"aws/111122223333/user/tags.json", "{}", unknown},
		{ann + "Decrypt.json", statement("Allow", "*"), unknown},
		{ann + "boundary.jsn", "{}", unknown},
		{ann + "Tags.json", "{}", unknown},
		{ann + "policy.json", "{}", unknown},
		{ann + ".policy.json", statement("Allow", "*"), `"" is not the name of a policy`},
		{ann + strings.Repeat("p", 129) + ".policy.json", statement("Allow", "*"), "is not the name of a policy"},
		{ann + "a(1).policy.json", statement("Allow", "*"), `"a(1)" is not the name of a policy`},
		{"aws/111122223333/user/a b/tags.json", "{}", "it is not the path of a user"},
		{"aws/111122223333/user/é/tags.json", "{}", "it is not the path of a user"},
		{"aws/111122223333/user/a!/tags.json", "{}", `"a!" is not the name of a user`},
		{"aws/111122223333/role/" + strings.Repeat("n", 65) + "/tags.json", "{}", "is not the name of a role"},
		{"aws/111122223333/group/" + strings.Repeat("n", 129) + "/a.policy.json", statement("Allow", "*"), "is not the name of a group"},
		{"aws/111122223333/group/admins/tags.json", "{}", unknown},
		{"aws/111122223333/group/admins/boundary.json", statement("Allow", "*"), unknown},
		{"aws/111122223333/role/Other/groups.json", `["admins"]`, unknown},
		{"aws/111122223333/user/ops/ann/tags.json", "{}", "has the same name"},
		{"aws/111122223333/user/ANN/tags.json", "{}", "has the same name"},
		{"aws/111122223333/role/SVC/tags.json", "{}", "has the same name"},
		{"aws/111122223333/group/Admins/a.policy.json", statement("Allow", "*"), "has the same name"},
		{ann + "bad.policy.json", "{\n  \"Version\": \"2012-10-17\",\n  \"Statement\": {\"Effect\": \"allow\"}\n}", "line 3, column 27"},
		{ann + "bad.policy.json", "", "MalformedPolicyDocument"},
		{ann + "bad.policy.json", denyRCP, "MalformedPolicyDocument"},
		{ann + "boundary.json", denyRCP, "MalformedPolicyDocument"},
		{"scp/bad.json", denyRCP, "MalformedPolicyDocumentException"},
		{ann + "tags.json", "{\n \"a\": 1}", "line 2, column "},
		{ann + "tags.json", `{"a": null}`, "null does not belong here (line 1, column 7)"},
		{ann + "tags.json", `{"a": "1", "a": "2"}`, `the member "a" is there twice (line 1, column 12)`},
		{ann + "tags.json", `{"a": "1", "A": "2"}`, `the member "A" is there twice`},
		{ann + "tags.json", `{"aws:a": "1"}`, "tag key"},
		{ann + "tags.json", `{"a": "1"} x`, "text follows the end (line 1, column 12)"},
		{ann + "tags.json", `{"a": "1"`, "it is not JSON"},
		{ann + "tags.json", `{"a": "1",}`, "it is not JSON"},
		{ann + "tags.json", "", "it is not JSON (line 1, column 1)"},
		{ann + "tags.json", " ", "it is not JSON"},
		{ann + "tags.json", "{\"a\": \"\xff\"}", "it is not valid UTF-8"},
		{ann + "tags.json", `["a"]`, "a JSON array is not what belongs here"},
		{ann + "groups.json", `{"admins": 1}`, "a JSON object is not what belongs here"},
		{ann + "groups.json", `["admins", "nobody"]`, `there is no group "nobody"`},
		{ann + "groups.json", `["Admins"]`, `there is no group "Admins"`},
		{ann + "groups.json", `["it/ops"]`, `there is no group "it/ops"`},
		{ann + "groups.json", `["admins", "admins"]`, `the group "admins" is named twice`},
		{"aws/444455556666/user/ann/groups.json", `["admins"]`, `there is no group "admins"`},
		{ann + "tags.json", strings.Repeat(" ", 1<<20-1) + "{}", "it is longer than 1048576 bytes"},
	} {
		texts := wellFormed()
		if !strings.HasPrefix(row.want, "has the same") {
			for name := range texts { // a file replaces the one of the same name in any case
				if strings.EqualFold(name, row.file) {
					delete(texts, name)
				}
			}
		}
		texts[row.file] = row.text
		s, findings, err := identity.Load(files(texts))
		require.ErrorContains(t, err, row.want, row.file)
		require.Nil(t, s)
		require.Nil(t, findings)
		require.True(t, strings.HasPrefix(err.Error(), "identity: "), err)
		if row.want == unknown {
			// The folder may be the first that has no place.
			first, _, _ := strings.Cut(strings.TrimPrefix(err.Error(), "identity: "), ":")
			require.True(t, strings.HasPrefix(row.file, first), err)
		} else if !strings.Contains(row.want, "path of") && !strings.Contains(row.want, "id of an account") {
			require.ErrorContains(t, err, "identity: "+firstFile(row.file, row.want)+": ")
		}
	}
}

// firstFile returns the file that an error is about: of two of the same name, the later.
func firstFile(file, want string) string {
	switch {
	case want == "has the same name" && strings.Contains(file, "ANN"):
		return "aws/111122223333/user/eng/ann/Decrypt.policy.json"
	case want == "has the same name" && strings.Contains(file, "/Admins/"):
		return "aws/111122223333/group/admins/KMS.policy.json"
	case want == "has the same name" && strings.Contains(file, "SVC"):
		return "aws/111122223333/role/app/Svc/boundary.json"
	}
	return file
}

func TestLoadRefusesOrganizations(t *testing.T) {
	t.Parallel()
	deep := `"accounts":[{"id":"111122223333"}]`
	for n := range 6 {
		deep = fmt.Sprintf(`"units":[{"id":"ou-ab12-1111111%d",%s}]`, n, deep)
	}
	root := func(members string) string {
		return `{"id":"o-a1b2c3d4e5","managementAccount":"111122223333","root":{"id":"r-ab12",` + members + `}}`
	}
	const account = `"accounts":[{"id":"111122223333"}]`
	require.NotEmpty(t, load(t, map[string]string{"organization.json": root(account)}).Account("111122223333").OrgID)
	for _, row := range []struct{ text, want string }{
		{`{}`, `"" is not the id of an organization`},
		{strings.Replace(root(account), "o-a1b2c3d4e5", "o-A1b2c3d4e5", 1), "is not the id of an organization"},
		{strings.Replace(root(account), "o-a1b2c3d4e5", "o-a1b2c3d4e", 1), "is not the id of an organization"},
		{strings.Replace(root(account), "r-ab12", "ab12", 1), `"ab12" is not the id of a root`},
		{strings.Replace(root(account), "r-ab12", "r-"+strings.Repeat("a", 33), 1), "is not the id of a root"},
		{strings.Replace(root(account), `{"id":"1`, `{"id":"x`, 1), `"x11122223333" is not the id of an account`},
		{root(`"accounts":[{"id":"444455556666"}]`), `the management account "111122223333" is not in the tree`},
		{root(`"accounts":[{"id":"111122223333"},{"id":"111122223333"}]`), "the account 111122223333 is in the tree twice"},
		{root(`"accounts":[{"id":"111122223333","units":[]}]`), "cannot have anything below"},
		{root(`"accounts":[{"id":"111122223333",` + account + `}]`), "cannot have anything below"},
		{root(account + `,"units":[{"id":"ou-ab12"}]`), `"ou-ab12" is not the id of a unit`},
		{root(account + `,"units":[{"id":"ab12-11111111"}]`), "is not the id of a unit"},
		{root(account + `,"units":[{"id":"ou-ab12-1111111"}]`), "is not the id of a unit"},
		{root(account + `,"units":[{"id":"ou-ab12-11111111"},{"id":"ou-ab12-11111111"}]`), "is in the tree twice"},
		{root(deep), "is more than 5 deep"},
		{root(account + `,"scp":[]`), "AWS does not let the last one be detached"},
		{root(account + `,"scp":["Nothing"]`), "there is no policy scp/Nothing.json, which r-ab12 has"},
		{root(account + `,"rcp":["FullAWSAccess"]`), "there is no policy rcp/FullAWSAccess.json"},
		{root(account + `,"rcp":["RCPFullAWSAccess"]`), `r-ab12 has the rcp "RCPFullAWSAccess" twice`},
		{root(account + `,"scp":["FullAWSAccess","FullAWSAccess"]`), "twice"},
		{root(`"accounts":[{"id":"111122223333","scp":["Nothing"]}]`), "which 111122223333 has"},
		{root(account + `,"SCP":["FullAWSAccess"]`), `the member "SCP" is unknown`},
		{root(account + `,"name":"x"`), `the member "name" is unknown`},
		{root(account + `,"root":{}`), `the member "root" is unknown (line 1, column `},
		{strings.Replace(root(account), `{"id"`, `{"scp":["FullAWSAccess"],"id"`, 1), `the member "scp" is unknown (line 1, column 2)`},
		{strings.Replace(root(account), `{"id"`, "{\n  \"Id\"", 1), `the member "Id" is unknown (line 2, column 3)`},
		{`[]`, "not what belongs here"},
	} {
		_, _, err := identity.Load(files(map[string]string{"organization.json": row.text}))
		require.ErrorContains(t, err, row.want, row.text)
		require.ErrorContains(t, err, "identity: organization.json: ")
	}
	for _, name := range []string{"scp/a.json", "rcp/a.json"} {
		_, _, err := identity.Load(files(map[string]string{name: strings.NewReplacer("scp/a.json", statement("Deny", "kms:*"), "rcp/a.json", denyRCP).Replace(name)}))
		require.ErrorContains(t, err, "organization.json: there is none")
	}
}

func TestLoadErrorIsThePolicys(t *testing.T) {
	t.Parallel()
	_, _, err := identity.Load(files(map[string]string{"aws/111122223333/user/ann/a.policy.json": "{\n]"}))
	var parse *policy.ParseError
	require.ErrorAs(t, err, &parse)
	require.Equal(t, 2, parse.Line)
}

func TestLoadFindings(t *testing.T) {
	t.Parallel()
	texts := map[string]string{
		"aws/111122223333/user/ann/b.policy.json": "{\"Version\":\"2012-10-17\",\"Statement\":\n{\"Sid\":\"\",\"Effect\":\"Allow\",\"Action\":\"kms:*\",\"Resource\":\"*\"}}",
		"aws/111122223333/role/Svc/boundary.json": "{\"Version\":\"2012-10-17\",\"Statement\":\n{\"Sid\":\"\",\"Effect\":\"Allow\",\"Action\":\"kms:*\",\"Resource\":\"*\"}}",
	}
	_, findings, err := identity.Load(files(texts))
	require.NoError(t, err)
	require.Len(t, findings, 2)
	require.Equal(t, "aws/111122223333/user/ann/b.policy.json", findings[1].File)
	require.Equal(t, "EMPTY_SID_VALUE", findings[1].Code)
	require.Equal(t, "aws/111122223333/role/Svc/boundary.json", findings[0].File, "in the order of the files")
	require.True(t, strings.HasPrefix(findings[1].String(), "aws/111122223333/user/ann/b.policy.json:2:8: suggestion EMPTY_SID_VALUE: "), findings[1])
}

// brokenFS fails to open one file, or calls it something that it is not.
type brokenFS struct {
	fs.FS
	name string
	err  error
}

func (b brokenFS) Open(name string) (fs.File, error) {
	if name == b.name {
		return nil, b.err
	}
	return b.FS.Open(name)
}

func TestLoadReportsFaultsOfTheFileSystem(t *testing.T) {
	t.Parallel()
	fault := errors.New("a bad sector")
	for name := range maps.Keys(wellFormed()) {
		_, _, err := identity.Load(brokenFS{files(wellFormed()), name, fault})
		require.ErrorIs(t, err, fault, name)
		require.ErrorContains(t, err, name)
	}
	_, _, err := identity.Load(brokenFS{files(wellFormed()), "aws/111122223333/user", &fs.PathError{Op: "open", Path: "aws/111122223333/user", Err: fs.ErrPermission}})
	require.ErrorIs(t, err, fs.ErrPermission)
	require.ErrorContains(t, err, "aws/111122223333/user")
}

func TestLoadFromDisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range wellFormed() {
		name = filepath.Join(dir, filepath.FromSlash(name))
		require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o700))
		require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
	}
	s, _, err := identity.Load(os.DirFS(dir))
	require.NoError(t, err)
	require.Len(t, s.Principal(user(t, annARN)).Policies, 5)

	_, _, err = identity.Load(os.DirFS(filepath.Join(dir, "absent")))
	require.ErrorIs(t, err, fs.ErrNotExist)

	tags := filepath.Join(dir, "aws", "111122223333", "role", "Svc2")
	require.NoError(t, os.MkdirAll(tags, 0o700))
	if err := os.Symlink(dir, filepath.Join(tags, "tags.json")); err != nil {
		t.Skipf("no symbolic links here: %v", err)
	}
	_, _, err = identity.Load(os.DirFS(dir))
	require.ErrorContains(t, err, "role/Svc2/tags.json: it has no place in the layout", "a link to a folder is no file")
	require.NoError(t, os.Remove(filepath.Join(tags, "tags.json")))
	other := filepath.Join(t.TempDir(), "t.json")
	require.NoError(t, os.WriteFile(other, []byte(`{"a":"b"}`), 0o600))
	require.NoError(t, os.Symlink(other, filepath.Join(tags, "tags.json")))
	s, _, err = identity.Load(os.DirFS(dir))
	require.NoError(t, err)
	svc2 := identity.Caller{Principal: "arn:aws:iam::111122223333:role/Svc2", Account: "111122223333"}
	require.Len(t, s.Principal(svc2).Tags, 1, "a link to a file is one")
}

// FuzzLoadFile puts any text under any name: Load never panics, and what it accepts, it
// accepts again.
func FuzzLoadFile(f *testing.F) {
	for name, text := range wellFormed() {
		f.Add(name, text)
	}
	f.Add("aws/111122223333/user/ann/tags.json", `{"a":{"b":[{"c":null}]}}`)
	f.Add("aws/111122223333/user/ann/groups.json", `[[],{},"]`)
	f.Add("scp/a.json", "")
	f.Add("aws/1/../user/x", "{}")
	f.Fuzz(func(t *testing.T, name, text string) {
		if !fs.ValidPath(name) {
			return
		}
		texts := map[string]string{name: text}
		s, _, err := identity.Load(files(texts))
		if err != nil {
			require.Nil(t, s)
			return
		}
		again, _, err := identity.Load(files(texts))
		require.NoError(t, err)
		require.NotNil(t, again)
	})
}
