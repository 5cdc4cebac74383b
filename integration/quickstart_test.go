package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/stretchr/testify/require"
)

// buildQuickstart builds the root module's example, as go run does, and returns the
// program.
func buildQuickstart(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "quickstart")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, "./examples/quickstart")
	build.Dir = ".."
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return program
}

// TestQuickstart runs the example against the endpoint. It may use the key but
// change nothing: not on the key, and not beside it.
func TestQuickstart(t *testing.T) {
	t.Parallel()
	e := newEndpoint(t)
	client := e.cloud.SDK(region)
	created, err := client.CreateKey(t.Context(), &sdk.CreateKeyInput{Description: aws.String("another's")})
	require.NoError(t, err)
	key := created.KeyMetadata.Arn
	_, err = client.CreateAlias(t.Context(), &sdk.CreateAliasInput{AliasName: aws.String("alias/in-use"), TargetKeyId: key})
	require.NoError(t, err)
	before := snapshot(t, client, key)
	events := len(e.cloud.Events())

	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, make([]byte, 1<<20), 0o600))
	run := exec.CommandContext(t.Context(), buildQuickstart(t), "-aws-endpoint", e.url, "-key", *key, file)
	run.Env = []string{
		"AWS_ACCESS_KEY_ID=" + e.creds.AccessKeyID,
		"AWS_SECRET_ACCESS_KEY=" + e.creds.SecretAccessKey,
		"AWS_REGION=" + region,
	}
	out, err := run.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Contains(t, string(out), *key)

	names := map[string]bool{}
	for _, event := range e.cloud.Events()[events:] {
		names[event.Name] = true
		require.Equal(t, e.creds.AccessKeyID, event.Identity.AccessKeyID)
	}
	require.True(t, names["GenerateDataKey"] && names["Decrypt"], "%v", names)
	for name := range names {
		require.Contains(t, []string{"GenerateDataKey", "Encrypt", "Decrypt", "DescribeKey"}, name)
	}
	require.Equal(t, before, snapshot(t, client, key))
}

// TestQuickstartWithWrongSecret sees the example fail with the endpoint's own words.
func TestQuickstartWithWrongSecret(t *testing.T) {
	t.Parallel()
	e := newEndpoint(t)
	created, err := e.cloud.SDK(region).CreateKey(t.Context(), &sdk.CreateKeyInput{})
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, []byte("x"), 0o600))
	run := exec.CommandContext(t.Context(), buildQuickstart(t), "-aws-endpoint", e.url, "-key", *created.KeyMetadata.Arn, file)
	run.Env = []string{"AWS_ACCESS_KEY_ID=" + e.creds.AccessKeyID, "AWS_SECRET_ACCESS_KEY=wrong", "AWS_REGION=" + region}
	out, err := run.CombinedOutput()
	require.Error(t, err)
	require.Equal(t, 1, run.ProcessState.ExitCode())
	require.Contains(t, string(out), "InvalidSignatureException")
}

// snapshot returns all that can be seen of a key and of its account.
func snapshot(t *testing.T, client *sdk.Client, key *string) []any {
	t.Helper()
	described, err := client.DescribeKey(t.Context(), &sdk.DescribeKeyInput{KeyId: key})
	require.NoError(t, err)
	aliases, err := client.ListAliases(t.Context(), &sdk.ListAliasesInput{})
	require.NoError(t, err)
	tags, err := client.ListResourceTags(t.Context(), &sdk.ListResourceTagsInput{KeyId: key})
	require.NoError(t, err)
	keys, err := client.ListKeys(t.Context(), &sdk.ListKeysInput{})
	require.NoError(t, err)
	return []any{described.KeyMetadata, aliases.Aliases, tags.Tags, keys.Keys}
}
