package awskms_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/keyring"
	"github.com/sealring/sealring/keyring/awskms"
	"github.com/sealring/sealring/keyring/keyringtest"
	"github.com/sealring/sealring/kms/kmstest"
)

func newMRKFailover(t *testing.T, c *cloud, arns []string) *keyring.Failover {
	t.Helper()
	ring, err := awskms.NewMRKFailover(arns, c.client, nil)
	require.NoError(t, err)
	return ring
}

func TestMRKFailoverConformance(t *testing.T) {
	t.Parallel()
	for name, outage := range map[string]error{"all up": nil, "first Region down": kmstest.Outage()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			keyringtest.Run(t, func(t *testing.T) keyringtest.Subject {
				c := newCloud(t)
				arns := c.mrk(t, &sdk.CreateKeyInput{}, virginia, ireland)
				foreign := c.mrk(t, &sdk.CreateKeyInput{}, ireland)
				c.failRegion(virginia, outage)
				failing, err := awskms.NewMRKFailover(arns, func(region string) (awskms.API, error) {
					return mute{c.in(account, region)}, nil
				}, nil)
				require.NoError(t, err)
				return keyringtest.Subject{
					Encrypt: newMRKFailover(t, c, arns), Decrypt: newMRKFailover(t, c, arns),
					Foreign: newMRK(t, c.in(account, ireland), foreign[0], nil), Failing: failing,
					InfoUnbound: true,
				}
			})
		})
	}
}

func TestMRKFailoverWhileARegionIsDown(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	arns := c.mrk(t, &sdk.CreateKeyInput{}, virginia, ireland, tokyo)
	ring := newMRKFailover(t, c, arns)
	c.regions()

	before := sealed(t, ring)
	require.Equal(t, []string{virginia}, c.regions())
	require.Equal(t, arns[0], string(before.EncryptedDataKeys()[0].Info))

	c.failRegion(virginia, kmstest.Outage())
	during := sealed(t, ring)
	require.Equal(t, []string{virginia, ireland}, c.regions())
	require.Len(t, during.EncryptedDataKeys(), 1)
	require.Equal(t, arns[1], string(during.EncryptedDataKeys()[0].Info))
	opens(t, ring, before)
	opens(t, ring, during)
	require.Equal(t, []string{ireland, ireland}, c.regions())

	c.failRegion(ireland, kmstest.Throttled())
	opens(t, ring, before)
	require.Equal(t, []string{ireland, tokyo}, c.regions())

	c.failRegion(tokyo, kmstest.Outage())
	err := ring.OnEncrypt(t.Context(), encryption(t, keyring.AES256GCMHKDFSHA256))
	require.ErrorIs(t, err, keyring.ErrUnavailable)
	var internal *types.KMSInternalException
	require.ErrorAs(t, err, &internal)
	require.True(t, awskms.Unavailable(err))
	attempts := noMatch(t, ring, before)
	require.Len(t, attempts, 3)
	for _, a := range attempts {
		require.ErrorIs(t, a.Err, keyring.ErrUnavailable)
		require.Equal(t, arns[0], string(a.Info))
	}

	// What was encrypted during the outage is no different once it is over.
	c.failRegion(virginia, nil)
	opens(t, newMRKFailover(t, c, arns), during)
}

func TestMRKFailoverWhileARegionHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCloud(t)
		arns := c.mrk(t, &sdk.CreateKeyInput{}, virginia, ireland)
		ring := newMRKFailover(t, c, arns)
		before := sealed(t, ring)
		c.failRegion(virginia, errHangs)
		c.regions()
		start := time.Now()
		opens(t, ring, before)
		require.Equal(t, []string{virginia, ireland}, c.regions())
		require.Equal(t, 2*time.Second, time.Since(start))
		require.Equal(t, arns[1], string(sealed(t, ring).EncryptedDataKeys()[0].Info))
		require.Equal(t, 2*time.Second, time.Since(start))
		require.Equal(t, []string{ireland}, c.regions())

		c.failRegion(virginia, nil)
		time.Sleep(30 * time.Second)
		require.Equal(t, arns[0], string(sealed(t, ring).EncryptedDataKeys()[0].Info))

		// A caller who gives up is no outage.
		c.failRegion(virginia, errHangs)
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		c.failRegion(ireland, errHangs)
		err := ring.OnEncrypt(ctx, encryption(t, keyring.AES256GCMHKDFSHA256))
		require.Equal(t, context.DeadlineExceeded, err)
		c.failRegion(virginia, nil)
		require.Equal(t, arns[0], string(sealed(t, ring).EncryptedDataKeys()[0].Info))
	})
}

