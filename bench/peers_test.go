package bench

import (
	"bytes"
	"crypto/rand"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/tink-crypto/tink-go/v2/streamingaead"

	"github.com/sealring/sealring/envelope"
	"github.com/sealring/sealring/keyring"
)

// A peer is a library, or a way to use one, that does what this one does: it seals a
// plaintext into new memory under a new data key, and opens what it has sealed.
type peer struct {
	name string
	seal func(plaintext []byte) ([]byte, error)
	open func(sealed []byte, n int) ([]byte, error) // n is the length of the plaintext
}

// sealring is this library with a raw AES keyring, suite 0478 and frames of 4 KiB.
func sealring(b *testing.B, name string) peer {
	b.Helper()
	m := manager(b)
	o := &envelope.EncryptOptions{Suite: keyring.AES256GCMHKDFSHA512CommitKey, FrameLength: frame}
	return peer{
		name: name,
		seal: func(plaintext []byte) ([]byte, error) { return envelope.Encrypt(b.Context(), m, plaintext, o) },
		open: func(message []byte, _ int) ([]byte, error) {
			plaintext, _, err := envelope.Decrypt(b.Context(), m, message, nil)
			return plaintext, err
		},
	}
}

// BenchmarkPeers64MiB is a long plaintext, held in memory. The line of sealring itself
// is the same work twice: how far its ratio is from 1 is the noise of all others.
func BenchmarkPeers64MiB(b *testing.B) {
	compareWithPeers(b, 64<<20, 1, []peer{
		sealring(b, "sealring"),
		officialESDK(b),
		tinkStream(b, "tink-4KiB", streamingaead.AES256GCMHKDF4KBKeyTemplate()),
		tinkStream(b, "tink-1MiB", streamingaead.AES256GCMHKDF1MBKeyTemplate()),
		ageFile(b),
		sioDARE(b),
	})
}

// BenchmarkPeers1KiB is a short plaintext, where keys and headers are what costs.
func BenchmarkPeers1KiB(b *testing.B) {
	compareWithPeers(b, 1<<10, 50, []peer{sealring(b, "sealring"), officialESDK(b), tinkEnvelope(b)})
}

// compareWithPeers has each peer seal and open a random plaintext of n bytes, so many
// messages of it in a row, taking turns with this library.
func compareWithPeers(b *testing.B, n, messages int, peers []peer) {
	plaintext := make([]byte, n)
	rand.Read(plaintext)
	ours := sealring(b, "ours")
	ourMessage := sealed(b, ours, plaintext)
	for _, p := range peers {
		theirMessage := sealed(b, p, plaintext)
		b.Run("encrypt/"+p.name, func(b *testing.B) {
			beside(b, n, messages,
				func() error { _, err := p.seal(plaintext); return err },
				func() error { _, err := ours.seal(plaintext); return err })
		})
		b.Run("decrypt/"+p.name, func(b *testing.B) {
			beside(b, n, messages,
				func() error { _, err := p.open(theirMessage, n); return err },
				func() error { _, err := ours.open(ourMessage, n); return err })
		})
	}
}

// sealed returns what a peer makes of a plaintext, and fails if it does not open to
// that plaintext again.
func sealed(b *testing.B, p peer, plaintext []byte) []byte {
	b.Helper()
	message, err := p.seal(plaintext)
	if err != nil {
		b.Fatal(p.name, err)
	}
	opened, err := p.open(message, len(plaintext))
	if err != nil {
		b.Fatal(p.name, err)
	}
	if !bytes.Equal(opened, plaintext) {
		b.Fatal(p.name, "opens to another plaintext")
	}
	return message
}

// beside times theirs and ours one after the other, in an order that alternates,
// and reports medians over the iterations: of the time that theirs takes for a
// message, of its speed, and of the ratio of its time to ours. Garbage is collected
// before each turn, so that nobody pays for what the other has left.
func beside(b *testing.B, n, messages int, theirs, ours func() error) {
	var times, ratios []float64
	for b.Loop() {
		var took [2]float64
		turns := []int{0, 1}
		if len(times)%2 == 1 {
			slices.Reverse(turns)
		}
		for _, i := range turns {
			took[i] = turn(b, messages, [...]func() error{theirs, ours}[i])
		}
		times, ratios = append(times, took[0]), append(ratios, took[0]/took[1])
	}
	slices.Sort(times)
	slices.Sort(ratios)
	middle := times[len(times)/2]
	b.ReportMetric(middle, "ns/op")
	b.ReportMetric(float64(n)*1e3/middle, "MB/s")
	b.ReportMetric(ratios[len(ratios)/2], "times-ours")
}

// turn returns how many nanoseconds each of so many calls of work takes.
func turn(b *testing.B, messages int, work func() error) float64 {
	b.Helper()
	runtime.GC()
	start := time.Now()
	for range messages {
		if err := work(); err != nil {
			b.Fatal(err)
		}
	}
	return float64(time.Since(start)) / float64(messages)
}
