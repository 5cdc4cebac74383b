package kms_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/internal/keyrecord"
	"github.com/sealring/sealring/kms"
	"github.com/sealring/sealring/store"
)

const (
	racers   = 64
	settling = time.Minute
)

// TestEverythingAtOnce has many callers make requests of every operation, with what
// chance gives them, on a few keys of several kinds in two Regions. Each gets an answer
// that AWS documents, every operation succeeds for somebody, and what is left afterwards
// is in order. What the requests are is in raceinputs_test.go.
func TestEverythingAtOnce(t *testing.T) {
	t.Parallel()
	c := newCourse(t)
	var group sync.WaitGroup
	for i := range racers {
		group.Go(func() { c.newRacer(i).run() })
	}
	group.Wait()
	c.settle(t)
	c.makeUp()
	c.settle(t)
	require.Empty(t, c.problems)
	for _, o := range kms.Operations() {
		require.Positive(t, c.successes[o.Name()], "nobody has succeeded with %s", o.Name())
	}
	c.requireRecords(t)
	c.requireCounters(t)
	c.requireGrants(t)
	c.requireRotations(t)
	c.requireCopies(t)
	c.requireKeyStores(t)
	c.requireSecrets(t)
}

// secret is something that was encrypted, and what it was.
type secret struct {
	plaintext, blob []byte
	context         map[string]string
}

// course is what the racers share. What they do is written down.
type course struct {
	*storeFixture
	store store.Store // sealed, as the engine has it

	documented map[string][]string // exceptions, by operation
	seed       uint64

	plain, copied, due, external, inHSM, outside      string // ids of symmetric keys
	signing, authentication, agreement, encapsulation string
	cipher                                            string // RSA
	hsmStore, xksStore                                string
	materials                                         map[string][]byte // of the external key, by their ids
	wrapped                                           map[string][]byte // the same, wrapped
	token                                             []byte            // for their import
	signature, mac, sealedSecret, peer                []byte

	mu        sync.Mutex
	problems  []string       // guarded by mu
	successes map[string]int // by operation; guarded by mu
	secrets   []secret       // guarded by mu
	grants    []grantMade    // guarded by mu
	ended     map[string]int // grants, by key; guarded by mu
	demanded  map[string]int // rotations on demand, by key; guarded by mu
	stores    []string       // that anybody may delete; guarded by mu
	counters  map[string]string
}

// grantMade is a grant that there is or was.
type grantMade struct{ region, key, id, token string }

// on is the key that it is on.
func (g grantMade) on() string { return g.region + "/" + g.key }

func newCourse(t *testing.T) *course {
	t.Helper()
	c := &course{
		documented: documentedExceptions(t), seed: rand.Uint64(),
		successes: map[string]int{}, ended: map[string]int{}, demanded: map[string]int{}, counters: map[string]string{},
	}
	t.Logf("seed %d", c.seed)
	c.storeFixture = newStoreFixture(t, false, func(o *kms.Config) { c.store, o.Settling = o.Store, settling })
	for i := range spareClusters {
		c.clusters[spareCluster(i)] = kms.CloudHSMCluster{TrustAnchor: anchor, Password: password, Active: true, HSMs: 2}
	}
	create := func(in *sdk.CreateKeyInput) string { return idOf(c.createKey(t, in)) }
	c.plain, c.due = create(nil), create(nil)
	c.copied = create(&sdk.CreateKeyInput{MultiRegion: aws.Bool(true)})
	succeeds(t, c.api, &sdk.ReplicateKeyInput{KeyId: &c.copied, ReplicaRegion: aws.String(otherRegion)})
	for i, key := range []string{c.copied, c.due} {
		succeeds(t, c.api, &sdk.EnableKeyRotationInput{KeyId: &key, RotationPeriodInDays: aws.Int32(90)})
		rewrite(t, c.store, key, func(k *keyrecord.Key) { k.Rotation.Next = c.Now().Add(time.Duration(30+10*i) * time.Minute) })
	}
	c.signing, c.authentication = idOf(c.newKey(t, "ECC_NIST_P256", forSigning)), idOf(c.newKey(t, "HMAC_256", forAuthentication))
	c.agreement, c.encapsulation = idOf(c.newKey(t, "ECC_NIST_P256", forAgreement)), idOf(c.newKey(t, "ML_KEM_512", forEncapsulation))
	c.cipher = idOf(c.newKey(t, "RSA_2048", forEncryption))
	c.hsmStore, c.xksStore = c.create(t, c.storeFixture.hsmStore("hsm")), c.create(t, c.externalStore("xks"))
	c.connect(t, c.hsmStore)
	c.connect(t, c.xksStore)
	for i := range spareClusters / 2 {
		in := c.storeFixture.hsmStore(fmt.Sprint("spare", i))
		in.CloudHsmClusterId = aws.String(spareCluster(i))
		c.stores = append(c.stores, c.create(t, in))
	}
	c.external = create(&sdk.CreateKeyInput{Origin: types.OriginTypeExternal})
	c.wrapMaterials(t)
	c.Advance(settling)
	c.inHSM, c.outside = create(hsmKey(c.hsmStore)), create(externalKey(c.xksStore, "key-1"))
	c.prepare(t)
	return c
}

