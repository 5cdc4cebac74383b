package keyspec_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func BenchmarkParse(b *testing.B) {
	for _, name := range []string{"RSA_2048", "RSA_4096", "ECC_NIST_P256", "ECC_SECG_P256K1", "ECC_NIST_EDWARDS25519", "ML_DSA_65", "ML_KEM_512", "ML_KEM_768"} {
		b.Run(name, func(b *testing.B) {
			m, s := material(name), lookup(b, name)
			b.ReportAllocs()
			for b.Loop() {
				_, err := s.Parse(m)
				require.NoError(b, err)
			}
		})
	}
}

func BenchmarkSign(b *testing.B) {
	for _, c := range signing {
		b.Run(c.spec+"/"+c.algorithm, func(b *testing.B) {
			k := key(b, c.spec)
			b.ReportAllocs()
			for b.Loop() {
				_, err := k.Sign(c.algorithm, "RAW", []byte("message"))
				require.NoError(b, err)
			}
		})
	}
}
