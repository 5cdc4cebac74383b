package integration

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/identity"
	"github.com/sealring/sealring/local"
)

const region = "eu-west-1"

// endpoint is a local cloud behind a server on the loopback interface.
type endpoint struct {
	cloud *local.Cloud
	url   string
	creds aws.Credentials // of the account's root user
}

func newEndpoint(t *testing.T) *endpoint {
	t.Helper()
	cloud, err := local.New(&local.Options{Configure: withCluster})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, cloud.Close()) })
	server := httptest.NewServer(cloud.Handler())
	t.Cleanup(server.Close)
	return &endpoint{cloud, server.URL, cloud.AccessKey(identity.Root(identity.DefaultAccount, region))}
}

// cli runs the AWS CLI against one endpoint with one pair of credentials.
type cli struct {
	t       *testing.T
	program string
	url     string
	home    string // the CLI's home directory and a place for the test's files
	creds   aws.Credentials
}

func newCLI(t *testing.T, e *endpoint, creds aws.Credentials) cli {
	t.Helper()
	return cli{t, awsProgram(t), e.url, t.TempDir(), creds}
}

// awsProgram finds the AWS CLI. Debian's comes first: another one in front of it in
// PATH may be a wrapper that needs more of the environment than it is given here.
func awsProgram(t *testing.T) string {
	t.Helper()
	const debian = "/usr/bin/aws"
	if _, err := os.Stat(debian); err == nil {
		return debian
	}
	program, err := exec.LookPath("aws")
	if err != nil {
		t.Fatal("the AWS CLI is not installed: apt-get install awscli")
	}
	return program
}

// run runs one command of aws kms. exit is 0 if it succeeded.
func (c cli) run(args ...string) (stdout, stderr string, exit int) {
	c.t.Helper()
	command := exec.CommandContext(c.t.Context(), c.program, append([]string{"kms", "--endpoint-url", c.url}, args...)...)
	command.Dir = c.home
	command.Env = []string{
		"PATH=/usr/local/bin:/usr/bin:/bin",
		"HOME=" + c.home,
		"LANG=C.UTF-8",
		"AWS_ACCESS_KEY_ID=" + c.creds.AccessKeyID,
		"AWS_SECRET_ACCESS_KEY=" + c.creds.SecretAccessKey,
		"AWS_DEFAULT_REGION=" + region,
		"AWS_DEFAULT_OUTPUT=json",
		"AWS_EC2_METADATA_DISABLED=true",
		"AWS_MAX_ATTEMPTS=1",
		"AWS_PAGER=",
	}
	var out, errs bytes.Buffer
	command.Stdout, command.Stderr = &out, &errs
	err := command.Run()
	if command.ProcessState == nil {
		c.t.Fatalf("%s: %v", c.program, err)
	}
	return out.String(), errs.String(), command.ProcessState.ExitCode()
}

// ok runs a command that has to succeed and returns the object that it prints, nil
// if it prints nothing.
func (c cli) ok(args ...string) map[string]any {
	c.t.Helper()
	stdout, stderr, exit := c.run(args...)
	require.Zero(c.t, exit, "aws kms %s: %s", args[0], stderr)
	if stdout == "" {
		return nil
	}
	var v map[string]any
	require.NoError(c.t, json.Unmarshal([]byte(stdout), &v), "%q", stdout)
	return v
}

// refused runs a command that has to be refused with the error code.
func (c cli) refused(code string, args ...string) (stderr string) {
	c.t.Helper()
	stdout, stderr, exit := c.run(args...)
	require.Contains(c.t, []int{254, 255}, exit, "aws kms %s: %s%s", args[0], stdout, stderr)
	require.Contains(c.t, stderr, "("+code+")")
	require.Empty(c.t, stdout)
	return stderr
}

// file writes a file and returns its name as an argument that stands for its bytes.
func (c cli) file(name string, b []byte) string {
	c.t.Helper()
	path := filepath.Join(c.home, name)
	require.NoError(c.t, os.WriteFile(path, b, 0o600))
	return "fileb://" + path
}

