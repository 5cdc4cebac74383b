package awskms

import (
	"errors"
	"fmt"
	"slices"

	"github.com/sealring/sealring/internal/arn"
	"github.com/sealring/sealring/keyring"
)

// ClientFunc returns the API of a Region. A constructor calls it once for each
// Region that it needs, keeps what it returns, and fails with its error.
type ClientFunc func(region string) (API, error)

// NewMulti returns a multi-keyring of one keyring for each key: generator makes the
// data key, every child wraps it as well, and each of them alone can decrypt. The
// client of each Region is asked of client. An empty generator is none: the keyring
// then decrypts, and encrypts only as a part of another multi-keyring.
//
// The keys are named by key ARN; with [Options].EncryptOnly alias ARNs are taken
// too. Any other name has no Region, and gets [ErrKeyID].
func NewMulti(generator string, children []string, client ClientFunc, o *Options) (*keyring.Multi, error) {
	return newMulti(New, generator, children, client, o)
}

// NewMRKMulti is [NewMulti] with keyrings that are aware of multi-Region keys, as
// [NewMRK] makes them. The error is [ErrDuplicateMRK], with a list of all that are
// affected, if two of the keys are replicas of one multi-Region key: one of them
// would do the work of both.
func NewMRKMulti(generator string, children []string, client ClientFunc, o *Options) (*keyring.Multi, error) {
	if twice := duplicateMRKs(append([]string{generator}, children...)); len(twice) > 0 {
		return nil, fmt.Errorf("%w: %q", ErrDuplicateMRK, twice)
	}
	return newMulti(NewMRK, generator, children, client, o)
}

func newMulti(newRing func(API, string, *Options) (*Keyring, error), generator string, children []string, client ClientFunc, o *Options) (*keyring.Multi, error) {
	client, err := oncePerRegion(client)
	if err != nil {
		return nil, err
	}
	ring := func(keyARN string) (keyring.Keyring, error) {
		a, _, _, ok := arn.KMSKey(keyARN)
		if !ok {
			return nil, fmt.Errorf("%w: %q", ErrKeyID, keyARN)
		}
		api, err := client(a.Region)
		if err != nil {
			return nil, err
		}
		return newRing(api, keyARN, o)
	}
	var first keyring.Keyring
	if generator != "" {
		if first, err = ring(generator); err != nil {
			return nil, err
		}
	}
	rings := make([]keyring.Keyring, len(children))
	for i, keyARN := range children {
		if rings[i], err = ring(keyARN); err != nil {
			return nil, err
		}
	}
	return keyring.NewMulti(first, rings...)
}

// oncePerRegion returns a client that asks the given one once for each Region. It
// is not safe for concurrent use.
func oncePerRegion(client ClientFunc) (ClientFunc, error) {
	if client == nil {
		return nil, errors.New("awskms: keyrings of several Regions without a client for each")
	}
	apis := make(map[string]API)
	return func(region string) (API, error) {
		if api, ok := apis[region]; ok {
			return api, nil
		}
		api, err := client(region)
		if err != nil {
			return nil, fmt.Errorf("awskms: client of Region %q: %w", region, err)
		}
		apis[region] = api
		return api, nil
	}, nil
}

// duplicateMRKs returns those keys that share the id of a multi-Region key with
// another, in order (Encryption SDK framework, "AWS KMS MRK are unique").
func duplicateMRKs(keys []string) (twice []string) {
	count := make(map[string]int)
	for _, k := range keys {
		if a, ok := parseMRK(k); ok {
			count[a.Resource]++
		}
	}
	for _, k := range keys {
		if a, ok := parseMRK(k); ok && count[a.Resource] > 1 {
			twice = append(twice, k)
		}
	}
	return twice
}

// NewDiscoveryMulti returns a multi-keyring of one discovery keyring for each
// Region, in the given order: it decrypts what [NewDiscovery] would in any of them.
// It cannot encrypt. The Regions are at least one, each named once.
func NewDiscoveryMulti(regions []string, f Filter, client ClientFunc, o *Options) (*keyring.Multi, error) {
	return newRegionalMulti(regions, client, func(api API, _ string) (*Discovery, error) {
		return NewDiscovery(api, f, o)
	})
}

// NewDiscoveryMultiAnyAccount is [NewDiscoveryMulti] for keys of any partition and
// account. Read about confused deputies at [Discovery] before using it.
func NewDiscoveryMultiAnyAccount(regions []string, client ClientFunc, o *Options) (*keyring.Multi, error) {
	return newRegionalMulti(regions, client, func(api API, _ string) (*Discovery, error) {
		return NewDiscoveryAnyAccount(api, o)
	})
}

// NewMRKDiscoveryMulti is [NewDiscoveryMulti] with the keyrings of
// [NewMRKDiscovery]: a multi-Region key is tried in each of the Regions, in order,
// and any other key in its own.
func NewMRKDiscoveryMulti(regions []string, f Filter, client ClientFunc, o *Options) (*keyring.Multi, error) {
	return newRegionalMulti(regions, client, func(api API, region string) (*Discovery, error) {
		return NewMRKDiscovery(api, region, f, o)
	})
}

// NewMRKDiscoveryMultiAnyAccount is [NewMRKDiscoveryMulti] for keys of any partition
// and account. Read about confused deputies at [Discovery] before using it.
func NewMRKDiscoveryMultiAnyAccount(regions []string, client ClientFunc, o *Options) (*keyring.Multi, error) {
	return newRegionalMulti(regions, client, func(api API, region string) (*Discovery, error) {
		return NewMRKDiscoveryAnyAccount(api, region, o)
	})
}

func newRegionalMulti(regions []string, client ClientFunc, newRing func(api API, region string) (*Discovery, error)) (*keyring.Multi, error) {
	client, err := oncePerRegion(client)
	if err != nil {
		return nil, err
	}
	rings := make([]keyring.Keyring, len(regions))
	for i, region := range regions {
		if err := checkRegion(region); err != nil {
			return nil, err
		}
		if slices.Contains(regions[:i], region) {
			return nil, fmt.Errorf("awskms: Region %q is named twice", region)
		}
		api, err := client(region)
		if err != nil {
			return nil, err
		}
		if rings[i], err = newRing(api, region); err != nil {
			return nil, err
		}
	}
	return keyring.NewMulti(nil, rings...)
}
