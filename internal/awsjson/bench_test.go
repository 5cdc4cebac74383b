package awsjson_test

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/internal/awsjson"
)

const testKey = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"

var (
	encryptInput = []byte(`{"KeyId":"` + testKey + `","Plaintext":"MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",` +
		`"EncryptionContext":{"tenant":"42","purpose":"orders"},"EncryptionAlgorithm":"SYMMETRIC_DEFAULT"}`)
	encryptOutput = kms.EncryptOutput{
		KeyId:               aws.String(testKey),
		CiphertextBlob:      bytes.Repeat([]byte{0xa5}, 152),
		EncryptionAlgorithm: types.EncryptionAlgorithmSpecSymmetricDefault,
	}
)

// Decoding allocates the values and little else; appending to a buffer with room
// allocates nothing. Not parallel: the count is the whole process's.
func TestAllocations(t *testing.T) {
	// KeyId, its pointer, Plaintext, the map and its two entries, the algorithm,
	// the structure itself and the decoder's own state.
	const values = 13
	require.LessOrEqual(t, testing.AllocsPerRun(100, func() {
		if awsjson.Decode(encryptInput, new(kms.EncryptInput)) != nil {
			panic("not decoded")
		}
	}), float64(values))

	buf := make([]byte, 0, 1024)
	require.Zero(t, testing.AllocsPerRun(100, func() {
		if _, err := awsjson.Append(buf, &encryptOutput); err != nil {
			panic(err)
		}
	}))
}

func BenchmarkDecode(b *testing.B) {
	b.SetBytes(int64(len(encryptInput)))
	b.ReportAllocs()
	for b.Loop() {
		var in kms.EncryptInput
		if err := awsjson.Decode(encryptInput, &in); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkDecodeStandard is what encoding/json needs for the same body.
func BenchmarkDecodeStandard(b *testing.B) {
	b.SetBytes(int64(len(encryptInput)))
	b.ReportAllocs()
	for b.Loop() {
		var in kms.EncryptInput
		if err := json.Unmarshal(encryptInput, &in); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppend(b *testing.B) {
	b.ReportAllocs()
	var buf []byte
	for b.Loop() {
		var err error
		if buf, err = awsjson.Append(buf[:0], &encryptOutput); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendDescribeKey(b *testing.B) {
	out := kms.DescribeKeyOutput{KeyMetadata: &types.KeyMetadata{
		Arn:                  aws.String(testKey),
		KeyId:                aws.String("1234abcd-12ab-34cd-56ef-1234567890ab"),
		AWSAccountId:         aws.String("111122223333"),
		CreationDate:         aws.Time(time.UnixMilli(1593622000191)),
		Description:          aws.String("orders"),
		Enabled:              true,
		EncryptionAlgorithms: []types.EncryptionAlgorithmSpec{types.EncryptionAlgorithmSpecSymmetricDefault},
		KeyManager:           types.KeyManagerTypeCustomer,
		KeySpec:              types.KeySpecSymmetricDefault,
		KeyState:             types.KeyStateEnabled,
		KeyUsage:             types.KeyUsageTypeEncryptDecrypt,
		MultiRegion:          aws.Bool(false),
		Origin:               types.OriginTypeAwsKms,
	}}
	b.ReportAllocs()
	var buf []byte
	for b.Loop() {
		var err error
		if buf, err = awsjson.Append(buf[:0], &out); err != nil {
			b.Fatal(err)
		}
	}
}