// A whole KMS that fails once: the next Region is another request.
func TestMRKFailoverAfterOneFault(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	arns := c.mrk(t, &sdk.CreateKeyInput{}, virginia, ireland)
	ring := newMRKFailover(t, c, arns)
	c.FailTimes("GenerateDataKey", 1, kmstest.Outage())
	m := sealed(t, ring)
	require.Equal(t, arns[1], string(m.EncryptedDataKeys()[0].Info))
	opens(t, ring, m)
}

func TestMRKFailoverDoesNotMaskARefusal(t *testing.T) {
	t.Parallel()
	for _, refusal := range []error{
		kmstest.AccessDenied(), &types.DisabledException{}, &types.KMSInvalidStateException{}, &types.NotFoundException{},
	} {
		c := newCloud(t)
		arns := c.mrk(t, &sdk.CreateKeyInput{}, virginia, ireland)
		ring := newMRKFailover(t, c, arns)
		c.failRegion(virginia, refusal)
		c.regions()
		err := ring.OnEncrypt(t.Context(), encryption(t, keyring.AES256GCMHKDFSHA256))
		require.ErrorContains(t, err, refusal.(interface{ ErrorCode() string }).ErrorCode())
		require.False(t, awskms.Unavailable(err))
		require.Equal(t, []string{virginia}, c.regions())
	}
}

func TestNewMRKFailoverRefuses(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	arns := c.mrk(t, &sdk.CreateKeyInput{}, virginia, ireland)
	other := c.mrk(t, &sdk.CreateKeyInput{}, tokyo)
	for name, keys := range map[string][]string{
		"a key of a single Region":     {keyARN},
		"an alias ARN":                 {aliasARN},
		"a bare id":                    {"mrk-1234abcd12ab34cd56ef1234567890ab"},
		"another multi-Region key":     {arns[0], other[0]},
		"one replica twice":            {arns[0], arns[1], arns[0]},
		"a single-Region key behind":   {arns[0], keyARN},
		"a single-Region key, doubled": {keyARN, keyARN},
	} {
		_, err := awskms.NewMRKFailover(keys, c.client, nil)
		require.ErrorIs(t, err, awskms.ErrKeyID, name)
	}
	_, err := awskms.NewMRKFailover(nil, c.client, nil)
	require.ErrorContains(t, err, "no keyrings")
	_, err = awskms.NewMRKFailover(arns, nil, nil)
	require.ErrorContains(t, err, "without a client")
	errNoClient := errors.New("no client")
	_, err = awskms.NewMRKFailover(arns, func(string) (awskms.API, error) { return nil, errNoClient }, nil)
	require.ErrorIs(t, err, errNoClient)
	_, err = awskms.NewMRKFailover(arns, func(string) (awskms.API, error) { return nil, nil }, nil)
	require.ErrorContains(t, err, "API")
}

