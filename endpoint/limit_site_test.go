package endpoint_test

import (
	"context"
	"errors"
	"io"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/endpoint"
	"github.com/sealring/sealring/identity"
)

const (
	tooFast  = "You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls."
	noPlace  = "Too many requests are being served. Try again later."
	lateBody = "The body did not arrive in time."
	timedOut = "The system timed out while trying to fulfill the request. You can retry the request."
)

// limit gives the site a handler with limits.
func (s *site) limit(t testing.TB, l endpoint.Limits) {
	t.Helper()
	h, err := endpoint.New(endpoint.Config{KMS: s.Service(), Keys: s.keys, Limits: l})
	require.NoError(t, err)
	s.handler = h
}

// user returns the credentials of a new user of the account.
func (s *site) user(name string) (c aws.Credentials) {
	c.AccessKeyID, c.SecretAccessKey = s.keys.Create(identity.Caller{Principal: "arn:aws:iam::111122223333:user/" + name, Account: account})
	return c
}

// listKeys makes a request with the credentials and returns the code of its error,
// or "".
func (s *site) listKeys(t testing.TB, creds aws.Credentials) string {
	t.Helper()
	r := newRequest("ListKeys", "{}")
	sign(t, r, "{}", signature{creds: creds})
	return s.do(r).header.Get("X-Amzn-Errortype")
}

func TestImpossibleLimits(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	for _, l := range []endpoint.Limits{
		{Rate: -1}, {Rate: math.NaN()}, {Rate: math.Inf(1)}, {Rate: math.Inf(-1)},
		{Burst: 1}, {Rate: 1, Burst: -1}, {Concurrent: -1}, {Timeout: -1},
		{Rate: 1e-6}, {Rate: 1, Burst: 86401},
	} {
		_, err := endpoint.New(endpoint.Config{KMS: s.Service(), Keys: s.keys, Limits: l})
		require.ErrorContains(t, err, "endpoint: ", "%+v", l)
	}
	for _, l := range []endpoint.Limits{
		{}, {Rate: 1, Burst: 86400}, {Rate: 0.01}, {Rate: 1e6}, {Concurrent: 1, Timeout: time.Nanosecond},
	} {
		_, err := endpoint.New(endpoint.Config{KMS: s.Service(), Keys: s.keys, Limits: l})
		require.NoError(t, err, "%+v", l)
	}
}

// slowly is a rate at which nothing comes back during a test.
const slowly = 0.001

func TestRatePerPrincipal(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	s.limit(t, endpoint.Limits{Rate: slowly, Burst: 3})
	ann, bob := s.user("ann"), s.user("bob")
	require.Equal(t, "AccessDeniedException", s.listKeys(t, ann), "what the service refuses counts")

	// What Ann has not signed is not hers, even if it has her key's id.
	forged := aws.Credentials{AccessKeyID: ann.AccessKeyID, SecretAccessKey: "guess"}
	for range 10 {
		require.Equal(t, "InvalidSignatureException", s.listKeys(t, forged))
		require.Equal(t, "UnrecognizedClientException", s.listKeys(t, aws.Credentials{AccessKeyID: ann.AccessKeyID, SecretAccessKey: "guess", SessionToken: "t"}))
		require.Equal(t, "MissingAuthenticationTokenException", s.do(newRequest("ListKeys", "{}")).header.Get("X-Amzn-Errortype"))
	}
	require.Equal(t, "AccessDeniedException", s.listKeys(t, ann))
	require.Equal(t, "AccessDeniedException", s.listKeys(t, s.user("ann")), "another key of hers")
	require.Len(t, s.Events(), 3)

	session := aws.Credentials{}
	session.AccessKeyID, session.SecretAccessKey, session.SessionToken = s.keys.CreateSession(
		identity.Caller{Principal: "arn:aws:iam::111122223333:user/ann", Account: account}, time.Now().Add(time.Hour))
	for name, r := range map[string]*http.Request{
		"her key": func() *http.Request { r := newRequest("ListKeys", ""); sign(t, r, "", signature{creds: ann}); return r }(),
		"her new key": func() *http.Request {
			r := newRequest("ListKeys", "")
			sign(t, r, "", signature{creds: s.user("ann")})
			return r
		}(),
		"her session": func() *http.Request {
			r := newRequest("ListKeys", "")
			sign(t, r, "", signature{creds: session})
			return r
		}(),
		"another Region": func() *http.Request {
			r := newRequest("ListKeys", "")
			sign(t, r, "", signature{creds: ann, region: "eu-west-1"})
			return r
		}(),
		"presigned": presigned(t, "ListKeys", "", "60", signature{creds: ann}),
	} {
		t.Run(name, func(t *testing.T) { requireError(t, s.do(r), http.StatusBadRequest, "ThrottlingException", tooFast) })
	}
	require.Equal(t, "InvalidSignatureException", s.listKeys(t, forged), "who cannot sign learns nothing of her budget")
	require.Len(t, s.Events(), 3, "a throttled request leaves no record")

	for range 3 {
		require.Equal(t, "AccessDeniedException", s.listKeys(t, bob), "Bob has his own")
		require.Equal(t, "", s.listKeys(t, rootCredentials()))
	}
	require.Equal(t, "ThrottlingException", s.listKeys(t, bob))
	require.Equal(t, "ThrottlingException", s.listKeys(t, rootCredentials()))
}

func TestNobodyIsThrottledUnlessAsked(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	for range 500 {
		require.Equal(t, "", s.listKeys(t, rootCredentials()))
	}
}

