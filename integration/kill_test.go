package integration

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/identity"
	"github.com/sealring/sealring/keyring"
	"github.com/sealring/sealring/kms"
	"github.com/sealring/sealring/store"
	"github.com/sealring/sealring/store/boltstore"
)

// Kill tests: a process that changes a store of one file as fast as it can is killed at a
// random moment, again and again. What it has been told that is done must be there when the
// file is opened again, and the file must be in order.

const (
	killPath   = "SEALRING_KILL_PATH"   // of the file, set for the process that is killed
	killSeed   = "SEALRING_KILL_SEED"   // of its random numbers
	killRounds = "SEALRING_KILL_ROUNDS" // how often somebody is killed, 200 by default
)

const (
	killWorkers  = 8
	killPerFile  = 25 // rounds, so that the files do not grow for ever
	killDelay    = 80 * time.Millisecond
	killPatience = time.Minute
)

// act is a line of the journal that the process writes: something that it is about to do,
// or that has been done. Each worker has one thing at a time to do.
type act struct {
	Worker int    `json:"w"`
	Done   bool   `json:"done,omitempty"`
	What   string `json:"what"` // an operation
	Key    string `json:"key,omitempty"`
	Name   string `json:"name,omitempty"` // of an alias
	Grant  string `json:"grant,omitempty"`
	Blob   []byte `json:"blob,omitempty"`
}

// openKilled opens the file as a service has it.
func openKilled(ctx context.Context, path string) (*store.Sealed, *kms.Service, error) {
	root, err := keyring.NewRawAES("kill", "root", bytes.Repeat([]byte{7}, 32))
	if err != nil {
		return nil, nil, err
	}
	file, err := boltstore.Open(path, nil)
	if err != nil {
		return nil, nil, err
	}
	sealed, err := store.Seal(ctx, file, root, nil)
	if err != nil {
		return nil, nil, errors.Join(err, file.Close())
	}
	s, err := kms.New(ctx, kms.Config{Store: sealed})
	return sealed, s, err
}

// TestKilledProcess is the process that is killed. It does nothing in a run of the tests.
func TestKilledProcess(t *testing.T) {
	path := os.Getenv(killPath)
	if path == "" {
		return
	}
	_, s, err := openKilled(t.Context(), path)
	require.NoError(t, err)
	seed, err := strconv.ParseUint(os.Getenv(killSeed), 10, 64)
	require.NoError(t, err)
	client := s.Client(identity.Root(identity.DefaultAccount, identity.DefaultRegion))
	var old []string
	list, err := client.ListKeys(t.Context(), &sdk.ListKeysInput{Limit: aws.Int32(1000)})
	require.NoError(t, err)
	for _, k := range list.Keys {
		old = append(old, *k.KeyId)
	}
	var workers sync.WaitGroup
	for i := range killWorkers {
		w := &killedWorker{number: i, seed: seed, random: rand.New(rand.NewPCG(seed, uint64(i))), client: client}
		for j := i; j < len(old); j += killWorkers { // nobody else touches them
			w.keys = append(w.keys, old[j])
		}
		workers.Go(func() {
			for {
				if err := w.step(t.Context()); err != nil {
					fmt.Fprintln(os.Stderr, err)
					os.Exit(3)
				}
			}
		})
	}
	workers.Wait()
}

// killedWorker makes one request after another.
type killedWorker struct {
	number int
	seed   uint64
	random *rand.Rand
	client *kms.Client

	keys    []string
	aliases []string // of this process
	grants  []act    // of this process
	made    int
}

// note writes a line of the journal at once, in one piece.
func (w *killedWorker) note(a act, done bool) error {
	a.Worker, a.Done = w.number, done
	line, err := json.Marshal(a)
	if err != nil {
		return err
	}
	_, err = os.Stdout.Write(append(line, '\n'))
	return err
}

// do notes a request, makes it, and notes what it has come to.
func (w *killedWorker) do(a act, request func(a *act) error) error {
	if err := w.note(a, false); err != nil {
		return err
	}
	if err := request(&a); err != nil {
		var limit *types.LimitExceededException // of rotations
		if !errors.As(err, &limit) {
			return fmt.Errorf("%s: %w", a.What, err)
		}
		a.What = "nothing"
	}
	return w.note(a, true)
}

