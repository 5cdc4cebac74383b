package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/stretchr/testify/require"

	enginekms "github.com/sealring/sealring/kms"
	"github.com/sealring/sealring/local"
	"github.com/sealring/sealring/store"
	"github.com/sealring/sealring/store/boltstore"
)

// used returns a site whose store holds n keys and is not in use, and one ciphertext.
func used(t *testing.T, n int) (s *site, arn string, ciphertext []byte) {
	t.Helper()
	s = newSite(t)
	at := s.start(s.args...)
	for i := range n {
		arn, ciphertext = exchange(t, s.client(at), "alias/x"+strconv.Itoa(i))
	}
	require.Zero(t, at.end(), at.log)
	return s, arn, ciphertext
}

// verify runs verify on a file and returns what it reports.
func (b *bench) verify(status int, args ...string) verification {
	b.t.Helper()
	got, out, errs := b.run(append([]string{"verify", "-json"}, args...)...)
	require.Equal(b.t, status, got, "%s%s", out, errs)
	var v verification
	require.NoError(b.t, json.Unmarshal([]byte(out), &v), "%s", out)
	require.Equal(b.t, status == exitOK, v.OK)
	return v
}

// edit changes the records in a store's file, as who has the file but no key can.
func edit(t *testing.T, path string, fn func(tx store.Tx) error) {
	t.Helper()
	s, err := boltstore.Open(path, nil)
	require.NoError(t, err)
	require.NoError(t, s.Update(t.Context(), fn))
	require.NoError(t, s.Close())
}

// keyRecords returns the names of the keys' records in a store's file.
func keyRecords(t *testing.T, path string) (names []string) {
	t.Helper()
	s, err := boltstore.Open(path, &boltstore.Options{ReadOnly: true})
	require.NoError(t, err)
	defer s.Close()
	require.NoError(t, s.View(t.Context(), func(tx store.Tx) error {
		for e, err := range tx.Scan("kms/", "") {
			if err != nil {
				return err
			}
			if strings.Contains(e.Key, "/key/") {
				names = append(names, e.Key)
			}
		}
		return nil
	}))
	return names
}

func TestVerifyNamesDamage(t *testing.T) {
	t.Parallel()
	s, _, _ := used(t, 2)
	file := s.path("kms.db")
	good := s.verify(exitOK, s.opening()...)
	require.Empty(t, good.Store.Damaged)
	require.Equal(t, "matches", good.Store.Tally)
	s.verify(exitOK, append([]string{"-at-least", strconv.FormatUint(good.Store.Revision, 10)}, s.opening()...)...)
	s.verify(exitFailed, append([]string{"-at-least", strconv.FormatUint(good.Store.Revision+1, 10)}, s.opening()...)...)

	whole := s.read("kms.db")
	names := keyRecords(t, file)
	edit(t, file, func(tx store.Tx) error {
		value, err := tx.Get(names[0])
		if err != nil {
			return err
		}
		value[len(value)-1] ^= 1
		return tx.Put(names[0], value)
	})
	flipped := s.verify(exitFailed, s.opening()...)
	require.Equal(t, []string{names[0]}, flipped.Store.Damaged)
	require.Contains(t, s.fails(exitNotAuthentic, append([]string{"keys", "list"}, s.opening()...)...), names[0])
	require.Contains(t, s.fails(exitNotAuthentic, append([]string{"serve", "-listen", "127.0.0.1:0"}, s.args...)...), names[0])
	_, text, _ := s.run(append([]string{"verify"}, s.opening()...)...)
	require.Contains(t, text, "DAMAGED "+strconv.Quote(names[0]))
	require.True(t, strings.HasSuffix(text, "NOT OK\n"))

	require.NoError(t, os.WriteFile(file, whole, 0o600))
	edit(t, file, func(tx store.Tx) error { return tx.Delete(names[1]) })
	deleted := s.verify(exitFailed, s.opening()...)
	require.Equal(t, "differs", deleted.Store.Tally)
	require.Empty(t, deleted.Store.Damaged)
	s.fails(exitNotAuthentic, append([]string{"keys", "list"}, s.opening()...)...)

	require.NoError(t, os.WriteFile(file, whole[:9000], 0o600)) // what bbolt has in reserve is at the end
	s.fails(exitNotAuthentic, append([]string{"verify"}, s.opening()...)...)
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	status, _, _ := s.run(append([]string{"verify"}, s.opening()...)...)
	require.NotZero(t, status, "an empty file")
}

