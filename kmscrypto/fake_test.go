package kmscrypto_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/mlkem"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/smithy-go"
)

const (
	account  = "arn:aws:kms:eu-west-1:111122223333:"
	keyARN   = account + "key/1234abcd-12ab-34cd-56ef-1234567890ab"
	keyID    = "1234abcd-12ab-34cd-56ef-1234567890ab"
	otherARN = account + "key/0987dcba-09fe-87dc-65ba-ab0987654321"
	alias    = "alias/web"
)

// fakeKMS is a KMS of one key, with the standard library's cryptography behind the
// operations and AWS's rules for them in front. It records every input.
type fakeKMS struct {
	spec    types.KeySpec
	usage   types.KeyUsageType
	private any // of the standard library; nil for specs that it lacks
	der     []byte
	// answer changes an output on its way, or replaces the error; nil for neither.
	answer func(out any) error

	mu    sync.Mutex
	calls []any // guarded by mu
}

// newFake makes a KMS with a new key.
func newFake(spec types.KeySpec, usage types.KeyUsageType) *fakeKMS {
	f := &fakeKMS{spec: spec, usage: usage}
	var err error
	switch spec {
	case types.KeySpecRsa2048:
		f.private = rsaKey()
	case types.KeySpecEccNistP256:
		f.private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case types.KeySpecEccNistP384:
		f.private, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case types.KeySpecEccNistP521:
		f.private, err = ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	case types.KeySpecEccNistEdwards25519:
		_, f.private, err = ed25519.GenerateKey(rand.Reader)
	case types.KeySpecMlKem768:
		f.private, err = mlkem.GenerateKey768()
	case types.KeySpecMlKem1024:
		f.private, err = mlkem.GenerateKey1024()
	}
	f.der = must(publicDER(spec, f.private), err)
	return f
}

var rsaKey = sync.OnceValue(func() *rsa.PrivateKey { return must(rsa.GenerateKey(rand.Reader, 2048)) })

// must returns v, and panics with an error that can only be the test's own fault.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// publicDER encodes the public key of private; for a spec that the standard library
// lacks, random bytes of the right length.
func publicDER(spec types.KeySpec, private any) []byte {
	nist := func(last ...int) asn1.ObjectIdentifier {
		return append(asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4}, last...)
	}
	switch k := private.(type) {
	case *mlkem.DecapsulationKey768:
		return spki(nist(4, 2), nil, k.EncapsulationKey().Bytes())
	case *mlkem.DecapsulationKey1024:
		return spki(nist(4, 3), nil, k.EncapsulationKey().Bytes())
	case crypto.Signer:
		return must(x509.MarshalPKIXPublicKey(k.Public()))
	}
	switch spec {
	case types.KeySpecEccSecgP256k1:
		curve := must(asn1.Marshal(asn1.ObjectIdentifier{1, 3, 132, 0, 10}))
		return spki(asn1.ObjectIdentifier{1, 2, 840, 10045, 2, 1}, curve, random(65))
	case types.KeySpecMlDsa44:
		return spki(nist(3, 17), nil, random(1312))
	case types.KeySpecMlDsa65:
		return spki(nist(3, 18), nil, random(1952))
	case types.KeySpecMlDsa87:
		return spki(nist(3, 19), nil, random(2592))
	case types.KeySpecMlKem512:
		return spki(nist(4, 1), nil, random(800))
	}
	panic("no public key for " + spec)
}

func spki(algorithm asn1.ObjectIdentifier, parameters, key []byte) []byte {
	return must(asn1.Marshal(struct {
		Algorithm pkix.AlgorithmIdentifier
		Key       asn1.BitString
	}{
		pkix.AlgorithmIdentifier{Algorithm: algorithm, Parameters: asn1.RawValue{FullBytes: parameters}},
		asn1.BitString{Bytes: key, BitLength: 8 * len(key)},
	}))
}

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

