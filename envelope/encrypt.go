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

// Suite is an algorithm suite; the constants are in package keyring.
type Suite = keyring.Suite

// CommitmentPolicy says which suites may be written and read; the constants are
// in package keyring.
type CommitmentPolicy = keyring.CommitmentPolicy

// EncryptOptions say how a message is written. A nil pointer and the zero value
// are the safest choice.
type EncryptOptions struct {
	// Context is bound to the message and stored in it in the clear. It is copied.
	// Keys that begin with [keyring.ReservedPrefix] are refused.
	Context keyring.EncryptionContext

	// Suite is the algorithm suite; zero means the commitment policy's default,
	// 0578 unless the policy forbids it. 0478 saves the signature, which is worth
	// having only where those who can decrypt must not be able to forge.
	Suite Suite

	// CommitmentPolicy says which suites may be written. Only
	// [keyring.ForbidEncryptAllowDecrypt], for readers that are too old for any
	// other, weakens it.
	CommitmentPolicy CommitmentPolicy

	// FrameLength is the length in bytes of the plaintext in a regular frame;
	// zero means 4096. A reader holds a frame in memory, and gets no plaintext
	// before a frame is whole.
	FrameLength int

	// PlaintextLength is the length in bytes of the whole plaintext, or zero if it
	// is not known. The manager is told, and the message is not completed unless
	// exactly so much is written: see [ErrLength].
	PlaintextLength int64

	// MaxEncryptedDataKeys is how many encrypted data keys the message may hold:
	// zero means 100, a negative number what the format can hold, 65,535.
	MaxEncryptedDataKeys int
}

// Encrypt returns a new message with the given plaintext, which it does not
// change. The message is allocated once, at its exact length.
//
// Errors of the manager and of its keyrings are wrapped. The error is [ErrLimit]
// if the plaintext or the materials do not fit a message, [ErrLength] if the
// options declare another length, [keyring.ErrCommitmentPolicy] if the policy
// forbids the suite, and [keyring.ErrMaterials] if the manager returns materials
// of another suite than was asked for, or incomplete ones.
func Encrypt(ctx context.Context, m keyring.Manager, plaintext []byte, o *EncryptOptions) ([]byte, error) {
	var options EncryptOptions
	if o != nil {
		options = *o
	}
	length := int64(len(plaintext))
	if cmp.Or(options.PlaintextLength, length) != length {
		return nil, fmt.Errorf("%w: %d bytes, declared were %d", ErrLength, length, options.PlaintextLength)
	}
	options.PlaintextLength = length
	s, err := newSealer(ctx, m, &options)
	if err != nil {
		return nil, err
	}
	size, err := s.encryptedSize(length)
	if err != nil {
		return nil, err
	}
	message := append(make([]byte, 0, size), s.header.raw...)
	for len(plaintext) > s.frames.length {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("envelope: %w", err)
		}
		n := min((len(plaintext)-1)/s.frames.length, batchFrames(s.frames.length)) * s.frames.length
		if message, err = s.appendRun(message, plaintext[:n]); err != nil {
			return nil, err
		}
		plaintext = plaintext[n:]
	}
	return s.appendEnd(message, plaintext)
}

// sealer makes the body and footer of one message.
type sealer struct {
	suite  *suite.Suite
	header *Header
	frames frames
	aad    aad
	seq    uint32 // of the next frame

	digest hash.Hash // of all that was written; nil if the suite is unsigned
	key    *ecdsa.PrivateKey
}

// newSealer gets the materials and makes the header.
func newSealer(ctx context.Context, m keyring.Manager, o *EncryptOptions) (*sealer, error) {
	frameLength := cmp.Or(o.FrameLength, defaultFrameLength)
	if err := checkFrameLength(frameLength); err != nil {
		return nil, err
	}
	if o.PlaintextLength < 0 {
		return nil, fmt.Errorf("%w: declared were %d bytes", ErrLength, o.PlaintextLength)
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("envelope: %w", err)
	}
	materials, err := encryptionMaterials(ctx, m, o)
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
	s.frames.length = frameLength
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
func encryptionMaterials(ctx context.Context, m keyring.Manager, o *EncryptOptions) (*keyring.EncryptionMaterials, error) {
	id, err := o.CommitmentPolicy.EncryptionSuite(o.Suite)
	if err != nil {
		return nil, fmt.Errorf("envelope: %w", err)
	}
	materials, err := m.EncryptionMaterials(ctx, keyring.EncryptionRequest{
		Context:          o.Context,
		Suite:            id,
		CommitmentPolicy: o.CommitmentPolicy,
		PlaintextLength:  o.PlaintextLength,
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

// appendRun appends regular frames. The plaintext is a whole number of frames.
func (s *sealer) appendRun(dst, plaintext []byte) ([]byte, error) {
	n := len(plaintext) / s.frames.length
	if uint64(s.seq)+uint64(n) > math.MaxUint32 { // the final frame needs a number too
		return dst, fmt.Errorf("%w: more than %d frames", ErrLimit, uint32(math.MaxUint32))
	}
	start := len(dst)
	dst = s.frames.sealRun(dst, &s.aad, s.seq, plaintext)
	s.seq += uint32(n)
	if s.digest != nil {
		s.digest.Write(dst[start:])
	}
	return dst, nil
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
