package endpoint

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/sealring/sealring/identity"
)

// AccessKeys maps access key ids to their secrets and callers. The zero value is
// empty and ready to use. It is safe for concurrent use.
type AccessKeys struct {
	mu   sync.RWMutex
	keys map[string]accessKey // guarded by mu
}

type accessKey struct {
	secret string
	caller identity.Caller
}

// Create registers a new, random access key for the caller and returns its two
// parts.
func (k *AccessKeys) Create(c identity.Caller) (id, secret string) {
	id = "AKIA" + rand.Text()[:16]
	b := make([]byte, 30)
	rand.Read(b)
	secret = base64.StdEncoding.EncodeToString(b)
	k.set(id, accessKey{secret, c})
	return id, secret
}

// Add registers an access key, or replaces it. The id consists of 16 to 128 letters
// and digits, and the secret must not be empty.
func (k *AccessKeys) Add(id, secret string, c identity.Caller) error {
	odd := strings.ContainsFunc(id, func(r rune) bool { return !isLetterOrDigit(r) })
	if len(id) < 16 || len(id) > 128 || odd || secret == "" {
		return errors.New("endpoint: an access key needs an id of 16 to 128 letters and digits and a secret")
	}
	k.set(id, accessKey{secret, c})
	return nil
}

// Format prints the number of keys only, whatever the verb.
func (k *AccessKeys) Format(f fmt.State, _ rune) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	fmt.Fprintf(f, "endpoint.AccessKeys{%d keys}", len(k.keys))
}

// Remove takes an access key back. Requests signed with it are refused from now on.
func (k *AccessKeys) Remove(id string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.keys, id)
}

func (k *AccessKeys) set(id string, key accessKey) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.keys == nil {
		k.keys = map[string]accessKey{}
	}
	key.caller.AccessKeyID = id
	k.keys[id] = key
}

func (k *AccessKeys) lookup(id string) (accessKey, bool) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	key, ok := k.keys[id]
	return key, ok
}
