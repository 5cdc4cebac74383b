package bench

import (
	"bytes"
	"crypto/cipher"
	"crypto/sha512"
	"encoding/binary"
	"io"
	"testing"
	"time"

	"github.com/sealring/sealring/envelope"
	"github.com/sealring/sealring/keyring"
)

// long is the length of the plaintext that bodies are measured with.
const long = 64 << 20

const (
	unsigned = keyring.AES256GCMHKDFSHA512CommitKey
	signed   = keyring.AES256GCMHKDFSHA512CommitKeyECDSAP384
)

// bareLoop is what the standard library needs for a body: AES-GCM over pieces of one
// frame, into one new buffer, without format, keys or signature.
type bareLoop struct {
	aead      cipher.AEAD
	plaintext []byte
}

func newBareLoop(b *testing.B) *bareLoop {
	aead, err := newGCM(make([]byte, 32))
	if err != nil {
		b.Fatal(err)
	}
	plaintext := make([]byte, long)
	for i := range plaintext {
		plaintext[i] = byte(i * 7)
	}
	return &bareLoop{aead, plaintext}
}

// seal calls each with the pieces as they are sealed and returns all of them.
func (l *bareLoop) seal(each func(sealed []byte)) []byte {
	out, iv := make([]byte, 0, long/frame*(frame+l.aead.Overhead())), make([]byte, 12)
	for i := 0; i < long; i += frame {
		start := len(out)
		binary.BigEndian.PutUint32(iv[8:], uint32(i))
		out = l.aead.Seal(out, iv, l.plaintext[i:i+frame], nil)
		if each != nil {
			each(out[start:])
		}
	}
	return out
}

func (l *bareLoop) open(sealed []byte) error {
	out, iv, size := make([]byte, 0, long), make([]byte, 12), frame+l.aead.Overhead()
	for i := 0; len(sealed) > 0; i += frame {
		binary.BigEndian.PutUint32(iv[8:], uint32(i))
		var err error
		if out, err = l.aead.Open(out, iv, sealed[:size], nil); err != nil {
			return err
		}
		sealed = sealed[size:]
	}
	return nil
}

// sealThenHash hashes when all is sealed, and sealAndHash on a goroutine of its own
// while the rest is being sealed.
func (l *bareLoop) sealThenHash() error {
	sha512.Sum384(l.seal(nil))
	return nil
}

func (l *bareLoop) sealAndHash() error {
	const pieces = 32 // to a batch
	batches, done := make(chan []byte, long/frame/pieces), make(chan struct{})
	go func() {
		digest := sha512.New384()
		for b := range batches {
			digest.Write(b)
		}
		digest.Sum(nil)
		close(done)
	}()
	var batch []byte
	n := 0
	l.seal(func(sealed []byte) {
		if n++; n%pieces == 1 {
			batch = sealed
		} else {
			batch = batch[:len(batch)+len(sealed)] // they lie behind each other
		}
		if n%pieces == 0 {
			batches <- batch
		}
	})
	close(batches)
	<-done
	return nil
}

// ours is one way of encrypting the loop's plaintext.
type ours struct {
	name        string
	suite       keyring.Suite
	frame       int
	parallelism int
}

var forms = []ours{
	{"4KiB-alone", unsigned, frame, 1}, {"4KiB", unsigned, frame, 0},
	{"64KiB-alone", unsigned, 64 << 10, 1}, {"64KiB", unsigned, 64 << 10, 0},
}

func (o ours) encrypt(b *testing.B, m keyring.Manager, plaintext []byte) ([]byte, error) {
	return envelope.Encrypt(b.Context(), m, plaintext, &envelope.EncryptOptions{
		Suite: o.suite, FrameLength: o.frame, Parallelism: o.parallelism,
	})
}

func (o ours) encrypting(b *testing.B, m keyring.Manager, plaintext []byte) side {
	return side{o.name, func() error {
		_, err := o.encrypt(b, m, plaintext)
		return err
	}}
}

func (o ours) decrypting(b *testing.B, m keyring.Manager, plaintext []byte) side {
	message, err := o.encrypt(b, m, plaintext)
	if err != nil {
		b.Fatal(err)
	}
	return side{o.name, func() error {
		_, _, err := envelope.Decrypt(b.Context(), m, message, &envelope.DecryptOptions{Parallelism: o.parallelism})
		return err
	}}
}

