package kms_test

import (
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/internal/xks"
	"github.com/sealring/sealring/internal/xks/xkstest"
	"github.com/sealring/sealring/kms"
)

// proxyTexts are AWS's, with EKSP for "external key store proxy".
var proxyTexts = map[string]string{
	"A": "AWS KMS cannot interpret the response from the EKSP. If you see this error repeatedly, report it to your EKSP administrator.",
	"B": "The EKSP rejected the request because it cannot communicate with the external key manager. Verify that the EKSP configuration is correct and that the external key manager is available.",
	"C": "The external key associated with this KMS key in an external key store is not enabled in the external key manager. Enable the external key in the external key manager and retry the request.",
	"D": "The external key associated with this KMS key in an external key store does not support the requested operation. Enable the operation on the key in your external key manager, and try the request again.",
	"E": "The EKSP rejected the request because the specified ciphertext or encryption context is corrupted, missing, or otherwise invalid.",
	"F": "The EKSP rejected the request because it could not authenticate AWS KMS. Verify the XKS proxy authentication credentials for your external key store and update if necessary.",
	"G": "The EKSP denied access to the operation. Verify that the user and the external key are both authorized for this operation, and try the request again.",
	"H": "The external key associated with this KMS key in an external key store was not found in its external key manager. If the external key ID associated with this KMS key is incorrect, create a new KMS key with the correct external key ID.",
	"h": "The EKSP rejected the request because it could not find the external key.",
	"I": "The EKSP rejected the request because of an invalid URI path. Verify the URI path for your external key store and update if necessary.",
	"J": "The EKSP rejected the request because it does not support the requested operation. If you see this error repeatedly, report it to your EKSP administrator.",
	"K": "The EKSP did not respond to the request in the time allotted. Retry the request. If you see this error repeatedly, report it to your EKSP administrator.",
	"L": "The EKSP rejected the request due to a very high request rate. Reduce the frequency of your calls using KMS keys in this external key store.",
	"M": "AWS KMS cannot communicate with the EKSP. This might be a transient network issue. If you see this error repeatedly, verify that your EKSP is active and is connected to the network, and that its endpoint URI is correct in your external key store.",
	"N": "AWS KMS cannot establish a TLS connection to the EKSP. Verify the TLS configuration, including its certificate.",
	"O": "AWS KMS rejected the request because the EKSP did not respond in time. Retry the request. If you see this error repeatedly, report it to your EKSP administrator.",
	"P": "The EKSP is in an unhealthy state. If you see this message repeatedly, notify your EKSP administrator.",
	"Q": "This KMS key is in a custom key store that is not connected to its EKSP. Connect the external key store and try the request again.",
	"R": "The ciphertext that the EKSP submitted for decryption, or the encryption context, is corrupted, missing, or otherwise invalid.",
}

func proxyText(letter string) string {
	return strings.ReplaceAll(proxyTexts[letter], "EKSP", "external key store proxy")
}

// proxyFailure is what becomes of one failure of the proxy.
type proxyFailure struct {
	name       string
	fail       func(f *storeFixture)
	settings   string // exception of CreateCustomKeyStore and UpdateCustomKeyStore, without XksProxy and Exception
	newKey     string // of CreateKey
	connection types.ConnectionErrorCodeType
	text       string
	newKeyText string // if it is another one
}

// answers makes the proxy answer with an error.
func answers(name string) func(*storeFixture) {
	return func(f *storeFixture) { f.proxy.Fail(xkstest.Exception(name)) }
}

func misbehaves(fault xkstest.Fault) func(*storeFixture) {
	return func(f *storeFixture) { f.proxy.Fail(fault) }
}