// TestVerifySalvagesAFile flips bytes of a file at many places: each is found, and what
// is left is reported.
func TestVerifySalvagesAFile(t *testing.T) {
	t.Parallel()
	s, _, _ := used(t, 1)
	whole := s.read("kms.db")
	record := []byte(keyRecords(t, s.path("kms.db"))[0])
	reported := 0
	for i := 0; i < len(record)+60; i += 9 {
		bad := bytes.Clone(whole)
		for at, n := 0, 0; ; at += n + 1 { // in pages that are free again, too
			if n = bytes.Index(whole[at:], record); n < 0 {
				break
			}
			bad[at+n+i] ^= 4
		}
		require.NoError(t, os.WriteFile(s.path("kms.db"), bad, 0o600))
		status, out, errs := s.run(append([]string{"verify"}, s.opening()...)...)
		require.Contains(t, []int{exitFailed, exitNotAuthentic}, status, "%s%s", out, errs)
		if status == exitFailed {
			require.Contains(t, out, "NOT OK")
			require.Contains(t, out, "WRONG boltstore")
			reported++
		}
	}
	require.Positive(t, reported)
}

func TestBackupAndRestore(t *testing.T) {
	t.Parallel()
	s, arn, ciphertext := used(t, 1)
	s.ok("backup", "-data", s.path("kms.db"), "-o", s.path("copy.db"))
	require.Contains(t, s.fails(exitFailed, "backup", "-data", s.path("kms.db"), "-o", s.path("copy.db")), "-force")
	s.ok("backup", "-data", s.path("kms.db"), "-force", "-o", s.path("copy.db"))

	errs := s.fails(exitFailed, "restore", "-data", s.path("kms.db"), s.path("copy.db"))
	require.Contains(t, errs, "move it away")
	require.NoError(t, os.Rename(s.path("kms.db"), s.path("old.db")))
	revision := s.verify(exitOK, "-data", s.path("copy.db"), "-plain-root-key", s.path("root.key")).Store.Revision
	s.fails(exitNotAuthentic, append([]string{"restore", "-at-least", strconv.FormatUint(revision+1, 10), s.path("copy.db")}, s.opening()...)...)
	s.fails(exitNoKey, "restore", "-data", s.path("kms.db"), "-plain-root-key", s.key("other.key"), s.path("copy.db"))
	s.fails(exitNotAuthentic, "restore", "-data", s.path("kms.db"), s.file("half.db", s.read("copy.db")[:9000]))
	s.fails(exitNotAuthentic, "restore", "-data", s.path("kms.db"), s.path("credentials"))
	require.NoFileExists(t, s.path("kms.db"))
	s.ok(append([]string{"restore", s.path("copy.db")}, s.opening()...)...)
	at := s.start(s.args[:6]...) // the audit log is newer than the backup
	requireOpens(t, s.client(at), ciphertext)
	_, err := s.client(at).DescribeKey(t.Context(), &kms.DescribeKeyInput{KeyId: &arn})
	require.NoError(t, err)
	for _, name := range s.names() {
		require.False(t, strings.HasPrefix(name, "."), name)
	}
}

func TestBackupOfARunningServer(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	token := s.file("token", []byte("0123456789abcdef-token\n"))
	at := s.start(append(s.args, "-admin", "127.0.0.1:0", "-admin-token-file", token)...)
	arn, _ := exchange(t, s.client(at), "alias/x")
	url := "http://" + at.admin
	s.ok("backup", "-admin", url, "-admin-token-file", token, "-o", s.path("copy.db"))
	require.Contains(t, s.ok("keys", "list", "-data", s.path("copy.db"), "-plain-root-key", s.path("root.key")), arn)

	wrong := s.file("wrong", []byte("0123456789abcdef-wrong"))
	errs := s.fails(exitFailed, "backup", "-admin", url, "-admin-token-file", wrong, "-o", s.path("other.db"))
	require.Contains(t, errs, "401")
	require.NotContains(t, errs, "0123456789abcdef")
	require.NotContains(t, at.log.String(), "0123456789abcdef")
	response, err := http.Post(url+"/backup", "", nil)
	require.NoError(t, err)
	response.Body.Close()
	require.Equal(t, http.StatusUnauthorized, response.StatusCode)
	response, err = http.Get(url + "/backup")
	require.NoError(t, err)
	response.Body.Close()
	require.Equal(t, http.StatusMethodNotAllowed, response.StatusCode)
	require.Contains(t, s.fails(exitInUse, "backup", "-admin", url, "-admin-token-file", token, "-force", "-o", s.path("kms.db")), "does not replace it")
	require.Contains(t, s.ok("backup", "-admin", url, "-admin-token-file", token, "-force", "-o", s.path("copy.db")), "bytes")
	s.fails(exitUsage, "backup", "-admin", "127.0.0.1", "-admin-token-file", token, "-o", s.path("other.db"))
	require.Zero(t, at.end())
	s.fails(exitFailed, "backup", "-admin", url, "-admin-token-file", token, "-o", s.path("other.db"))

	none := s.start(append(s.args, "-admin", "127.0.0.1:0")...)
	require.Contains(t, s.fails(exitFailed, "backup", "-admin", "http://"+none.admin, "-admin-token-file", token, "-o", s.path("other.db")), "404")
	require.NoFileExists(t, s.path("other.db"))
}

