package kms_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"hash"
	"strings"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/internal/keyspec"
	"github.com/sealring/sealring/internal/kwp"
	"github.com/sealring/sealring/kms"
)

const (
	oaep256    = types.AlgorithmSpecRsaesOaepSha256
	hybrid256  = types.AlgorithmSpecRsaAesKeyWrapSha256
	rsa2048    = types.WrappingKeySpecRsa2048
	noExpiry   = types.ExpirationModelTypeKeyMaterialDoesNotExpire
	asNew      = types.ImportTypeNewKeyMaterial
	asExisting = types.ImportTypeExistingKeyMaterial
)

// importer imports material into one key with one token.
type importer struct {
	key       string
	token     []byte
	public    *rsa.PublicKey
	algorithm types.AlgorithmSpec
}

// importerFor gets the parameters for an import.
func importerFor(t *testing.T, api kms.API, key string, algorithm types.AlgorithmSpec, spec types.WrappingKeySpec) importer {
	t.Helper()
	out := do[sdk.GetParametersForImportOutput](t, api, &sdk.GetParametersForImportInput{KeyId: &key, WrappingAlgorithm: algorithm, WrappingKeySpec: spec})
	public, err := x509.ParsePKIXPublicKey(out.PublicKey)
	require.NoError(t, err)
	return importer{key, out.ImportToken, public.(*rsa.PublicKey), algorithm}
}

// imported makes the request that imports material for good.
func (i importer) imported(t *testing.T, material []byte) *sdk.ImportKeyMaterialInput {
	t.Helper()
	return &sdk.ImportKeyMaterialInput{KeyId: &i.key, ImportToken: i.token, EncryptedKeyMaterial: i.wrap(t, material), ExpirationModel: noExpiry}
}

// as is imported with an import type.
func (i importer) as(t *testing.T, kind types.ImportType, material []byte) *sdk.ImportKeyMaterialInput {
	t.Helper()
	in := i.imported(t, material)
	in.ImportType = kind
	return in
}

// wrap encrypts material as its owner does, by the standard library.
func (i importer) wrap(t *testing.T, material []byte) []byte {
	t.Helper()
	if strings.HasPrefix(string(i.algorithm), "RSA_AES") {
		return i.wrapUnder(t, random(32), material)
	}
	return i.seal(t, material)
}

// wrapUnder wraps material under an AES key.
func (i importer) wrapUnder(t *testing.T, kek, material []byte) []byte {
	t.Helper()
	wrapped, err := kwp.Wrap(kek, material)
	require.NoError(t, err)
	return append(i.seal(t, kek), wrapped...)
}

func (i importer) seal(t *testing.T, b []byte) []byte {
	t.Helper()
	var h hash.Hash = sha256.New()
	if strings.HasSuffix(string(i.algorithm), "SHA_1") {
		h = sha1.New()
	}
	sealed, err := rsa.EncryptOAEP(h, rand.Reader, i.public, b, nil)
	require.NoError(t, err)
	return sealed
}

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

// newMaterialOf returns new material of a key spec.
func newMaterialOf(t *testing.T, spec types.KeySpec) []byte {
	t.Helper()
	s, ok := keyspec.Lookup(string(spec))
	require.True(t, ok)
	material, err := s.Generate()
	require.NoError(t, err)
	return material
}

// external makes a key for imported material and sets the rig's arn and id to it.
func (r *rig) external(t *testing.T, in sdk.CreateKeyInput) {
	t.Helper()
	in.Origin = types.OriginTypeExternal
	r.create(t, &in)
}

// importer is importerFor the rig's key with what suits most of them.
func (r *rig) importer(t *testing.T) importer {
	t.Helper()
	return importerFor(t, r.api, r.arn, oaep256, rsa2048)
}

// importID imports material and returns its id.
func importID(t *testing.T, api kms.API, in *sdk.ImportKeyMaterialInput) string {
	t.Helper()
	return *do[sdk.ImportKeyMaterialOutput](t, api, in).KeyMaterialId
}
