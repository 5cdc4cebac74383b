package kmstest_test

import (
	"bytes"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/kms/kmstest"
)

// fakeTB is a test that a cloud may fail. What a cloud does not use of it panics.
type fakeTB struct {
	testing.TB
	failure  string
	cleanups []func()
}

func (*fakeTB) Helper()             {}
func (f *fakeTB) Cleanup(fn func()) { f.cleanups = append(f.cleanups, fn) }
func (f *fakeTB) Fatalf(format string, args ...any) {
	f.failure = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

// fails runs fn in a test of its own and returns how that failed, "" if it did not.
func fails(fn func(t testing.TB)) string {
	f := &fakeTB{}
	done := make(chan struct{})
	go func() {
		defer close(done)
		fn(f)
	}()
	<-done
	for _, cleanup := range f.cleanups {
		cleanup()
	}
	return f.failure
}

func TestSeedIsTheSameEverywhere(t *testing.T) {
	t.Parallel()
	one, two := kmstest.New(t, nil), kmstest.New(t, &kmstest.Options{Keys: []kmstest.Key{{Alias: "alias/orders"}}})
	arn := one.Seed(kmstest.Key{Alias: "alias/orders"})
	// pinned: tests of other modules may have stored this
	require.Equal(t, "arn:aws:kms:us-east-1:111122223333:key/"+seededID, arn)
	alias := aws.String("alias/orders")
	sealed, err := one.SDK().Encrypt(t.Context(), &sdk.EncryptInput{KeyId: alias, Plaintext: []byte("secret")})
	require.NoError(t, err)
	require.Equal(t, arn, *sealed.KeyId)
	opened, err := two.SDK().Decrypt(t.Context(), &sdk.DecryptInput{CiphertextBlob: sealed.CiphertextBlob, KeyId: alias})
	require.NoError(t, err)
	require.Equal(t, "secret", string(opened.Plaintext))
	require.NotEqual(t, arn, one.Seed(kmstest.Key{Alias: "alias/others"}))
}

func TestSeededMetadata(t *testing.T) {
	t.Parallel()
	cloud := kmstest.New(t, &kmstest.Options{Account: "444455556666", Region: "eu-west-1"})
	const id = "12345678-1234-4234-8234-123456789abc"
	arn := cloud.Seed(kmstest.Key{ID: id, Alias: "alias/x", Description: "a key", Disabled: true, Material: bytes.Repeat([]byte{1}, 32)})
	require.Equal(t, "arn:aws:kms:eu-west-1:444455556666:key/"+id, arn)
	out, err := cloud.SDK().DescribeKey(t.Context(), &sdk.DescribeKeyInput{KeyId: aws.String("alias/x")})
	require.NoError(t, err)
	m := out.KeyMetadata
	require.Equal(t, arn, *m.Arn)
	require.Equal(t, "a key", *m.Description)
	require.Equal(t, kmstest.Start, *m.CreationDate)
	require.Equal(t, types.KeyStateDisabled, m.KeyState)
	_, err = cloud.SDK().EnableKey(t.Context(), &sdk.EnableKeyInput{KeyId: &arn})
	require.NoError(t, err)
	_, err = cloud.SDK().Encrypt(t.Context(), &sdk.EncryptInput{KeyId: &arn, Plaintext: []byte("x")})
	require.NoError(t, err)
	aliases, err := cloud.SDK().ListAliases(t.Context(), &sdk.ListAliasesInput{KeyId: &arn})
	require.NoError(t, err)
	require.Len(t, aliases.Aliases, 1)
	require.Equal(t, kmstest.Start, *aliases.Aliases[0].CreationDate)
}

func TestMaterialIsUsed(t *testing.T) {
	t.Parallel()
	const id = "12345678-1234-4234-8234-123456789abc"
	with := func(material byte) *kmstest.Cloud {
		return kmstest.New(t, &kmstest.Options{Keys: []kmstest.Key{{ID: id, Material: bytes.Repeat([]byte{material}, 32)}}})
	}
	sealed, err := with(1).SDK().Encrypt(t.Context(), &sdk.EncryptInput{KeyId: aws.String(id), Plaintext: []byte("x")})
	require.NoError(t, err)
	in := &sdk.DecryptInput{CiphertextBlob: sealed.CiphertextBlob}
	_, err = with(1).SDK().Decrypt(t.Context(), in)
	require.NoError(t, err)
	_, err = with(2).SDK().Decrypt(t.Context(), in)
	var invalid *types.InvalidCiphertextException
	require.ErrorAs(t, err, &invalid)
}

func TestSeedFailsTheTest(t *testing.T) {
	t.Parallel()
	const id = "12345678-1234-4234-8234-123456789abc"
	seed := func(keys ...kmstest.Key) string {
		return fails(func(t testing.TB) {
			cloud := kmstest.New(t, nil)
			for _, k := range keys {
				cloud.Seed(k)
			}
		})
	}
	for _, fine := range [][]kmstest.Key{
		{}, {{}}, {{ID: id}}, {{ID: "mrk-0123456789abcdef0123456789abcdef"}}, {{Alias: "alias/aws/s3"}},
		{{Alias: "alias/a"}, {Alias: "alias/b"}, {}},
	} {
		require.Empty(t, seed(fine...))
	}
	for want, keys := range map[string][]kmstest.Key{
		"kms/111122223333/us-east-1/alias/a exists": {{Alias: "alias/a"}, {Alias: "alias/a"}},
		"alias/x exists":                                  {{ID: id, Alias: "alias/x"}, {Alias: "alias/x"}},
		"key/" + id + " exists":                           {{ID: id}, {ID: id, Alias: "alias/y"}},
		"key/" + unnamedID + " exists":                    {{}, {}},
		"material of 31 bytes":                            {{ID: id, Material: make([]byte, 31)}},
		"material of 0 bytes":                             {{ID: id, Material: []byte{}}},
		`key id "x" is no UUID in lower case`:             {{ID: "x"}},
		`key id "` + strings.ToUpper(id) + `" is no UUID`: {{ID: strings.ToUpper(id)}},
		`alias "orders" is not "alias/" and a name`:       {{Alias: "orders"}},
		`alias "alias/" is not "alias/" and a name`:       {{Alias: "alias/"}},
		`alias "alias/a b" is not`:                        {{Alias: "alias/a b"}},
		`alias "alias/a:b" is not`:                        {{Alias: "alias/a:b"}},
		"xxx\" is not \"alias/\" and a name":              {{Alias: "alias/" + strings.Repeat("x", 251)}},
	} {
		failure := seed(keys...)
		require.Contains(t, failure, want)
		require.True(t, strings.HasPrefix(failure, "kmstest: "), failure)
	}
}

// TestSeedIsAllOrNothing seeds a new key whose alias is taken.
func TestSeedIsAllOrNothing(t *testing.T) {
	t.Parallel()
	keys := -1
	failure := fails(func(tb testing.TB) {
		cloud := kmstest.New(tb, &kmstest.Options{Keys: []kmstest.Key{{Alias: "alias/a"}}})
		defer func() { // runs when Seed has ended the test
			out, err := cloud.SDK().ListKeys(t.Context(), nil)
			if err == nil {
				keys = len(out.Keys)
			}
		}()
		cloud.Seed(kmstest.Key{ID: "12345678-1234-4234-8234-123456789abc", Alias: "alias/a"})
	})
	require.Contains(t, failure, "exists")
	require.Equal(t, 1, keys)
}