// proxyFailures has every failure but those of waiting.
func proxyFailures() []proxyFailure {
	const (
		invalidState = "CustomKeyStoreInvalidStateException"
		unfit        = "XksKeyInvalidConfigurationException"

		response    = "XKS_PROXY_INVALID_RESPONSE"
		unreachable = "XKS_PROXY_NOT_REACHABLE"
	)
	return []proxyFailure{
		{"validation", answers(xks.ValidationException), "InvalidResponse", invalidState, response, "A", ""},
		{"internal", answers(xks.InternalException), "InvalidResponse", invalidState, response, "B", ""},
		{"state", answers(xks.InvalidStateException), "InvalidResponse", unfit, response, "C", ""},
		{"usage", answers(xks.InvalidKeyUsageException), "InvalidResponse", unfit, response, "D", ""},
		{"ciphertext", answers(xks.InvalidCiphertextException), "InvalidResponse", invalidState, response, "E", ""},
		{"authentication", answers(xks.AuthenticationFailedException), "IncorrectAuthenticationCredential", invalidState, "INVALID_CREDENTIALS", "F", ""},
		{"access", answers(xks.AccessDeniedException), "InvalidConfiguration", invalidState, "XKS_PROXY_ACCESS_DENIED", "G", ""},
		{"key", answers(xks.KeyNotFoundException), "InvalidResponse", "XksKeyNotFoundException", response, "H", "h"},
		{"path", answers(xks.InvalidURIPathException), "InvalidConfiguration", invalidState, "XKS_PROXY_INVALID_CONFIGURATION", "I", ""},
		{"operation", answers(xks.UnsupportedOperationException), "InvalidResponse", invalidState, response, "J", ""},
		{"dependency", answers(xks.DependencyTimeoutException), "UriUnreachable", invalidState, "XKS_PROXY_TIMED_OUT", "K", ""},
		{"throttling", answers(xks.ThrottlingException), "UriUnreachable", invalidState, unreachable, "L", ""},
		{"unknown error", misbehaves(xkstest.Reply(400, "application/json", `{"errorName":"OtherException"}`)), "InvalidResponse", invalidState, response, "A", ""},
		{"web page", misbehaves(xkstest.Reply(502, "text/html", "<html>")), "InvalidResponse", invalidState, response, "A", ""},
		{"empty object", misbehaves(xkstest.Reply(200, "application/json", "{}")), "InvalidResponse", invalidState, response, "A", ""},
		{"redirect", misbehaves(xkstest.Reply(307, "application/json", "{}")), "InvalidResponse", invalidState, response, "A", ""},
		{"truncated", misbehaves(xkstest.Truncate()), "InvalidResponse", invalidState, response, "A", ""},
		{"oversize", misbehaves(xkstest.Oversize()), "InvalidResponse", invalidState, response, "A", ""},
		{"dropped", misbehaves(xkstest.Drop()), "UriUnreachable", invalidState, unreachable, "M", ""},
		{"away", func(f *storeFixture) { f.change(func(s *surroundings) { s.way = away{} }) }, "UriUnreachable", invalidState, unreachable, "M", ""},
		{"late", func(f *storeFixture) { f.change(func(s *surroundings) { s.way = away{timeout: true} }) }, "UriUnreachable", invalidState, "XKS_PROXY_TIMED_OUT", "O", ""},
		{"TLS", insecure, "UriUnreachable", invalidState, "XKS_PROXY_INVALID_TLS_CONFIGURATION", "N", ""},
	}
}

// away is a transport without a proxy behind it. It is an error of package net too.
type away struct{ timeout bool }

func (a away) RoundTrip(*http.Request) (*http.Response, error) { return nil, a }
func (away) Error() string                                     { return "no way" }
func (a away) Timeout() bool                                   { return a.timeout }
func (away) Temporary() bool                                   { return false }

// insecure puts a server in the proxy's place whose certificate nobody trusts.
func insecure(f *storeFixture) {
	f.t.Helper()
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", server.Listener.Addr().String())
	}}
	f.t.Cleanup(server.Close)
	f.t.Cleanup(transport.CloseIdleConnections)
	f.change(func(s *surroundings) { s.way = transport })
}

func TestFailuresOfProxies(t *testing.T) {
	t.Parallel()
	for _, failure := range proxyFailures() {
		t.Run(strings.ReplaceAll(failure.name, " ", "-"), func(t *testing.T) {
			t.Parallel()
			eachWithStores(t, func(t *testing.T, f *storeFixture) { requireProxyFailure(t, f, failure) })
		})
	}
}

// requireProxyFailure has every operation that asks a proxy meet a failure.
func requireProxyFailure(t *testing.T, f *storeFixture, failure proxyFailure) {
	t.Helper()
	id := f.createConnected(t, f.externalStore("s"))
	key := f.createKey(t, externalKey(id, "key-1"))
	blob := do[sdk.EncryptOutput](t, f.api, &sdk.EncryptInput{KeyId: &key, Plaintext: []byte("secret")}).CiphertextBlob
	failure.fail(f)
	f.unchanged(t, func() {
		f.refusedByProxy(t, key, blob, proxyText(failure.text))
		newKeyText := failure.newKeyText
		if newKeyText == "" {
			newKeyText = failure.text
		}
		refused(t, f.api, externalKey(id, "key-2"), failure.newKey, proxyText(newKeyText))
		exception := "XksProxy" + failure.settings + "Exception"
		refused(t, f.api, f.externalStore("another"), exception, proxyText(failure.text))
		refused(t, f.api, &sdk.UpdateCustomKeyStoreInput{CustomKeyStoreId: &id, XksProxyUriPath: &f.proxy.Path}, exception, proxyText(failure.text))
	})
	f.disconnect(t, id)
	f.connect(t, id)
	require.Equal(t, types.ConnectionStateTypeFailed, f.describe(t, id).ConnectionState)
	require.Equal(t, failure.connection, f.describe(t, id).ConnectionErrorCode)

	// and it goes on where it was
	f.proxy.Fail(nil)
	f.change(func(s *surroundings) { s.way = f.proxy.RoundTripper() })
	refused(t, f.api, &sdk.DecryptInput{CiphertextBlob: blob}, "KMSInvalidStateException", proxyText("Q"))
	f.disconnect(t, id)
	f.connect(t, id)
	require.Equal(t, "secret", string(do[sdk.DecryptOutput](t, f.api, &sdk.DecryptInput{CiphertextBlob: blob}).Plaintext))
}

