package kms

import (
	"iter"
	"regexp"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/sealring/sealring/internal/arn"
	"github.com/sealring/sealring/internal/keyrecord"
	"github.com/sealring/sealring/internal/keyspec"
)

// CreateAlias, UpdateAlias, DeleteAlias and ListAliases. An alias and the list of
// names in its key's record change in one transaction. An alias whose key is gone
// is gone with it.

var aliasPattern = regexp.MustCompile(`^[a-zA-Z0-9:/_-]+$`)

var createAlias = &operation[sdk.CreateAliasInput, sdk.CreateAliasOutput]{
	name:   "CreateAlias",
	noBody: true,
	validate: func(c *constraints, in *sdk.CreateAliasInput) {
		c.aliasName(in.AliasName)
		c.aliasTarget(in.TargetKeyId)
	},
	targets: func(r *request, in *sdk.CreateAliasInput) ([]target, error) {
		return r.aliasAndKey(*in.AliasName, in.TargetKeyId)
	},
	run: func(r *request, in *sdk.CreateAliasInput, on []target) (*sdk.CreateAliasOutput, error) {
		name, k := *in.AliasName, on[1].key
		old, _, err := r.liveAlias(name)
		if err != nil {
			return nil, err
		}
		if old != nil {
			return nil, &types.AlreadyExistsException{Message: text("An alias with the name %s already exists", on[0].arn)}
		}
		if err := r.addAlias(k, name); err != nil {
			return nil, err
		}
		if err := r.writeAlias(&keyrecord.Alias{Name: name, Target: k.ID, Created: r.now, Updated: r.now}); err != nil {
			return nil, err
		}
		return &sdk.CreateAliasOutput{}, r.writeLocal(k)
	},
}

var updateAlias = &operation[sdk.UpdateAliasInput, sdk.UpdateAliasOutput]{
	name:   "UpdateAlias",
	noBody: true,
	validate: func(c *constraints, in *sdk.UpdateAliasInput) {
		c.aliasName(in.AliasName)
		c.aliasTarget(in.TargetKeyId)
	},
	targets: func(r *request, in *sdk.UpdateAliasInput) ([]target, error) {
		_, old, err := r.existingAlias(*in.AliasName)
		if err != nil {
			return nil, err
		}
		on, err := r.aliasAndKey(*in.AliasName, in.TargetKeyId)
		if err != nil {
			return nil, err
		}
		from, err := r.targetOf(onOldTarget, old)
		from.anyState = true // an alias may leave a key in any state
		return append(on, from), err
	},
	suits: func(in *sdk.UpdateAliasInput, on []target) error {
		k, old := on[1].key, on[2].key
		spec, _ := keyspec.Lookup(k.Spec)
		was, _ := keyspec.Lookup(old.Spec)
		switch {
		case k.Usage != old.Usage:
			return validation("Alias %s cannot be changed from a CMK with key usage %s to a CMK with key usage %s. The key usage of the current CMK and the new CMK must be the same.", on[0].arn, old.Usage, k.Usage)
		case spec.Symmetric() != was.Symmetric(): // AES and RSA can both encrypt
			return validation("Alias %s cannot be changed from a CMK with key spec %s to a CMK with key spec %s. The current CMK and the new CMK must both be symmetric or both be asymmetric.", on[0].arn, old.Spec, k.Spec)
		}
		return nil
	},
	run: func(r *request, in *sdk.UpdateAliasInput, on []target) (*sdk.UpdateAliasOutput, error) {
		a, err := r.readAlias(r.caller.Account, *in.AliasName)
		if err != nil {
			return nil, err
		}
		if k, old := on[1].key, on[2].key; k.ID != old.ID {
			removeAlias(old, a.Name)
			if err := r.writeLocal(old); err != nil {
				return nil, err
			}
			if err := r.addAlias(k, a.Name); err != nil {
				return nil, err
			}
			if err := r.writeLocal(k); err != nil {
				return nil, err
			}
			a.Target = k.ID
		}
		a.Updated = r.now
		return &sdk.UpdateAliasOutput{}, r.writeAlias(a)
	},
}

