package kms_test

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"slices"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/sealring/sealring/audit"
	"github.com/sealring/sealring/identity"
	"github.com/sealring/sealring/kms"
)

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

// BenchmarkBesideParts measures a request and what the cryptography of it costs by
// itself, by turns, and reports the median of the ratios: the noise of a shared machine
// is in both.
func BenchmarkBesideParts(b *testing.B) {
	api, id, _ := benchClient(b)
	plaintext := make([]byte, 32)
	out, err := api.Encrypt(b.Context(), &sdk.EncryptInput{KeyId: &id, Plaintext: plaintext, EncryptionContext: benchContext})
	if err != nil {
		b.Fatal(err)
	}
	encryption := &sdk.EncryptInput{KeyId: &id, Plaintext: plaintext, EncryptionContext: benchContext}
	decryption := &sdk.DecryptInput{CiphertextBlob: out.CiphertextBlob, EncryptionContext: benchContext}
	generation := &sdk.GenerateDataKeyInput{KeyId: &id, KeySpec: types.DataKeySpecAes256, EncryptionContext: benchContext}
	p := newParts(b)
	for _, c := range []struct {
		name           string
		request, parts func() error
	}{
		{"Encrypt", func() error { _, err := api.Encrypt(b.Context(), encryption); return err }, p.encrypt},
		{"Decrypt", func() error { _, err := api.Decrypt(b.Context(), decryption); return err }, p.decrypt},
		{"GenerateDataKey", func() error { _, err := api.GenerateDataKey(b.Context(), generation); return err }, p.generate},
	} {
		b.Run(c.name, func(b *testing.B) {
			const round = 1000
			run := func(do func() error) float64 {
				start := time.Now()
				for range round {
					if err := do(); err != nil {
						b.Fatal(err)
					}
				}
				return float64(time.Since(start).Nanoseconds()) / round
			}
			var requests, parts, ratios []float64
			for b.Loop() {
				request, bare := run(c.request), run(c.parts)
				requests, parts, ratios = append(requests, request), append(parts, bare), append(ratios, request/bare)
			}
			for unit, figures := range map[string][]float64{"ns/request": requests, "ns/parts": parts, "ratio": ratios} {
				slices.Sort(figures)
				b.ReportMetric(figures[len(figures)/2], unit)
			}
			b.ReportMetric(testing.AllocsPerRun(round, func() { _ = c.request() }), "allocs/request")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// parts is the bare cryptography of requests: HMAC to derive a key, the AES key
// schedule and GCM, and what has to be random.
type parts struct {
	material [32]byte
	header   [102]byte
	sealed   []byte // under the salt at the end of header
}

func newParts(b *testing.B) *parts {
	p := new(parts)
	rand.Read(p.material[:])
	rand.Read(p.header[:])
	aead, err := p.derive(p.header[86:])
	if err != nil {
		b.Fatal(err)
	}
	p.sealed = aead.Seal(nil, make([]byte, 12), make([]byte, 32), p.header[:])
	return p
}

func (p *parts) derive(salt []byte) (cipher.AEAD, error) {
	h := hmac.New(sha256.New, p.material[:])
	h.Write([]byte("\x00\x00\x00\x01sealring/kms/ciphertext\x00"))
	h.Write(salt)
	h.Write([]byte("\x00\x00\x01\x00"))
	block, err := aes.NewCipher(h.Sum(nil))
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

func (p *parts) seal(plaintext []byte) error {
	blob := make([]byte, 102, 102+32+16)
	salt := blob[86:]
	rand.Read(salt)
	aead, err := p.derive(salt)
	if err != nil {
		return err
	}
	var nonce [12]byte
	aead.Seal(blob, nonce[:], plaintext, blob)
	return nil
}

func (p *parts) encrypt() error { return p.seal(p.material[:]) }

func (p *parts) generate() error {
	dataKey := make([]byte, 32)
	rand.Read(dataKey)
	return p.seal(dataKey)
}

func (p *parts) decrypt() error {
	aead, err := p.derive(p.header[86:])
	if err != nil {
		return err
	}
	var nonce [12]byte
	_, err = aead.Open(nil, nonce[:], p.sealed, p.header[:])
	return err
}
