package identity

import (
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	"github.com/sealring/sealring/internal/arn"
	"github.com/sealring/sealring/policy"
)

// The bounds of a folder. They are far above what one process serves, and keep a wrong
// folder from being read to its end.
const (
	maxFile    = 1 << 20
	maxFiles   = 100_000
	maxContent = 256 << 20 // of all files together
)

// A Finding is something in a file of a folder that is accepted and probably a mistake.
type Finding struct {
	// File is the file's path in the folder, with slashes.
	File string
	policy.Finding
}

// String returns the finding on one line.
func (f Finding) String() string { return f.File + ":" + f.Finding.String() }

// Load reads a folder of JSON files into a [Static]. The path of a user, role or group
// in the folder is that of its ARN, arn:aws:iam::111122223333:user/eng/ann:
//
//	aws/111122223333/user/eng/ann/Decrypt.policy.json   an identity policy called Decrypt
//	aws/111122223333/user/eng/ann/boundary.json         the permissions boundary
//	aws/111122223333/user/eng/ann/tags.json             {"team": "blue"}
//	aws/111122223333/user/eng/ann/groups.json           ["admins"]
//	aws/111122223333/role/app/Svc/…                     the same, but without groups
//	aws/111122223333/group/admins/KMS.policy.json       policies only
//	organization.json                                   the organization's tree
//	scp/NoDeletion.json                                 service control policies
//	rcp/OnlyUs.json                                     resource control policies
//
// Everything but the last part of a path may be missing. Users, roles and groups are
// called in an account by their name alone, so no two of a kind may have names that
// differ only in path or case. Roles under aws-service-role/ are linked to a service.
//
// organization.json has an id, a managementAccount and a root. The root has an id
// ("r-ab12"), and both it and what is below it may have units, which have ids
// ("ou-ab12-11111111") and are nested up to five deep, and accounts, which have ids and
// nothing below. Each of them may list names of policies as scp and rcp. As in AWS, one
// that lists no scp has FullAWSAccess, and RCPFullAWSAccess is attached everywhere; if
// nothing lists policies of a kind, that kind is off.
//
// Every document is held to the rules of its kind and compiled; policies are called by
// their file's path, see [policy.Policy.Name]. Load refuses any file or folder that has
// no place in the above, so that nothing is ever ignored by mistake, files of more than
// 1 MiB and folders of more than 100,000 files or 256 MiB. An error names the file and,
// for a document, line and column; it wraps a [*policy.ParseError] if the document is a
// policy. What is accepted but probably wrong is returned as findings, in the order of
// the files.
func Load(fsys fs.FS) (*Static, []Finding, error) {
	return load(&loader{
		fsys:    fsys,
		files:   maxFiles,
		content: maxContent,
		found:   map[string]*attachment{},
		names:   map[string]string{},
		limits:  map[string]*policy.Policy{},
	})
}

func load(l *loader) (*Static, []Finding, error) {
	if err := fs.WalkDir(l.fsys, ".", l.visit); err != nil {
		return nil, nil, fmt.Errorf("identity: %w", err)
	}
	d := &directory{principals: map[string]Principal{}}
	var err error
	if d.accounts, err = l.accounts(); err != nil {
		return nil, nil, fmt.Errorf("identity: organization.json: %w", err)
	}
	for place, a := range l.found {
		if a.Policies, err = l.withGroups(place, a); err != nil {
			return nil, nil, fmt.Errorf("identity: %s/groups.json: %w", place, err)
		}
		if a.kind != "group" {
			d.principals[a.arn] = a.Principal
		}
	}
	s := &Static{}
	s.current.Store(d)
	return s, l.findings, nil
}

// loader is the state of one Load.
type loader struct {
	fsys     fs.FS
	files    int // that may still be read
	content  int // bytes that may still be read
	findings []Finding

	found  map[string]*attachment    // by folder
	names  map[string]string         // folders, by account, kind and folded name
	limits map[string]*policy.Policy // of an organization, by file
	org    *organization             // nil if there is none
}

// attachment is what one folder attaches to a user, role or group.
type attachment struct {
	entity
	Principal
	groups []string
}