func TestRekey(t *testing.T) {
	t.Parallel()
	s, arn, ciphertext := used(t, 2)
	s.env[newPassphraseVariable] = "new"
	before := s.verify(exitOK, s.opening()...)
	var out struct{ Records int }
	require.NoError(t, json.Unmarshal([]byte(s.ok(append([]string{"rekey", "-json", "-new-passphrase"}, s.opening()...)...)), &out))
	require.Equal(t, before.Store.Records, out.Records)
	s.fails(exitNoKey, append([]string{"keys", "list"}, s.opening()...)...)
	require.Contains(t, s.ok(append([]string{"rekey", "-new-passphrase"}, s.opening()...)...), "0 records", "it is done already")

	s.env[passphraseVariable] = "new"
	require.Contains(t, s.ok("keys", "list", "-data", s.path("kms.db"), "-passphrase"), arn)
	v := s.verify(exitOK, "-data", s.path("kms.db"), "-passphrase", "-audit", s.path("audit.jsonl"))
	require.Len(t, v.Store.Epochs, 1)
	require.Greater(t, v.Store.Epochs[0], before.Store.Epochs[0])
	at := s.start("-data", s.path("kms.db"), "-passphrase", "-credentials", s.path("credentials"), "-audit", s.path("audit.jsonl"))
	requireOpens(t, s.client(at), ciphertext)
	s.fails(exitInUse, "rekey", "-data", s.path("kms.db"), "-passphrase", "-new-passphrase")
	require.Zero(t, at.end())
	wrong := s.key("wrong.key")
	s.fails(exitNoKey, "rekey", "-data", s.path("kms.db"), "-plain-root-key", wrong, "-new-plain-root-key", wrong)
}

// TestRekeyIsResumed interrupts a rekey after its first step.
func TestRekeyIsResumed(t *testing.T) {
	t.Parallel()
	s, arn, _ := used(t, 2)
	next := s.key("next.key")
	interrupt(t, s, next)
	s.fails(exitNoKey, append([]string{"keys", "list"}, s.opening()...)...)
	require.Len(t, s.verify(exitOK, "-data", s.path("kms.db"), "-plain-root-key", next).Store.Epochs, 2)
	out := s.ok(append([]string{"rekey", "-new-plain-root-key", next}, s.opening()...)...)
	require.NotContains(t, out, "\n0 records")
	require.Len(t, s.verify(exitOK, "-data", s.path("kms.db"), "-plain-root-key", next).Store.Epochs, 1)
	require.Contains(t, s.ok("keys", "list", "-data", s.path("kms.db"), "-plain-root-key", next), arn)
}

// interrupt begins a rekey under the key in a file and breaks it off.
func interrupt(t *testing.T, s *site, next string) {
	t.Helper()
	inner, err := boltstore.Open(s.path("kms.db"), nil)
	require.NoError(t, err)
	root, err := local.ReadKeyFile(s.path("root.key"))
	require.NoError(t, err)
	sealed, err := store.Seal(t.Context(), inner, root, nil)
	require.NoError(t, err)
	newRoot, err := local.ReadKeyFile(next)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	require.Error(t, sealed.Rekey(ctx, newRoot, func(int, int) { cancel() }))
	require.NoError(t, sealed.Close())
}

