package local_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/endpoint"
	"github.com/sealring/sealring/identity"
	"github.com/sealring/sealring/kms"
	"github.com/sealring/sealring/local"
)

// The walk of every operation over the exceptions that AWS documents for it: each is
// provoked over the direct client, over the SDK's in process, and over HTTP, or listed in
// docs/compat.md as one that is never sent. What provokes an exception of many operations
// is in this file, what is peculiar to one in provocations_test.go.

// provocation is a request that gets an exception.
type provocation struct {
	cloud  *local.Cloud
	region string
	in     any

	// text is what the exception has to say; "" if that is not known, and silent if it
	// has no message at all.
	text string

	overHTTP bool // it is the endpoint that sends it
}

const silent = "no message"

func TestEveryDocumentedException(t *testing.T) {
	t.Parallel()
	documented, unsent := documentedExceptions(t), unsentExceptions(t)
	names := []string{}
	for _, o := range kms.Operations() {
		names = append(names, o.Name())
	}
	require.ElementsMatch(t, names, operationsOf(documented))

	all := map[pair]provocation{}
	s := newStage(t)
	for _, p := range documented {
		if slices.Contains(unsent, p) {
			continue
		}
		what, ok := s.provoke(p)
		require.True(t, ok, "%s is to be provoked or to be listed in docs/compat.md", p)
		all[p] = what
	}
	for _, p := range slices.Concat(slices.Collect(maps.Keys(ofOne)), slices.Collect(maps.Keys(s.keyStores))) {
		require.Contains(t, all, p, "is not documented, or listed as never sent")
	}
	require.Len(t, documented, len(all)+len(unsent), "docs/compat.md lists what is not documented, or something twice")
	for way, api := range ways {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			for p, err := range sendAll(t, way, api, all) {
				t.Run(p.String(), func(t *testing.T) { requireException(t, way, p, all[p].text, err) })
			}
		})
	}
}

// sendAll makes all requests at once and returns their errors.
func sendAll(t *testing.T, way string, api func(*testing.T, *local.Cloud, string) kms.API, all map[pair]provocation) map[pair]error {
	t.Helper()
	var (
		group sync.WaitGroup
		mu    sync.Mutex
	)
	errs := map[pair]error{} // guarded by mu
	type place struct {
		cloud  *local.Cloud
		region string
	}
	clients := map[place]kms.API{}
	for p, what := range all {
		if what.overHTTP && way != "HTTP" {
			continue
		}
		at := place{what.cloud, what.region}
		client := clients[at]
		if client == nil {
			client = api(t, at.cloud, at.region)
			clients[at] = client
		}
		group.Go(func() {
			err := send(t.Context(), client, what.in)
			mu.Lock()
			defer mu.Unlock()
			errs[p] = err
		})
	}
	group.Wait()
	return errs
}

// send makes the request that in is the input of, once.
func send(ctx context.Context, api kms.API, in any) error {
	once := func(o *sdk.Options) { o.Retryer = aws.NopRetryer{} }
	name := strings.TrimSuffix(reflect.TypeOf(in).Elem().Name(), "Input")
	out := reflect.ValueOf(api).MethodByName(name).Call([]reflect.Value{reflect.ValueOf(ctx), reflect.ValueOf(in), reflect.ValueOf(once)})
	err, _ := out[1].Interface().(error)
	return err
}

// requireException checks an error's type, its text, and the status that it came with.
func requireException(t *testing.T, way string, p pair, text string, err error) {
	t.Helper()
	var api smithy.APIError
	require.ErrorAs(t, err, &api)
	require.Equal(t, "*types."+p.exception, fmt.Sprintf("%T", api), "%v", err)
	if text != "" {
		message := reflect.ValueOf(api).Elem().FieldByName("Message")
		require.Equal(t, text == silent, message.IsNil(), "%v", err)
		require.Equal(t, strings.TrimPrefix(text, silent), api.ErrorMessage())
	}
	status := http.StatusBadRequest
	switch p.exception {
	case "KMSInternalException", "DependencyTimeoutException", "KeyUnavailableException":
		status = http.StatusInternalServerError
	}
	require.Equal(t, status == http.StatusInternalServerError, api.ErrorFault() == smithy.FaultServer)
	var response *awshttp.ResponseError
	if way == "Client" {
		require.False(t, errors.As(err, &response))
		return
	}
	require.ErrorAs(t, err, &response)
	require.Equal(t, status, response.HTTPStatusCode())
}

// pair is an operation and an exception.
type pair struct{ operation, exception string }

func (p pair) String() string { return p.operation + " " + p.exception }

func operationsOf(pairs []pair) []string {
	var names []string
	for _, p := range pairs {
		if !slices.Contains(names, p.operation) {
			names = append(names, p.operation)
		}
	}
	return names
}

