package envelope

import (
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"fmt"
	"hash"
	"math"

	"github.com/sealring/sealring/internal/suite"
	"github.com/sealring/sealring/keyring"
)

// sealer makes the body and footer of one message.
type sealer struct {
	suite  *suite.Suite
	header *Header
	frames frames
	aad    aad
	seq    uint32 // of the next frame

	workers int // goroutines, the caller's included

	digest hash.Hash // of all that was written; nil if the suite is unsigned
	key    *ecdsa.PrivateKey
}

// newSealer gets the materials and makes the header. The length of the plaintext
// is -1 if it is not known.
func newSealer(ctx context.Context, m keyring.Manager, o *EncryptOptions, length int64) (*sealer, error) {
	frameLength := cmp.Or(o.FrameLength, defaultFrameLength)
	if err := checkFrameLength(frameLength); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("envelope: %w", err)
	}
	materials, err := encryptionMaterials(ctx, m, o, length)
	if err != nil {
		return nil, err
	}
	defer materials.Destroy()

	keys, limit := materials.EncryptedDataKeys(), keyLimit(o.MaxEncryptedDataKeys)
	if len(keys) > limit {
		return nil, fmt.Errorf("%w: %d encrypted data keys, at most %d may be written", ErrLimit, len(keys), limit)
	}
	known := suite.Lookup(uint16(materials.Suite()))
	h := &Header{
		Version:           int(known.Version),
		Suite:             materials.Suite(),
		MessageID:         make([]byte, messageIDLen(known.Version)),
		Context:           materials.StoredContext(),
		EncryptedDataKeys: keys,
		FrameLength:       uint32(frameLength),
		iv:                zeroIV[:],
	}
	rand.Read(h.MessageID)
	if h.context, err = h.Context.AppendBinary(nil); err != nil {
		return nil, fmt.Errorf("envelope: %w", err)
	}
	s := &sealer{suite: known, header: h, aad: newAAD(h.MessageID), seq: firstFrame, key: materials.SigningKey()}
	s.frames.length, s.workers = frameLength, goroutines(o.Parallelism)
	if s.frames.aead, h.commitment, err = derive(known, materials.DataKey(), h.MessageID); err != nil {
		return nil, fmt.Errorf("envelope: %w", err)
	}
	h.serialize()
	if err := h.seal(s.frames.aead, materials.RequiredContext()); err != nil {
		return nil, fmt.Errorf("envelope: %w", err)
	}
	if known.Signed() {
		s.digest = known.Signature.New()
		s.digest.Write(h.raw)
	}
	return s, nil
}

// encryptionMaterials asks the manager, for the suite that the policy admits, and
// checks the answer.
func encryptionMaterials(ctx context.Context, m keyring.Manager, o *EncryptOptions, length int64) (*keyring.EncryptionMaterials, error) {
	id, err := o.CommitmentPolicy.EncryptionSuite(o.Suite)
	if err != nil {
		return nil, fmt.Errorf("envelope: %w", err)
	}
	materials, err := m.EncryptionMaterials(ctx, keyring.EncryptionRequest{
		Context:          o.Context,
		Suite:            id,
		CommitmentPolicy: o.CommitmentPolicy,
		PlaintextLength:  max(0, length),
		Empty:            length == 0,
	})
	if err != nil {
		return nil, fmt.Errorf("envelope: %w", err)
	}
	switch {
	case materials == nil:
		return nil, fmt.Errorf("envelope: %w: the manager returned none", keyring.ErrMaterials)
	case materials.Suite() != id:
		err = fmt.Errorf("envelope: %w: of %v, asked for was %v", keyring.ErrMaterials, materials.Suite(), id)
	case materials.Complete() != nil:
		err = fmt.Errorf("envelope: %w", materials.Complete())
	}
	if err != nil {
		materials.Destroy()
		return nil, err
	}
	return materials, nil
}

func (s *sealer) encryptedSize(n int64) (int64, error) {
	return EncryptedSize(s.header.Length(), s.header.Suite, s.frames.length, n)
}