// take removes and returns a random element.
func take[T any](r *rand.Rand, from *[]T) T {
	i := r.IntN(len(*from))
	v := (*from)[i]
	*from = slices.Delete(*from, i, i+1)
	return v
}

// step makes one request at random.
func (w *killedWorker) step(ctx context.Context) error {
	if len(w.keys) == 0 {
		return w.createKey(ctx)
	}
	key := w.keys[w.random.IntN(len(w.keys))]
	switch n := w.random.IntN(100); {
	case n < 10:
		return w.createKey(ctx)
	case n < 30:
		w.made++
		name := fmt.Sprintf("alias/%d/%d/%d", w.seed, w.number, w.made)
		w.aliases = append(w.aliases, name)
		return w.do(act{What: "CreateAlias", Key: key, Name: name}, func(a *act) error {
			_, err := w.client.CreateAlias(ctx, &sdk.CreateAliasInput{AliasName: &a.Name, TargetKeyId: &a.Key})
			return err
		})
	case n < 40 && len(w.aliases) > 0:
		return w.do(act{What: "UpdateAlias", Key: key, Name: w.aliases[w.random.IntN(len(w.aliases))]}, func(a *act) error {
			_, err := w.client.UpdateAlias(ctx, &sdk.UpdateAliasInput{AliasName: &a.Name, TargetKeyId: &a.Key})
			return err
		})
	case n < 45 && len(w.aliases) > 0:
		return w.do(act{What: "DeleteAlias", Name: take(w.random, &w.aliases)}, func(a *act) error {
			_, err := w.client.DeleteAlias(ctx, &sdk.DeleteAliasInput{AliasName: &a.Name})
			return err
		})
	case n < 60:
		return w.createGrant(ctx, key)
	case n < 65 && len(w.grants) > 0:
		g := take(w.random, &w.grants)
		return w.do(act{What: "RevokeGrant", Key: g.Key, Grant: g.Grant}, func(a *act) error {
			_, err := w.client.RevokeGrant(ctx, &sdk.RevokeGrantInput{KeyId: &a.Key, GrantId: &a.Grant})
			return err
		})
	case n < 75:
		return w.do(act{What: "RotateKeyOnDemand", Key: key}, func(a *act) error {
			_, err := w.client.RotateKeyOnDemand(ctx, &sdk.RotateKeyOnDemandInput{KeyId: &a.Key})
			return err
		})
	}
	return w.do(act{What: "Encrypt", Key: key}, func(a *act) error {
		out, err := w.client.Encrypt(ctx, &sdk.EncryptInput{KeyId: &a.Key, Plaintext: []byte(a.Key)})
		if err == nil {
			a.Blob = out.CiphertextBlob
		}
		return err
	})
}

// createKey makes a key, and a copy of every fourth.
func (w *killedWorker) createKey(ctx context.Context) error {
	copied := w.random.IntN(4) == 0
	id := ""
	err := w.do(act{What: "CreateKey"}, func(a *act) error {
		out, err := w.client.CreateKey(ctx, &sdk.CreateKeyInput{MultiRegion: &copied})
		if err == nil {
			id = *out.KeyMetadata.KeyId
			a.Key = id
		}
		return err
	})
	if err != nil || !copied {
		w.keys = append(w.keys, id)
		return err
	}
	w.keys = append(w.keys, id)
	return w.do(act{What: "ReplicateKey", Key: id}, func(a *act) error {
		_, err := w.client.ReplicateKey(ctx, &sdk.ReplicateKeyInput{KeyId: &a.Key, ReplicaRegion: aws.String(killCopies)})
		return err
	})
}

// killCopies is the Region of the copies.
const killCopies = "eu-central-1"

func (w *killedWorker) createGrant(ctx context.Context, key string) error {
	bob := "arn:aws:iam::" + identity.DefaultAccount + ":user/bob"
	return w.do(act{What: "CreateGrant", Key: key}, func(a *act) error {
		out, err := w.client.CreateGrant(ctx, &sdk.CreateGrantInput{
			KeyId: &a.Key, GranteePrincipal: &bob, RetiringPrincipal: &bob, Operations: []types.GrantOperation{"Decrypt"},
		})
		if err == nil {
			a.Grant = *out.GrantId
			w.grants = append(w.grants, *a)
		}
		return err
	})
}