// newKey creates a key and returns its ARN.
func (c cli) newKey() string {
	c.t.Helper()
	return c.ok("create-key")["KeyMetadata"].(map[string]any)["Arn"].(string)
}

// blob decodes a member that the CLI prints as base64.
func blob(t *testing.T, v any) []byte {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(v.(string))
	require.NoError(t, err)
	return b
}

func TestCLIKeys(t *testing.T) {
	t.Parallel()
	e := newEndpoint(t)
	c := newCLI(t, e, e.creds)
	created := c.ok("create-key", "--description", "orders and Zahlungen", "--tags", "TagKey=team,TagValue=billing")["KeyMetadata"].(map[string]any)
	arn, id := created["Arn"].(string), created["KeyId"].(string)
	require.Equal(t, "arn:aws:kms:eu-west-1:111122223333:key/"+id, arn)
	require.Equal(t, "orders and Zahlungen", created["Description"])

	require.Nil(t, c.ok("create-alias", "--alias-name", "alias/orders", "--target-key-id", id))
	require.Equal(t, created, c.ok("describe-key", "--key-id", "alias/orders")["KeyMetadata"])
	aliases := c.ok("list-aliases", "--key-id", arn)["Aliases"].([]any)
	require.Len(t, aliases, 1)
	require.Equal(t, "alias/orders", aliases[0].(map[string]any)["AliasName"])
	require.Equal(t, id, aliases[0].(map[string]any)["TargetKeyId"])

	c.ok("tag-resource", "--key-id", id, "--tags", "TagKey=tier,TagValue=gold")
	c.ok("untag-resource", "--key-id", id, "--tag-keys", "team")
	tags := c.ok("list-resource-tags", "--key-id", id)
	require.Equal(t, []any{map[string]any{"TagKey": "tier", "TagValue": "gold"}}, tags["Tags"])

	scheduled := c.ok("schedule-key-deletion", "--key-id", id, "--pending-window-in-days", "7")
	require.Equal(t, "PendingDeletion", scheduled["KeyState"])
	require.NotEmpty(t, scheduled["DeletionDate"])
	require.Contains(t, c.refused("KMSInvalidStateException", "enable-key", "--key-id", id), arn+" is pending deletion.")
	require.Equal(t, arn, c.ok("cancel-key-deletion", "--key-id", id)["KeyId"])
	require.Equal(t, "Disabled", c.ok("describe-key", "--key-id", id)["KeyMetadata"].(map[string]any)["KeyState"])

	require.Contains(t, c.refused("NotFoundException", "describe-key", "--key-id", "alias/none"),
		"Alias arn:aws:kms:eu-west-1:111122223333:alias/none is not found.")
}

