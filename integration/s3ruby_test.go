package integration

import (
	"bytes"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/keyring"
	"github.com/sealring/sealring/s3crypto"
)

// rubyS3 runs the encryption clients of the AWS SDK for Ruby, of the first and of the
// second version.
type rubyS3 struct {
	program string
	cloud   s3Cloud
}

// rubyKey is a wrapping key, with the text of the material description of its objects.
type rubyKey struct {
	Description string `json:"description"`
	Key         []byte `json:"key"` // of AES, or an RSA private key in DER
}

// rubyOperation is one call.
type rubyOperation struct {
	Put     bool              `json:"put"` // else get
	Version int               `json:"version"`
	Legacy  bool              `json:"legacy"` // the second version's: read what the first one wrote
	Wrap    string            `json:"wrap"`   // aes, rsa or kms
	Keys    []rubyKey         `json:"keys,omitempty"`
	KMSKey  string            `json:"kms_key,omitempty"`
	Context map[string]string `json:"context,omitempty"`
	File    bool              `json:"file"` // the data key is in an instruction file
	Suffix  string            `json:"suffix,omitempty"`
	Key     string            `json:"key"`
	Body    []byte            `json:"body,omitempty"`
}

// rubyResult is what came of an operation.
type rubyResult struct {
	Length int
	SHA256 []byte
	Error  string
}

// newRubyS3 skips the test where there is no Ruby, or none with the SDK. In CI there has
// to be one.
func newRubyS3(t *testing.T, cloud s3Cloud) rubyS3 {
	t.Helper()
	program := "/usr/bin/ruby" // Debian's, which has Debian's packages
	out, err := exec.CommandContext(t.Context(), program, "-raws-sdk-s3", "-raws-sdk-kms", "-e", "").CombinedOutput()
	if err == nil {
		return rubyS3{program, cloud}
	}
	if os.Getenv("CI") != "" {
		t.Fatalf("no Ruby with the AWS SDK, apt-get install ruby ruby-aws-sdk-s3 ruby-aws-sdk-kms: %v %s", err, out)
	}
	t.Skip("needs Ruby with the AWS SDK: apt-get install ruby ruby-aws-sdk-s3 ruby-aws-sdk-kms")
	return rubyS3{}
}

// run runs all operations in order and returns their results.
func (r rubyS3) run(t *testing.T, operations []rubyOperation) []rubyResult {
	t.Helper()
	request, err := json.Marshal(map[string]any{
		"s3": r.cloud.s3URL, "kms": r.cloud.kms.url, "region": region, "bucket": fakeBucket,
		"access_key": r.cloud.kms.creds.AccessKeyID, "secret_key": r.cloud.kms.creds.SecretAccessKey,
		"operations": operations,
	})
	require.NoError(t, err)
	command := exec.CommandContext(t.Context(), r.program, "testdata/s3encryption.rb")
	var out, errs bytes.Buffer
	command.Stdin, command.Stdout, command.Stderr = bytes.NewReader(request), &out, &errs
	command.Env = []string{"PATH=/usr/bin:/bin", "HOME=" + t.TempDir(), "LANG=C.UTF-8", "AWS_EC2_METADATA_DISABLED=true"}
	require.NoError(t, command.Run(), "%s", &errs)
	var results []rubyResult
	require.NoError(t, json.Unmarshal(out.Bytes(), &results), "%s", &out)
	require.Len(t, results, len(operations))
	return results
}

func pkcs8(t *testing.T, key *rsa.PrivateKey) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	return der
}

// rubyWraps are how objects are wrapped.
var rubyWraps = []string{"aes", "rsa", "kms"}

// operation returns a call of Ruby's client of a version, with the cloud's keys.
func (r rubyS3) operation(t *testing.T, version int, o s3Object) rubyOperation {
	t.Helper()
	op := rubyOperation{Version: version, Wrap: o.wrap, File: o.place.file, Suffix: o.place.suffix, Key: o.key}
	description, err := json.Marshal(s3Description)
	require.NoError(t, err)
	switch o.wrap {
	case "aes":
		op.Keys = []rubyKey{{string(description), r.cloud.aes}, {"{}", random(32)}}
	case "rsa":
		op.Keys = []rubyKey{{string(description), pkcs8(t, r.cloud.rsa)}, {"{}", pkcs8(t, otherRSA())}}
	case "kms":
		op.KMSKey = r.cloud.kmsKey
		if version == 2 {
			op.Context = o.context
		}
	}
	return op
}