var deleteAlias = &operation[sdk.DeleteAliasInput, sdk.DeleteAliasOutput]{
	name:     "DeleteAlias",
	noBody:   true,
	validate: func(c *constraints, in *sdk.DeleteAliasInput) { c.aliasName(in.AliasName) },
	targets: func(r *request, in *sdk.DeleteAliasInput) ([]target, error) {
		_, k, err := r.existingAlias(*in.AliasName)
		if err != nil {
			return nil, err
		}
		t, err := r.targetOf(onKey, k)
		return []target{r.aliasResource(*in.AliasName), t}, err
	},
	run: func(r *request, in *sdk.DeleteAliasInput, on []target) (*sdk.DeleteAliasOutput, error) {
		k := on[1].key
		removeAlias(k, *in.AliasName)
		r.deleteAlias(*in.AliasName)
		return &sdk.DeleteAliasOutput{}, r.writeLocal(k)
	},
}

// ListAliases pages, by name.
const (
	defaultAliasesPage = 50
	maxAliasesPage     = 100
)

var listAliases = &operation[sdk.ListAliasesInput, sdk.ListAliasesOutput]{
	name:       "ListAliases",
	readOnly:   true,
	sharesKeys: true,
	validate: func(c *constraints, in *sdk.ListAliasesInput) {
		if in.KeyId != nil {
			c.keyID("keyId", in.KeyId)
		}
		c.page(in.Limit, in.Marker)
	},
	targets: func(r *request, in *sdk.ListAliasesInput) ([]target, error) {
		on := []target{r.accountTarget()}
		if in.KeyId != nil {
			t, err := r.resolve(mentioned, *in.KeyId, keyIDOrARN)
			if err != nil {
				return nil, err
			}
			if t.account != r.caller.Account {
				return nil, accessDenied("User: " + r.caller.String() + " is not authorized to perform: kms:ListAliases on resource: " + t.arn)
			}
			on = append(on, t)
		}
		return on, nil
	},
	run: func(r *request, in *sdk.ListAliasesInput, on []target) (*sdk.ListAliasesOutput, error) {
		p, err := openPage("ListAliases", in.Limit, in.Marker, defaultAliasesPage, maxAliasesPage)
		if err != nil {
			return nil, err
		}
		listing := r.allAliases(p.after)
		if len(on) > 1 {
			listing = r.aliasesOf(on[1].key, p.after)
		}
		out := &sdk.ListAliasesOutput{Aliases: []types.AliasListEntry{}}
		for a, err := range listing {
			if err != nil {
				return nil, err
			}
			if p.full(len(out.Aliases)) {
				last := aws.ToString(out.Aliases[len(out.Aliases)-1].AliasName)
				out.Truncated, out.NextMarker = true, p.next(last)
				break
			}
			out.Aliases = append(out.Aliases, types.AliasListEntry{
				AliasArn:        aws.String(keyrecord.AliasARN(r.caller.Region, r.caller.Account, a.Name)),
				AliasName:       aws.String(a.Name),
				CreationDate:    aws.Time(a.Created),
				LastUpdatedDate: aws.Time(a.Updated),
				TargetKeyId:     aws.String(a.Target),
			})
		}
		return out, nil
	},
}

// allAliases yields the account's aliases behind a name, in order.
func (r *request) allAliases(after string) iter.Seq2[*keyrecord.Alias, error] {
	prefix := keyrecord.AliasPrefix(r.caller.Account, r.caller.Region)
	return func(yield func(*keyrecord.Alias, error) bool) {
		for e, err := range r.draft.Scan(prefix, prefix+strings.TrimPrefix(after, aliasPrefix)) {
			var a *keyrecord.Alias
			if err == nil {
				a, err = keyrecord.UnmarshalAlias(e.Value)
			}
			var k *keyrecord.Key
			if err == nil {
				k, err = r.aliasKey(r.caller.Account, a)
			}
			if err == nil && k == nil {
				continue // the key is gone
			}
			if !yield(a, err) || err != nil {
				return
			}
		}
	}
}

