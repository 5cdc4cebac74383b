package identity

import (
	"maps"
	"sync"
	"sync/atomic"
)

// Static is a [Source] in memory. The zero value knows nobody and is ready to use. It
// is safe for concurrent use: questions are answered without a lock, and each change
// takes effect at once and as a whole, for every request that is decided afterwards.
type Static struct {
	changing sync.Mutex // held while a directory is made from the current one
	current  atomic.Pointer[directory]
}

// directory is what a [Static] knows. It is never changed once it is published.
type directory struct {
	principals map[string]Principal // by the ARN of a user or role
	accounts   map[string]Account   // by id
}

// Principal returns what is set for the caller's user or role: for a session the role
// that was assumed, or the user who issued it.
func (s *Static) Principal(c Caller) Principal {
	d := s.current.Load()
	if d == nil || c.Anonymous() || c.Service != "" {
		return Principal{}
	}
	return d.principals[c.bearer()]
}

// Account returns what is set for the account.
func (s *Static) Account(id string) Account {
	if d := s.current.Load(); d != nil {
		return d.accounts[id]
	}
	return Account{}
}

// SetPrincipal sets what is attached to a user or role, named by its ARN with its path,
// in place of what was. The slices of p are kept and must not be changed afterwards.
//
// A change copies the directory. That is meant for tests and for few principals; a
// large directory is better made by [Load].
func (s *Static) SetPrincipal(arn string, p Principal) {
	s.change(func(d *directory) { d.principals[arn] = p })
}

// SetAccount sets an account's place in its organization, in place of what was. The
// slices of a are kept and must not be changed afterwards.
func (s *Static) SetAccount(id string, a Account) {
	s.change(func(d *directory) { d.accounts[id] = a })
}

// Replace makes s know what from knows, and nothing else: for a folder that is loaded
// again. Later changes of either are not seen by the other.
func (s *Static) Replace(from *Static) {
	d := from.current.Load()
	s.changing.Lock()
	defer s.changing.Unlock()
	s.current.Store(d)
}

func (s *Static) change(set func(d *directory)) {
	s.changing.Lock()
	defer s.changing.Unlock()
	next := &directory{principals: map[string]Principal{}, accounts: map[string]Account{}}
	if d := s.current.Load(); d != nil {
		maps.Copy(next.principals, d.principals)
		maps.Copy(next.accounts, d.accounts)
	}
	set(next)
	s.current.Store(next)
}
