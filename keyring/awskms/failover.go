package awskms

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws/retry"

	"github.com/sealring/sealring/keyring"
)

// NewMRKFailover returns a failover over the replicas of one multi-Region key, in the
// given order of preference: messages are encrypted with the first replica whose
// Region can be reached, and decrypted with any, as [NewMRK] does. The client of each
// Region is asked of client.
//
// The key ARNs are those of one multi-Region key in different Regions, else the
// error is [ErrKeyID]. An outage is what [Unavailable] says; timeout and cooldown are
// the defaults of [keyring.FailoverOptions]. A client should make few retries of its
// own, because they count against the timeout; for other times give the keyrings of
// NewMRK to [keyring.NewFailover]. Nil options are the zero Options.
func NewMRKFailover(keyARNs []string, client ClientFunc, o *Options) (*keyring.Failover, error) {
	client, err := oncePerRegion(client)
	if err != nil {
		return nil, err
	}
	rings := make([]keyring.Keyring, len(keyARNs))
	for i, keyARN := range keyARNs {
		replica, ok := parseMRK(keyARN)
		if !ok || !sameMRK(keyARN, keyARNs[0]) || slices.Contains(keyARNs[:i], keyARN) {
			return nil, fmt.Errorf("%w: %q is not a further replica of one multi-Region key", ErrKeyID, keyARN)
		}
		api, err := client(replica.Region)
		if err != nil {
			return nil, err
		}
		if rings[i], err = NewMRK(api, keyARN, o); err != nil {
			return nil, err
		}
	}
	return keyring.NewFailover(keyring.FailoverOptions{Unavailable: Unavailable}, rings...)
}

// Unavailable reports whether an error of a KMS call, as this package's keyrings
// return it, means that KMS cannot be reached or does not work in that Region, so
// that another may be asked: connections that fail, timeouts, what KMS answers with a
// status of 5xx, its KMSInternalException, DependencyTimeoutException and
// KeyUnavailableException, and throttling that outlasts the client's retries. It is
// for [keyring.FailoverOptions].
//
// What a [keyring.Failover] has found to be an outage is one. A refusal is not, be it
// for permissions, for a key that does not exist or for its state; nor is a call that
// its caller has cancelled. Of a [keyring.NoMatchError] one attempt suffices.
func Unavailable(err error) bool {
	if none, ok := errors.AsType[*keyring.NoMatchError](err); ok {
		return slices.ContainsFunc(none.Attempts, func(a keyring.Attempt) bool { return Unavailable(a.Err) })
	}
	switch {
	case errors.Is(err, keyring.ErrUnavailable):
		return true
	case errors.Is(err, context.Canceled):
		return false
	}
	return unreachable(err) || failed(err)
}

// unreachable reports whether no answer has come. A server that is not who it should be
// is no outage: nobody should go around it without a word.
func unreachable(err error) bool {
	if _, impostor := errors.AsType[*tls.CertificateVerificationError](err); impostor {
		return false
	}
	var connection interface{ ConnectionError() bool } // of smithy-go
	if errors.As(err, &connection) && connection.ConnectionError() {
		return true
	}
	_, ok := errors.AsType[net.Error](err) // an operation, a name or a deadline
	return ok
}

// failed reports whether the answer says that the service does not work. Clients in
// process have no status, and a proxy's answer has no code.
func failed(err error) bool {
	var response interface{ HTTPStatusCode() int }
	if errors.As(err, &response) && response.HTTPStatusCode() >= http.StatusInternalServerError {
		return true
	}
	var api interface{ ErrorCode() string }
	if !errors.As(err, &api) {
		return false
	}
	switch api.ErrorCode() {
	case "KMSInternalException", "DependencyTimeoutException", "KeyUnavailableException":
		return true
	}
	_, throttled := retry.DefaultThrottleErrorCodes[api.ErrorCode()]
	return throttled
}
