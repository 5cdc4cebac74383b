package kms

import (
	"errors"
	"strings"

	"github.com/sealring/sealring/internal/arn"
	"github.com/sealring/sealring/internal/keyrecord"
	"github.com/sealring/sealring/store"
)

// forms says which identifiers of a key an operation takes.
type forms int

const (
	keyIDOrARN forms = iota // key id, key ARN
	anyForm                 // those, alias name, alias ARN
)

const aliasPrefix = "alias/"

// isKeyID reports whether s has the form of a key id: a UUID in lower case, or
// "mrk-" and 32 hexadecimal digits for a multi-Region key.
func isKeyID(s string) bool {
	if len(s) != keyIDLen {
		return false
	}
	hex, multiRegion := strings.CutPrefix(s, "mrk-")
	for i, c := range []byte(hex) {
		if !multiRegion && (i == 8 || i == 13 || i == 18 || i == 23) {
			if c != '-' {
				return false
			}
		} else if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// targetOf is a target of the key in the role.
func (r *request) targetOf(on role, k *keyrecord.Key) (target, error) {
	state, err := r.stateOf(k)
	return target{role: on, account: k.Account, region: k.Region, arn: k.ARN(), key: k, state: state}, err
}

// oneKey is the targets of an operation on one key.
func (r *request) oneKey(id *string, f forms) ([]target, error) {
	t, err := r.resolve(onKey, *id, f)
	if err != nil {
		return nil, err
	}
	return r.only(t), nil
}

// keyIn is oneKey with the encryption context of the request.
func (r *request) keyIn(id *string, context map[string]string) ([]target, error) {
	on, err := r.oneKey(id, anyForm)
	if err != nil {
		return nil, err
	}
	on[0].context = context
	return on, nil
}

// resolve finds the key that an identifier names, in the caller's Region and, for
// anything but an ARN, account.
func (r *request) resolve(on role, id string, f forms) (target, error) {
	k, alias, err := r.find(id, f)
	if err != nil {
		return target{}, err
	}
	t, err := r.targetOf(on, k)
	t.alias = alias
	return t, err
}

// find is resolve without the target: the key, and the name of the alias that led to
// it, if one did.
func (r *request) find(id string, f forms) (k *keyrecord.Key, alias string, err error) {
	account, region := r.caller.Account, r.caller.Region
	if strings.HasPrefix(id, "arn:") {
		a, kind, name, ok := arn.KMSKey(id)
		if !ok || a.Partition != arn.Partition(a.Region) || !arn.IsAccount(a.Account) {
			return nil, "", invalidARN("Invalid arn %s", id)
		}
		if a.Region != region {
			return nil, "", notFound("Invalid arn %s", a.Region)
		}
		account = a.Account
		if kind == "key" {
			k, err = r.key(account, name, id)
			return k, "", err
		}
		if f != anyForm {
			return nil, "", invalidARN("Key Aliases are not supported for this operation")
		}
		k, err = r.aliasTarget(account, aliasPrefix+name)
		return k, aliasPrefix + name, err
	}
	if strings.HasPrefix(id, aliasPrefix) && f == anyForm {
		k, err = r.aliasTarget(account, id)
		return k, id, err
	}
	k, err = r.key(account, id, id)
	return k, "", err
}

// key reads a key by its id; given is what the caller called it.
func (r *request) key(account, id, given string) (*keyrecord.Key, error) {
	if !isKeyID(id) {
		return nil, notFound("Invalid keyId '%s'", given)
	}
	k, err := r.readKey(account, r.caller.Region, id)
	if err == nil && k == nil {
		err = notFound("Key '%s' does not exist", keyrecord.KeyARN(r.caller.Region, account, id))
	}
	return k, err
}

// aliasTarget reads the key that an alias refers to.
func (r *request) aliasTarget(account, name string) (*keyrecord.Key, error) {
	a, err := r.readAlias(account, name)
	if err != nil {
		return nil, err
	}
	if a != nil {
		k, err := r.aliasKey(account, a)
		if err != nil || k != nil {
			return k, err
		}
	}
	if account != "" && account == r.caller.Account && strings.HasPrefix(name, managedPrefix) {
		k, err := r.managedKey(name)
		if err != nil || k != nil {
			return k, err
		}
	}
	return nil, aliasNotFound(r.caller.Region, account, name)
}

func aliasNotFound(region, account, name string) error {
	return notFound("Alias %s is not found.", keyrecord.AliasARN(region, account, name))
}

// readKey returns the record of a key, nil if there is none or it is gone. A request
// that changes no key gets one that it shares with others.
func (r *request) readKey(account, region, id string) (*keyrecord.Key, error) {
	k, err := r.service.keys.read(&r.draft, keyPlace{account, region, id})
	if err != nil || k == nil || k.Gone(r.now) {
		return nil, err
	}
	r.noteDue(k)
	if !r.op.readsSharedKeys() {
		k = k.Clone()
	}
	return k, nil
}

// writeKey stores what stands in the first record of a key, without imported material
// that has expired. One that was read must come from a request that may write.
func (r *request) writeKey(k *keyrecord.Key) error { return r.writeFirst(k, 0) }

// writeLocal is writeKey with what k has for itself: description, policy, tags, aliases.
func (r *request) writeLocal(k *keyrecord.Key) error {
	size := 0
	err := r.put(keyrecord.LocalName(k.Account, k.Region, k.ID), func() ([]byte, error) {
		b, err := k.MarshalLocal()
		size = len(b)
		return b, err
	})
	if err != nil {
		return err
	}
	return r.writeFirst(k, size)
}

// writeFirst is writeKey after another record of k, of the given size.
func (r *request) writeFirst(k *keyrecord.Key, size int) error {
	r.noteExpired(k)
	k.ForgetExpired(r.now)
	return r.put(keyrecord.KeyName(k.Account, k.Region, k.ID), func() ([]byte, error) {
		b, err := k.Marshal()
		if err == nil && !k.SharesMaterials() { // which other copies of the key can change
			r.written = append(r.written, newWrittenKey(k, b, size+len(b)))
		}
		return b, err
	})
}

// writeNew stores all of a key that is made.
func (r *request) writeNew(k *keyrecord.Key) error {
	if err := r.writeLocal(k); err != nil {
		return err
	}
	return r.writeCopies(k)
}

// put stores a record, if there is one.
func (r *request) put(name string, marshal func() ([]byte, error)) error {
	b, err := marshal()
	if err != nil || b == nil {
		return err
	}
	r.draft.Put(name, b)
	clear(b)
	return nil
}

// readAlias returns the record of an alias in the caller's Region, nil if there is
// none. Its target may be gone.
func (r *request) readAlias(account, name string) (*keyrecord.Alias, error) {
	b, err := r.draft.Get(keyrecord.AliasPrefix(account, r.caller.Region) + strings.TrimPrefix(name, aliasPrefix))
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return keyrecord.UnmarshalAlias(b)
}

func (r *request) writeAlias(a *keyrecord.Alias) error {
	b, err := a.Marshal()
	if err != nil {
		return err
	}
	r.draft.Put(keyrecord.AliasPrefix(r.caller.Account, r.caller.Region)+strings.TrimPrefix(a.Name, aliasPrefix), b)
	return nil
}

func (r *request) deleteAlias(name string) {
	r.draft.Delete(keyrecord.AliasPrefix(r.caller.Account, r.caller.Region) + strings.TrimPrefix(name, aliasPrefix))
}
