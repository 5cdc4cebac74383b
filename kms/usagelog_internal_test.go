package kms

import (
	"testing"
	"time"

	"github.com/sealring/sealring/internal/keyrecord"
)

// BenchmarkNoteUsage is what the note of a use adds to a request.
func BenchmarkNoteUsage(b *testing.B) {
	k := &keyrecord.Key{Account: "111122223333", Region: "us-east-1", ID: "12345678-1234-4234-8234-123456789abc", Spec: "SYMMETRIC_DEFAULT", Usage: "ENCRYPT_DECRYPT", Origin: "EXTERNAL"}
	record, err := k.Marshal()
	if err != nil {
		b.Fatal(err)
	}
	if k, err = keyrecord.UnmarshalKey(record); err != nil {
		b.Fatal(err)
	}
	s := &Service{}
	now := time.Now()
	s.usage.flushed.Store(now.UnixNano())
	r := &request{service: s, op: encrypt, now: now, id: "id", targets: []target{{key: k}}}
	b.Run("serial", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			r.noteUsage()
		}
	})
	b.Run("parallel", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(p *testing.PB) {
			for p.Next() {
				r.noteUsage()
			}
		})
	})
}
