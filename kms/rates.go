package kms

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"strings"
	"sync"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/sealring/sealring/internal/keyrecord"
)

// Rates limits requests: how many there may be in a second, by what is counted together.
// That is an operation, by its name, or one of the classes below. What is not in the map
// is not limited.
//
// Each account that makes requests is counted for itself in each Region, whosever keys it
// uses. As many requests as a second allows can come at once, at least one; one too many
// gets ThrottlingException, which the SDK retries. Cryptography is counted when the key
// is known, by its spec; anything else when it comes in, whatever becomes of it. Dry runs
// count.
type Rates map[string]float64

// The classes of requests (AWS KMS Developer Guide, "Request quotas"). Those for data key
// pairs are named after their spec: "GenerateDataKeyPair (RSA_2048)", and so on, with or
// without plaintext.
const (
	// RateSymmetric is cryptography with symmetric encryption keys and HMAC keys, but no
	// data key pairs, and GenerateRandom.
	RateSymmetric = "Cryptographic operations (symmetric)"
	// RateRSA is cryptography with RSA keys.
	RateRSA = "Cryptographic operations (RSA)"
	// RateECC is cryptography with elliptic curve keys.
	RateECC = "Cryptographic operations (ECC)"
	// RateMLDSA is cryptography with ML-DSA keys.
	RateMLDSA = "Cryptographic operations (ML-DSA)"
	// RateMLKEM is cryptography with ML-KEM keys.
	RateMLKEM = "Cryptographic operations (ML-KEM)"
	// RateCustomKeyStore is cryptography with the keys of one custom key store, all
	// accounts together.
	RateCustomKeyStore = "Custom key store"
)

// pairClass returns the class of requests for data key pairs of a spec.
func pairClass(spec types.DataKeyPairSpec) string {
	return "GenerateDataKeyPair (" + string(spec) + ")"
}

// DefaultRates returns AWS's request quotas in most Regions, without what accounts are
// given when they ask for more: a map of the caller's, which may be changed. What AWS
// does not tell has the rate of what is closest to it.
func DefaultRates() Rates {
	rates := Rates{
		RateSymmetric:      5500,
		RateRSA:            1000,
		RateECC:            1000,
		RateMLDSA:          1000,
		RateMLKEM:          1000,
		RateCustomKeyStore: 1800,

		"DescribeKey": 2000, "GetPublicKey": 2000, "ListResourceTags": 2000,
		"GetKeyPolicy": 1000, "GetKeyRotationStatus": 1000,
		"ListKeys": 500, "ListAliases": 500,
		"ListGrants": 100, "ListKeyPolicies": 100, "ListRetirableGrants": 100,
		"CreateGrant": 50, "RetireGrant": 30, "RevokeGrant": 30,
		"DeleteAlias": 15, "EnableKeyRotation": 15, "PutKeyPolicy": 15, "ScheduleKeyDeletion": 15,
		"TagResource":            10,
		"GetParametersForImport": 0.25,
	}
	maps.Copy(rates, map[string]float64{
		pairClass("RSA_2048"): 1, pairClass("RSA_3072"): 0.5, pairClass("RSA_4096"): 0.1,
		pairClass("ECC_NIST_P256"): 25, pairClass("ECC_NIST_P384"): 10, pairClass("ECC_NIST_P521"): 5,
		pairClass("ECC_SECG_P256K1"): 25, pairClass("ECC_NIST_EDWARDS25519"): 25,
		pairClass("ML_KEM_512"): 25, pairClass("ML_KEM_768"): 25, pairClass("ML_KEM_1024"): 25,
	})
	for _, op := range table {
		name := op.operationName()
		if _, ok := rates[name]; !ok && !countedOperations[name] && op != generateRandom {
			rates[name] = 5
		}
	}
	return rates
}

// check refuses what is no rate or names nothing.
func (r Rates) check() error {
	known := DefaultRates()
	for name, rate := range r {
		_, class := known[name]
		if _, operation := LookupOperation(name); !class && !operation {
			return fmt.Errorf("kms: a rate for %q, which is neither an operation nor a class", name)
		}
		if !(rate > 0) || math.IsInf(rate, 1) { // NaN is not greater either
			return fmt.Errorf("kms: %v is no rate for %s", rate, name)
		}
	}
	return nil
}

// limiter holds requests to rates with a bucket of tokens for each class, account and
// Region, which fills up as time passes.
type limiter struct {
	rates Rates // never changed

	mu      sync.Mutex
	buckets map[payer]*bucket // guarded by mu; a missing one is full
}

// payer is who has a bucket.
type payer struct{ class, account, place string }

// bucket had tokens at a time. Taking several at once can leave less than none.
type bucket struct {
	tokens float64
	at     time.Time
}