// appendMessage appends body and footer to dst, which has the room.
func (s *sealer) appendMessage(ctx context.Context, dst, plaintext []byte) (_ []byte, err error) {
	frame := s.frames.length
	if whole := (len(plaintext) - 1) / frame * frame; s.parallel(whole) {
		start := len(dst)
		dst = dst[:start+whole/frame*(frame+frameOverhead)]
		batches := whole/frame/batchFrames(frame) + 1
		if _, err := s.sealParallel(ctx, dst[start:], batches, plaintext[:whole], nil); err != nil {
			return nil, err
		}
		plaintext = plaintext[whole:]
	}
	for len(plaintext) > frame {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("envelope: %w", err)
		}
		n := min((len(plaintext)-1)/frame, batchFrames(frame)) * frame
		if dst, err = s.appendRun(dst, plaintext[:n]); err != nil {
			return nil, err
		}
		plaintext = plaintext[n:]
	}
	return s.appendEnd(dst, plaintext)
}

// number returns ErrLimit if n more regular frames leave no number for the final
// one.
func (s *sealer) number(n int) error {
	if uint64(s.seq)+uint64(n) > math.MaxUint32 {
		return fmt.Errorf("%w: more than %d frames", ErrLimit, uint32(math.MaxUint32))
	}
	return nil
}

// appendRun appends regular frames. The plaintext is a whole number of frames.
func (s *sealer) appendRun(dst, plaintext []byte) ([]byte, error) {
	n := len(plaintext) / s.frames.length
	if err := s.number(n); err != nil {
		return dst, err
	}
	start := len(dst)
	dst = s.frames.sealRun(dst, &s.aad, s.seq, plaintext)
	s.seq += uint32(n)
	if s.digest != nil {
		s.digest.Write(dst[start:])
	}
	return dst, nil
}

// parallel reports whether several goroutines pay for n bytes of regular frames.
func (s *sealer) parallel(n int) bool {
	return s.workers > 1 && n >= parallelFrom && n > s.frames.length
}

// sealParallel seals regular frames on several goroutines, batch by batch, while
// this one hashes and, if emit is not nil, hands them to emit, in order. The
// plaintext is a whole number of frames. out has room for that many batches; they
// are sealed into it round and round. It returns how many bytes of the plaintext
// have been sealed.
func (s *sealer) sealParallel(ctx context.Context, out []byte, batches int, plaintext []byte, emit func([]byte) error) (int, error) {
	frame, each := s.frames.length, batchFrames(s.frames.length)
	if err := s.number(len(plaintext) / frame); err != nil {
		return 0, err
	}
	slot := func(job int) []byte {
		n := min(each, len(plaintext)/frame-job*each)
		at := job % batches * each * (frame + frameOverhead)
		return out[at : at+n*(frame+frameOverhead)]
	}
	first := s.seq
	l := line{
		jobs:    (len(plaintext)/frame + each - 1) / each,
		window:  batches,
		workers: s.workers,
		work: func(job int) {
			a, part := newAAD(s.header.MessageID), plaintext[job*each*frame:]
			s.frames.sealRun(slot(job)[:0], &a, first+uint32(job*each), part[:min(each*frame, len(part))])
		},
		follow: func(job int) error {
			s.seq += uint32(len(slot(job)) / (frame + frameOverhead))
			if s.digest != nil {
				s.digest.Write(slot(job))
			}
			if emit == nil {
				return nil
			}
			return emit(slot(job))
		},
	}
	done, err := l.run(ctx)
	return min(done*each*frame, len(plaintext)), err
}

// appendEnd appends the final frame and, in a signed message, the footer.
func (s *sealer) appendEnd(dst, plaintext []byte) ([]byte, error) {
	start := len(dst)
	dst = s.frames.sealFinal(dst, &s.aad, s.seq, plaintext)
	if s.digest == nil {
		return dst, nil
	}
	s.digest.Write(dst[start:])
	return appendFooter(dst, s.key, s.digest.Sum(nil), s.suite.SigLen)
}
