package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"os"
	"regexp"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"
)

// loadTime is the environment variable that says how long TestLoad runs: 10m, for a
// thorough one.
const loadTime = "SEALRING_LOAD_TIME"

// TestLoad has 16 connections make mixed requests of a server on a file, with an audit
// log, for a bounded time. Neither goroutines nor memory may grow with the requests: what
// is there after a first third is what is there at the end.
func TestLoad(t *testing.T) {
	const connections = 16
	lasting := 3 * time.Second
	if text := os.Getenv(loadTime); text != "" {
		var err error
		lasting, err = time.ParseDuration(text)
		require.NoError(t, err)
	}
	s := newSite(t)
	at := s.start(append(s.args, "-admin", "127.0.0.1:0", "-sweep", "1s")...)
	keys := make([]string, 4)
	for i := range keys {
		keys[i], _ = exchange(t, s.client(at), "alias/load"+strconv.Itoa(i))
	}
	transport := &http.Transport{MaxConnsPerHost: connections, MaxIdleConnsPerHost: connections}
	defer transport.CloseIdleConnections()
	api := client("http://"+at.address, s.credential, &http.Client{Transport: transport})

	requests := strain(t, api, keys, connections, lasting/3)
	goroutines, heap := settled(t, at)
	requests += strain(t, api, keys, connections, lasting-lasting/3)
	goroutinesAfter, heapAfter := settled(t, at)
	t.Logf("%d requests in %v; goroutines %d, then %d; heap %d KiB, then %d KiB", requests, lasting, goroutines, goroutinesAfter, heap>>10, heapAfter>>10)
	require.LessOrEqual(t, goroutinesAfter, goroutines+connections)
	// The ring of changes for watchers and the cache of keys fill up to a bound.
	require.LessOrEqual(t, heapAfter, heap+heap/2+8<<20)
	transport.CloseIdleConnections()
	require.Zero(t, at.end(), at.log)
	s.ok(append([]string{"verify", "-audit", s.path("audit.jsonl")}, s.opening()...)...)
}

// strain makes requests on so many connections and returns how many succeeded. None fails.
func strain(t *testing.T, api *kms.Client, keys []string, connections int, lasting time.Duration) uint64 {
	t.Helper()
	var (
		group sync.WaitGroup
		done  atomic.Uint64
	)
	end := time.Now().Add(lasting)
	for worker := range connections {
		group.Go(func() {
			for time.Now().Before(end) {
				if err := mixed(t.Context(), api, keys[rand.N(len(keys))], worker); err != nil {
					t.Errorf("after %d requests: %v", done.Load(), err)
					return
				}
				done.Add(1)
			}
		})
	}
	group.Wait()
	require.False(t, t.Failed())
	return done.Load()
}

// mixed makes one or a few requests, mostly cryptography. It leaves no more in the store
// than there was.
func mixed(ctx context.Context, api *kms.Client, key string, worker int) error {
	pairs := map[string]string{"worker": strconv.Itoa(worker)}
	switch n := rand.N(100); {
	case n < 40:
		out, err := api.Encrypt(ctx, &kms.EncryptInput{KeyId: &key, Plaintext: random(64), EncryptionContext: pairs})
		if err != nil {
			return err
		}
		_, err = api.Decrypt(ctx, &kms.DecryptInput{CiphertextBlob: out.CiphertextBlob, EncryptionContext: pairs})
		return err
	case n < 70:
		_, err := api.GenerateDataKey(ctx, &kms.GenerateDataKeyInput{KeyId: &key, KeySpec: types.DataKeySpecAes256})
		return err
	case n < 85:
		_, err := api.DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: &key})
		return err
	case n < 90:
		_, err := api.DescribeKey(ctx, &kms.DescribeKeyInput{KeyId: aws.String("alias/nothing")})
		if missing := new(types.NotFoundException); errors.As(err, &missing) {
			return nil
		}
		return errors.Join(errors.New("what is not there is described"), err)
	case n < 95:
		name := aws.String("alias/worker" + strconv.Itoa(worker))
		if _, err := api.CreateAlias(ctx, &kms.CreateAliasInput{AliasName: name, TargetKeyId: &key}); err != nil {
			return err
		}
		_, err := api.DeleteAlias(ctx, &kms.DeleteAliasInput{AliasName: name})
		return err
	default:
		tag := "worker" + strconv.Itoa(worker)
		if _, err := api.TagResource(ctx, &kms.TagResourceInput{KeyId: &key, Tags: []types.Tag{{TagKey: &tag, TagValue: &tag}}}); err != nil {
			return err
		}
		_, err := api.UntagResource(ctx, &kms.UntagResourceInput{KeyId: &key, TagKeys: []string{tag}})
		return err
	}
}

// settled returns the goroutines that the server's metrics show, once no request is in
// flight, and the heap after a collection.
func settled(t *testing.T, at *running) (goroutines int, heap uint64) {
	t.Helper()
	awaitInFlight(t, at, "0")
	text := get(t, http.DefaultClient, "http://"+at.admin+"/metrics")
	found := regexp.MustCompile(`(?m)^go_goroutines (\d+)$`).FindStringSubmatch(text)
	require.NotNil(t, found)
	goroutines, err := strconv.Atoi(found[1])
	require.NoError(t, err)
	runtime.GC()
	runtime.GC() // what pools have kept goes with the second
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return goroutines, m.HeapAlloc
}
