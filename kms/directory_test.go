package kms_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/audit"
	"github.com/sealring/sealring/identity"
	"github.com/sealring/sealring/keyring"
	"github.com/sealring/sealring/kms"
	"github.com/sealring/sealring/kms/kmstest"
	"github.com/sealring/sealring/policy"
	"github.com/sealring/sealring/store"
)

// directory is an identity.Source that a test fills in.
type directory struct {
	mu         sync.RWMutex
	principals map[string]identity.Principal
	accounts   map[string]identity.Account
}

// Principal returns what is attached to a user, or to the role or user of a session.
func (d *directory) Principal(c identity.Caller) identity.Principal {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if s := c.Session; s != nil {
		return d.principals[s.Role+s.Issuer]
	}
	return d.principals[c.Principal]
}

// Account returns an account's place.
func (d *directory) Account(id string) identity.Account {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.accounts[id]
}

// attach replaces what is attached to a principal.
func (d *directory) attach(arn string, p identity.Principal) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.principals[arn] = p
}

// place replaces an account's place.
func (d *directory) place(id string, a identity.Account) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.accounts[id] = a
}

// The principals of the tests of decisions: users and a role of the key's account,
// and a user and a role of another one.
var (
	alice    = userOf(account, "alice")
	bobby    = userOf(account, "bob")
	carol    = userOf(otherAccount, "carol")
	svc      = sessionOf(account, "app/Svc", "s1")
	theirSvc = sessionOf(otherAccount, "app/Svc", "s1")
	root     = identity.Root(account, region)
	theirs   = identity.Root(otherAccount, region)
)

func userOf(account, name string) identity.Caller {
	return identity.Caller{Principal: "arn:aws:iam::" + account + ":user/" + name, Account: account, Region: region}
}

// sessionOf returns a session of a role with a path.
func sessionOf(account, role, session string) identity.Caller {
	name := role[strings.LastIndexByte(role, '/')+1:]
	return identity.Caller{
		Principal: "arn:aws:sts::" + account + ":assumed-role/" + name + "/" + session, Account: account, Region: region,
		Session: &identity.Session{Role: "arn:aws:iam::" + account + ":role/" + role},
	}
}

// world is a service with a directory, two accounts, and two keys of the first one:
// alias/app refers to the first key.
type world struct {
	*directory
	service *kms.Service
	inner   *store.Memory
	sealed  *store.Sealed
	ring    *audit.Ring
	viaSDK  bool

	mu  sync.Mutex
	now time.Time

	key, other string // ARNs
}

func newWorld(t *testing.T, viaSDK bool) *world {
	t.Helper()
	w := &world{
		directory: &directory{principals: map[string]identity.Principal{}, accounts: map[string]identity.Account{}},
		inner:     store.NewMemory(), ring: &audit.Ring{}, viaSDK: viaSDK, now: kmstest.Start,
	}
	ring, err := keyring.NewRawAES("test", "root", make([]byte, 32))
	require.NoError(t, err)
	w.sealed, err = store.Seal(t.Context(), w.inner, ring, nil)
	require.NoError(t, err)
	w.service, err = kms.New(t.Context(), kms.Config{Store: w.sealed, Identities: w.directory, Audit: w.ring, Now: w.clock})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, w.service.Close()) })
	w.key, w.other = w.newKey(t), w.newKey(t)
	succeeds(t, w.as(root), &sdk.CreateAliasInput{AliasName: aws.String("alias/app"), TargetKeyId: &w.key})
	return w
}

// clock is the service's clock.
func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) advance(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

// as returns a client of the caller.
func (w *world) as(c identity.Caller) kms.API {
	if w.viaSDK {
		return w.service.SDK(c, func(o *sdk.Options) { o.Retryer = aws.NopRetryer{} }) // which waits before it asks about a limit again
	}
	return w.service.Client(c)
}

// newKey makes a key with the default policy and returns its ARN.
func (w *world) newKey(t *testing.T) string {
	t.Helper()
	return *do[sdk.CreateKeyOutput](t, w.as(root), &sdk.CreateKeyInput{}).KeyMetadata.Arn
}

// setPolicy gives a key a policy, whatever it says.
func (w *world) setPolicy(t *testing.T, key, document string) {
	t.Helper()
	succeeds(t, w.as(root), &sdk.PutKeyPolicyInput{KeyId: &key, Policy: &document, BypassPolicyLockoutSafetyCheck: true})
}

// encrypt returns a ciphertext under the key, made by the account's root user.
func (w *world) encrypt(t *testing.T, key string, context map[string]string) []byte {
	t.Helper()
	return do[sdk.EncryptOutput](t, w.as(root), &sdk.EncryptInput{KeyId: &key, Plaintext: []byte("secret"), EncryptionContext: context}).CiphertextBlob
}

// eachWorld runs a test with both kinds of client.
func eachWorld(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	for _, viaSDK := range []bool{false, true} {
		t.Run(map[bool]string{false: "Client", true: "SDK"}[viaSDK], func(t *testing.T) {
			t.Parallel()
			test(t, newWorld(t, viaSDK))
		})
	}
}

// document is a policy of the statements.
func document(statements ...string) string {
	return `{"Version":"2012-10-17","Statement":[` + strings.Join(statements, ",") + `]}`
}

// statement is a statement of a key policy, with members added to it.
func statement(effect, principal, action string, more ...string) string {
	return fmt.Sprintf(`{"Effect":%q,"Principal":{"AWS":%q},"Action":%q,"Resource":"*"%s}`, effect, principal, action, strings.Join(more, ""))
}

// own is a statement of a policy that is attached to a principal.
func own(effect, action, resource string, more ...string) string {
	return fmt.Sprintf(`{"Effect":%q,"Action":%q,"Resource":%q%s}`, effect, action, resource, strings.Join(more, ""))
}

// when is the Condition of a statement.
func when(condition string) string { return `,"Condition":` + condition }

// compiled returns a policy of the statements.
func compiled(t *testing.T, kind policy.Kind, statements ...string) *policy.Policy {
	t.Helper()
	d, _, err := policy.Parse(kind, []byte(document(statements...)))
	require.NoError(t, err)
	p, err := policy.Compile(d)
	require.NoError(t, err)
	return p
}

// allowing is what is attached to a principal whose one policy has the statements.
func allowing(t *testing.T, statements ...string) identity.Principal {
	t.Helper()
	if len(statements) == 0 {
		return identity.Principal{}
	}
	return identity.Principal{Policies: []*policy.Policy{compiled(t, policy.Identity, statements...)}}
}

// Ends of the text of a denial.
func noPolicy(kind, action string) string {
	return "because no " + kind + " allows the " + action + " action"
}

func explicit(kind string) string { return "with an explicit deny in a" + kind }

// denied checks the whole text of a denial.
func denied(t *testing.T, api kms.API, c identity.Caller, in any, action, resource, end string) {
	t.Helper()
	refused(t, api, in, "AccessDeniedException",
		"User: "+c.String()+" is not authorized to perform: "+action+" on resource: "+resource+" "+end)
}
