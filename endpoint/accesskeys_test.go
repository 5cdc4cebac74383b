package endpoint_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/endpoint"
	"github.com/sealring/sealring/identity"
)

func TestCreateAccessKey(t *testing.T) {
	t.Parallel()
	var keys endpoint.AccessKeys
	ids, secrets := map[string]bool{}, map[string]bool{}
	for range 500 {
		id, secret := keys.Create(identity.Caller{})
		require.Regexp(t, "^AKIA[A-Z2-7]{16}$", id)
		require.Regexp(t, "^[A-Za-z0-9+/]{40}$", secret)
		ids[id], secrets[secret] = true, true
	}
	require.Len(t, ids, 500)
	require.Len(t, secrets, 500)
}

func TestAddAccessKey(t *testing.T) {
	t.Parallel()
	var keys endpoint.AccessKeys
	for id, ok := range map[string]bool{
		"":                            false,
		"test":                        false,
		strings.Repeat("A", 15):       false,
		strings.Repeat("A", 16):       true,
		strings.Repeat("z", 128):      true,
		strings.Repeat("z", 129):      false,
		"AKIAIOSFODNN7EXAMPLE":        true,
		"AKIAIOSFODNN7/EXAMPLE":       false,
		"AKIAIOSFODNN7 EXAMPLE":       false,
		"AKIAIOSFODNN7-EXAMPLE":       false,
		"AKIAIOSFODNN7_EXAMPLE":       false,
		"AKIAIOSFODNN7.EXAMPLE":       false,
		"AKIAIOSFODNN7ÉXAMPLE":        false,
		"AKIAIOSFODNN7\x00EXAMPLE":    false,
		"AKIAIOSFODNN7EXAMPLE\r\nX: ": false,
	} {
		err := keys.Add(id, "hush-hush", identity.Caller{})
		require.Equal(t, ok, err == nil, "%q: %v", id, err)
		require.Error(t, keys.Add(id, "", identity.Caller{}), "%q without a secret", id)
		if err != nil {
			require.NotContains(t, err.Error(), "hush-hush")
		}
	}
}

func TestReplacedAndRemovedAccessKey(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	status := func(secret string) int {
		r := newRequest("ListKeys", "")
		sign(t, r, "", signature{creds: aws.Credentials{AccessKeyID: rootID, SecretAccessKey: secret}})
		return s.do(r).status
	}
	require.Equal(t, http.StatusOK, status(rootSecret))
	require.NoError(t, s.keys.Add(rootID, "another", s.Root()))
	require.Equal(t, http.StatusBadRequest, status(rootSecret))
	require.Equal(t, http.StatusOK, status("another"))
	s.keys.Remove(rootID)
	s.keys.Remove(rootID)
	require.Equal(t, http.StatusBadRequest, status("another"))
	require.NoError(t, s.keys.Add(rootID, rootSecret, s.Root()))
	require.Equal(t, http.StatusOK, status(rootSecret))
}

// TestAccessKeysAtOnce is for the race detector.
func TestAccessKeysAtOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	var wg sync.WaitGroup
	for range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			creds := aws.Credentials{}
			for range 20 {
				creds.AccessKeyID, creds.SecretAccessKey = s.keys.Create(s.Root())
				r := newRequest("ListKeys", "")
				sign(t, r, "", signature{creds: creds})
				if a := s.do(r); a.status != http.StatusOK {
					t.Errorf("key in use: %d %s", a.status, a.body)
				}
				s.keys.Remove(creds.AccessKeyID)
				if a := s.do(r); a.status != http.StatusBadRequest {
					t.Errorf("removed key: %d %s", a.status, a.body)
				}
			}
		}()
	}
	wg.Wait()
}

func TestPrintingAccessKeysShowsNoSecret(t *testing.T) {
	t.Parallel()
	keys := &endpoint.AccessKeys{}
	_, secret := keys.Create(identity.Root("111122223333", "us-east-1"))
	_, sessionSecret, token := keys.CreateSession(identity.Root("111122223333", "us-east-1"), time.Now())
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		text := fmt.Sprintf(verb, keys)
		require.Equal(t, "endpoint.AccessKeys{2 keys}", text)
		for _, quiet := range []string{secret, sessionSecret, token} {
			require.NotContains(t, text, quiet)
		}
	}
}
