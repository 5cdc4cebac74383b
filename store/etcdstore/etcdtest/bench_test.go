package etcdtest

import (
	"runtime"
	"slices"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/kms"
	"github.com/sealring/sealring/store/etcdstore"
)

// BenchmarkEncrypt lets an engine on a cluster and one in memory take turns and reports
// the ratio of their times, which says whether the cluster is on the way of a request.
func BenchmarkEncrypt(b *testing.B) {
	memory, err := kms.New(b.Context(), kms.Config{})
	require.NoError(b, err)
	defer memory.Close()
	cluster := engine(b, sharedCluster(b), etcdstore.Options{Namespace: namespace()}, nil)
	const rounds, requests = 15, 4000
	var took [2][]time.Duration
	var work [2]func()
	for i, s := range []*kms.Service{memory, cluster} {
		api := root(s)
		in := &sdk.EncryptInput{KeyId: createKey(b, api), Plaintext: make([]byte, 32)}
		work[i] = func() {
			for range requests {
				if _, err := api.Encrypt(b.Context(), in); err != nil {
					b.Fatal(err)
				}
			}
		}
	}
	for b.Loop() {
		for round := range rounds {
			for i := range work {
				i = (i + round) % len(work)
				runtime.GC()
				start := time.Now()
				work[i]()
				took[i] = append(took[i], time.Since(start))
			}
		}
	}
	var ratios []float64
	for round := range took[0] {
		ratios = append(ratios, float64(took[1][round])/float64(took[0][round]))
	}
	slices.Sort(ratios)
	b.ReportMetric(ratios[len(ratios)/2], "etcd/memory")
	b.ReportMetric(float64(slices.Min(took[1]))/float64(slices.Min(took[0])), "best-etcd/memory")
	b.ReportMetric(float64(slices.Min(took[1]))/requests, "ns/op")
}