// visit takes one file or folder. Errors name it.
func (l *loader) visit(name string, d fs.DirEntry, err error) error {
	switch {
	case err != nil:
		return err // of fs, with the path
	case name == ".":
		return nil
	case d.IsDir():
		err = checkFolder(name)
	default:
		err = l.file(name)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// checkFolder refuses a folder that no file could be in.
func checkFolder(name string) error {
	parts := strings.Split(name, "/")
	switch {
	case name == "scp" || name == "rcp":
		return nil
	case !partition(parts[0]):
		return errOutOfPlace
	case len(parts) > 1 && !arn.IsAccount(parts[1]):
		return fmt.Errorf("%q is not the id of an account", parts[1])
	case len(parts) > 2 && !slices.Contains([]string{"user", "role", "group"}, parts[2]):
		return errOutOfPlace
	case len(parts) > 3 && !properPath("/"+strings.Join(parts[3:], "/")+"/"):
		return fmt.Errorf("it is not the path of a %s", parts[2])
	}
	return nil
}

// file takes one file.
func (l *loader) file(name string) error {
	text, err := l.read(name)
	if err != nil {
		return err
	}
	parts := strings.Split(name, "/")
	last := parts[len(parts)-1]
	switch {
	case name == "organization.json":
		l.org = &organization{}
		return l.org.decode(text)
	case len(parts) == 2 && parts[0] == "scp":
		return l.limit(policy.SCP, name, last, text)
	case len(parts) == 2 && parts[0] == "rcp":
		return l.limit(policy.RCP, name, last, text)
	case len(parts) > 4 && partition(parts[0]):
		a, err := l.attachment(name[:len(name)-len(last)-1])
		if err != nil {
			return err
		}
		return l.attach(a, name, last, text)
	}
	return errOutOfPlace
}

// read returns a file's content.
func (l *loader) read(name string) ([]byte, error) {
	if l.files--; l.files < 0 {
		return nil, fmt.Errorf("there are too many files, more than %d", maxFiles)
	}
	f, err := l.fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errOutOfPlace
	}
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxFile {
		return nil, fmt.Errorf("it is longer than %d bytes", maxFile)
	}
	if l.content -= len(text); l.content < 0 {
		return nil, fmt.Errorf("all files together are too long, more than %d bytes", maxContent)
	}
	return text, nil
}

// policy parses and compiles the policy in a file.
func (l *loader) policy(k policy.Kind, name string, text []byte) (*policy.Policy, error) {
	p, findings, err := compile(k, text)
	if err != nil {
		return nil, err
	}
	for _, f := range findings {
		l.findings = append(l.findings, Finding{name, f})
	}
	return p.Named(name), nil
}

// attachment returns what is attached to the user, role or group of a folder.
func (l *loader) attachment(place string) (*attachment, error) {
	if a := l.found[place]; a != nil {
		return a, nil
	}
	parts := strings.Split(place, "/")
	e := entity{account: parts[1], kind: parts[2], name: parts[len(parts)-1]}
	e.arn = arn.ARN{Partition: parts[0], Service: "iam", Account: e.account, Resource: strings.Join(parts[2:], "/")}.String()
	longest := maxName
	if e.kind == "group" {
		longest = maxGroupName
	}
	if !properName(e.name, 1, longest) {
		return nil, fmt.Errorf("%q is not the name of a %s: 1 to %d letters, digits and +=,.@_-", e.name, e.kind, longest)
	}
	key := e.key(e.name)
	if other, ok := l.names[key]; ok {
		return nil, fmt.Errorf("%s has the same name", other)
	}
	a := &attachment{entity: e}
	a.ServiceLinked = e.kind == "role" && len(parts) > 4 && parts[3] == "aws-service-role"
	l.found[place], l.names[key] = a, place
	return a, nil
}

// key names something of the entity's kind in its account, whatever its path and case.
func (e entity) key(name string) string {
	return e.account + "/" + e.kind + "/" + strings.ToLower(name)
}

// attach takes a file in the folder of a user, role or group.
func (l *loader) attach(a *attachment, name, last string, text []byte) (err error) {
	policyName, isPolicy := strings.CutSuffix(last, ".policy.json")
	switch {
	case isPolicy && properName(policyName, 1, maxPolicyName):
		p, err := l.policy(policy.Identity, name, text)
		a.Policies = append(a.Policies, p)
		return err
	case isPolicy:
		return fmt.Errorf("%q is not the name of a policy: 1 to %d letters, digits and +=,.@_-", policyName, maxPolicyName)
	case last == "boundary.json" && a.kind != "group":
		a.Boundary, err = l.policy(policy.Boundary, name, text)
		return err
	case last == "tags.json" && a.kind != "group":
		a.Tags, err = decodeTags(text)
		return err
	case last == "groups.json" && a.kind == "user":
		return decode(text, &a.groups)
	}
	return errOutOfPlace
}

// withGroups returns a principal's policies with those of its groups.
func (l *loader) withGroups(place string, a *attachment) ([]*policy.Policy, error) {
	all := a.Policies
	for i, g := range a.groups {
		of := entity{account: a.account, kind: "group"}
		group := l.found[l.names[of.key(g)]]
		switch {
		case group == nil || group.name != g:
			return nil, fmt.Errorf("there is no group %q in the account", g)
		case slices.Contains(a.groups[:i], g):
			return nil, fmt.Errorf("the group %q is named twice", g)
		}
		all = append(all, group.Policies...)
	}
	return all, nil
}