// wrapMaterials makes material for the external key, and gives it the first.
func (c *course) wrapMaterials(t *testing.T) {
	t.Helper()
	c.materials, c.wrapped = map[string][]byte{}, map[string][]byte{}
	i := importerFor(t, c.api, c.external, oaep256, rsa2048)
	c.token = i.token
	for n := range 3 {
		material := random(32)
		id := keyrecord.MaterialID(c.external, material)
		c.materials[id], c.wrapped[id] = material, i.wrap(t, material)
		if n == 0 {
			succeeds(t, c.api, i.imported(t, material))
		}
	}
}

// prepare makes what requests to verify, to open and to agree need.
func (c *course) prepare(t *testing.T) {
	t.Helper()
	c.signature = do[sdk.SignOutput](t, c.api, &sdk.SignInput{KeyId: &c.signing, Message: messageOfTests, SigningAlgorithm: "ECDSA_SHA_256"}).Signature
	c.mac = do[sdk.GenerateMacOutput](t, c.api, &sdk.GenerateMacInput{KeyId: &c.authentication, Message: messageOfTests, MacAlgorithm: "HMAC_SHA_256"}).Mac
	c.peer = do[sdk.GetPublicKeyOutput](t, c.api, &sdk.GetPublicKeyInput{KeyId: &c.agreement}).PublicKey
	c.sealedSecret = do[sdk.EncapsulateOutput](t, c.api, &sdk.EncapsulateInput{KeyId: &c.encapsulation, EncapsulationAlgorithm: "ML_KEM"}).SharedSecretCiphertextBlob
	for _, key := range []string{c.plain, c.copied, c.external, c.inHSM, c.outside} {
		blob := do[sdk.EncryptOutput](t, c.api, &sdk.EncryptInput{KeyId: &key, Plaintext: []byte(key)}).CiphertextBlob
		c.secrets = append(c.secrets, secret{plaintext: []byte(key), blob: blob})
	}
}

// racer is one of the callers.
type racer struct {
	*course
	*rand.Rand
	n       int
	region  string // of the next request
	bob     bool   // who may do what grants let him, and not the root user
	counter int    // how often this racer has written its tag
}

func (c *course) newRacer(n int) *racer {
	return &racer{course: c, Rand: rand.New(rand.NewPCG(c.seed, uint64(n))), n: n}
}

// run makes a request of each operation, in an order of the racer's own. What it takes
// away it puts back, so that others can go on.
func (r *racer) run() {
	names := slices.Sorted(maps.Keys(raceInputs))
	r.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	for i, name := range names {
		r.step(name)
		if i%10 == 0 {
			r.Advance(settling)
		}
	}
}

// step makes a request of the operation.
func (r *racer) step(name string) {
	r.region, r.bob = region, r.IntN(8) == 0
	if r.IntN(4) == 0 {
		r.region = otherRegion
	}
	in := raceInputs[name](r)
	if in == nil {
		return
	}
	r.vary(in)
	r.request(in)
	if remedy, ok := remedies[name]; ok {
		r.bob = false
		for _, in := range remedy(r, in) {
			r.request(in)
		}
	}
}

