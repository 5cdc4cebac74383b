package kms

import (
	"cmp"
	"errors"

	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/sealring/sealring/internal/keyrecord"
)

// Quotas is how many resources there can be (AWS KMS Developer Guide, "Resource quotas").
// One more gets LimitExceededException. Zero means what AWS allows unless it is asked for
// more, if not said otherwise.
type Quotas struct {
	// Keys is the number of keys that an account can have in a Region, whatever their
	// states. AWS managed keys do not count. Zero means that keys are not counted; AWS
	// allows 100,000. Counting costs CreateKey and ReplicateKey a look at each key, and
	// one waits for the other.
	Keys int
	// Aliases is the number of aliases that a key can have: 50.
	Aliases int
	// Grants is the number of grants that a key can have: 50,000.
	Grants int
	// KeyStores is the number of custom key stores that an account can have in a Region:
	// 10.
	KeyStores int
	// OnDemandRotations is how often a key can be rotated on demand in its life: 25. More
	// than 50 may not fit into one transaction for a multi-Region key with imported
	// material that has a copy in every Region.
	OnDemandRotations int
}

// check refuses quotas that nothing could keep to.
func (q Quotas) check() error {
	if min(q.Keys, q.Aliases, q.Grants, q.KeyStores, q.OnDemandRotations) < 0 {
		return errors.New("kms: a quota is negative")
	}
	return nil
}

// withDefaults returns the quotas with AWS's in place of zeros.
func (q Quotas) withDefaults() Quotas {
	return Quotas{
		Keys:              q.Keys,
		Aliases:           cmp.Or(q.Aliases, 50),
		Grants:            cmp.Or(q.Grants, 50_000),
		KeyStores:         cmp.Or(q.KeyStores, maxKeyStores),
		OnDemandRotations: cmp.Or(q.OnDemandRotations, 25),
	}
}

func limitExceeded(format string, args ...any) error {
	return &types.LimitExceededException{Message: text(format, args...)}
}

// countKeys refuses a key more than an account can have in a Region. All who make one
// write the same record, so that none of them overlooks another's.
func (r *request) countKeys(account, region string) error {
	most := r.service.quotas.Keys
	if most == 0 {
		return nil
	}
	turn := keyrecord.KeyCountName(account, region)
	if _, _, err := r.draft.Version(turn); err != nil {
		return err
	}
	r.draft.Put(turn, []byte(r.id))
	n := 0
	prefix := keyrecord.KeyPrefix(account, region)
	for e, err := range r.draft.Scan(prefix, prefix) {
		if err != nil {
			return err
		}
		k, err := keyrecord.UnmarshalKey(e.Value)
		clear(e.Value)
		if err != nil {
			return err
		}
		if k.Service == "" && !k.Gone(r.now) {
			n++
		}
	}
	if n >= most {
		return limitExceeded("The account %s has %d keys in the Region %s, the most that it can have.", account, n, region)
	}
	return nil
}