func TestMigrate(t *testing.T) {
	t.Parallel()
	s, arn, ciphertext := used(t, 3)
	s.env[newPassphraseVariable], s.env[passphraseVariable] = "new", "new"
	before := s.read("kms.db")
	s.ok(append([]string{"migrate", "-to-data", s.path("same.db")}, s.opening()...)...)
	s.ok(append([]string{"migrate", "-to-data", s.path("other.db"), "-new-passphrase"}, s.opening()...)...)
	require.Equal(t, before, s.read("kms.db"), "the store stays as it is")
	s.fails(exitFailed, append([]string{"migrate", "-to-data", s.path("other.db")}, s.opening()...)...)
	s.fails(exitNoKey, "migrate", "-data", s.path("kms.db"), "-passphrase", "-to-data", s.path("none.db"))
	s.fails(exitFailed, "migrate", "-data", s.path("nothing.db"), "-passphrase", "-to-data", s.path("none.db"))
	s.fails(exitFailed, append([]string{"migrate", "-to-data", filepath.Join(s.dir, "no", "where")}, s.opening()...)...)
	require.NoFileExists(t, s.path("none.db"))
	require.NoFileExists(t, s.path("nothing.db"))

	s.verify(exitOK, "-data", s.path("same.db"), "-plain-root-key", s.path("root.key"), "-audit", s.path("audit.jsonl"))
	v := s.verify(exitOK, "-data", s.path("other.db"), "-passphrase", "-audit", s.path("audit.jsonl"))
	require.Equal(t, "matches", v.Store.Tally)
	at := s.start("-data", s.path("other.db"), "-passphrase", "-credentials", s.path("credentials"), "-audit", s.path("audit.jsonl"))
	requireOpens(t, s.client(at), ciphertext)
	require.Zero(t, at.end())
	info, err := os.Stat(s.path("other.db"))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode())

	require.Contains(t, s.ok("migrate", "-data", s.path("kms.db")), "newest format")
	require.Contains(t, s.ok(append([]string{"keys", "list"}, s.opening()...)...), arn)
	for _, name := range s.names() {
		require.False(t, strings.HasPrefix(name, "."), name)
	}
}

// TestCopyInSteps copies more than one update takes, with large records among them.
func TestCopyInSteps(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	root, err := local.ReadKeyFile(s.path("root.key"))
	require.NoError(t, err)
	source, err := store.Seal(t.Context(), store.NewMemory(), root, nil)
	require.NoError(t, err)
	defer source.Close()
	for i := range 3*copyKeys + 1 {
		value := random(i)
		if i%40 == 0 {
			value = random(copyBytes - 100)
		}
		require.NoError(t, source.Update(t.Context(), func(tx store.Tx) error { return tx.Put("k"+strconv.Itoa(i), value) }))
	}
	var to storeFlags
	to.data = s.path("copy.db")
	n, err := copyStore(t.Context(), s.process(nil, nil), source, &to, root)
	require.NoError(t, err)
	require.Equal(t, 3*copyKeys+1, n)

	inner, err := boltstore.Open(to.data, nil)
	require.NoError(t, err)
	copied, err := store.Seal(t.Context(), inner, root, nil)
	require.NoError(t, err)
	defer copied.Close()
	require.NoError(t, compareStores(t.Context(), source, copied))
	for name, change := range map[string]func(tx store.Tx) error{
		"changed": func(tx store.Tx) error { return tx.Put("k7", []byte("x")) },
		"deleted": func(tx store.Tx) error { return tx.Delete("k7") },
		"added":   func(tx store.Tx) error { return tx.Put("z", nil) },
	} {
		require.NoError(t, copied.Update(t.Context(), change))
		require.ErrorContains(t, compareStores(t.Context(), source, copied), "differs", name)
	}
}

// TestHalfACopyIsNoStore cuts a copy off before its head is written.
func TestHalfACopyIsNoStore(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	root, err := local.ReadKeyFile(s.path("root.key"))
	require.NoError(t, err)
	raw := store.NewMemory()
	staged, err := store.Seal(t.Context(), raw, root, nil)
	require.NoError(t, err)
	defer staged.Close()
	require.NoError(t, staged.Update(t.Context(), func(tx store.Tx) error { return tx.Put("k", []byte("x")) }))
	half := store.NewMemory()
	defer half.Close()
	n, err := copyRecords(t.Context(), half, raw, reservedEnd)
	require.NoError(t, err)
	require.Equal(t, 1, n)
	_, err = store.Seal(t.Context(), half, root, nil)
	require.ErrorIs(t, err, store.ErrNotSealed)
	require.NoError(t, copyReserved(t.Context(), half, raw))
	_, err = store.Seal(t.Context(), half, root, nil)
	require.NoError(t, err)
}