// documentedExceptions reads the list that AWS's API reference gives.
func documentedExceptions(t *testing.T) []pair {
	t.Helper()
	b, err := os.ReadFile("../kms/testdata/exceptions.txt")
	require.NoError(t, err)
	var all []pair
	for line := range strings.Lines(string(b)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		name, exceptions, ok := strings.Cut(line, ":")
		require.True(t, ok, line)
		for _, e := range strings.Fields(exceptions) {
			all = append(all, pair{name, e + "Exception"})
		}
	}
	return all
}

// unsentExceptions reads the table of docs/compat.md: a row has an exception, the
// operations that document and never send it, and the reason.
func unsentExceptions(t *testing.T) []pair {
	t.Helper()
	b, err := os.ReadFile("../docs/compat.md")
	require.NoError(t, err)
	_, section, ok := strings.Cut(string(b), "\n## KMS: exceptions that are documented and never sent\n")
	require.True(t, ok)
	section, _, _ = strings.Cut(section, "\n## ")
	var all []pair
	for line := range strings.Lines(section) {
		cells := strings.Split(line, "|")
		if len(cells) != 5 || !strings.HasSuffix(strings.TrimSpace(cells[1]), "Exception") {
			continue
		}
		require.NotEmpty(t, strings.TrimSpace(cells[3]), line)
		for name := range strings.SplitSeq(cells[2], ",") {
			all = append(all, pair{strings.TrimSpace(name), strings.TrimSpace(cells[1])})
		}
	}
	require.NotEmpty(t, all)
	return all
}

// stage has a laboratory for each kind of key and each state of it that is needed. No
// request that is made there succeeds, so that all ways can share them.
type stage struct {
	t      *testing.T
	places map[place]*scene

	closed *local.Cloud // whose store is closed
	slow   *local.Cloud // where nothing is done in time

	keyStores map[pair]provocation // that have to do with custom key stores
}

type place struct {
	kind  kind
	state types.KeyState
}

// scene is a laboratory with a key in it.
type scene struct {
	*laboratory
	key *walked
}

func newStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{t: t, places: map[place]*scene{}, keyStores: provokeKeyStores(t)}
	var err error
	s.closed, err = local.New(nil)
	require.NoError(t, err)
	require.NoError(t, s.closed.Close())
	s.slow = newCloud(t, &local.Options{
		// Time enough for an endpoint with much to do to read a body.
		Limits: endpoint.Limits{Timeout: 2 * time.Second},
		Configure: func(c *kms.Config) {
			c.Admit = func(ctx context.Context, _ string, _ identity.Caller) error {
				<-ctx.Done()
				return ctx.Err()
			}
		},
	})
	return s
}

// at returns the scene with a key of the kind in the state. Nothing in it may be changed.
func (s *stage) at(k kind, state types.KeyState) *scene {
	s.t.Helper()
	p := place{k, state}
	if s.places[p] == nil {
		s.places[p] = s.fresh(k, state)
	}
	return s.places[p]
}

// fresh is at for a scene of the caller's own.
func (s *stage) fresh(k kind, state types.KeyState) *scene {
	s.t.Helper()
	l := newLaboratory(s.t, state)
	return &scene{l, l.make(k, state, true)}
}

// request returns a request for the scene.
func (c *scene) request(in any, text string) provocation {
	return provocation{cloud: c.cloud, region: c.key.region, in: in, text: text}
}

// valid returns a request of the operation that would succeed, and its scene.
func (s *stage) valid(operation string, state types.KeyState) (*scene, any) {
	s.t.Helper()
	c := s.at(walk[operation].kind, state)
	return c, walk[operation].input(c.key)
}

// provoke returns a request that gets the exception, if one is known.
func (s *stage) provoke(p pair) (provocation, bool) {
	s.t.Helper()
	if one, ok := ofOne[p]; ok {
		c := s.at(one.kind, types.KeyStateEnabled)
		if one.alone {
			c = s.fresh(one.kind, types.KeyStateEnabled)
		}
		return one.of(c), true
	}
	if what, ok := s.keyStores[p]; ok {
		return what, true
	}
	if f, ok := ofMany[p.exception]; ok {
		return f(s, p.operation)
	}
	return provocation{}, false
}

