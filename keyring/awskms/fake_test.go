package awskms_test

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"slices"
	"sync"

	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/sealring/sealring/internal/arn"
	"github.com/sealring/sealring/keyring"
)

const (
	keyARN   = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
	otherARN = "arn:aws:kms:eu-west-1:111122223333:key/0987dcba-09fe-87dc-65ba-ab0987654321"
	aliasARN = "arn:aws:kms:eu-west-1:111122223333:alias/fleet"
)

// fakeKMS is a KMS of a few keys. Its ciphertexts are those of AES-GCM and bind
// the key and the encryption context. It records every call.
type fakeKMS struct {
	aead    cipher.AEAD
	keys    []string          // key ARNs
	aliases map[string]string // alias name to key ARN

	mu         sync.Mutex
	calls      []any    // inputs, guarded by mu
	plaintexts [][]byte // handed out, guarded by mu
}

func newFakeKMS() *fakeKMS {
	material := make([]byte, 32)
	rand.Read(material)
	block, err := aes.NewCipher(material)
	if err != nil {
		panic(err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err)
	}
	return &fakeKMS{
		aead: aead, keys: []string{keyARN, otherARN},
		aliases: map[string]string{"alias/fleet": keyARN},
	}
}

// record keeps a copy of a call's input, and fails if the call's context is done.
func (f *fakeKMS) record(ctx context.Context, in any) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, in)
	return ctx.Err()
}

// handOut returns p as the caller's own and remembers the slice.
func (f *fakeKMS) handOut(p []byte) []byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.plaintexts = append(f.plaintexts, p)
	return p
}

// resolve returns the ARN of the key that id names.
func (f *fakeKMS) resolve(id *string) (string, error) {
	if id == nil {
		return "", &types.NotFoundException{}
	}
	name := *id
	if _, kind, tail, ok := arn.KMSKey(name); ok && kind == "alias" {
		name = "alias/" + tail
	}
	if key, ok := f.aliases[name]; ok {
		return key, nil
	}
	for _, key := range f.keys {
		if _, _, tail, _ := arn.KMSKey(key); name == key || name == tail {
			return key, nil
		}
	}
	return "", &types.NotFoundException{}
}

// aad is what a ciphertext is bound to.
func aad(key string, c map[string]string) []byte {
	b, err := keyring.EncryptionContext(c).AppendBinary([]byte(key + "\x00"))
	if err != nil {
		panic(err)
	}
	return b
}

func (f *fakeKMS) GenerateDataKey(ctx context.Context, in *kms.GenerateDataKeyInput, _ ...func(*kms.Options)) (*kms.GenerateDataKeyOutput, error) {
	if err := f.record(ctx, in); err != nil {
		return nil, err
	}
	key, err := f.resolve(in.KeyId)
	if err != nil {
		return nil, err
	}
	plaintext := make([]byte, *in.NumberOfBytes)
	rand.Read(plaintext)
	blob := f.aead.Seal(nil, nil, plaintext, aad(key, in.EncryptionContext))
	return &kms.GenerateDataKeyOutput{KeyId: &key, CiphertextBlob: blob, Plaintext: f.handOut(plaintext)}, nil
}

func (f *fakeKMS) Encrypt(ctx context.Context, in *kms.EncryptInput, _ ...func(*kms.Options)) (*kms.EncryptOutput, error) {
	kept := *in
	kept.Plaintext = bytes.Clone(in.Plaintext)
	if err := f.record(ctx, &kept); err != nil {
		return nil, err
	}
	key, err := f.resolve(in.KeyId)
	if err != nil {
		return nil, err
	}
	blob := f.aead.Seal(nil, nil, in.Plaintext, aad(key, in.EncryptionContext))
	return &kms.EncryptOutput{KeyId: &key, CiphertextBlob: blob}, nil
}

func (f *fakeKMS) Decrypt(ctx context.Context, in *kms.DecryptInput, _ ...func(*kms.Options)) (*kms.DecryptOutput, error) {
	if err := f.record(ctx, in); err != nil {
		return nil, err
	}
	key, err := f.resolve(in.KeyId)
	if err != nil {
		return nil, err
	}
	plaintext, err := f.aead.Open(nil, nil, in.CiphertextBlob, aad(key, in.EncryptionContext))
	if err != nil {
		return nil, &types.InvalidCiphertextException{}
	}
	return &kms.DecryptOutput{KeyId: &key, Plaintext: f.handOut(plaintext)}, nil
}

// inputs returns the inputs of all calls so far.
func (f *fakeKMS) inputs() []any {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.calls)
}

// altering is an API whose responses a test changes on the way.
type altering struct {
	*fakeKMS
	generated func(*kms.GenerateDataKeyOutput) (*kms.GenerateDataKeyOutput, error)
	encrypted func(*kms.EncryptOutput) (*kms.EncryptOutput, error)
	decrypted func(*kms.DecryptOutput) (*kms.DecryptOutput, error)
}

func (a altering) GenerateDataKey(ctx context.Context, in *kms.GenerateDataKeyInput, o ...func(*kms.Options)) (*kms.GenerateDataKeyOutput, error) {
	out, err := a.fakeKMS.GenerateDataKey(ctx, in, o...)
	if err != nil || a.generated == nil {
		return out, err
	}
	return a.generated(out)
}

func (a altering) Encrypt(ctx context.Context, in *kms.EncryptInput, o ...func(*kms.Options)) (*kms.EncryptOutput, error) {
	out, err := a.fakeKMS.Encrypt(ctx, in, o...)
	if err != nil || a.encrypted == nil {
		return out, err
	}
	return a.encrypted(out)
}

func (a altering) Decrypt(ctx context.Context, in *kms.DecryptInput, o ...func(*kms.Options)) (*kms.DecryptOutput, error) {
	out, err := a.fakeKMS.Decrypt(ctx, in, o...)
	if err != nil || a.decrypted == nil {
		return out, err
	}
	return a.decrypted(out)
}