func TestKeys(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	at := s.start(s.args...)
	arn, _ := exchange(t, s.client(at), "alias/x")
	denying := `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:user/ann"},"Action":"kms:*","Resource":"*"}}`
	hidden, err := s.client(at).CreateKey(t.Context(), &kms.CreateKeyInput{Policy: &denying, BypassPolicyLockoutSafetyCheck: true})
	require.NoError(t, err)
	require.Zero(t, at.end())

	var keys []keyInfo
	require.NoError(t, json.Unmarshal([]byte(s.ok(append([]string{"keys", "list", "-json"}, s.opening()...)...)), &keys))
	require.Len(t, keys, 2)
	for _, k := range keys {
		if k.ARN == arn {
			require.Equal(t, []string{"alias/x"}, k.Aliases)
			require.Equal(t, "Enabled", k.State)
			continue
		}
		require.Equal(t, *hidden.KeyMetadata.Arn, k.ARN)
		require.Equal(t, "AccessDeniedException", k.Refused)
	}
	text := s.ok(append([]string{"keys", "describe", arn}, s.opening()...)...)
	require.Contains(t, text, "alias/x")
	require.Contains(t, text, "Enable IAM User Permissions")
	var k keyInfo
	id := arn[strings.LastIndexByte(arn, '/')+1:]
	require.NoError(t, json.Unmarshal([]byte(s.ok(append([]string{"keys", "describe", id, "-json"}, s.opening()...)...)), &k))
	require.Equal(t, "SYMMETRIC_DEFAULT", k.Spec)
	s.fails(exitFailed, append([]string{"keys", "describe", "alias/none"}, s.opening()...)...)
}

// TestKeysOfAnOldStore lists keys whose rotation is due, and whose material has expired:
// neither is done, and nothing of the store changes.
func TestKeysOfAnOldStore(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	before := time.Now().AddDate(-1, 0, 0)
	root := b.key("root.key")
	cloud, err := local.Open(b.path("kms.db"), &local.Options{
		KeyFile: root, SweepEvery: -1, Configure: func(c *enginekms.Config) { c.Now = func() time.Time { return before } },
	})
	require.NoError(t, err)
	client := cloud.SDK("eu-west-1")
	due, err := client.CreateKey(t.Context(), &kms.CreateKeyInput{})
	require.NoError(t, err)
	_, err = client.EnableKeyRotation(t.Context(), &kms.EnableKeyRotationInput{KeyId: due.KeyMetadata.KeyId})
	require.NoError(t, err)
	deleted, err := client.CreateKey(t.Context(), &kms.CreateKeyInput{})
	require.NoError(t, err)
	_, err = client.ScheduleKeyDeletion(t.Context(), &kms.ScheduleKeyDeletionInput{KeyId: deleted.KeyMetadata.KeyId})
	require.NoError(t, err)
	require.NoError(t, cloud.Close())
	file := b.read("kms.db")

	var listed []keyInfo
	opening := []string{"-json", "-data", b.path("kms.db"), "-plain-root-key", root}
	require.NoError(t, json.Unmarshal([]byte(b.ok(append([]string{"keys", "list"}, opening...)...)), &listed))
	require.Len(t, listed, 1)
	require.Equal(t, *due.KeyMetadata.Arn, listed[0].ARN)
	require.Equal(t, "Enabled", listed[0].State)
	b.ok(append([]string{"keys", "describe", listed[0].ID}, opening...)...)
	b.fails(exitFailed, append([]string{"keys", "describe", *deleted.KeyMetadata.KeyId}, opening...)...)
	require.Equal(t, file, b.read("kms.db"))
}

// TestStoreCommandsInJSON has what makes or changes a store say in JSON what it has made.
func TestStoreCommandsInJSON(t *testing.T) {
	t.Parallel()
	s, _, _ := used(t, 1)
	result := func(args ...string) (r struct {
		File           string
		Bytes, Records int64
	}) {
		require.NoError(t, json.Unmarshal([]byte(s.ok(args...)), &r))
		return r
	}
	size := func(name string) int64 {
		info, err := os.Stat(s.path(name))
		require.NoError(t, err)
		return info.Size()
	}
	made := result("backup", "-json", "-data", s.path("kms.db"), "-o", s.path("copy.db"))
	require.Equal(t, s.path("copy.db"), made.File)
	require.Equal(t, size("copy.db"), made.Bytes)
	made = result("restore", "-json", "-data", s.path("again.db"), s.path("copy.db"))
	require.Equal(t, s.path("again.db"), made.File)
	require.Equal(t, size("again.db"), made.Bytes)
	made = result("migrate", "-json", "-data", s.path("kms.db"))
	require.Equal(t, s.path("kms.db"), made.File)
	require.Equal(t, size("kms.db"), made.Bytes)
	records := s.verify(exitOK, s.opening()...).Store.Records
	made = result(append([]string{"migrate", "-json", "-to-data", s.path("moved.db")}, s.opening()...)...)
	require.Equal(t, int64(records), made.Records)
	require.Positive(t, made.Records)
}
