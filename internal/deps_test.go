// Package internal_test holds the house to its plan: which package may import
// which, and what each may bring along from outside.
package internal_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/sealring/sealring"

// Modules that packages may be allowed to import.
const (
	awsSDK = "github.com/aws/aws-sdk-go-v2"
	smithy = "github.com/aws/smithy-go"
	mldsa  = "filippo.io/mldsa"
	circl  = "github.com/cloudflare/circl"
	secp   = "github.com/decred/dcrd/dcrec/secp256k1/v4"
	cbor   = "github.com/fxamacker/cbor/v2"
	crypto = "golang.org/x/crypto"
	bbolt  = "go.etcd.io/bbolt"
)

// room is one package's place in the house.
type room struct {
	floor    int
	sideways []string // packages of the same floor that it may import
	external []string // modules that it may import
}

// house lists every package. Imports go down; those that stay on a floor and those
// that leave the house are named.
var house = map[string]room{
	"": {floor: 5}, // the map of the house: doc.go only

	"examples/quickstart": {floor: 5, external: []string{awsSDK}},
	"examples/policy":     {floor: 5},
	"examples/tenants":    {floor: 5, external: []string{awsSDK}},

	"local":    {floor: 4, sideways: []string{"endpoint"}, external: []string{awsSDK}},
	"endpoint": {floor: 4, external: []string{smithy}},

	"envelope":    {floor: 2},
	"s3crypto":    {floor: 2, external: []string{awsSDK, smithy}},
	"kmscrypto":   {floor: 2, external: []string{awsSDK}},
	"kms":         {floor: 2, external: []string{awsSDK, smithy}},
	"kms/kmstest": {floor: 2, sideways: []string{"kms"}, external: []string{awsSDK, smithy}},

	"keyring":             {floor: 1, external: []string{crypto}},
	"keyring/keyringtest": {floor: 1, sideways: []string{"keyring"}},
	"keyring/awskms":      {floor: 1, sideways: []string{"keyring"}, external: []string{awsSDK}},
	"store":               {floor: 1, sideways: []string{"keyring"}},

	"keyring/branchkey":               {floor: 1, sideways: []string{"keyring"}, external: []string{awsSDK}},
	"keyring/branchkey/branchkeytest": {floor: 1, sideways: []string{"keyring/branchkey"}},
	"keyring/branchkey/ddbstore":      {floor: 1, sideways: []string{"keyring/branchkey"}, external: []string{awsSDK}},
	"keyring/branchkey/kvstore":       {floor: 1, sideways: []string{"keyring", "keyring/branchkey", "store"}},
	"store/storetest":                 {floor: 1, sideways: []string{"store"}},
	"store/boltstore":                 {floor: 1, sideways: []string{"store"}, external: []string{bbolt}},
	"identity":                        {floor: 1},
	"audit":                           {floor: 1},

	"nitro":           {floor: 0, external: []string{cbor}},
	"nitro/nitrotest": {floor: 0, sideways: []string{"nitro"}, external: []string{cbor}},
	"policy":          {floor: 0, sideways: []string{"internal/arn"}},

	"internal":           {floor: 0}, // this test
	"internal/arn":       {floor: 0},
	"internal/awsjson":   {floor: 0},
	"internal/cache":     {floor: 0},
	"internal/ecdhwrap":  {floor: 0, sideways: []string{"internal/suite"}},
	"internal/gcmstream": {floor: 0},
	"internal/keyrecord": {floor: 0, sideways: []string{"internal/arn", "internal/prf"}},
	"internal/keyspec":   {floor: 0, sideways: []string{"internal/mldsamu"}, external: []string{mldsa, circl, secp}},
	"internal/kwp":       {floor: 0},
	"internal/mldsamu":   {floor: 0},
	"internal/prf":       {floor: 0},
	"internal/suite":     {floor: 0},
	"internal/syncdir":   {floor: 0},
	"internal/uuid":      {floor: 0},
	"internal/wire":      {floor: 0},

	"internal/xks":         {floor: 0, sideways: []string{"internal/wire"}, external: []string{awsSDK}},
	"internal/xks/xkstest": {floor: 0, sideways: []string{"internal/xks"}, external: []string{awsSDK}},
}

// lean lists the packages whose whole import graph is the standard library,
// golang.org/x/crypto with the one module that it builds on, and this module: a service that imports one must not compile
// the AWS SDK.
var lean = []string{"policy", "envelope", "keyring", "keyring/keyringtest", "store", "store/storetest", "identity", "audit"}

// listed is what go list says of a package.
type listed struct {
	ImportPath string
	Standard   bool
	Imports    []string
	Module     *struct{ Path string }
}

func goList(t *testing.T, args ...string) (all []listed) {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-json=ImportPath,Standard,Imports,Module"}, args...)...)
	cmd.Dir = ".."
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.Bytes())
	}
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		switch err := d.Decode(&p); {
		case errors.Is(err, io.EOF):
			return all
		case err != nil:
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

// inside returns an import path's name in the house.
func inside(path string) (string, bool) {
	if path == module {
		return "", true
	}
	return strings.CutPrefix(path, module+"/")
}

func TestImportsGoDown(t *testing.T) {
	t.Parallel()
	standard := map[string]bool{"C": true}
	for _, p := range goList(t, "std") {
		standard[p.ImportPath] = true
	}
	seen := map[string]bool{}
	for _, p := range goList(t, "./...") {
		name, _ := inside(p.ImportPath)
		r, ok := house[name]
		if !ok {
			t.Errorf("package %q has no place in the house: give it one in this test and in docs/design.md", name)
			continue
		}
		seen[name] = true
		for _, path := range p.Imports {
			if standard[path] {
				continue
			}
			if to, ok := inside(path); ok {
				if below := house[to].floor < r.floor; !below && !slices.Contains(r.sideways, to) {
					t.Errorf("%s (floor %d) imports %s (floor %d)", name, r.floor, to, house[to].floor)
				}
				continue
			}
			if !slices.ContainsFunc(r.external, func(m string) bool { return path == m || strings.HasPrefix(path, m+"/") }) {
				t.Errorf("%s imports %s, which it is not allowed", name, path)
			}
		}
	}
	for name := range house {
		if !seen[name] {
			t.Errorf("package %q is in the plan but not in the house", name)
		}
	}
}

func TestLeanPackagesStayLean(t *testing.T) {
	t.Parallel()
	for _, name := range lean {
		for _, p := range goList(t, "-deps", "./"+name) {
			if p.Standard || p.Module != nil && slices.Contains([]string{module, crypto, "golang.org/x/sys"}, p.Module.Path) {
				continue
			}
			t.Errorf("%s brings in %s", name, p.ImportPath)
		}
	}
}