// TestRubyWritesS3 reads what both of Ruby's clients write.
func TestRubyWritesS3(t *testing.T) {
	t.Parallel()
	ruby := newRubyS3(t, newS3Cloud(t))
	var objects []s3Object
	var puts []rubyOperation
	for _, version := range []int{1, 2} {
		for _, wrap := range rubyWraps {
			for _, place := range s3Places {
				for _, n := range s3Sizes {
					o := s3Object{
						key:  fmt.Sprintf("version %d/%s/%s/%d", version, wrap, place.name, n),
						wrap: wrap, place: place, plaintext: random(n), format: "V2",
						cbc: version == 1, legacyKey: version == 1,
					}
					if version == 1 && wrap != "kms" {
						o.format = "V1"
					}
					if version == 2 && wrap == "kms" {
						o.context = s3Context
					}
					put := ruby.operation(t, version, o)
					put.Put, put.Body = true, o.plaintext
					objects, puts = append(objects, o), append(puts, put)
				}
			}
		}
	}
	results := ruby.run(t, puts)
	for i, o := range objects {
		t.Run(o.key, func(t *testing.T) {
			require.Empty(t, results[i].Error)
			ruby.cloud.requireReadable(t, o)
		})
	}
}

// TestRubyReadsS3 has both of Ruby's clients read what we write in format V2.
func TestRubyReadsS3(t *testing.T) {
	t.Parallel()
	ruby := newRubyS3(t, newS3Cloud(t))
	objects := ruby.cloud.writeV2(t, rubyWraps)
	var gets []rubyOperation
	for _, o := range objects {
		gets = append(gets, ruby.operation(t, 2, o), ruby.operation(t, 1, o))
	}
	for i, got := range ruby.run(t, gets) {
		want := sha256.Sum256(objects[i/2].plaintext)
		require.Empty(t, got.Error, "%s, version %d", gets[i].Key, gets[i].Version)
		require.Equal(t, rubyResult{len(objects[i/2].plaintext), want[:], ""}, got, gets[i].Key)
	}
}

// TestRubyTamperedS3 has nobody read what was altered in objects of Ruby's and of ours.
func TestRubyTamperedS3(t *testing.T) {
	t.Parallel()
	ruby := newRubyS3(t, newS3Cloud(t))
	c := ruby.cloud
	var objects []s3Object
	var puts []rubyOperation
	for _, wrap := range rubyWraps {
		ours := c.client(t, c.writer(t, wrap), s3crypto.Options{CommitmentPolicy: keyring.ForbidEncryptAllowDecrypt})
		for _, place := range s3Places[:2] {
			for _, number := range []int{0, 1} {
				o := s3Object{wrap: wrap, place: place, plaintext: random(50)}
				if wrap == "kms" {
					o.context = s3Context
				}
				theirs := o
				o.key = fmt.Sprintf("ours/%s/%s/%d", wrap, place.name, number)
				o.put(t, ours, bytes.NewReader(o.plaintext))
				theirs.key = fmt.Sprintf("theirs/%s/%s/%d", wrap, place.name, number)
				put := ruby.operation(t, 2, theirs)
				put.Put, put.Body = true, theirs.plaintext
				objects, puts = append(objects, o, theirs), append(puts, put)
			}
		}
	}
	for _, result := range ruby.run(t, puts) {
		require.Empty(t, result.Error)
	}
	var altered []s3Object
	for pair := range slices.Chunk(objects, 4) { // two of ours and two of theirs
		altered = append(altered, c.tamper(t, pair[0], pair[2])...)
		altered = append(altered, c.tamper(t, pair[1], pair[3])...)
	}
	var gets []rubyOperation
	for _, o := range altered {
		c.requireRefused(t, o)
		second := ruby.operation(t, 2, o)
		second.Legacy = true
		gets = append(gets, second, ruby.operation(t, 1, o))
	}
	for _, o := range objects { // as they were
		gets = append(gets, ruby.operation(t, 2, o), ruby.operation(t, 1, o))
	}
	for i, got := range ruby.run(t, gets) {
		require.Equal(t, i < 2*len(altered), got.Error != "", "%s, version %d: %s", gets[i].Key, gets[i].Version, got.Error)
	}
}