// refusedByProxy uses an external key in every way.
func (f *storeFixture) refusedByProxy(t *testing.T, key string, blob []byte, message string) {
	t.Helper()
	for _, in := range []any{
		&sdk.EncryptInput{KeyId: &key, Plaintext: []byte("x")},
		&sdk.DecryptInput{CiphertextBlob: blob},
		&sdk.GenerateDataKeyInput{KeyId: &key, KeySpec: types.DataKeySpecAes256},
		&sdk.GenerateDataKeyWithoutPlaintextInput{KeyId: &key, KeySpec: types.DataKeySpecAes128},
		&sdk.ReEncryptInput{CiphertextBlob: blob, DestinationKeyId: &f.id},
		&sdk.ReEncryptInput{CiphertextBlob: f.plant(t, "secret", nil), DestinationKeyId: &key},
	} {
		refused(t, f.api, in, "KMSInvalidStateException", message)
	}
}

// TestUnhealthyManagers has a proxy that answers, but nothing behind it.
func TestUnhealthyManagers(t *testing.T) {
	t.Parallel()
	eachWithStores(t, func(t *testing.T, f *storeFixture) {
		id := f.create(t, f.externalStore("s"))
		f.proxy.SetManagers(xks.Unavailable, xks.Unavailable)
		refused(t, f.api, f.externalStore("another"), "XksProxyUriUnreachableException", proxyText("P"))
		refused(t, f.api, &sdk.UpdateCustomKeyStoreInput{CustomKeyStoreId: &id, XksProxyUriPath: &f.proxy.Path}, "XksProxyUriUnreachableException", proxyText("P"))
		f.connect(t, id)
		require.Equal(t, types.ConnectionErrorCodeTypeXksProxyNotReachable, f.describe(t, id).ConnectionErrorCode)
		f.disconnect(t, id)
		f.proxy.SetManagers(xks.Unavailable, xks.Degraded)
		f.connect(t, id)
		require.Equal(t, types.ConnectionStateTypeConnected, f.describe(t, id).ConnectionState)
	})
}

// TestNoWayToProxies has a service whose Config names no transport.
func TestNoWayToProxies(t *testing.T) {
	t.Parallel()
	eachWithStores(t, func(t *testing.T, f *storeFixture) {
		refused(t, f.api, f.externalStore("s"), "XksProxyUriUnreachableException", proxyText("M"))
		id := f.create(t, f.vpcStore("v")) // which is not tried before it is connected
		f.connect(t, id)
		require.Equal(t, types.ConnectionErrorCodeTypeXksProxyNotReachable, f.describe(t, id).ConnectionErrorCode)
	}, func(c *kms.Config) { c.XKS = nil })
}

// TestStallingProxy has proxies that never answer, or stop in the middle, and AWS's
// limit of 250 ms for them.
func TestStallingProxy(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]xkstest.Fault{"at once": xkstest.Stall(), "in the middle": xkstest.StallBody()} {
		synctest.Test(t, func(t *testing.T) {
			f := newStoreFixture(t, false, func(c *kms.Config) { c.XKSTimeout = 0 })
			id := f.createConnected(t, f.externalStore("s"))
			key := f.createKey(t, externalKey(id, "key-1"))
			f.proxy.Fail(fault)
			begin := time.Now()
			refused(t, f.api, &sdk.EncryptInput{KeyId: &key, Plaintext: []byte("x")}, "KMSInvalidStateException", proxyText("O"))
			require.Equal(t, 250*time.Millisecond, time.Since(begin), name)
			refused(t, f.api, f.externalStore("t"), "XksProxyUriUnreachableException", proxyText("O"))
			refused(t, f.api, externalKey(id, "key-2"), "CustomKeyStoreInvalidStateException", proxyText("O"))
			f.disconnect(t, id)
			f.connect(t, id)
			require.Equal(t, types.ConnectionErrorCodeTypeXksProxyTimedOut, f.describe(t, id).ConnectionErrorCode)

			// the caller's own patience is another matter, and no fault of the proxy
			f.proxy.Fail(nil)
			f.disconnect(t, id)
			f.connect(t, id)
			f.proxy.Fail(fault)
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			_, err := call(ctx, f.api, &sdk.EncryptInput{KeyId: &key, Plaintext: []byte("x")})
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.Empty(t, codeOf(err))
		})
	}
}

