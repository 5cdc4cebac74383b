package integration

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/keyring"
	"github.com/sealring/sealring/s3crypto"
)

// rubyS3 runs the encryption clients of the AWS SDK for Ruby, of the first and of the
// second version. They read no ranges.
type rubyS3 struct{ cloud s3Cloud }

// rubyProgram is Debian's, which has Debian's packages.
const rubyProgram = "/usr/bin/ruby"

// rubyHasSDK returns an error if there is no Ruby with the SDK.
var rubyHasSDK = sync.OnceValue(func() error {
	out, err := exec.Command(rubyProgram, "-raws-sdk-s3", "-raws-sdk-kms", "-e", "").CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
})

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
	err := rubyHasSDK()
	if err == nil {
		return rubyS3{cloud}
	}
	if os.Getenv("CI") != "" {
		t.Fatalf("no Ruby with the AWS SDK, apt-get install ruby ruby-aws-sdk-s3 ruby-aws-sdk-kms: %v", err)
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
	command := exec.CommandContext(t.Context(), rubyProgram, "testdata/s3encryption.rb")
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
func (r rubyS3) operation(t *testing.T, version int, o oracleObject) rubyOperation {
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
	var objects []oracleObject
	var puts []rubyOperation
	for _, version := range []int{1, 2} {
		for _, wrap := range rubyWraps {
			for _, place := range oraclePlaces {
				for _, n := range s3Sizes {
					o := oracleObject{
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
	var objects []oracleObject
	var puts []rubyOperation
	for _, wrap := range rubyWraps {
		ours := c.client(t, c.writer(t, wrap), s3crypto.Options{CommitmentPolicy: keyring.ForbidEncryptAllowDecrypt})
		for _, place := range oraclePlaces[:2] {
			for _, number := range []int{0, 1} {
				o := oracleObject{wrap: wrap, place: place, plaintext: random(50)}
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
	var altered []oracleObject
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

// TestRubyS3KeySizes exchanges objects under other wrapping keys than of 256 and 2,048
// bits. The documentation of Ruby's client has RSA keys of 1,024, which we do not write with.
func TestRubyS3KeySizes(t *testing.T) {
	t.Parallel()
	ruby := newRubyS3(t, newS3Cloud(t))
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	require.NoError(t, err)
	large, err := rsa.GenerateKey(rand.Reader, 3072)
	require.NoError(t, err)
	sizes := []struct {
		name string
		aes  []byte
		rsa  *rsa.PrivateKey
	}{
		{"AES of 128 bits", random(16), nil},
		{"AES of 192 bits", random(24), nil},
		{"RSA of 1,024 bits", nil, small},
		{"RSA of 3,072 bits", nil, large},
	}
	var clouds []s3Cloud
	var theirs, ours []oracleObject
	var puts, gets []rubyOperation
	for _, size := range sizes {
		own, wrap := ruby, "aes"
		if own.cloud.aes, own.cloud.rsa = size.aes, size.rsa; size.rsa != nil {
			wrap = "rsa"
		}
		clouds = append(clouds, own.cloud)
		for version := 1; version <= 2; version++ {
			o := oracleObject{
				key: fmt.Sprintf("%s/%d", size.name, version), wrap: wrap, plaintext: random(50),
				format: fmt.Sprintf("V%d", version), cbc: version == 1, legacyKey: version == 1,
			}
			put := own.operation(t, version, o)
			put.Put, put.Body = true, o.plaintext
			theirs, puts = append(theirs, o), append(puts, put)
		}
		if size.rsa == small {
			_, err := s3crypto.NewRSA(&small.PublicKey, nil, nil)
			require.ErrorContains(t, err, "2048")
			continue
		}
		o := oracleObject{key: size.name + "/ours", wrap: wrap, plaintext: random(50)}
		client := own.cloud.client(t, own.cloud.writer(t, wrap), s3crypto.Options{CommitmentPolicy: keyring.ForbidEncryptAllowDecrypt})
		o.put(t, client, bytes.NewReader(o.plaintext))
		ours, gets = append(ours, o), append(gets, own.operation(t, 2, o))
	}
	for i, result := range ruby.run(t, slices.Concat(puts, gets)) {
		require.Empty(t, result.Error)
		if i < len(puts) {
			clouds[i/2].requireReadable(t, theirs[i])
			continue
		}
		want := sha256.Sum256(ours[i-len(puts)].plaintext)
		require.Equal(t, rubyResult{50, want[:], ""}, result)
	}
}

// TestRubyTamperedV1 has what can be noticed in content that nothing authenticates: that it
// is cut, and that the data key is not one.
func TestRubyTamperedV1(t *testing.T) {
	t.Parallel()
	ruby := newRubyS3(t, newS3Cloud(t))
	c := ruby.cloud
	var puts, gets []rubyOperation
	var objects []oracleObject
	for _, wrap := range rubyWraps {
		o := oracleObject{key: wrap, wrap: wrap, plaintext: random(50)}
		put := ruby.operation(t, 1, o)
		put.Put, put.Body = true, o.plaintext
		objects, puts = append(objects, o), append(puts, put)
	}
	for _, result := range ruby.run(t, puts) {
		require.Empty(t, result.Error)
	}
	alterations := []s3Alteration{
		{"byte less", func(r *rawObject, _ string) { r.body = r.body[:len(r.body)-1] }},
		{"nothing", func(r *rawObject, _ string) { r.body = nil }},
		{"data key", func(r *rawObject, wrap string) {
			switch wrap {
			case "aes":
				r.flip("x-amz-key")
			case "kms":
				r.flip("x-amz-key-v2")
			default: // Its padding, PKCS #1 v1.5, is not to be told from content that is not right.
				delete(r.metadata, "x-amz-key")
			}
		}},
		{"IV", func(r *rawObject, _ string) { r.metadata["x-amz-iv"] = "AAAA" }},
		{"data keys of two formats", func(r *rawObject, _ string) {
			r.metadata["x-amz-key"], r.metadata["x-amz-key-v2"] = "AAAA", "AAAA"
		}},
	}
	for _, o := range objects {
		for _, alteration := range alterations {
			altered, r := o, c.raw(t, o)
			altered.key += "/" + alteration.name
			alteration.do(&r, o.wrap)
			c.rawPut(t, altered.key, r.metadata, r.body)
			c.requireRefused(t, altered)
			get := ruby.operation(t, 2, altered)
			get.Legacy = true
			gets = append(gets, get, ruby.operation(t, 1, altered))
		}
	}
	for i, got := range ruby.run(t, gets) {
		require.NotEmpty(t, got.Error, "%s, version %d", gets[i].Key, gets[i].Version)
	}
}

// TestRubyRefusesV3 says that Ruby's clients, which are older than format V3, do not take
// its objects for another format's.
func TestRubyRefusesV3(t *testing.T) {
	t.Parallel()
	ruby := newRubyS3(t, newS3Cloud(t))
	var gets []rubyOperation
	for _, wrap := range rubyWraps {
		client := ruby.cloud.client(t, ruby.cloud.writer(t, wrap), s3crypto.Options{})
		for _, place := range oraclePlaces[:2] {
			o := oracleObject{key: wrap + place.name, wrap: wrap, place: place, plaintext: random(50)}
			o.put(t, client, bytes.NewReader(o.plaintext))
			gets = append(gets, ruby.operation(t, 2, o), ruby.operation(t, 1, o))
		}
	}
	for i, got := range ruby.run(t, gets) {
		require.Contains(t, got.Error, "unable to locate encryption envelope", "%s, version %d", gets[i].Key, gets[i].Version)
	}
}