func (o ours) writing(b *testing.B, m keyring.Manager, plaintext []byte) side {
	return side{o.name, func() error {
		w, err := envelope.NewWriter(b.Context(), io.Discard, m, &envelope.EncryptOptions{
			Suite: o.suite, FrameLength: o.frame, Parallelism: o.parallelism,
		})
		if err != nil {
			return err
		}
		if _, err := io.Copy(w, onlyReader{bytes.NewReader(plaintext)}); err != nil {
			return err
		}
		return w.Close()
	}}
}

func (o ours) reading(b *testing.B, m keyring.Manager, plaintext []byte) side {
	message, err := o.encrypt(b, m, plaintext)
	if err != nil {
		b.Fatal(err)
	}
	return side{o.name, func() error {
		r, err := envelope.NewReader(b.Context(), bytes.NewReader(message), m, &envelope.DecryptOptions{Parallelism: o.parallelism})
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, r)
		return err
	}}
}

// onlyReader hides what else a reader can do.
type onlyReader struct{ io.Reader }

// BenchmarkFrames compares 64 MiB in frames with the bare loop: how many times as
// fast as that they are, on one goroutine ("alone") and at default parallelism.
func BenchmarkFrames(b *testing.B) {
	l, m := newBareLoop(b), manager(b)
	sides := func(form func(ours, *testing.B, keyring.Manager, []byte) side) []side {
		var all []side
		for _, o := range forms {
			all = append(all, form(o, b, m, l.plaintext))
		}
		return all
	}
	sealing := side{"loop", func() error {
		l.seal(nil)
		return nil
	}}
	sealed := l.seal(nil)
	opening := side{"loop", func() error { return l.open(sealed) }}
	b.Run("encrypt", func(b *testing.B) { versus(b, speedup, sealing, sides(ours.encrypting)...) })
	b.Run("decrypt", func(b *testing.B) { versus(b, speedup, opening, sides(ours.decrypting)...) })
	b.Run("write", func(b *testing.B) { versus(b, speedup, sealing, sides(ours.writing)...) })
	b.Run("read", func(b *testing.B) { versus(b, speedup, opening, sides(ours.reading)...) })
}

// BenchmarkSigned compares a signed message of 64 MiB with the faster of two bare
// loops: seal and then hash, and hash beside sealing.
func BenchmarkSigned(b *testing.B) {
	l, m := newBareLoop(b), manager(b)
	o := ours{"encrypt", signed, frame, 0}
	b.Run("encrypt", func(b *testing.B) {
		took := takeTurns(b, rounds, []side{{"then", l.sealThenHash}, {"beside", l.sealAndHash}, o.encrypting(b, m, l.plaintext)})
		faster := took[0]
		if median(seconds(took[1])) < median(seconds(took[0])) {
			faster = took[1]
		}
		report(b, "encrypt/faster-loop", speedup, faster, took[2])
		report(b, "beside/then", speedup, took[0], took[1])
	})
	b.Run("decrypt", func(b *testing.B) {
		sealed := l.seal(nil)
		openAndHash := func() error {
			done := make(chan struct{})
			go func() {
				sha512.Sum384(sealed)
				close(done)
			}()
			err := l.open(sealed)
			<-done
			return err
		}
		versus(b, speedup, side{"loop", openAndHash}, o.decrypting(b, m, l.plaintext))
	})
}

func seconds(took []time.Duration) []float64 {
	var s []float64
	for _, d := range took {
		s = append(s, d.Seconds())
	}
	return s
}

// BenchmarkWhereParallelPays compares two goroutines with one, on messages of
// growing length, into a buffer that is used again.
func BenchmarkWhereParallelPays(b *testing.B) {
	m := manager(b)
	for _, n := range []int{256 << 10, 512 << 10, 1 << 20, 4 << 20} {
		plaintext, dst := make([]byte, n), make([]byte, 0, n+n/64)
		encrypt := func(parallelism int) func() error {
			return repeat(32<<20/n, func() error {
				_, err := envelope.AppendEncrypt(b.Context(), dst, m, plaintext, &envelope.EncryptOptions{
					Suite: unsigned, Parallelism: parallelism,
				})
				return err
			})
		}
		b.Run(size(n), func(b *testing.B) { versus(b, speedup, side{"one", encrypt(1)}, side{"two", encrypt(2)}) })
	}
}