// ledger is what must be in a file, by its journal.
type ledger struct {
	keys    map[string]*keyAccount
	aliases map[string]string // targets by name
	blobs   map[string]string // keys by ciphertext
	fresh   []string          // ciphertexts of the last round
	open    map[int]act       // what workers had begun when they were killed
	acts    int
}

type keyAccount struct {
	copied    bool
	rotations int
	grants    map[string]bool
}

func newLedger() *ledger {
	return &ledger{keys: map[string]*keyAccount{}, aliases: map[string]string{}, blobs: map[string]string{}}
}

// read takes a line of the journal.
func (l *ledger) read(t *testing.T, line []byte) {
	t.Helper()
	var a act
	require.NoError(t, json.Unmarshal(line, &a), "%s", line)
	if !a.Done {
		l.open[a.Worker] = a
		return
	}
	delete(l.open, a.Worker)
	l.acts++
	switch a.What {
	case "CreateKey":
		l.keys[a.Key] = &keyAccount{grants: map[string]bool{}}
	case "ReplicateKey":
		l.keys[a.Key].copied = true
	case "CreateAlias", "UpdateAlias":
		l.aliases[a.Name] = a.Key
	case "DeleteAlias":
		delete(l.aliases, a.Name)
	case "CreateGrant":
		l.keys[a.Key].grants[a.Grant] = true
	case "RevokeGrant":
		delete(l.keys[a.Key].grants, a.Grant)
	case "RotateKeyOnDemand":
		l.keys[a.Key].rotations++
	case "Encrypt":
		l.blobs[string(a.Blob)] = a.Key
		l.fresh = append(l.fresh, string(a.Blob))
	default:
		require.Equal(t, "nothing", a.What)
	}
}

// kill has a process work on the file until it is killed, and reads its journal.
func (l *ledger) kill(t *testing.T, path string, random *rand.Rand) {
	t.Helper()
	l.open, l.fresh = map[int]act{}, nil
	self, err := os.Executable()
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), killPatience)
	defer cancel()
	c := exec.CommandContext(ctx, self, "-test.run=^TestKilledProcess$")
	c.Env = append(os.Environ(), killPath+"="+path, killSeed+"="+strconv.FormatUint(random.Uint64N(1<<40), 10))
	var complaints bytes.Buffer
	c.Stderr = &complaints
	journal, err := c.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, c.Start())
	lines := bufio.NewReader(journal)
	delay, early := time.Duration(random.Int64N(int64(killDelay))), random.IntN(8) == 0
	if early { // while it opens the file, as a rule
		time.AfterFunc(delay, func() { _ = c.Process.Kill() })
	}
	for first := !early; ; first = false {
		line, err := lines.ReadBytes('\n')
		if err != nil { // a line that was cut off says nothing
			break
		}
		if first {
			time.AfterFunc(delay, func() { _ = c.Process.Kill() })
		}
		l.read(t, line)
	}
	err = c.Wait()
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit)
	require.Equal(t, -1, exit.ExitCode(), "it was not killed: %s", complaints.String())
	require.NoError(t, ctx.Err())
}

// begun returns what a worker has begun with something, if it has.
func (l *ledger) begun(is func(a act) bool) bool {
	for _, a := range l.open {
		if is(a) {
			return true
		}
	}
	return false
}

// verify opens the file and checks that all of the ledger is there. What was begun may have
// happened; then the ledger takes it.
func (l *ledger) verify(t *testing.T, path string, all bool) {
	t.Helper()
	sealed, s, err := openKilled(t.Context(), path)
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Close()) }()
	findings, err := kms.Check(t.Context(), sealed)
	require.NoError(t, err)
	require.Empty(t, findings)

	client := s.Client(identity.Root(identity.DefaultAccount, identity.DefaultRegion))
	l.verifyKeys(t, client)
	l.verifyAliases(t, client)
	for id, k := range l.keys {
		l.verifyKey(t, client, id, k)
		if k.copied {
			_, err := s.Client(identity.Root(identity.DefaultAccount, killCopies)).DescribeKey(t.Context(), &sdk.DescribeKeyInput{KeyId: &id})
			require.NoError(t, err)
		}
	}
	decrypts := func(blob string) {
		out, err := client.Decrypt(t.Context(), &sdk.DecryptInput{CiphertextBlob: []byte(blob)})
		require.NoError(t, err)
		require.Equal(t, l.blobs[blob], string(out.Plaintext))
	}
	if !all {
		for _, blob := range l.fresh {
			decrypts(blob)
		}
		return
	}
	for blob := range l.blobs {
		decrypts(blob)
	}
}

