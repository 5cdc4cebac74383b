package bench

import (
	"bytes"
	"crypto/rand"
	mathrand "math/rand/v2"
	"runtime"
	"testing"
	"time"

	"github.com/tink-crypto/tink-go/v2/streamingaead"

	"github.com/sealring/sealring/envelope"
)

// A peer is a library, or a way to use one, that does what this one does: it seals a
// plaintext into new memory under a new data key, and opens what it has sealed.
type peer struct {
	name string
	seal func(plaintext []byte) ([]byte, error)
	open func(sealed []byte, n int) ([]byte, error) // n is the length of the plaintext
}

// sealring is this library with a raw AES keyring, suite 0478 and frames of 4 KiB.
func sealring(b *testing.B, name string, parallelism int) peer {
	b.Helper()
	m := manager(b)
	o := &envelope.EncryptOptions{Suite: unsigned, FrameLength: frame, Parallelism: parallelism}
	reading := &envelope.DecryptOptions{Parallelism: parallelism}
	return peer{
		name: name,
		seal: func(plaintext []byte) ([]byte, error) { return envelope.Encrypt(b.Context(), m, plaintext, o) },
		open: func(message []byte, _ int) ([]byte, error) {
			plaintext, _, err := envelope.Decrypt(b.Context(), m, message, reading)
			return plaintext, err
		},
	}
}

// BenchmarkPeers64MiB is a long plaintext, held in memory, beside this library with as
// many goroutines as it takes by default and with one. The line of sealring itself is
// the same work twice: how far its ratio is from 1 is the noise of all others.
func BenchmarkPeers64MiB(b *testing.B) {
	compareWithPeers(b, long, 1, []peer{sealring(b, "times-ours", 0), sealring(b, "times-ours-on-one", 1)}, []peer{
		sealring(b, "sealring", 0),
		officialESDK(b),
		tinkStream(b, "tink-4KiB", streamingaead.AES256GCMHKDF4KBKeyTemplate()),
		tinkStream(b, "tink-1MiB", streamingaead.AES256GCMHKDF1MBKeyTemplate()),
		ageFile(b),
		sioDARE(b),
	})
}

// BenchmarkPeers1KiB is a short plaintext, where keys and headers are what costs.
func BenchmarkPeers1KiB(b *testing.B) {
	compareWithPeers(b, small, 50, []peer{sealring(b, "times-ours", 0)},
		[]peer{sealring(b, "sealring", 0), officialESDK(b), tinkEnvelope(b)})
}

// compareWithPeers has each peer seal and open a random plaintext of n bytes, so many
// messages of it in a row, taking turns with ours. Its time as a multiple of each of
// ours is a metric of that one's name.
func compareWithPeers(b *testing.B, n, messages int, ours, peers []peer) {
	plaintext := make([]byte, n)
	rand.Read(plaintext)
	seal := func(p peer) side {
		return side{p.name, repeat(messages, func() error { _, err := p.seal(plaintext); return err })}
	}
	open := func(p peer) side {
		message := sealed(b, p, plaintext)
		return side{p.name, repeat(messages, func() error { _, err := p.open(message, n); return err })}
	}
	for _, direction := range []struct {
		name string
		work func(peer) side
	}{{"encrypt/", seal}, {"decrypt/", open}} {
		var sides []side
		for _, p := range ours {
			sides = append(sides, direction.work(p))
		}
		for _, p := range peers {
			theirs := direction.work(p)
			b.Run(direction.name+p.name, func(b *testing.B) { beside(b, n, messages, theirs, sides) })
		}
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

// beside lets theirs and ours take turns, one each in an iteration, so that benchtime
// says how many: the official library is too slow for the rounds of takeTurns. It
// reports medians: of the time of one of theirs messages of n bytes and of its speed,
// and of its ratio to each of ours.
func beside(b *testing.B, n, messages int, theirs side, ours []side) {
	sides := append([]side{theirs}, ours...)
	took := make([][]time.Duration, len(sides))
	for b.Loop() {
		for _, i := range mathrand.Perm(len(sides)) {
			runtime.GC() // nobody pays for what another has left
			start := time.Now()
			if err := sides[i].work(); err != nil {
				b.Fatal(sides[i].name, err)
			}
			took[i] = append(took[i], time.Since(start))
		}
	}
	each := median(seconds(took[0])) / float64(messages)
	b.ReportMetric(each*1e9, "ns/op")
	b.ReportMetric(float64(n)/each/1e6, "MB/s")
	for i, o := range ours {
		report(b, o.name, cost, took[i+1], took[0])
	}
}
