package awskms

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/sealring/sealring/internal/arn"
	"github.com/sealring/sealring/keyring"
)

// Filter says whose keys a discovery keyring may use. The zero value admits none
// and is refused by the constructors.
type Filter struct {
	// Partition is the partition of the keys: "aws", "aws-cn", "aws-us-gov" or
	// another of AWS's.
	Partition string
	// Accounts are the ids of the accounts that own the keys, 12 digits each. They
	// are copied.
	Accounts []string
}

func (f Filter) check() error {
	if f.Partition == "" {
		return errors.New("awskms: a discovery filter without a partition")
	}
	if len(f.Accounts) == 0 {
		return errors.New("awskms: a discovery filter without accounts")
	}
	for _, a := range f.Accounts {
		if !arn.IsAccount(a) {
			return fmt.Errorf("awskms: a discovery filter with %q, which is not an account id", a)
		}
	}
	return nil
}

func (f Filter) admits(a arn.ARN) bool {
	return a.Partition == f.Partition && slices.Contains(f.Accounts, a.Account)
}

// Discovery decrypts data keys with whatever KMS key a message names (Encryption
// SDK framework, "AWS KMS discovery keyring" and "AWS KMS MRK discovery keyring").
// It cannot encrypt.
//
// It is the sender of a message who chooses the key, and so the account whose KMS
// is asked and whose policy decides. Without a filter, anybody who can place a
// message can have it decrypted under a key of his own: the reader then takes for
// its own what a stranger has written, and tells him by the request that and when
// it was read (a confused deputy). Name the accounts that you trust, and prefer
// [New] or [NewMRK] wherever the key is known.
type Discovery struct {
	call   caller
	filter *Filter // nil: any account
	region string  // of an MRK discovery keyring, else empty
}

var _ keyring.Keyring = (*Discovery)(nil)

// NewDiscovery returns a keyring that decrypts with the keys that f admits. The
// Region of the API has to be that of the key in the message. Nil options are the
// zero Options.
func NewDiscovery(api API, f Filter, o *Options) (*Discovery, error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	f.Accounts = slices.Clone(f.Accounts)
	return newDiscovery(api, "", &f, o)
}

// NewDiscoveryAnyAccount is [NewDiscovery] for keys of any partition and account.
// Read about confused deputies at [Discovery] before using it.
func NewDiscoveryAnyAccount(api API, o *Options) (*Discovery, error) {
	return newDiscovery(api, "", nil, o)
}

func newDiscovery(api API, region string, f *Filter, o *Options) (*Discovery, error) {
	if api == nil {
		return nil, errNoAPI
	}
	opts := o.orDefault()
	if opts.EncryptOnly {
		return nil, errors.New("awskms: a discovery keyring for encryption only")
	}
	return &Discovery{caller{api, opts.GrantTokens}, f, region}, nil
}

// OnEncrypt returns [ErrDecryptOnly].
func (k *Discovery) OnEncrypt(context.Context, *keyring.EncryptionMaterials) error {
	return ErrDecryptOnly
}

// OnDecrypt has KMS decrypt those of keys that the filter admits, each under the
// key that it names, in order, until one call succeeds; the errors of the calls
// that failed are the attempts of the [keyring.NoMatchError].
//
// The error is [ErrKeyID], and KMS is not called, if any of keys has the provider
// "aws-kms" without naming a key ARN, as for [Keyring.OnDecrypt].
func (k *Discovery) OnDecrypt(ctx context.Context, m *keyring.DecryptionMaterials, keys []keyring.EncryptedDataKey) error {
	return k.call.unwrap(ctx, m, keys, k.target)
}

// target returns the ARN of the key that decrypts what was encrypted under keyARN,
// and whether the keyring does so.
func (k *Discovery) target(keyARN string) (string, bool) {
	a, _, _, ok := arn.KMSKey(keyARN)
	if !ok || k.filter != nil && !k.filter.admits(a) {
		return "", false
	}
	if k.region == "" {
		return keyARN, true
	}
	return inRegion(keyARN, k.region)
}

// Format prints the filter and the Region only, whatever the verb.
func (k Discovery) Format(f fmt.State, _ rune) {
	accounts := "any account"
	if k.filter != nil {
		accounts = fmt.Sprintf("%s %q", k.filter.Partition, k.filter.Accounts)
	}
	fmt.Fprintf(f, "awskms.Discovery{%s, %q}", accounts, k.region)
}