func ptr[T any](v T) *T { return &v }

func invalid(format string, args ...any) error {
	return &smithy.GenericAPIError{Code: "ValidationException", Message: fmt.Sprintf(format, args...)}
}

// serve records a call and returns what run makes of it, changed by f.answer.
func serve[O any](ctx context.Context, f *fakeKMS, in any, id *string, usage types.KeyUsageType, run func() (*O, error)) (*O, error) {
	f.mu.Lock()
	f.calls = append(f.calls, in)
	f.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if id == nil || !slices.Contains([]string{keyARN, keyID, alias, account + alias}, *id) {
		return nil, &types.NotFoundException{}
	}
	if usage != "" && f.usage != usage {
		return nil, &types.InvalidKeyUsageException{}
	}
	out, err := run()
	if err == nil && f.answer != nil {
		err = f.answer(out)
	}
	if err != nil {
		return nil, err
	}
	return out, nil
}

// inputs returns the inputs of all calls since the last time.
func (f *fakeKMS) inputs() []any {
	f.mu.Lock()
	defer f.mu.Unlock()
	calls := f.calls
	f.calls = nil
	return calls
}

func (f *fakeKMS) GetPublicKey(ctx context.Context, in *kms.GetPublicKeyInput, _ ...func(*kms.Options)) (*kms.GetPublicKeyOutput, error) {
	return serve(ctx, f, in, in.KeyId, "", func() (*kms.GetPublicKeyOutput, error) {
		return &kms.GetPublicKeyOutput{KeyId: ptr(keyARN), KeySpec: f.spec, KeyUsage: f.usage, PublicKey: slices.Clone(f.der)}, nil
	})
}

func (f *fakeKMS) Sign(ctx context.Context, in *kms.SignInput, _ ...func(*kms.Options)) (*kms.SignOutput, error) {
	return serve(ctx, f, in, in.KeyId, types.KeyUsageTypeSignVerify, func() (*kms.SignOutput, error) {
		if len(in.Message) < 1 || len(in.Message) > 4096 {
			return nil, invalid("a message of %d bytes", len(in.Message))
		}
		signature, err := f.sign(in)
		return &kms.SignOutput{KeyId: ptr(keyARN), SigningAlgorithm: in.SigningAlgorithm, Signature: signature}, err
	})
}

// fakeHashes and fakeSignatures are what signing algorithms end in, and how long
// signatures are that the fake cannot make.
var (
	fakeHashes     = map[string]crypto.Hash{"SHA_256": crypto.SHA256, "SHA_384": crypto.SHA384, "SHA_512": crypto.SHA512}
	fakeSignatures = map[types.KeySpec]int{types.KeySpecMlDsa44: 2420, types.KeySpecMlDsa65: 3309, types.KeySpecMlDsa87: 4627}
)

func (f *fakeKMS) sign(in *kms.SignInput) ([]byte, error) {
	if n, ok := fakeSignatures[f.spec]; ok {
		if in.MessageType == types.MessageTypeDigest || in.MessageType == types.MessageTypeExternalMu && len(in.Message) != 64 {
			return nil, invalid("not for ML-DSA")
		}
		return random(n), nil
	}
	algorithm := string(in.SigningAlgorithm)
	hash := fakeHashes[algorithm[len(algorithm)-7:]]
	input := in.Message
	switch {
	case algorithm == "ED25519_SHA_512":
		if in.MessageType != types.MessageTypeRaw {
			return nil, invalid("Ed25519 signs messages")
		}
		return f.private.(crypto.Signer).Sign(nil, input, crypto.Hash(0))
	case in.MessageType == types.MessageTypeRaw:
		h := hash.New()
		h.Write(input)
		input = h.Sum(nil)
	case len(input) != hash.Size():
		return nil, invalid("Digest is invalid length for algorithm %s.", algorithm)
	}
	switch {
	case f.spec == types.KeySpecEccSecgP256k1 && algorithm == "ECDSA_SHA_256":
		return asn1.Marshal([]any{1 << 40, 1 << 50})
	case strings.HasPrefix(algorithm, "RSASSA_PSS_"):
		return f.private.(*rsa.PrivateKey).Sign(rand.Reader, input, &rsa.PSSOptions{SaltLength: hash.Size(), Hash: hash})
	}
	return f.private.(crypto.Signer).Sign(rand.Reader, input, hash)
}

