package endpoint

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/sealring/sealring/identity"
)

// AccessKeys maps access key ids to their secrets and callers. There are long-term
// keys, which are good until they are removed, and those of sessions, which expire
// and whose requests have to give a session token. The zero value is empty and
// ready to use. It is safe for concurrent use.
type AccessKeys struct {
	now func() time.Time // the wall clock; nil means time.Now

	mu       sync.RWMutex
	keys     map[string]accessKey // guarded by mu
	expiries expiries             // of the sessions; guarded by mu
}

type accessKey struct {
	secret  string
	caller  identity.Caller
	session *session // nil if the key is a long-term one
	signing *signingKeys
}

// verify reports whether the signature a was made with the secret, in the words of
// [signer.verify].
func (key accessKey) verify(r *http.Request, payloadHash [sha256.Size]byte, a *authorization, signedAt time.Time) error {
	s := scope{a.date, a.region, a.service}
	if kept := key.signing.lookup(s); kept != nil {
		return kept.verify(r, payloadHash, a, signedAt)
	}
	derived := newSigner(signingKey(key.secret, s.date, s.region, s.service))
	if err := derived.verify(r, payloadHash, a, signedAt); err != nil {
		return err
	}
	key.signing.keep(s, derived)
	return nil
}

// Create registers a new, random access key for the caller and returns its two
// parts.
func (k *AccessKeys) Create(c identity.Caller) (id, secret string) {
	id, secret = "AKIA"+randomID(), randomSecret()
	k.set(id, accessKey{secret: secret, caller: c})
	return id, secret
}

// Add registers an access key, or replaces it. The id consists of 16 to 128 letters
// and digits, and the secret must not be empty.
func (k *AccessKeys) Add(id, secret string, c identity.Caller) error {
	if err := checkKey(id, secret); err != nil {
		return err
	}
	k.set(id, accessKey{secret: secret, caller: c})
	return nil
}

// Format prints the number of keys only, whatever the verb.
func (k *AccessKeys) Format(f fmt.State, _ rune) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	fmt.Fprintf(f, "endpoint.AccessKeys{%d keys}", len(k.keys))
}

// Remove takes an access key back, be it a long-term one or a session's. Requests
// signed with it are refused from now on.
func (k *AccessKeys) Remove(id string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.forget(id)
	k.sweep()
}

// set registers a key under the id in place of the one that was there.
func (k *AccessKeys) set(id string, key accessKey) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.keys == nil {
		k.keys = map[string]accessKey{}
	}
	k.forget(id)
	k.sweep()
	key.caller.AccessKeyID, key.signing = id, &signingKeys{}
	k.keys[id] = key
	if key.session != nil {
		k.expiries.add(key.session)
	}
}

// forget drops the key, if there is one. The caller holds mu.
func (k *AccessKeys) forget(id string) {
	if s := k.keys[id].session; s != nil {
		k.expiries.remove(s)
	}
	delete(k.keys, id)
}

func (k *AccessKeys) lookup(id string) (accessKey, bool) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	key, ok := k.keys[id]
	return key, ok
}

func randomID() string { return rand.Text()[:16] }

func randomSecret() string {
	b := make([]byte, 30)
	rand.Read(b)
	return base64.StdEncoding.EncodeToString(b)
}

func checkKey(id, secret string) error {
	odd := strings.ContainsFunc(id, func(r rune) bool { return !isLetterOrDigit(r) })
	if len(id) < 16 || len(id) > 128 || odd || secret == "" {
		return errors.New("endpoint: an access key needs an id of 16 to 128 letters and digits and a secret")
	}
	return nil
}