// verifyKeys compares which keys there are.
func (l *ledger) verifyKeys(t *testing.T, client *kms.Client) {
	t.Helper()
	begun := 0
	for _, a := range l.open {
		if a.What == "CreateKey" {
			begun++
		}
	}
	there := map[string]bool{}
	for p := sdk.NewListKeysPaginator(client, &sdk.ListKeysInput{}); p.HasMorePages(); {
		out, err := p.NextPage(t.Context())
		require.NoError(t, err)
		for _, k := range out.Keys {
			id := *k.KeyId
			if there[id] = true; l.keys[id] == nil {
				begun--
				l.keys[id] = &keyAccount{grants: map[string]bool{}}
			}
		}
	}
	require.GreaterOrEqual(t, begun, 0, "keys came from nowhere")
	for id := range l.keys {
		require.True(t, there[id], "%s is lost", id)
	}
}

// verifyAliases compares all aliases.
func (l *ledger) verifyAliases(t *testing.T, client *kms.Client) {
	t.Helper()
	there := map[string]string{}
	for p := sdk.NewListAliasesPaginator(client, &sdk.ListAliasesInput{Limit: aws.Int32(100)}); p.HasMorePages(); {
		out, err := p.NextPage(t.Context())
		require.NoError(t, err)
		for _, a := range out.Aliases {
			there[*a.AliasName] = *a.TargetKeyId
		}
	}
	for _, a := range l.open {
		if a.Name == "" {
			continue
		}
		target, ok := there[a.Name]
		switch was, had := l.aliases[a.Name]; {
		case !ok:
			require.True(t, a.What == "DeleteAlias" || !had, "%v", a)
		case target != was:
			require.Equal(t, a.Key, target, "%v", a)
		}
		if delete(l.aliases, a.Name); ok {
			l.aliases[a.Name] = target
		}
	}
	require.Equal(t, l.aliases, there)
}

// verifyKey compares a key's grants and rotations.
func (l *ledger) verifyKey(t *testing.T, client *kms.Client, id string, k *keyAccount) {
	t.Helper()
	there := map[string]bool{}
	for p := sdk.NewListGrantsPaginator(client, &sdk.ListGrantsInput{KeyId: &id, Limit: aws.Int32(100)}); p.HasMorePages(); {
		out, err := p.NextPage(t.Context())
		require.NoError(t, err)
		for _, g := range out.Grants {
			there[*g.GrantId] = true
		}
	}
	for g := range k.grants {
		if !there[g] {
			require.True(t, l.begun(func(a act) bool { return a.What == "RevokeGrant" && a.Grant == g }), "a grant on %s is lost", id)
		}
	}
	for g := range there {
		if !k.grants[g] {
			require.True(t, l.begun(func(a act) bool { return a.What == "CreateGrant" && a.Key == id }), "a grant on %s came from nowhere", id)
		}
	}
	k.grants = there

	out, err := client.ListKeyRotations(t.Context(), &sdk.ListKeyRotationsInput{KeyId: &id})
	require.NoError(t, err)
	if n := len(out.Rotations); n != k.rotations {
		require.Equal(t, k.rotations+1, n, "rotations of %s", id)
		require.True(t, l.begun(func(a act) bool { return a.What == "RotateKeyOnDemand" && a.Key == id }))
		k.rotations = n
	}
}

// TestKill kills a process 200 times.
func TestKill(t *testing.T) {
	t.Parallel()
	rounds := 200
	if n := os.Getenv(killRounds); n != "" {
		var err error
		rounds, err = strconv.Atoi(n)
		require.NoError(t, err)
	}
	for file := 0; file*killPerFile < rounds; file++ {
		t.Run(strconv.Itoa(file), func(t *testing.T) {
			t.Parallel()
			seed := rand.Uint64()
			random := rand.New(rand.NewPCG(seed, 0))
			path := filepath.Join(t.TempDir(), "kill.db")
			l := newLedger()
			n := min(killPerFile, rounds-file*killPerFile)
			for i := range n {
				l.kill(t, path, random)
				l.verify(t, path, i == n-1)
			}
			t.Logf("%d rounds: %d requests were acknowledged, %d keys, %d aliases, %d ciphertexts", n, l.acts, len(l.keys), len(l.aliases), len(l.blobs))
		})
	}
}
