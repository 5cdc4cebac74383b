package endpoint

import (
	"container/heap"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"time"

	"github.com/sealring/sealring/identity"
)

const (
	// maxToken bounds a session token. Those of AWS have some hundred characters.
	maxToken = 4096

	// keptExpired is how long the key of an expired session is remembered, so that
	// its holder is told why it is refused.
	keptExpired = time.Hour

	// sweptAtOnce bounds how many expired sessions one call forgets. It is more than
	// the one that a call can add, so they cannot pile up.
	sweptAtOnce = 2
)

// session is what a temporary key has beyond a long-term one.
type session struct {
	id      string // the access key's
	token   string
	expires time.Time
	index   int // in the heap of its AccessKeys, which guards it
}

// CreateSession registers the temporary credentials of a session: a new, random
// access key for the caller, good until expires by the wall clock, and the session
// token that each of its requests has to give in X-Amz-Security-Token. Credentials
// whose time is over from the start are returned like others, and refused.
func (k *AccessKeys) CreateSession(c identity.Caller, expires time.Time) (id, secret, token string) {
	id, secret = "ASIA"+randomID(), randomSecret()
	b := make([]byte, 32)
	rand.Read(b)
	token = base64.RawURLEncoding.EncodeToString(b)
	k.set(id, accessKey{secret: secret, caller: c, session: &session{id: id, token: token, expires: expires}})
	return id, secret, token
}

// AddSession registers the temporary credentials of a session that were made
// elsewhere, or replaces the key of that id. The id and the secret are as for
// [AccessKeys.Add]; the token consists of 1 to 4096 visible ASCII characters.
func (k *AccessKeys) AddSession(id, secret, token string, c identity.Caller, expires time.Time) error {
	if err := checkKey(id, secret); err != nil {
		return err
	}
	for i := range len(token) {
		if token[i] <= ' ' || token[i] > '~' {
			return errors.New("endpoint: a session token has visible ASCII characters only")
		}
	}
	if token == "" || len(token) > maxToken {
		return errors.New("endpoint: a session needs a token of 1 to 4096 characters")
	}
	k.set(id, accessKey{secret: secret, caller: c, session: &session{id: id, token: token, expires: expires}})
	return nil
}

// checkTokens holds the session tokens that a request gives against the key's: one
// that is right and has not expired, or none if the key is a long-term one.
func (key accessKey) checkTokens(tokens []string, now time.Time) error {
	s := key.session
	switch {
	case s == nil && len(tokens) == 0:
		return nil
	case s == nil || len(tokens) != 1 || subtle.ConstantTimeCompare([]byte(tokens[0]), []byte(s.token)) != 1:
		return unknownClient()
	case !now.Before(s.expires):
		return expiredToken()
	}
	return nil
}

// sweep forgets some of the sessions that have long expired. The caller holds mu.
func (k *AccessKeys) sweep() {
	now := time.Now
	if k.now != nil {
		now = k.now
	}
	for range sweptAtOnce {
		if len(k.expiries) == 0 || now().Sub(k.expiries[0].expires) < keptExpired {
			return
		}
		k.forget(k.expiries[0].id)
	}
}

// expiries is a heap of sessions, the first to expire on top.
type expiries []*session

func (e *expiries) add(s *session)    { heap.Push(e, s) }
func (e *expiries) remove(s *session) { heap.Remove(e, s.index) }

// Len, Less, Swap, Push and Pop are for container/heap.
func (e expiries) Len() int           { return len(e) }
func (e expiries) Less(i, j int) bool { return e[i].expires.Before(e[j].expires) }
func (e expiries) Swap(i, j int) {
	e[i], e[j] = e[j], e[i]
	e[i].index, e[j].index = i, j
}

func (e *expiries) Push(x any) {
	s := x.(*session)
	s.index = len(*e)
	*e = append(*e, s)
}

func (e *expiries) Pop() any {
	last := len(*e) - 1
	s := (*e)[last]
	(*e)[last] = nil // or it could not be collected
	*e = (*e)[:last]
	return s
}