// maxBuckets bounds the buckets. When there are as many, those that are full are let go.
const maxBuckets = 4096

// charge is what a request takes from a bucket.
type charge struct {
	payer
	tokens float64
}

// take takes all charges, or none if a bucket has not a token left. What is not limited
// costs nothing.
func (l *limiter) take(now time.Time, charges []charge) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range charges {
		if b := l.bucket(c.payer, now); b != nil && b.tokens < 1-1e-9 { // what was added up is not exact
			return false
		}
	}
	for _, c := range charges {
		if b := l.bucket(c.payer, now); b != nil {
			b.tokens -= c.tokens
		}
	}
	return true
}

// setBack is how far back a clock has to be for it to have been set. Requests that
// overtake each other are nearer.
const setBack = time.Second

// bucket returns the payer's bucket as it is now, nil if its class is not limited. A
// clock that is set back fills nothing.
func (l *limiter) bucket(p payer, now time.Time) *bucket {
	rate, limited := l.rates[p.class]
	if !limited {
		return nil
	}
	b := l.buckets[p]
	if b == nil {
		l.makeRoom(now)
		b = &bucket{tokens: capacity(rate), at: now}
		l.buckets[p] = b
	}
	switch elapsed := now.Sub(b.at); {
	case elapsed > 0:
		b.tokens, b.at = min(capacity(rate), b.tokens+elapsed.Seconds()*rate), now
	case elapsed < -setBack:
		b.at = now
	}
	return b
}

// capacity is how many requests can come at once.
func capacity(rate float64) float64 { return max(rate, 1) }

// makeRoom lets go of full buckets if there are many.
func (l *limiter) makeRoom(now time.Time) {
	if l.buckets == nil {
		l.buckets = map[payer]*bucket{}
	}
	if len(l.buckets) < maxBuckets {
		return
	}
	maps.DeleteFunc(l.buckets, func(p payer, b *bucket) bool {
		rate := l.rates[p.class]
		return b.tokens+now.Sub(b.at).Seconds()*rate >= capacity(rate)
	})
}

func throttled() error {
	return apiError("ThrottlingException", "You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls.")
}

// chargeOperation counts a request that comes in, by its operation. ReplicateKey makes two
// calls of CreateKey, as AWS counts.
func (r *request) chargeOperation() error {
	if r.service.limiter == nil || r.caller.Anonymous() {
		return nil
	}
	charges := []charge{{r.payer(r.op.operationName()), 1}}
	if r.op == replicateKey {
		charges = append(charges, charge{r.payer(createKey.name), 2})
	}
	return r.charge(charges)
}

// chargeClass counts a request for cryptography, once, by the keys that it turns out to
// use.
func (r *request) chargeClass(in any, targets []target) error {
	if r.service.limiter == nil || r.charged || r.op != generateRandom && !countedOperations[r.op.operationName()] {
		return nil
	}
	r.charged = true
	var charges []charge
	switch in := in.(type) {
	case *sdk.GenerateRandomInput:
		charges = append(charges, charge{r.payer(RateSymmetric), 1})
	case *sdk.GenerateDataKeyPairInput:
		charges = append(charges, charge{r.payer(pairClass(in.KeyPairSpec)), 1})
	case *sdk.GenerateDataKeyPairWithoutPlaintextInput:
		charges = append(charges, charge{r.payer(pairClass(in.KeyPairSpec)), 1})
	default:
		for i := range targets {
			c := charge{r.payerForKey(targets[i].key), 1}
			if i == 0 || c != charges[0] { // ReEncrypt with keys of one class is one request
				charges = append(charges, c)
			}
		}
	}
	return r.charge(charges)
}

func (r *request) charge(charges []charge) error {
	if r.service.limiter.take(r.now, charges) {
		return nil
	}
	return throttled()
}

// payer returns who pays for the request: the caller's account, in its Region. A service
// has no account.
func (r *request) payer(class string) payer {
	return payer{class, cmp.Or(r.caller.Account, r.caller.Service), r.caller.Region}
}

// payerForKey is payer for cryptography with a key.
func (r *request) payerForKey(k *keyrecord.Key) payer {
	switch {
	case k.KeyStore != "":
		return payer{class: RateCustomKeyStore, place: k.KeyStore}
	case strings.HasPrefix(k.Spec, "RSA_"):
		return r.payer(RateRSA)
	case strings.HasPrefix(k.Spec, "ECC_"):
		return r.payer(RateECC)
	case strings.HasPrefix(k.Spec, "ML_DSA_"):
		return r.payer(RateMLDSA)
	case strings.HasPrefix(k.Spec, "ML_KEM_"):
		return r.payer(RateMLKEM)
	}
	return r.payer(RateSymmetric)
}