func (f *fakeKMS) Decrypt(ctx context.Context, in *kms.DecryptInput, _ ...func(*kms.Options)) (*kms.DecryptOutput, error) {
	return serve(ctx, f, in, in.KeyId, types.KeyUsageTypeEncryptDecrypt, func() (*kms.DecryptOutput, error) {
		hash := crypto.SHA256
		if in.EncryptionAlgorithm == types.EncryptionAlgorithmSpecRsaesOaepSha1 {
			hash = crypto.SHA1
		}
		p, err := f.private.(*rsa.PrivateKey).Decrypt(nil, in.CiphertextBlob, &rsa.OAEPOptions{Hash: hash})
		if err != nil {
			return nil, &types.InvalidCiphertextException{}
		}
		return &kms.DecryptOutput{KeyId: ptr(keyARN), EncryptionAlgorithm: in.EncryptionAlgorithm, Plaintext: p}, nil
	})
}

func (f *fakeKMS) DeriveSharedSecret(ctx context.Context, in *kms.DeriveSharedSecretInput, _ ...func(*kms.Options)) (*kms.DeriveSharedSecretOutput, error) {
	return serve(ctx, f, in, in.KeyId, types.KeyUsageTypeKeyAgreement, func() (*kms.DeriveSharedSecretOutput, error) {
		peer, err := x509.ParsePKIXPublicKey(in.PublicKey)
		if err != nil {
			return nil, invalid("")
		}
		private, err := f.private.(*ecdsa.PrivateKey).ECDH()
		if err != nil {
			return nil, err
		}
		point, err := peer.(*ecdsa.PublicKey).ECDH()
		if err != nil {
			return nil, err
		}
		secret, err := private.ECDH(point)
		return &kms.DeriveSharedSecretOutput{KeyId: ptr(keyARN), KeyAgreementAlgorithm: in.KeyAgreementAlgorithm, SharedSecret: secret}, err
	})
}

// Encapsulate is of a key that the fake does not have: nobody else can tell.
func (f *fakeKMS) Encapsulate(ctx context.Context, in *kms.EncapsulateInput, _ ...func(*kms.Options)) (*kms.EncapsulateOutput, error) {
	return serve(ctx, f, in, in.KeyId, types.KeyUsageTypeEncapsulateDecapsulate, func() (*kms.EncapsulateOutput, error) {
		return &kms.EncapsulateOutput{
			KeyId: ptr(keyARN), EncapsulationAlgorithm: in.EncapsulationAlgorithm,
			SharedSecret: random(32), SharedSecretCiphertextBlob: random(768),
		}, nil
	})
}

func (f *fakeKMS) Decapsulate(ctx context.Context, in *kms.DecapsulateInput, _ ...func(*kms.Options)) (*kms.DecapsulateOutput, error) {
	return serve(ctx, f, in, in.KeyId, types.KeyUsageTypeEncapsulateDecapsulate, func() (*kms.DecapsulateOutput, error) {
		secret := random(32)
		if d, ok := f.private.(interface{ Decapsulate([]byte) ([]byte, error) }); ok {
			var err error
			if secret, err = d.Decapsulate(in.SharedSecretCiphertextBlob); err != nil {
				return nil, &types.InvalidCiphertextException{}
			}
		}
		return &kms.DecapsulateOutput{KeyId: ptr(keyARN), EncapsulationAlgorithm: in.EncapsulationAlgorithm, SharedSecret: secret}, nil
	})
}