// makeUp tries again what nobody has succeeded with in the throng.
func (c *course) makeUp() {
	r := c.newRacer(0)
	for name := range raceInputs {
		for range 100 {
			if c.successes[name] > 0 {
				break
			}
			r.step(name)
		}
	}
}

// request makes a request, and writes down what came of it.
func (r *racer) request(in any) {
	who := root
	if r.bob {
		who = bobby
	}
	var api kms.API = r.Client(who.In(r.region))
	if r.n%8 == 0 {
		api = r.Service().SDK(who.In(r.region), func(o *sdk.Options) { o.Retryer = aws.NopRetryer{} })
	}
	name := nameOf(in)
	out, err := call(context.Background(), api, in)
	r.mu.Lock()
	defer r.mu.Unlock()
	if err == nil {
		r.successes[name]++
		r.note(in, out)
		return
	}
	code := codeOf(err)
	expected := slices.Contains(r.documented[name], code) && code != "KMSInternalException"
	switch code {
	case "AccessDeniedException": // bob has no permission, or the ciphertext's key is in another Region
		expected = r.bob || name == "Decrypt" || name == "ReEncrypt"
	case "ValidationException":
		expected = slices.Contains(maybeInvalid, name)
	}
	if !expected {
		r.problems = append(r.problems, fmt.Sprintf("%s: %v", name, err))
	}
}

// maybeInvalid are the operations whose requests chance can make invalid.
var maybeInvalid = []string{"UpdateAlias"} // to a key of another kind

// note writes down a success. The caller holds mu.
func (r *racer) note(in, out any) {
	switch in := in.(type) {
	case *sdk.EncryptInput:
		r.secrets = append(r.secrets, secret{in.Plaintext, out.(*sdk.EncryptOutput).CiphertextBlob, in.EncryptionContext})
	case *sdk.GenerateDataKeyInput:
		o := out.(*sdk.GenerateDataKeyOutput)
		r.secrets = append(r.secrets, secret{o.Plaintext, o.CiphertextBlob, in.EncryptionContext})
	case *sdk.GenerateDataKeyPairInput:
		o := out.(*sdk.GenerateDataKeyPairOutput)
		r.secrets = append(r.secrets, secret{o.PrivateKeyPlaintext, o.PrivateKeyCiphertextBlob, in.EncryptionContext})
	case *sdk.CreateGrantInput:
		o := out.(*sdk.CreateGrantOutput)
		r.grants = append(r.grants, grantMade{r.region, *in.KeyId, *o.GrantId, *o.GrantToken})
	case *sdk.RevokeGrantInput:
		r.ended[r.region+"/"+*in.KeyId]++
	case *sdk.RetireGrantInput:
		r.ended[r.grantOf(*in.GrantToken).on()]++
	case *sdk.RotateKeyOnDemandInput:
		r.demanded[*in.KeyId]++
	case *sdk.CreateCustomKeyStoreInput:
		r.stores = append(r.stores, *out.(*sdk.CreateCustomKeyStoreOutput).CustomKeyStoreId)
	case *sdk.TagResourceInput:
		if tag := in.Tags[0]; strings.HasPrefix(*tag.TagKey, "racer") {
			r.counter++
			r.counters[*in.KeyId+*tag.TagKey] = *tag.TagValue
		}
	}
}

func (c *course) grantOf(token string) grantMade {
	i := slices.IndexFunc(c.grants, func(g grantMade) bool { return g.token == token })
	return c.grants[i]
}

// documentedExceptions reads the list that AWS's API reference gives.
func documentedExceptions(t *testing.T) map[string][]string {
	t.Helper()
	b, err := os.ReadFile("testdata/exceptions.txt")
	require.NoError(t, err)
	all := map[string][]string{}
	for line := range strings.Lines(string(b)) {
		name, exceptions, ok := strings.Cut(line, ":")
		if !ok || strings.HasPrefix(line, "#") {
			continue
		}
		for _, e := range strings.Fields(exceptions) {
			all[name] = append(all[name], e+"Exception")
		}
	}
	require.Len(t, all, 56)
	return all
}