func TestUnavailable(t *testing.T) {
	t.Parallel()
	attempts := func(errs ...error) error {
		none := &keyring.NoMatchError{}
		for _, err := range errs {
			none.Attempts = append(none.Attempts, keyring.Attempt{Err: err})
		}
		return none
	}
	for _, c := range []struct {
		name string
		err  error
		want bool
	}{
		{"nothing", nil, false},
		{"internal exception", &types.KMSInternalException{}, true},
		{"dependency timeout", &types.DependencyTimeoutException{}, true},
		{"key unavailable", &types.KeyUnavailableException{}, true},
		{"throttled", kmstest.Throttled(), true},
		{"refused connection", &net.OpError{Op: "dial", Err: errors.New("connection refused")}, true},
		{"unknown host", &net.DNSError{Err: "no such host", IsNotFound: true}, true},
		{"deadline", context.DeadlineExceeded, true},
		{"another failover's outage", &keyring.UnavailableError{Errs: []error{errors.New("down")}}, true},
		{"cancelled", context.Canceled, false},
		{"another's certificate", &url.Error{Op: "Post", Err: &tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}}, false},
		{"cancelled while connecting", &net.OpError{Op: "dial", Err: context.Canceled}, false},
		{"access denied", kmstest.AccessDenied(), false},
		{"not found", &types.NotFoundException{}, false},
		{"disabled", &types.DisabledException{}, false},
		{"invalid state", &types.KMSInvalidStateException{}, false},
		{"invalid ciphertext", &types.InvalidCiphertextException{}, false},
		{"incorrect key", &types.IncorrectKeyException{}, false},
		{"invalid grant token", &types.InvalidGrantTokenException{}, false},
		{"refused response", awskms.ErrResponse, false},
		{"unknown", errors.New("KMSInternalException"), false},
		{"no attempts", attempts(), false},
		{"refused attempts", attempts(kmstest.AccessDenied(), keyring.ErrUnwrap), false},
		{"one attempt of several", attempts(kmstest.AccessDenied(), &types.KMSInternalException{}), true},
		{"attempts cancelled and failed", attempts(context.Canceled, &types.KMSInternalException{}), true},
	} {
		require.Equal(t, c.want, awskms.Unavailable(c.err), c.name)
		if c.err != nil {
			require.Equal(t, c.want, awskms.Unavailable(fmt.Errorf("awskms: Decrypt: %w", c.err)), "%s, wrapped", c.name)
		}
	}
}

// The errors that the SDK makes of what comes, or does not come, over the wire.
func TestUnavailableOverHTTP(t *testing.T) {
	t.Parallel()
	answer := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/x-amz-json-1.1")
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
		}
	}
	for _, c := range []struct {
		name    string
		handler http.HandlerFunc
		want    bool
	}{
		{"internal exception", answer(500, `{"__type":"KMSInternalException"}`), true},
		{"a proxy's answer", answer(503, `<html>unavailable</html>`), true},
		{"bad gateway", answer(502, ``), true},
		{"throttled", answer(400, `{"__type":"ThrottlingException","message":"Rate exceeded"}`), true},
		{"closed connection", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, true},
		{"access denied", answer(400, `{"__type":"AccessDeniedException"}`), false},
		{"disabled", answer(400, `{"__type":"DisabledException"}`), false},
		{"expired credentials", answer(400, `{"__type":"ExpiredTokenException"}`), false},
		{"forbidden by a proxy", answer(403, `<html>no</html>`), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(c.handler)
			defer server.Close()
			ring := newRing(t, overHTTP(server.URL), keyARN, nil)
			err := ring.OnEncrypt(t.Context(), encryption(t, keyring.AES256GCMHKDFSHA256))
			require.Error(t, err)
			require.Equal(t, c.want, awskms.Unavailable(err), "%v", err)
		})
	}
	gone := httptest.NewServer(nil)
	gone.Close()
	ring := newRing(t, overHTTP(gone.URL), keyARN, nil)
	err := ring.OnEncrypt(t.Context(), encryption(t, keyring.AES256GCMHKDFSHA256))
	require.True(t, awskms.Unavailable(err), "%v", err)

	ctx, cancel := context.WithCancel(t.Context())
	release := make(chan struct{})
	stuck := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		cancel()
		<-release
	}))
	defer stuck.Close()
	defer close(release)
	ring = newRing(t, overHTTP(stuck.URL), keyARN, nil)
	err = ring.OnEncrypt(ctx, encryption(t, keyring.AES256GCMHKDFSHA256))
	require.ErrorIs(t, err, context.Canceled)
	require.False(t, awskms.Unavailable(err), "%v", err)

	brief, done := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer done()
	err = ring.OnEncrypt(brief, encryption(t, keyring.AES256GCMHKDFSHA256))
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.True(t, awskms.Unavailable(err), "%v", err)
}

// overHTTP returns a client of aws-sdk-go-v2 for an address, without retries.
func overHTTP(url string) *sdk.Client {
	return sdk.New(sdk.Options{
		Region: ireland, BaseEndpoint: &url, Retryer: aws.NopRetryer{},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "AKIAEXAMPLE", SecretAccessKey: "secret"}, nil
		}),
	})
}
