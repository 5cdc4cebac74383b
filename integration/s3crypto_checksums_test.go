package integration

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"hash/crc32"
	"io"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/stretchr/testify/require"
)

// The SDK's checksums go with all ways to write: those that it computes before a request,
// and over TLS, where bodies are streamed and not signed, those that follow the body.
func TestVersityGWChecksums(t *testing.T) {
	t.Parallel()
	wrap := newS3Wraps(t)[0]
	algorithms := []types.ChecksumAlgorithm{
		"", types.ChecksumAlgorithmCrc32, types.ChecksumAlgorithmSha256, types.ChecksumAlgorithmCrc64nvme,
	}
	calculations := []aws.RequestChecksumCalculation{aws.RequestChecksumCalculationWhenSupported, aws.RequestChecksumCalculationWhenRequired}
	lengths := []int{0, 1000, s3PartSize + 17}
	for _, secure := range []bool{false, true} {
		t.Run(fmt.Sprint("TLS ", secure), func(t *testing.T) {
			t.Parallel()
			s := versityGW(t, versityOptions{secure: secure})
			for i, row := range pairs(len(s3Writers), len(algorithms), len(calculations), len(lengths), len(s3Formats)) {
				o := &s3Object{
					server: s, wrap: wrap, policy: s3Formats[row[4]], checksum: algorithms[row[1]],
					key: fmt.Sprint("checksums/", i), content: s3Bytes(lengths[row[3]]),
				}
				w := s3Writers[row[0]]
				t.Run(fmt.Sprintf("%s, %s, %d, %d bytes", w.name, o.checksum, row[2], len(o.content)), func(t *testing.T) {
					client := s.client(func(o *s3.Options) { o.RequestChecksumCalculation = calculations[row[2]] })
					require.NoError(t, w.write(t.Context(), t, o, client))
					o.requireWhole(t)
					o.requireChecksum(t, row[0] == 0 || row[0] > 0 && row[0] < 4 && len(o.content) < s3PartSize, calculations[row[2]])
				})
			}
			require.Empty(t, s.listUploads(t))
		})
	}
}

// requireChecksum requires that S3 has the checksum that was asked for, of the ciphertext.
// whole says that the object went up in one request, so that it is the whole's.
func (o *s3Object) requireChecksum(t *testing.T, whole bool, calculation aws.RequestChecksumCalculation) {
	t.Helper()
	in := o.getInput()
	in.ChecksumMode = types.ChecksumModeEnabled
	out, err := o.server.client().GetObject(t.Context(), in)
	require.NoError(t, err)
	stored, err := io.ReadAll(out.Body) // the SDK compares it with the checksum, if it is the whole's
	require.NoError(t, err)
	require.NoError(t, out.Body.Close())
	encode := base64.StdEncoding.EncodeToString
	want, got := "", out.ChecksumCRC32
	switch o.checksum {
	case types.ChecksumAlgorithmSha256:
		sum := sha256.Sum256(stored)
		want, got = encode(sum[:]), out.ChecksumSHA256
	case types.ChecksumAlgorithmCrc64nvme:
		require.NotEmpty(t, aws.ToString(out.ChecksumCRC64NVME))
		return
	default:
		if o.checksum == "" && (!whole || calculation == aws.RequestChecksumCalculationWhenRequired) {
			return // nobody has asked for one
		}
		hash := crc32.NewIEEE()
		hash.Write(stored)
		want = encode(hash.Sum(nil))
	}
	if whole {
		require.Equal(t, want, aws.ToString(got))
	} else {
		require.Regexp(t, `-[12]$`, aws.ToString(got)) // a checksum of the parts' checksums
	}
}
