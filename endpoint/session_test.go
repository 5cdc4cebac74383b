package endpoint

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/identity"
)

// clock is a wall clock that tests move. It is safe for concurrent use.
type clock struct {
	mu sync.Mutex
	at time.Time // guarded by mu
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

func TestCheckTokens(t *testing.T) {
	t.Parallel()
	var keys AccessKeys
	expires := signingTime.Add(time.Hour)
	longTerm, _ := keys.Create(identity.Caller{})
	id, _, token := keys.CreateSession(identity.Caller{}, expires)
	const unknown, expired = "UnrecognizedClientException", "ExpiredTokenException"
	for _, test := range []struct {
		name   string
		id     string
		tokens []string
		now    time.Time
		code   string // "" if they are right
	}{
		{"long-term", longTerm, nil, expires, ""},
		{"long-term with a token", longTerm, []string{"x"}, signingTime, unknown},
		{"long-term with an empty token", longTerm, []string{""}, signingTime, unknown},
		{"long-term with a session's token", longTerm, []string{token}, signingTime, unknown},
		{"session", id, []string{token}, signingTime, ""},
		{"session without its token", id, nil, signingTime, unknown},
		{"session with an empty token", id, []string{""}, signingTime, unknown},
		{"session with another token", id, []string{"." + token[1:]}, signingTime, unknown},
		{"session with half a token", id, []string{token[:20]}, signingTime, unknown},
		{"session with a longer token", id, []string{token + "x"}, signingTime, unknown},
		{"session with its token twice", id, []string{token, token}, signingTime, unknown},
		{"session with its token and another", id, []string{token, "x"}, signingTime, unknown},
		{"session at its last moment", id, []string{token}, expires.Add(-1), ""},
		{"session at its end", id, []string{token}, expires, expired},
		{"session after its end", id, []string{token}, expires.Add(time.Minute), expired},
		{"session after its end with another token", id, []string{"x"}, expires.Add(time.Minute), unknown},
	} {
		key, ok := keys.lookup(test.id)
		require.True(t, ok, test.name)
		err := key.checkTokens(test.tokens, test.now)
		switch test.code {
		case "":
			require.NoError(t, err, test.name)
		case unknown:
			requireCode(t, err, unknown, "The security token included in the request is invalid.")
		case expired:
			requireCode(t, err, expired, "The security token included in the request is expired")
		}
	}
}

// Sessions that have expired do not stay: each call that registers or removes a
// key forgets two, so that their number follows that of the living ones.
func TestExpiredSessionsAreForgotten(t *testing.T) {
	t.Parallel()
	c := &clock{at: signingTime}
	keys := AccessKeys{now: c.now}
	longTerm, _ := keys.Create(identity.Caller{})
	old, _, _ := keys.CreateSession(identity.Caller{}, c.now().Add(time.Minute))
	for range 99 {
		keys.CreateSession(identity.Caller{}, c.now().Add(time.Minute))
	}
	c.advance(time.Minute + keptExpired - 1)
	keys.CreateSession(identity.Caller{}, c.now().Add(time.Hour))
	require.Len(t, keys.keys, 102, "who has just expired is told so")
	_, known := keys.lookup(old)
	require.True(t, known)

	c.advance(1)
	for i := range 40 {
		keys.CreateSession(identity.Caller{}, c.now().Add(time.Hour))
		require.Len(t, keys.keys, 102-(i+1), "one more and two less")
	}
	for range 10 {
		keys.Remove("none")
	}
	require.Len(t, keys.keys, 42, "the long-term one and the living ones")
	require.Len(t, keys.expiries, 41)
	_, known = keys.lookup(old)
	require.False(t, known)
	_, known = keys.lookup(longTerm)
	require.True(t, known)
}

// The heap and the map always have the same sessions, whatever is done to them.
func TestSessionsStayConsistent(t *testing.T) {
	t.Parallel()
	c := &clock{at: signingTime}
	keys := AccessKeys{now: c.now}
	rng := rand.New(rand.NewPCG(7, 8))
	for range 5000 {
		id := fmt.Sprintf("ASIAEXAMPLE%05d", rng.IntN(50))
		switch rng.IntN(4) {
		case 0:
			keys.Remove(id)
		case 1:
			require.NoError(t, keys.Add(id, "secret", identity.Caller{}))
		default:
			require.NoError(t, keys.AddSession(id, "secret", "token", identity.Caller{}, c.now().Add(time.Duration(rng.IntN(200))*time.Minute)))
		}
		c.advance(time.Duration(rng.IntN(5)) * time.Minute)
		sessions := 0
		for id, key := range keys.keys {
			if key.session != nil {
				sessions++
				require.Equal(t, id, key.session.id)
				require.Same(t, key.session, keys.expiries[key.session.index])
			}
		}
		require.Len(t, keys.expiries, sessions)
		for i, s := range keys.expiries {
			require.False(t, s.expires.Before(keys.expiries[0].expires), "%d", i)
		}
	}
}
