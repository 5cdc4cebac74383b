package local_test

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/local"
	"github.com/sealring/sealring/store"
	"github.com/sealring/sealring/store/boltstore"
)

// span is where a record lies in a file: from its name on, behind which come the 12 bytes
// that boltstore puts before a value, and the sealed value.
type span struct {
	name     string
	from, to int
}

// smallFile returns the bytes of a file without free pages that holds a cloud with a key,
// an alias and a grant, and where the records are.
func smallFile(t *testing.T) (file []byte, spans []span) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "cloud.db")
	cloud := open(t, path, &local.Options{RootKey: rootKey(t, 1), SweepEvery: -1})
	arn, _ := roundTrip(t, cloud.SDK("eu-west-1"))
	_, err := cloud.SDK("eu-west-1").CreateAlias(t.Context(), &sdk.CreateAliasInput{
		AliasName: aws.String("alias/small"), TargetKeyId: &arn,
	})
	require.NoError(t, err)
	_, err = cloud.SDK("eu-west-1").CreateGrant(t.Context(), &sdk.CreateGrantInput{
		KeyId: &arn, GranteePrincipal: aws.String("arn:aws:iam::111122223333:user/bob"),
		Operations: []types.GrantOperation{types.GrantOperationDecrypt},
	})
	require.NoError(t, err)
	require.NoError(t, cloud.Close())

	s, err := boltstore.Open(path, &boltstore.Options{ReadOnly: true})
	require.NoError(t, err)
	var b bytes.Buffer
	_, err = s.Backup(t.Context(), &b)
	require.NoError(t, err)
	file = b.Bytes()
	for name, value := range contents(t, s) {
		require.Equal(t, 1, bytes.Count(file, value), "%q", name)
		at := bytes.Index(file, value)
		from := at - 12 - len(name)
		require.Equal(t, name, string(file[from:from+len(name)]))
		spans = append(spans, span{name, from, at + len(value)})
	}
	require.NoError(t, s.Close())
	return file, spans
}

func contents(t *testing.T, s store.Store) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	require.NoError(t, s.View(t.Context(), func(tx store.Tx) error {
		for e, err := range tx.Scan("", "") {
			require.NoError(t, err)
			all[e.Key] = e.Value
		}
		return nil
	}))
	return all
}

// TestEveryFlippedByteOfASmallStore flips each byte of each record in a file, in turn. It
// is detected, the record is named, and all others can be read.
func TestEveryFlippedByteOfASmallStore(t *testing.T) {
	t.Parallel()
	file, spans := smallFile(t)
	path := filepath.Join(t.TempDir(), "damaged.db")
	require.NoError(t, os.WriteFile(path, file, 0o600))
	whole := salvaged(t, path)
	require.Empty(t, whole.damage)
	require.Equal(t, store.TallyMatches, whole.report.Tally)
	require.Greater(t, len(whole.left), 5)
	require.Len(t, spans, len(whole.left)+2, "the head and the tally come on top")

	f, err := os.OpenFile(path, os.O_RDWR, 0)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, f.Close()) })
	for _, r := range spans {
		for at := r.from; at < r.to; at++ {
			flipped := []byte{file[at] ^ 1<<(at%8)}
			_, err := f.WriteAt(flipped, int64(at))
			require.NoError(t, err)
			whole.requireAllBut(t, path, r, at)
			_, err = f.WriteAt(file[at:at+1], int64(at))
			require.NoError(t, err)
		}
	}
	require.Equal(t, whole, salvaged(t, path))
}

// remains is what is left of a store.
type remains struct {
	damage []string // that boltstore tells of
	report *store.Report
	left   map[string][]byte
}

// salvaged reads what is left of a file, in both layers.
func salvaged(t *testing.T, path string) remains {
	t.Helper()
	inner, err := boltstore.Open(path, &boltstore.Options{Salvage: true})
	require.NoError(t, err)
	var r remains
	for _, err := range inner.Damage() {
		require.ErrorIs(t, err, boltstore.ErrFile)
		r.damage = append(r.damage, err.Error())
	}
	s, err := store.Seal(t.Context(), inner, rootKey(t, 1), &store.SealOptions{Salvage: true})
	if err != nil {
		require.ErrorIs(t, err, store.ErrNotSealed)
		require.NoError(t, inner.Close())
		return r
	}
	r.report, err = s.Verify(t.Context())
	require.NoError(t, err)
	r.left = contents(t, s)
	require.NoError(t, s.Close())
	return r
}

// requireAllBut fails unless the file at path has all that r has but what is in a damaged
// span.
func (r remains) requireAllBut(t *testing.T, path string, lost span, at int) {
	t.Helper()
	where := fmt.Sprintf("byte %d of %q", at-lost.from, lost.name)
	_, err := boltstore.Open(path, nil)
	require.ErrorIs(t, err, boltstore.ErrFile, where)
	got := salvaged(t, path)
	if at >= lost.from+len(lost.name) { // else it has another name now
		name := fmt.Sprintf("record %q is damaged", lost.name)
		require.ErrorContains(t, err, name, where)
		require.True(t, slices.ContainsFunc(got.damage, func(s string) bool {
			return bytes.Contains([]byte(s), []byte(name))
		}), "%s: %q", where, got.damage)
	}
	require.NotEmpty(t, got.damage, where)
	if lost.name == store.Reserved { // the head: without it nothing can be decrypted
		require.Nil(t, got.report, where)
		return
	}
	require.Equal(t, store.TallyDiffers, got.report.Tally, where)
	require.ErrorIs(t, got.report.Err(), store.ErrRollback, where)
	want := maps.Clone(r.left)
	delete(want, lost.name)
	require.Equal(t, slices.Sorted(maps.Keys(want)), slices.Sorted(maps.Keys(got.left)), where)
	require.Equal(t, want, got.left, where)
}
