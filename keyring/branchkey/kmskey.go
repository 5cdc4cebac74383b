package branchkey

import (
	"errors"
	"fmt"
	"strings"

	"github.com/sealring/sealring/internal/arn"
)

// KMSKey says which KMS keys a [KeyStore] works with. The zero value is none and is
// refused.
type KMSKey struct {
	mode   kmsKeyMode
	arn    string
	region string
}

type kmsKeyMode int

const (
	noKey kmsKeyMode = iota
	exactKey
	multiRegionKey
	anyKey
	anyKeyInRegion
)

// ExactKey admits the KMS key with this ARN only.
func ExactKey(keyARN string) KMSKey { return KMSKey{mode: exactKey, arn: keyARN} }

// MultiRegionKey admits every copy of the multi-Region KMS key with this ARN, and
// calls the one that the ARN names: items that were written in one Region are read
// in another. For a key that is not a multi-Region key it is [ExactKey].
func MultiRegionKey(keyARN string) KMSKey { return KMSKey{mode: multiRegionKey, arn: keyARN} }

// AnyKey admits whatever KMS key an item names, and calls it. Whoever can write the
// table then chooses the KMS key. A store with it cannot create or version keys.
func AnyKey() KMSKey { return KMSKey{mode: anyKey} }

// AnyKeyInRegion is [AnyKey], but for multi-Region KMS keys the copy in the given
// Region is called.
func AnyKeyInRegion(region string) KMSKey { return KMSKey{mode: anyKeyInRegion, region: region} }

// check returns an error unless k is one of the constructors' and well-formed.
func (k KMSKey) check() error {
	switch k.mode {
	case exactKey, multiRegionKey:
		if !isKeyARN(k.arn) {
			return fmt.Errorf("%w: %.200q is not the ARN of a key", ErrKMSKey, k.arn)
		}
	case anyKeyInRegion:
		if !arn.IsRegion(k.region) {
			return fmt.Errorf("branchkey: %.100q is not a Region", k.region)
		}
	case anyKey:
	default:
		return errors.New("branchkey: a key store without a KMSKey")
	}
	return nil
}

// writer returns the KMS key that new branch keys are encrypted with, or ErrKMSKey.
func (k KMSKey) writer() (string, error) {
	if k.mode != exactKey && k.mode != multiRegionKey {
		return "", fmt.Errorf("%w: a key store for any KMS key does not write", ErrKMSKey)
	}
	return k.arn, nil
}

// reader returns the KMS key to call for an item that names the given one, or
// ErrKMSKey if it is not admitted.
func (k KMSKey) reader(stored string) (string, error) {
	switch k.mode {
	case anyKey:
		return stored, nil
	case anyKeyInRegion:
		return inRegion(stored, k.region), nil
	case multiRegionKey:
		a, _, _, _ := arn.KMSKey(k.arn)
		if inRegion(stored, a.Region) == k.arn {
			return k.arn, nil
		}
	case exactKey:
		if stored == k.arn {
			return k.arn, nil
		}
	}
	return "", fmt.Errorf("%w: the item is encrypted with %.200q", ErrKMSKey, stored)
}

// inRegion returns the ARN of the copy in a Region if keyARN is that of a
// multi-Region key, else keyARN.
func inRegion(keyARN, region string) string {
	a, _, id, ok := arn.KMSKey(keyARN)
	if !ok || !strings.HasPrefix(id, "mrk-") {
		return keyARN
	}
	a.Region = region
	return a.String()
}