func TestSDKTakesThrottlingForWhatItIs(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	s.limit(t, endpoint.Limits{Rate: slowly, Burst: 1})
	client := s.overHTTP(t, rootCredentials(), region)
	_, err := client.ListKeys(t.Context(), nil)
	require.NoError(t, err)
	_, err = client.ListKeys(t.Context(), nil)
	requireAPIError(t, err, http.StatusBadRequest, "ThrottlingException", tooFast)
	require.Equal(t, aws.TrueTernary, retry.IsErrorThrottles(retry.DefaultThrottles).IsErrorThrottle(err))
}

// A heldBody says when it is read and gives nothing until it is let go.
type heldBody struct {
	reading chan<- struct{}
	gone    <-chan struct{}
	rest    io.Reader
}

func (b *heldBody) Read(p []byte) (int, error) {
	b.reading <- struct{}{}
	<-b.gone
	return b.rest.Read(p)
}

func (b *heldBody) Close() error { return nil }

// TestOnlySoManyBodiesAreRead has a crowd that knows the id of Ann's key, and one
// that has her secret too, send bodies which never arrive. They take no more than
// half of the places; Bob is served.
func TestOnlySoManyBodiesAreRead(t *testing.T) {
	t.Parallel()
	const places, crowd = 8, 50
	s := newSite(t, nil)
	s.limit(t, endpoint.Limits{Concurrent: places, Timeout: time.Hour})
	ann := s.user("ann")
	forged := aws.Credentials{AccessKeyID: ann.AccessKeyID, SecretAccessKey: "guess"}
	reading, gone := make(chan struct{}, 10*crowd), make(chan struct{})
	codes := make(chan string)
	for i := range crowd {
		r := newRequest("ListKeys", "{}")
		sign(t, r, "{}", signature{creds: []aws.Credentials{ann, forged}[i%2]})
		r.Body = &heldBody{reading, gone, strings.NewReader("{}")}
		go func() { codes <- s.do(r).header.Get("X-Amzn-Errortype") }()
	}
	for range places / 2 {
		<-reading
	}
	for range 20 {
		require.Equal(t, "", s.listKeys(t, rootCredentials()))
	}
	require.Empty(t, reading, "no more bodies are read than there are places")

	close(gone)
	count := map[string]int{}
	for range crowd {
		count[<-codes]++
	}
	require.Equal(t, map[string]int{"AccessDeniedException": crowd / 2, "InvalidSignatureException": crowd / 2}, count, "who waits is served")
}

func canceled(t testing.TB) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

func TestNoPlace(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	s.limit(t, endpoint.Limits{Concurrent: 1, Timeout: time.Hour})
	reading, gone := make(chan struct{}, 10), make(chan struct{})
	held := newRequest("ListKeys", "{}")
	sign(t, held, "{}", signature{})
	held.Body = &heldBody{reading, gone, strings.NewReader("{}")}
	first := make(chan answer)
	go func() { first <- s.do(held) }()
	<-reading

	r := newRequest("ListKeys", "{}").WithContext(canceled(t))
	sign(t, r, "{}", signature{})
	requireError(t, s.do(r), http.StatusServiceUnavailable, "ServiceUnavailable", noPlace)

	// What is refused for its head needs no place.
	requireError(t, s.do(newRequest("ListKeys", "{}")), http.StatusBadRequest, "MissingAuthenticationTokenException", "Missing Authentication Token")
	require.Equal(t, "UnrecognizedClientException", s.listKeys(t, aws.Credentials{AccessKeyID: "AKIAUNKNOWNUNKNOWN00", SecretAccessKey: "s"}))
	old := newRequest("ListKeys", "{}")
	sign(t, old, "{}", signature{time: time.Now().Add(-time.Hour)})
	require.Equal(t, "InvalidSignatureException", s.do(old).header.Get("X-Amzn-Errortype"))

	close(gone)
	require.Equal(t, http.StatusOK, (<-first).status)
	require.Equal(t, "", s.listKeys(t, rootCredentials()), "the place is free again")
}

// TestServiceUnavailableIsTriedAgain has the SDK meet a full endpoint.
func TestServiceUnavailableIsTriedAgain(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	s.limit(t, endpoint.Limits{Concurrent: 1, Timeout: time.Millisecond})
	s.Slow("ListKeys", time.Hour)
	client := s.overHTTP(t, rootCredentials(), region)
	_, err := client.ListKeys(t.Context(), nil)
	require.Equal(t, aws.TrueTernary, retry.IsErrorRetryables(retry.DefaultRetryables).IsErrorRetryable(err), "%v", err)
}

func TestSlowService(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	s.limit(t, endpoint.Limits{Timeout: 20 * time.Millisecond})
	s.Slow("ListKeys", time.Hour)
	_, err := s.overHTTP(t, rootCredentials(), region).ListKeys(t.Context(), nil)
	require.True(t, is[*types.DependencyTimeoutException](err), "%T: %v", err, err)
	requireAPIError(t, err, http.StatusInternalServerError, "DependencyTimeoutException", timedOut)
	require.Equal(t, "RequestCanceled", s.Events()[0].ErrorCode, "the record says so")

	_, err = s.overTransport(rootCredentials(), region).ListKeys(t.Context(), &sdk.ListKeysInput{})
	require.True(t, is[*types.DependencyTimeoutException](err), "%T: %v", err, err)
}

// An abort of the handler must not keep its place.
func TestPanicGivesThePlaceBack(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	s.limit(t, endpoint.Limits{Concurrent: 1, Timeout: time.Hour})
	r := newRequest("ListKeys", "{}")
	sign(t, r, "{}", signature{})
	r.Body = io.NopCloser(panicking{})
	require.PanicsWithError(t, "at the disco", func() { s.do(r) })
	require.Equal(t, "", s.listKeys(t, rootCredentials()))
}

type panicking struct{}

func (panicking) Read([]byte) (int, error) { panic(errors.New("at the disco")) }
