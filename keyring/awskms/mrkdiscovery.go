package awskms

import (
	"fmt"
	"slices"

	"github.com/sealring/sealring/internal/arn"
)

// NewMRKDiscovery returns a discovery keyring that is aware of multi-Region keys
// and stays in one Region, which is the API's: what was encrypted under a
// multi-Region key, wherever that was, is decrypted with the replica in region, and
// of other keys only those of region are used. Nil options are the zero Options.
func NewMRKDiscovery(api API, region string, f Filter, o *Options) (*Discovery, error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	if err := checkRegion(region); err != nil {
		return nil, err
	}
	f.Accounts = slices.Clone(f.Accounts)
	return newDiscovery(api, region, &f, o)
}

// NewMRKDiscoveryAnyAccount is [NewMRKDiscovery] for keys of any partition and
// account. Read about confused deputies at [Discovery] before using it.
func NewMRKDiscoveryAnyAccount(api API, region string, o *Options) (*Discovery, error) {
	if err := checkRegion(region); err != nil {
		return nil, err
	}
	return newDiscovery(api, region, nil, o)
}

func checkRegion(region string) error {
	if !arn.IsRegion(region) {
		return fmt.Errorf("awskms: %q is not a Region", region)
	}
	return nil
}

// inRegion returns the ARN under which a key can be used in region, and whether it
// is there: a multi-Region key may have a replica anywhere.
func inRegion(keyARN, region string) (string, bool) {
	if mrk, ok := parseMRK(keyARN); ok {
		mrk.Region = region
		return mrk.String(), true
	}
	a, _, _, ok := arn.KMSKey(keyARN)
	return keyARN, ok && a.Region == region
}