// aliasesOf yields a key's aliases behind a name, in order.
func (r *request) aliasesOf(k *keyrecord.Key, after string) iter.Seq2[*keyrecord.Alias, error] {
	return func(yield func(*keyrecord.Alias, error) bool) {
		for _, name := range k.Aliases {
			if name <= after {
				continue
			}
			a, err := r.readAlias(k.Account, name)
			if err == nil && (a == nil || a.Target != k.ID) {
				continue // taken over while the key was gone, and the clock went back
			}
			if !yield(a, err) || err != nil {
				return
			}
		}
	}
}

// aliasName bounds the name of an alias to be created, changed or deleted.
func (c *constraints) aliasName(name *string) {
	if !c.present("aliasName", name != nil) {
		return
	}
	c.length("aliasName", *name, 1, 256)
	c.pattern("aliasName", *name, aliasPattern)
	rest, ok := strings.CutPrefix(*name, aliasPrefix)
	c.reject(!ok, validation(`Alias must start with the prefix "alias/". Please see https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html`))
	c.reject(strings.HasPrefix(rest, "aws/"), apiError("NotAuthorizedException", ""))
	c.reject(strings.Contains(rest, ":"), validation("%s contains invalid characters for an alias", *name))
	c.reject(rest == "", &types.InvalidAliasNameException{Message: text("%s is not a valid alias name", *name)})
}

// aliasTarget bounds the identifier of the key that an alias is to refer to.
func (c *constraints) aliasTarget(id *string) {
	c.keyID("targetKeyId", id)
	if id != nil {
		_, kind, _, isARN := arn.KMSKey(*id)
		c.reject(strings.HasPrefix(*id, aliasPrefix) || isARN && kind == "alias", validation("Aliases must refer to keys. Not aliases"))
	}
}

func (r *request) aliasResource(name string) target {
	return target{role: onAlias, account: r.caller.Account, region: r.caller.Region, arn: keyrecord.AliasARN(r.caller.Region, r.caller.Account, name)}
}

// aliasAndKey is the targets of an operation that points an alias at a key.
func (r *request) aliasAndKey(name string, id *string) ([]target, error) {
	t, err := r.resolve(onKey, *id, keyIDOrARN)
	if err != nil {
		return nil, err
	}
	return []target{r.aliasResource(name), t}, nil
}

// liveAlias reads an alias of the caller's account and its key, nil if there is no
// such alias or its key is gone.
func (r *request) liveAlias(name string) (*keyrecord.Alias, *keyrecord.Key, error) {
	a, err := r.readAlias(r.caller.Account, name)
	if err != nil || a == nil {
		return nil, nil, err
	}
	k, err := r.aliasKey(r.caller.Account, a)
	if err != nil || k == nil {
		return nil, nil, err
	}
	return a, k, nil
}

// aliasKey reads the key that an alias refers to, nil if it is gone. A key that was
// deleted and made again, as a replica can be, does not know the alias any more.
func (r *request) aliasKey(account string, a *keyrecord.Alias) (*keyrecord.Key, error) {
	k, err := r.readKey(account, r.caller.Region, a.Target)
	if err != nil || k == nil {
		return nil, err
	}
	if _, ok := slices.BinarySearch(k.Aliases, a.Name); !ok {
		return nil, nil
	}
	return k, nil
}

// existingAlias is liveAlias for an alias that has to be there.
func (r *request) existingAlias(name string) (*keyrecord.Alias, *keyrecord.Key, error) {
	a, k, err := r.liveAlias(name)
	if err == nil && a == nil {
		err = aliasNotFound(r.caller.Region, r.caller.Account, name)
	}
	return a, k, err
}

func (r *request) addAlias(k *keyrecord.Key, name string) error {
	if len(k.Aliases) >= r.service.quotas.Aliases {
		return limitExceeded("%s has %d aliases, the most that a key can have", k.ARN(), len(k.Aliases))
	}
	i, _ := slices.BinarySearch(k.Aliases, name)
	k.Aliases = slices.Insert(k.Aliases, i, name)
	return nil
}

func removeAlias(k *keyrecord.Key, name string) {
	k.Aliases = slices.DeleteFunc(k.Aliases, func(n string) bool { return n == name })
}