// ofMany has the provocations of exceptions that many operations have. They report false
// for an operation whose input does not have what it takes.
var ofMany = map[string]func(*stage, string) (provocation, bool){
	"NotFoundException": func(s *stage, operation string) (provocation, bool) {
		c, in := s.valid(operation, types.KeyStateEnabled)
		const unknown = "00000000-0000-4000-8000-000000000000"
		arn := strings.Replace(c.key.arn, c.key.id, unknown, 1)
		return c.request(in, "Key '"+arn+"' does not exist"), setKey(in, unknown)
	},
	"InvalidArnException": func(s *stage, operation string) (provocation, bool) {
		c, in := s.valid(operation, types.KeyStateEnabled)
		return c.request(in, ""), setKey(in, "arn:aws:s3:::bucket")
	},
	"DisabledException": func(s *stage, operation string) (provocation, bool) {
		c, in := s.valid(operation, types.KeyStateDisabled)
		return c.request(in, c.key.arn+" is disabled."), walk[operation].answers[1] == disabled
	},
	"KMSInvalidStateException": func(s *stage, operation string) (provocation, bool) {
		answers := walk[operation].answers
		if answers[2] == going {
			c, in := s.valid(operation, types.KeyStatePendingDeletion)
			return c.request(in, c.key.arn+" is pending deletion."), true
		}
		c, in := s.valid(operation, types.KeyStateUpdating)
		return c.request(in, c.key.arn+" is updating."), answers[len(answers)-1] == updating
	},
	"InvalidGrantTokenException": func(s *stage, operation string) (provocation, bool) {
		c, in := s.valid(operation, types.KeyStateEnabled)
		return c.request(in, ""), set(in, "GrantTokens", []string{"garbage"})
	},
	"DryRunOperationException": func(s *stage, operation string) (provocation, bool) {
		c, in := s.valid(operation, types.KeyStateEnabled)
		return c.request(in, "The request would have succeeded, but the DryRun option is set."), set(in, "DryRun", aws.Bool(true))
	},
	"InvalidMarkerException": func(s *stage, operation string) (provocation, bool) {
		c, in := s.valid(operation, types.KeyStateEnabled)
		return c.request(in, ""), set(in, "Marker", aws.String("garbage"))
	},
	"InvalidGrantIdException": func(s *stage, operation string) (provocation, bool) {
		c, in := s.valid(operation, types.KeyStateEnabled)
		return c.request(in, ""), setKey(in, c.key.id) && set(in, "GrantId", aws.String("garbage"))
	},
	"InvalidKeyUsageException": func(s *stage, operation string) (provocation, bool) {
		c, in := s.valid(operation, types.KeyStateEnabled)
		wrong := c.keyFor(macking)
		if walk[operation].kind == macking {
			wrong = c.keyFor(signing)
		}
		set(in, "EncryptionAlgorithm", types.EncryptionAlgorithmSpecRsaesOaepSha256) // which leaves it to Decrypt what the ciphertext is
		text := fmt.Sprintf("%s key usage is %s which is not valid for %s.", *wrong.Arn, wrong.KeyUsage, operation)
		return c.request(in, text), setKey(in, *wrong.KeyId)
	},
	"CustomKeyStoreNotFoundException": func(s *stage, operation string) (provocation, bool) {
		c, in := s.valid(operation, types.KeyStateEnabled)
		set(in, "Origin", types.OriginTypeAwsCloudhsm)
		return c.request(in, ""), set(in, "CustomKeyStoreId", aws.String("cks-none"))
	},
	"KMSInternalException": func(s *stage, operation string) (provocation, bool) {
		c, in := s.valid(operation, types.KeyStateEnabled)
		p := c.request(in, "")
		p.cloud = s.closed
		return p, true
	},
	"DependencyTimeoutException": func(s *stage, operation string) (provocation, bool) {
		c, in := s.valid(operation, types.KeyStateEnabled)
		p := c.request(in, "")
		p.cloud, p.overHTTP = s.slow, true
		return p, true
	},
}

// keyFor makes another key beside the scene's.
func (c *scene) keyFor(k kind) *types.KeyMetadata {
	c.t.Helper()
	return must[sdk.CreateKeyOutput](c.laboratory, c.key.region, &sdk.CreateKeyInput{KeySpec: k.spec, KeyUsage: k.usage}).KeyMetadata
}

// set gives a member of an input the value. It reports whether there is such a member.
func set(in any, member string, value any) bool {
	f := reflect.ValueOf(in).Elem().FieldByName(member)
	if f.IsValid() {
		f.Set(reflect.ValueOf(value))
	}
	return f.IsValid()
}

// setKey lets a request be about another key, a RetireGrant by token about a grant on it.
func setKey(in any, id string) bool {
	if set(in, "GrantToken", (*string)(nil)) {
		set(in, "GrantId", aws.String(strings.Repeat("0123456789abcdef", 4)))
	}
	for _, member := range []string{"KeyId", "TargetKeyId", "DestinationKeyId"} {
		if set(in, member, &id) {
			return true
		}
	}
	return false
}
