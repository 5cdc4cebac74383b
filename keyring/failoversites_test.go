package keyring_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/keyring"
)

var (
	errOutage  = errors.New("no route to the Region")
	errRefused = errors.New("access denied")
)

func isOutage(err error) bool { return errors.Is(err, errOutage) }

func newFailover(t *testing.T, o keyring.FailoverOptions, rings ...keyring.Keyring) *keyring.Failover {
	t.Helper()
	ring, err := keyring.NewFailover(o, rings...)
	require.NoError(t, err)
	return ring
}

// site is a keyring in a Region that can fail in the way of a test. All sites of a
// test open what any of them has wrapped.
type site struct {
	keyring.Keyring
	name string
	fail func(ctx context.Context) error // nil: the Region is up
	log  *[]string                       // the sites that were asked, in order
}

func (s *site) ask(ctx context.Context) error {
	*s.log = append(*s.log, s.name)
	if s.fail == nil {
		return nil
	}
	return s.fail(ctx)
}

func (s *site) OnEncrypt(ctx context.Context, m *keyring.EncryptionMaterials) error {
	if err := s.ask(ctx); err != nil {
		return err
	}
	return s.Keyring.OnEncrypt(ctx, m)
}

func (s *site) OnDecrypt(ctx context.Context, m *keyring.DecryptionMaterials, keys []keyring.EncryptedDataKey) error {
	if err := s.ask(ctx); err != nil {
		return err
	}
	return s.Keyring.OnDecrypt(ctx, m, keys)
}

func down(context.Context) error    { return fmt.Errorf("call: %w", errOutage) }
func refuses(context.Context) error { return fmt.Errorf("call: %w", errRefused) }
func hangs(ctx context.Context) error {
	<-ctx.Done()
	return fmt.Errorf("call: %w", ctx.Err())
}

// sites are three Regions and the failover over them.
type sites struct {
	*keyring.Failover
	a, b, c *site
	log     []string
}

func newSites(t *testing.T, o keyring.FailoverOptions) *sites {
	t.Helper()
	s := &sites{}
	replica := newAES(t, "key")
	s.a = &site{replica, "a", nil, &s.log}
	s.b = &site{replica, "b", nil, &s.log}
	s.c = &site{replica, "c", nil, &s.log}
	s.Failover = newFailover(t, o, s.a, s.b, s.c)
	return s
}

// encrypt returns the sites that one OnEncrypt has asked, and its error.
func (s *sites) encrypt(t *testing.T, ctx context.Context) (asked string, err error) {
	t.Helper()
	s.log = nil
	m := encryption(t, unsigned)
	err = s.OnEncrypt(ctx, m)
	if err == nil {
		require.NoError(t, m.Complete())
		require.Len(t, m.EncryptedDataKeys(), 1)
	} else {
		require.False(t, m.HasDataKey())
		require.Empty(t, m.EncryptedDataKeys())
	}
	for _, name := range s.log {
		asked += name
	}
	return asked, err
}

// decrypt is encrypt's counterpart, for a message that every site can open.
func (s *sites) decrypt(t *testing.T, ctx context.Context) (asked string, err error) {
	t.Helper()
	m := encryption(t, unsigned)
	require.NoError(t, s.a.Keyring.OnEncrypt(t.Context(), m))
	s.log = nil
	d := decryption(t, m)
	err = s.OnDecrypt(ctx, d, m.EncryptedDataKeys())
	if err == nil {
		require.Equal(t, m.DataKey(), d.DataKey())
	} else {
		require.False(t, d.HasDataKey())
	}
	for _, name := range s.log {
		asked += name
	}
	return asked, err
}

// both runs f with each direction.
func both(t *testing.T, f func(t *testing.T, s *sites, call func(*testing.T, context.Context) (string, error))) {
	t.Helper()
	for name, call := range map[string]func(*sites, *testing.T, context.Context) (string, error){
		"encrypt": (*sites).encrypt, "decrypt": (*sites).decrypt,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newSites(t, keyring.FailoverOptions{Unavailable: isOutage})
				f(t, s, func(t *testing.T, ctx context.Context) (string, error) { return call(s, t, ctx) })
			})
		})
	}
}
