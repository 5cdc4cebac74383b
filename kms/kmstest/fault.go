package kmstest

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/smithy-go"

	"github.com/sealring/sealring/identity"
	"github.com/sealring/sealring/kms"
)

// AnyOperation stands for every operation in [Cloud.Fail] and [Cloud.Slow]. A fault
// of the operation itself comes first.
const AnyOperation = "*"

// fault is what is wrong with an operation.
type fault struct {
	err   error
	times int // how often err is still to be given; negative means for ever
	delay time.Duration
}

// Fail makes every request of the operation, such as "Decrypt", fail with err
// before it is looked at; nil ends that. An error of the API is given as it is, any
// other becomes a KMSInternalException. See [Throttled], [Outage] and
// [AccessDenied].
func (c *Cloud) Fail(operation string, err error) { c.setFailure(operation, err, -1) }

// FailTimes makes the next n requests of the operation fail with err. The SDK's
// own retries count as requests.
func (c *Cloud) FailTimes(operation string, n int, err error) { c.setFailure(operation, err, n) }

func (c *Cloud) setFailure(operation string, err error, n int) {
	c.t.Helper()
	c.checkOperation(operation)
	c.mu.Lock()
	defer c.mu.Unlock()
	f := c.fault(operation)
	f.err, f.times = err, n
}

// Slow makes every request of the operation wait for d of real time, or until its
// context is done, before it is looked at; zero ends that.
func (c *Cloud) Slow(operation string, d time.Duration) {
	c.t.Helper()
	c.checkOperation(operation)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fault(operation).delay = d
}

// checkOperation fails the test for a fault that could never happen.
func (c *Cloud) checkOperation(name string) {
	c.t.Helper()
	if _, ok := kms.LookupOperation(name); !ok && name != AnyOperation {
		c.t.Fatalf("kmstest: there is no operation %q", name)
	}
}

// fault returns the operation's fault. The caller holds mu.
func (c *Cloud) fault(operation string) *fault {
	if c.faults[operation] == nil {
		c.faults[operation] = &fault{}
	}
	return c.faults[operation]
}

// admit is the service's gate: it gives the faults that were asked for.
func (c *Cloud) admit(ctx context.Context, operation string, _ identity.Caller) error {
	delay, err := c.nextFault(operation)
	if delay > 0 {
		timer := time.NewTimer(delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return err
}

func (c *Cloud) nextFault(operation string) (delay time.Duration, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, name := range [...]string{operation, AnyOperation} {
		f := c.faults[name]
		if f == nil {
			continue
		}
		delay = max(delay, f.delay)
		if err == nil && f.err != nil && f.times != 0 {
			err = f.err
			if f.times > 0 {
				f.times--
			}
		}
	}
	return delay, err
}

// Throttled returns the error that AWS gives to more requests than it allows. The
// SDK retries it.
func Throttled() error {
	return &smithy.GenericAPIError{
		Code:    "ThrottlingException",
		Message: "You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls.",
		Fault:   smithy.FaultClient,
	}
}

// Outage returns the error that AWS gives when the service itself fails. The SDK
// retries it.
func Outage() error {
	message := "The request was rejected because an internal exception occurred. The request can be retried."
	return &types.KMSInternalException{Message: &message}
}

// AccessDenied returns the error that AWS gives to a caller without permission.
func AccessDenied() error {
	return &smithy.GenericAPIError{
		Code:    "AccessDeniedException",
		Message: "The caller is not authorized to perform this operation.",
		Fault:   smithy.FaultClient,
	}
}