func TestTimeoutOfProxies(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newStoreFixture(t, false, func(c *kms.Config) { c.XKSTimeout = 7 * time.Second })
		f.proxy.Fail(xkstest.Stall())
		begin := time.Now()
		refused(t, f.api, f.externalStore("s"), "XksProxyUriUnreachableException", proxyText("O"))
		require.Equal(t, 7*time.Second, time.Since(begin))
	})
}

// TestNothingWaitsForAProxy uses the service while a request waits for a proxy, which
// has no transaction open.
func TestNothingWaitsForAProxy(t *testing.T) {
	t.Parallel()
	f := newStoreFixture(t, false)
	id := f.createConnected(t, f.externalStore("s"))
	arrived, leave := make(chan struct{}), make(chan struct{})
	f.proxy.Fail(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			close(arrived)
			<-leave
			next.ServeHTTP(w, r)
		})
	})
	done := make(chan error)
	go func() {
		_, err := call(context.Background(), f.api, externalKey(id, "key-1"))
		done <- err
	}()
	<-arrived
	succeeds(t, f.api, &sdk.UpdateKeyDescriptionInput{KeyId: &f.id, Description: aws.String("meanwhile")})
	f.createKey(t, &sdk.CreateKeyInput{})
	f.disconnect(t, id) // what the request rests on
	close(leave)
	requireRefusal(t, <-done, "CustomKeyStoreInvalidStateException", proxyText("Q"))
}

// TestExternalKeyRequirements has keys that AWS KMS cannot use.
func TestExternalKeyRequirements(t *testing.T) {
	t.Parallel()
	both := []string{xks.UsageEncrypt, xks.UsageDecrypt}
	eachWithStores(t, func(t *testing.T, f *storeFixture) {
		id := f.createConnected(t, f.externalStore("s"))
		for _, test := range []struct {
			is   xks.Metadata
			want string
		}{
			{xks.Metadata{Spec: "AES_128", Usage: both, Status: xks.Enabled},
				"The key spec of the external key must be AES_256. The key spec of specified external key is AES_128."},
			{xks.Metadata{Spec: xks.AES256, Usage: both, Status: xks.Disabled},
				"The status of the external key must be ENABLED. The status of specified external key is DISABLED."},
			{xks.Metadata{Spec: xks.AES256, Usage: both[:1], Status: xks.Enabled},
				"The key usage of the external key must include ENCRYPT and DECRYPT. The key use of specified external key is ENCRYPT."},
			{xks.Metadata{Spec: xks.AES256, Usage: []string{"SIGN", "DECRYPT"}, Status: xks.Enabled},
				"The key usage of the external key must include ENCRYPT and DECRYPT. The key use of specified external key is SIGN, DECRYPT."},
		} {
			f.proxy.SetKey("key-1", test.is)
			f.unchanged(t, func() {
				refused(t, f.api, externalKey(id, "key-1"), "XksKeyInvalidConfigurationException", test.want)
			})
		}
		f.proxy.SetKey("key-1", xks.Metadata{Spec: xks.AES256, Usage: append([]string{"WRAP"}, both...), Status: xks.Enabled})
		succeeds(t, f.api, externalKey(id, "key-1"))
		refused(t, f.api, externalKey(id, "none"), "XksKeyNotFoundException", proxyText("h"))
	})
}

// TestTextsOfProxiesGoNowhere has a proxy that answers with words of its own.
func TestTextsOfProxiesGoNowhere(t *testing.T) {
	t.Parallel()
	f := newStoreFixture(t, false)
	id := f.createConnected(t, f.externalStore("s"))
	key := f.createKey(t, externalKey(id, "key-1"))
	for _, fault := range []xkstest.Fault{
		xkstest.Reply(400, "application/json", `{"errorName":"AccessDeniedException","errorMessage":"MARKER"}`),
		xkstest.Reply(400, "application/json", `{"errorName":"MARKER"}`),
		xkstest.Reply(200, "application/json", `{"MARKER":"MARKER","plaintext":"MARKER"}`),
		xkstest.Reply(200, "text/MARKER", `MARKER`),
	} {
		f.proxy.Fail(fault)
		_, err := call(t.Context(), f.api, &sdk.EncryptInput{KeyId: &key, Plaintext: []byte("x")})
		require.Equal(t, "KMSInvalidStateException", codeOf(err))
		require.NotContains(t, err.Error(), "MARKER")
	}
}
