package keyring_test

import (
	"context"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/envelope"
	"github.com/sealring/sealring/keyring"
	"github.com/sealring/sealring/keyring/awskms"
	"github.com/sealring/sealring/kms/kmstest"
)

// metered counts the requests to a KMS.
type metered struct {
	awskms.API
	generate, encrypt, decrypt atomic.Int64
}

func (m *metered) GenerateDataKey(ctx context.Context, in *kms.GenerateDataKeyInput, o ...func(*kms.Options)) (*kms.GenerateDataKeyOutput, error) {
	m.generate.Add(1)
	return m.API.GenerateDataKey(ctx, in, o...)
}

func (m *metered) Encrypt(ctx context.Context, in *kms.EncryptInput, o ...func(*kms.Options)) (*kms.EncryptOutput, error) {
	m.encrypt.Add(1)
	return m.API.Encrypt(ctx, in, o...)
}

func (m *metered) Decrypt(ctx context.Context, in *kms.DecryptInput, o ...func(*kms.Options)) (*kms.DecryptOutput, error) {
	m.decrypt.Add(1)
	return m.API.Decrypt(ctx, in, o...)
}

func newMetered(t *testing.T) (*kmstest.Cloud, *metered, keyring.Manager) {
	t.Helper()
	cloud := kmstest.New(t, nil)
	meter := &metered{API: cloud.Client(cloud.Root())}
	ring, err := awskms.New(meter, cloud.Seed(kmstest.Key{}), nil)
	require.NoError(t, err)
	return cloud, meter, keyring.NewManager(ring)
}

// The number of requests to KMS for 10,000 messages is exactly what the limits say,
// whether they are encrypted one after the other or by several goroutines at a time.
func TestCachingSavesRequestsToKMS(t *testing.T) {
	t.Parallel()
	const messages, size = 10_000, 64
	for _, row := range []struct {
		limits   keyring.CachingOptions
		generate int64
		spent    keyring.CachingStats
	}{
		{keyring.CachingOptions{}, 1, keyring.CachingStats{}},
		{keyring.CachingOptions{MaxMessages: 10_000}, 1, keyring.CachingStats{}},
		{keyring.CachingOptions{MaxMessages: 9_999}, 2, keyring.CachingStats{SpentMessages: 1}},
		{keyring.CachingOptions{MaxMessages: 100}, 100, keyring.CachingStats{SpentMessages: 99}},
		{keyring.CachingOptions{MaxMessages: 7}, 1429, keyring.CachingStats{SpentMessages: 1428}},
		{keyring.CachingOptions{MaxBytes: 100*size - 1}, 102, keyring.CachingStats{SpentBytes: 101}}, // 99 to a key
		{keyring.CachingOptions{MaxBytes: 100 * size, MaxMessages: 101}, 100, keyring.CachingStats{SpentBytes: 99}},
	} {
		for _, workers := range []int{1, 4} {
			t.Run(fmt.Sprintf("%d messages, %d bytes, %d workers", row.limits.MaxMessages, row.limits.MaxBytes, workers), func(t *testing.T) {
				t.Parallel()
				_, meter, plain := newMetered(t)
				c := newCaching(t, plain, row.limits)
				o := &envelope.EncryptOptions{Suite: keyring.AES256GCMHKDFSHA512CommitKey, Context: keyring.EncryptionContext{"a": "b"}}
				var wg sync.WaitGroup
				for range workers {
					wg.Go(func() {
						for range messages / workers {
							if _, err := envelope.Encrypt(t.Context(), c, make([]byte, size), o); err != nil {
								t.Error(err)
							}
						}
					})
				}
				wg.Wait()
				require.Equal(t, row.generate, meter.generate.Load())
				require.Zero(t, meter.encrypt.Load()+meter.decrypt.Load())
				s := c.Stats()
				require.EqualValues(t, messages, s.Hits+s.Misses)
				require.EqualValues(t, row.generate, s.Loads)
				require.Equal(t, row.spent.SpentMessages, s.SpentMessages)
				require.Equal(t, row.spent.SpentBytes, s.SpentBytes)
				if workers == 1 {
					require.EqualValues(t, row.generate, s.Misses)
				}
			})
		}
	}
}

// As many messages can be read with one request for each data key.
func TestCachingSavesRequestsToDecrypt(t *testing.T) {
	t.Parallel()
	_, meter, plain := newMetered(t)
	writer := newCaching(t, plain, keyring.CachingOptions{MaxMessages: 10})
	reader := newCaching(t, plain, keyring.CachingOptions{})
	for range 100 { // signed: the messages of a data key share the signing key too
		message, err := envelope.Encrypt(t.Context(), writer, []byte("text"), nil)
		require.NoError(t, err)
		for range 2 {
			got, _, err := envelope.Decrypt(t.Context(), reader, message, nil)
			require.NoError(t, err)
			require.Equal(t, "text", string(got))
		}
	}
	require.EqualValues(t, 10, meter.generate.Load())
	require.EqualValues(t, 10, meter.decrypt.Load())
	require.Equal(t, keyring.CachingStats{Hits: 190, Misses: 10, Loads: 10, Entries: 10}, reader.Stats())
}

// A stream's length is not known: it has a data key of its own, unless one is assumed.
func TestCachingStreams(t *testing.T) {
	t.Parallel()
	for assumed, want := range map[int64]int64{0: 10, 1 << 20: 1} {
		_, meter, plain := newMetered(t)
		c := newCaching(t, plain, keyring.CachingOptions{AssumedLength: assumed})
		for range 10 {
			w, err := envelope.NewWriter(t.Context(), io.Discard, c, &envelope.EncryptOptions{Suite: keyring.AES256GCMHKDFSHA512CommitKey})
			require.NoError(t, err)
			require.NoError(t, w.Close())
		}
		require.Equal(t, want, meter.generate.Load())
	}
}

// What has been revoked is felt when the entry is dropped: by its age at the latest.
func TestCachingOutlivesRevocation(t *testing.T) {
	t.Parallel()
	cloud, _, plain := newMetered(t)
	c := newCaching(t, plain, keyring.CachingOptions{MaxAge: time.Hour})
	message, err := envelope.Encrypt(t.Context(), c, []byte("text"), nil)
	require.NoError(t, err)
	_, _, err = envelope.Decrypt(t.Context(), c, message, nil)
	require.NoError(t, err)

	cloud.Fail("Decrypt", kmstest.AccessDenied())
	cloud.Fail("GenerateDataKey", kmstest.AccessDenied())
	_, _, err = envelope.Decrypt(t.Context(), c, message, nil)
	require.NoError(t, err)
	_, err = envelope.Encrypt(t.Context(), c, []byte("text"), nil)
	require.NoError(t, err)

	c.Clear()
	_, _, err = envelope.Decrypt(t.Context(), c, message, nil)
	require.ErrorIs(t, err, keyring.ErrNoMatch)
	_, err = envelope.Encrypt(t.Context(), c, []byte("text"), nil)
	require.ErrorContains(t, err, "AccessDeniedException")
}
