package kms_test

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/sealring/sealring/audit"
	"github.com/sealring/sealring/identity"
	"github.com/sealring/sealring/kms"
)

// The benchmarks stand beside BenchmarkParts: what the cryptography of one
// GenerateDataKey costs by itself.

var benchContext = map[string]string{"tenant": "42", "purpose": "benchmark"}

func benchClient(b *testing.B) (api *kms.Client, id string, service *kms.Service) {
	b.Helper()
	service, err := kms.New(b.Context(), kms.Config{Audit: &audit.Ring{}})
	if err != nil {
		b.Fatal(err)
	}
	api = service.Client(identity.Root(account, region))
	out, err := api.CreateKey(b.Context(), &sdk.CreateKeyInput{})
	if err != nil {
		b.Fatal(err)
	}
	return api, *out.KeyMetadata.KeyId, service
}

// serialAndParallel measures one request.
func serialAndParallel(b *testing.B, request func() error) {
	b.Helper()
	b.Run("serial", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := request(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("parallel", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(p *testing.PB) {
			for p.Next() {
				if err := request(); err != nil {
					b.Error(err)
					return
				}
			}
		})
	})
}

func BenchmarkEncrypt(b *testing.B) {
	api, id, _ := benchClient(b)
	in := &sdk.EncryptInput{KeyId: &id, Plaintext: make([]byte, 32), EncryptionContext: benchContext}
	serialAndParallel(b, func() error {
		_, err := api.Encrypt(b.Context(), in)
		return err
	})
}

func BenchmarkDecrypt(b *testing.B) {
	api, id, _ := benchClient(b)
	out, err := api.Encrypt(b.Context(), &sdk.EncryptInput{KeyId: &id, Plaintext: make([]byte, 32), EncryptionContext: benchContext})
	if err != nil {
		b.Fatal(err)
	}
	in := &sdk.DecryptInput{CiphertextBlob: out.CiphertextBlob, EncryptionContext: benchContext}
	serialAndParallel(b, func() error {
		_, err := api.Decrypt(b.Context(), in)
		return err
	})
}

func BenchmarkGenerateDataKey(b *testing.B) {
	api, id, _ := benchClient(b)
	in := &sdk.GenerateDataKeyInput{KeyId: &id, KeySpec: types.DataKeySpecAes256, EncryptionContext: benchContext}
	serialAndParallel(b, func() error {
		_, err := api.GenerateDataKey(b.Context(), in)
		return err
	})
}

// BenchmarkSDK is GenerateDataKey through the SDK's client.
func BenchmarkSDK(b *testing.B) {
	_, id, service := benchClient(b)
	client := service.SDK(identity.Root(account, region))
	in := &sdk.GenerateDataKeyInput{KeyId: &id, KeySpec: types.DataKeySpecAes256, EncryptionContext: benchContext}
	serialAndParallel(b, func() error {
		_, err := client.GenerateDataKey(b.Context(), in)
		return err
	})
}

// BenchmarkDescribeKey is the pipeline without cryptography of its own.
func BenchmarkDescribeKey(b *testing.B) {
	api, id, _ := benchClient(b)
	in := &sdk.DescribeKeyInput{KeyId: &id}
	serialAndParallel(b, func() error {
		_, err := api.DescribeKey(b.Context(), in)
		return err
	})
}

// BenchmarkParts is a random data key and salt, HMAC, AES key schedule and GCM.
func BenchmarkParts(b *testing.B) {
	material := make([]byte, 32)
	rand.Read(material)
	serialAndParallel(b, func() error {
		var dataKey [32]byte
		rand.Read(dataKey[:])
		blob := make([]byte, 102, 102+32+16)
		salt := blob[86:]
		rand.Read(salt)
		h := hmac.New(sha256.New, material)
		h.Write([]byte("\x00\x00\x00\x01sealring/kms/ciphertext\x00"))
		h.Write(salt)
		h.Write([]byte("\x00\x00\x01\x00"))
		block, err := aes.NewCipher(h.Sum(nil))
		if err != nil {
			return err
		}
		aead, err := cipher.NewGCM(block)
		if err != nil {
			return err
		}
		var nonce [12]byte
		aead.Seal(blob, nonce[:], dataKey[:], blob)
		return nil
	})
}