func TestCLICryptography(t *testing.T) {
	t.Parallel()
	e := newEndpoint(t)
	c := newCLI(t, e, e.creds)
	key, other := c.newKey(), c.newKey()
	plaintext := make([]byte, 4096)
	rand.Read(plaintext)

	sealed := c.ok("encrypt", "--key-id", key, "--plaintext", c.file("plaintext", plaintext), "--encryption-context", "tenant=42,team=billing")
	require.Equal(t, key, sealed["KeyId"])
	ciphertext := c.file("ciphertext", blob(t, sealed["CiphertextBlob"]))
	opened := c.ok("decrypt", "--ciphertext-blob", ciphertext, "--encryption-context", "team=billing,tenant=42")
	require.Equal(t, plaintext, blob(t, opened["Plaintext"]))
	require.Equal(t, key, opened["KeyId"])

	c.refused("InvalidCiphertextException", "decrypt", "--ciphertext-blob", ciphertext, "--encryption-context", "tenant=43,team=billing")
	c.refused("InvalidCiphertextException", "decrypt", "--ciphertext-blob", ciphertext)
	c.refused("IncorrectKeyException", "decrypt", "--ciphertext-blob", ciphertext, "--key-id", other, "--encryption-context", "tenant=42,team=billing")

	moved := c.ok("re-encrypt", "--ciphertext-blob", ciphertext, "--source-encryption-context", "tenant=42,team=billing", "--destination-key-id", other)
	require.Equal(t, []any{key, other}, []any{moved["SourceKeyId"], moved["KeyId"]})
	opened = c.ok("decrypt", "--ciphertext-blob", c.file("moved", blob(t, moved["CiphertextBlob"])))
	require.Equal(t, plaintext, blob(t, opened["Plaintext"]))

	data := c.ok("generate-data-key", "--key-id", key, "--key-spec", "AES_256")
	require.Len(t, blob(t, data["Plaintext"]), 32)
	opened = c.ok("decrypt", "--ciphertext-blob", c.file("datakey", blob(t, data["CiphertextBlob"])))
	require.Equal(t, data["Plaintext"], opened["Plaintext"])

	c.ok("disable-key", "--key-id", key)
	require.Contains(t, c.refused("DisabledException", "decrypt", "--ciphertext-blob", ciphertext, "--encryption-context", "tenant=42,team=billing"),
		key+" is disabled.")
	c.ok("enable-key", "--key-id", key)
	c.ok("decrypt", "--ciphertext-blob", ciphertext, "--encryption-context", "tenant=42,team=billing")

	// What the CLI has encrypted belongs to the cloud, not to the endpoint.
	events := e.cloud.Events()
	last := events[len(events)-1]
	require.Equal(t, "Decrypt", last.Name)
	require.Equal(t, e.creds.AccessKeyID, last.Identity.AccessKeyID)
	require.True(t, strings.HasPrefix(last.UserAgent, "aws-cli/"), last.UserAgent)
	require.Equal(t, "127.0.0.1", last.SourceIP)
}

// TestCLIPages has the CLI page through a listing on both of its ways: its own
// token across calls, and the service's markers within one call.
func TestCLIPages(t *testing.T) {
	t.Parallel()
	e := newEndpoint(t)
	c := newCLI(t, e, e.creds)
	want := make([]string, 5)
	for i := range want {
		want[i] = c.newKey()
	}
	arns := func(page map[string]any) (arns []string) {
		for _, k := range page["Keys"].([]any) {
			arns = append(arns, k.(map[string]any)["KeyArn"].(string))
		}
		return arns
	}

	var got []string
	args := []string{"list-keys", "--max-items", "2"}
	for range want {
		page := c.ok(args...)
		require.LessOrEqual(t, len(arns(page)), 2)
		got = append(got, arns(page)...)
		token, more := page["NextToken"].(string)
		if !more {
			break
		}
		args = []string{"list-keys", "--max-items", "2", "--starting-token", token}
	}
	require.ElementsMatch(t, want, got)
	require.ElementsMatch(t, want, arns(c.ok("list-keys", "--page-size", "2")))
}

func TestCLISignatures(t *testing.T) {
	t.Parallel()
	e := newEndpoint(t)
	wrong := e.creds
	wrong.SecretAccessKey = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
	require.Contains(t, newCLI(t, e, wrong).refused("InvalidSignatureException", "list-keys"),
		"The request signature we calculated does not match the signature you provided.")

	unknown := e.creds
	unknown.AccessKeyID = "AKIAIOSFODNN7EXAMPLE"
	require.Contains(t, newCLI(t, e, unknown).refused("UnrecognizedClientException", "list-keys"),
		"The security token included in the request is invalid.")

	ann := e.cloud.AccessKey(identity.Caller{Principal: "arn:aws:iam::111122223333:user/ann", Account: "111122223333"})
	newCLI(t, e, ann).refused("AccessDeniedException", "list-keys")
	require.Len(t, e.cloud.Events(), 1, "only the request that was signed well is one")
}
