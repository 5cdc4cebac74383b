package endpoint

import (
	"errors"
	"math"
	"time"

	"github.com/sealring/sealring/identity"
)

// Limits bounds what a [Handler] does for its clients. The zero value of each field
// is a bound for daily use.
type Limits struct {
	// Rate is how many requests a second each principal may make in the long run,
	// and Burst how many at once. Further ones are answered with AWS's
	// ThrottlingException and leave no audit record. Zero means no limit, as AWS's
	// quotas are its own and a test should not be slowed down by surprise. A zero
	// Burst means what Rate allows in a second, and 1 at least.
	//
	// A request counts when its signature has been verified: nobody uses up what
	// belongs to somebody else. Burst requests must not take more than a day at Rate.
	Rate  float64
	Burst int

	// Concurrent is how many requests are served at the same time, from the reading
	// of the body to the writing of the answer. It bounds the memory that requests
	// take: a body of 1 MiB at most, in a buffer of up to twice that, and what is
	// decoded of it. Each principal has at most half of the places, so that nobody,
	// with or without the right secret, keeps all others out. Those who find no
	// place wait for one until Timeout and then get a ServiceUnavailable with
	// status 503, which SDKs try again. Zero means 256. Requests that are refused for
	// what their head says need no place.
	Concurrent int

	// Timeout is how long a request may take from the end of its head to its answer.
	// A body that does not arrive in time is cut off with status 408, and the context
	// of the service's work is done. Zero means 30 seconds. What the answer then
	// takes on its way is for the server to bound: see [Server].
	Timeout time.Duration
}

// withDefaults returns the limits with no field left zero but that of an absent
// rate.
func (l Limits) withDefaults() (Limits, error) {
	const maxRefill = 24 * time.Hour
	switch {
	case l.Rate < 0 || math.IsNaN(l.Rate) || math.IsInf(l.Rate, 0):
		return l, errors.New("endpoint: Limits.Rate is not a rate")
	case l.Burst < 0 || l.Concurrent < 0 || l.Timeout < 0:
		return l, errors.New("endpoint: a negative limit")
	case l.Rate == 0 && l.Burst > 0:
		return l, errors.New("endpoint: Limits.Burst without a Rate")
	}
	if l.Burst == 0 && l.Rate > 0 {
		l.Burst = int(max(1, min(l.Rate, math.MaxInt32)))
	}
	if l.Rate > 0 && float64(l.Burst)/l.Rate > maxRefill.Seconds() {
		return l, errors.New("endpoint: Limits.Burst takes more than a day at Limits.Rate")
	}
	if l.Concurrent == 0 {
		l.Concurrent = 256
	}
	if l.Timeout == 0 {
		l.Timeout = 30 * time.Second
	}
	return l, nil
}

// A principal is whom limits are kept for.
type principal struct{ account, arn string }

func principalOf(c identity.Caller) principal { return principal{c.Account, c.Principal} }
