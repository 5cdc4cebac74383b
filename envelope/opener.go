package envelope

import (
	"context"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/subtle"
	"encoding/binary"
	"fmt"
	"hash"
	"io"

	"github.com/sealring/sealring/internal/suite"
	"github.com/sealring/sealring/keyring"
)

// opener decrypts the body of one message and verifies its signature.
type opener struct {
	in     *input
	limits limits
	header *Header
	frames frames
	aad    aad
	seq    uint32 // of the next frame
	offset int64  // in the message, for errors
	ended  bool   // the body and the footer have been read

	workers int // goroutines, the caller's included

	digest hash.Hash // of all that was read; nil if the suite is unsigned
	key    *ecdsa.PublicKey
}

// newOpener reads and authenticates the header, in the order of the
// specification.
func newOpener(ctx context.Context, in *input, m keyring.Manager, o *DecryptOptions) (*opener, error) {
	if o == nil {
		o = &DecryptOptions{}
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("envelope: %w", err)
	}
	limits := o.limits()
	h, err := readHeader(in, limits)
	if err != nil {
		return nil, err
	}
	if int64(h.FrameLength) > limits.frame {
		return nil, fmt.Errorf("%w: frames of %d bytes, at most %d are accepted", ErrLimit, h.FrameLength, limits.frame)
	}
	if err := o.CommitmentPolicy.CheckDecryption(h.Suite); err != nil {
		return nil, fmt.Errorf("envelope: %w", err)
	}
	if o.RefuseSigned && h.Suite.Signed() {
		return nil, fmt.Errorf("%w: %v", ErrSigned, h.Suite)
	}
	materials, err := decryptionMaterials(ctx, m, h, o)
	if err != nil {
		return nil, err
	}
	defer materials.Destroy()
	aead, err := authenticate(h, materials)
	if err != nil {
		return nil, err
	}
	op := newWalker(in, h, limits)
	op.frames.aead, op.workers = aead, goroutines(o.Parallelism)
	op.key = materials.VerificationKey()
	return op, nil
}

// newWalker returns an opener that has no keys: it can only find the pieces.
func newWalker(in *input, h *Header, l limits) *opener {
	op := &opener{in: in, limits: l, header: h, aad: newAAD(h.MessageID), seq: firstFrame, offset: int64(h.Length())}
	op.frames.length = int(h.FrameLength)
	if s := suite.Lookup(uint16(h.Suite)); s.Signed() {
		op.digest = s.Signature.New()
		op.digest.Write(h.raw)
	}
	return op
}

// decryptionMaterials asks the manager and checks the answer.
func decryptionMaterials(ctx context.Context, m keyring.Manager, h *Header, o *DecryptOptions) (*keyring.DecryptionMaterials, error) {
	materials, err := m.DecryptionMaterials(ctx, keyring.DecryptionRequest{
		Suite:             h.Suite,
		CommitmentPolicy:  o.CommitmentPolicy,
		EncryptedDataKeys: h.EncryptedDataKeys,
		Context:           h.Context,
		Reproduced:        o.Context,
	})
	if err != nil {
		return nil, fmt.Errorf("envelope: %w", err)
	}
	switch {
	case materials == nil:
		return nil, fmt.Errorf("envelope: %w: the manager returned none", keyring.ErrMaterials)
	case materials.Suite() != h.Suite:
		err = fmt.Errorf("envelope: %w: of %v, the message's is %v", keyring.ErrMaterials, materials.Suite(), h.Suite)
	case materials.Complete() != nil:
		err = fmt.Errorf("envelope: %w", materials.Complete())
	case !holds(materials.Context(), o.Context):
		err = fmt.Errorf("envelope: %w: the manager's materials lack the required pairs", keyring.ErrEncryptionContext)
	}
	if err != nil {
		materials.Destroy()
		return nil, err
	}
	return materials, nil
}

// holds reports whether every required pair is in context. The manager has compared
// them; that it has is not left to it.
func holds(context, required keyring.EncryptionContext) bool {
	for k, want := range required {
		if have, ok := context[k]; !ok || have != want {
			return false
		}
	}
	return true
}

// authenticate derives the keys and verifies first the commitment, then the tag.
func authenticate(h *Header, materials *keyring.DecryptionMaterials) (cipher.AEAD, error) {
	aead, commitment, err := derive(suite.Lookup(uint16(h.Suite)), materials.DataKey(), h.MessageID)
	if err != nil {
		return nil, fmt.Errorf("envelope: %w", err)
	}
	if subtle.ConstantTimeCompare(commitment, h.commitment) != 1 {
		return nil, ErrAuth
	}
	if err := h.verify(aead, materials.RequiredContext()); err != nil {
		return nil, err
	}
	return aead, nil
}

// piece is the next part of a body, all of it in the input's buffer: a run of
// regular frames, the final frame, or an unframed body.
type piece struct {
	kind  string // the content string of its additional data
	size  int    // in the message, bytes
	plain int    // length of the plaintext
}

// next waits for the next piece, which is one frame and as many more as may be
// here already and have at most room bytes of plaintext together. After the last
// it returns io.EOF, if the message ends there.
func (o *opener) next(ctx context.Context, room int) (piece, error) {
	if err := ctx.Err(); err != nil {
		return piece{}, fmt.Errorf("envelope: %w", err)
	}
	if o.ended {
		if err := o.in.end(); err != nil {
			return piece{}, err
		}
		return piece{}, io.EOF
	}
	if o.frames.length == 0 {
		return o.nextUnframed()
	}
	b, err := o.in.peek(sequenceLen)
	if err != nil {
		return piece{}, err
	}
	switch binary.BigEndian.Uint32(b) {
	case finalMarker:
		return o.nextFinal()
	case o.seq:
		return o.nextRun(max(1, room/o.frames.length))
	}
	return piece{}, ErrAuth
}

// nextRun finds up to most regular frames. What they are numbered, and whether
// one of them is the final frame, is left to who opens them.
func (o *opener) nextRun(most int) (piece, error) {
	size := o.frames.length + frameOverhead
	if _, err := o.in.peek(size); err != nil {
		return piece{}, err
	}
	n := min(most, len(o.in.buffered())/size)
	return piece{regularContent, n * size, n * o.frames.length}, nil
}

func (o *opener) nextFinal() (piece, error) {
	b, err := o.in.peek(finalStart)
	if err != nil {
		return piece{}, err
	}
	if binary.BigEndian.Uint32(b[sequenceLen:]) != o.seq {
		return piece{}, ErrAuth
	}
	n := binary.BigEndian.Uint32(b[finalStart-4:])
	if int64(n) > int64(o.frames.length) {
		return piece{}, &FormatError{
			Offset: o.offset + finalStart - 4, Field: "final frame length", kind: ErrMalformed,
			Reason: fmt.Sprintf("%d exceeds the frame length %d", n, o.frames.length),
		}
	}
	_, err = o.in.peek(finalOverhead + int(n))
	return piece{finalContent, finalOverhead + int(n), int(n)}, err
}

func (o *opener) nextUnframed() (piece, error) {
	b, err := o.in.peek(unframedHead)
	if err != nil {
		return piece{}, err
	}
	n := binary.BigEndian.Uint64(b[suite.IVLen:])
	if n > uint64(o.limits.unframed) {
		return piece{}, fmt.Errorf("%w: an unframed body of %d bytes, at most %d are accepted", ErrLimit, n, o.limits.unframed)
	}
	_, err = o.in.peek(unframedOverhead + int(n))
	return piece{unframedContent, unframedOverhead + int(n), int(n)}, err
}

// open appends the plaintext of p to dst, which has the room, and moves on. If a
// later frame of a run is not authentic, the earlier ones are returned without
// an error and the next call fails. The end of a signed message is not decrypted
// before the signature has verified.
func (o *opener) open(ctx context.Context, dst []byte, p piece) ([]byte, error) {
	if p.kind == regularContent {
		return o.openRun(ctx, dst, p)
	}
	footer, err := o.verifyFooter(p.size)
	if err != nil {
		return dst, err
	}
	out, ok := o.frames.openEnd(dst, &o.aad, o.seq, p.kind, o.in.buffered()[:p.size])
	if !ok {
		return dst, ErrAuth
	}
	o.in.skip(p.size + footer)
	o.ended = true
	return out, nil
}

// openRun is open for regular frames.
func (o *opener) openRun(ctx context.Context, dst []byte, p piece) ([]byte, error) {
	run, n := o.in.buffered()[:p.size], 0
	if o.parallel(p.plain) {
		start, err := len(dst), error(nil)
		if n, err = o.openParallel(ctx, dst[start:start+p.plain], run); err != nil {
			return dst, err
		}
		dst = dst[:start+n*o.frames.length]
	} else {
		dst, n = o.frames.openRun(dst, &o.aad, o.seq, run)
		if o.digest != nil {
			o.digest.Write(run[:n*(o.frames.length+frameOverhead)])
		}
	}
	if n == 0 {
		return dst, ErrAuth
	}
	o.advance(n)
	return dst, nil
}

// ahead returns how many bytes of a stream are read and opened ahead, if they are
// here.
func (o *opener) ahead() int {
	if o.workers == 1 {
		return batchLen
	}
	return o.workers * streamLen
}

// parallel reports whether several goroutines pay for n bytes of plaintext.
func (o *opener) parallel(n int) bool {
	return o.workers > 1 && n >= parallelFrom && n > o.frames.length
}

// openParallel opens the regular frames of run into dst on several goroutines,
// batch by batch, while this one hashes. It returns how many there are up to the
// first that is not authentic or not the next; of what is behind that it leaves
// nothing in dst.
func (o *opener) openParallel(ctx context.Context, dst, run []byte) (int, error) {
	frame, size, each := o.frames.length, o.frames.length+frameOverhead, batchFrames(o.frames.length)
	jobs := (len(run)/size + each - 1) / each
	opened := make([]int, jobs)
	total := 0
	l := line{
		jobs:    jobs,
		window:  jobs,
		workers: o.workers,
		work: func(job int) {
			a, out, in := newAAD(o.header.MessageID), dst[job*each*frame:], run[job*each*size:]
			_, opened[job] = o.frames.openRun(out[:0], &a, o.seq+uint32(job*each), in[:min(each*size, len(in))])
		},
		follow: func(job int) error {
			n := opened[job]
			if o.digest != nil {
				o.digest.Write(run[job*each*size:][:n*size])
			}
			total += n
			if n < min(each, len(run)/size-job*each) {
				return errStop
			}
			return nil
		},
	}
	followed, err := l.run(ctx)
	switch err {
	case nil:
		return total, nil
	case errStop: // the job that was not followed to its end is the last of use
		followed++
		err = nil
	default:
		total, followed = 0, 0
	}
	for job := followed; job < jobs; job++ {
		clear(dst[job*each*frame:][:opened[job]*frame])
	}
	return total, err
}

// advance moves past n regular frames.
func (o *opener) advance(n int) {
	size := n * (o.frames.length + frameOverhead)
	o.in.skip(size)
	o.offset += int64(size)
	o.seq += uint32(n)
}

// verifyFooter waits for the footer of a signed message, which stands behind the
// size bytes of the body's end, and verifies the signature. It returns the length
// of the footer, 0 in an unsigned message, and moves nowhere.
func (o *opener) verifyFooter(size int) (int, error) {
	if o.digest == nil {
		return 0, nil
	}
	b, err := o.in.peek(size + footerOverhead)
	if err != nil {
		return 0, err
	}
	n := footerOverhead + int(binary.BigEndian.Uint16(b[size:]))
	if b, err = o.in.peek(size + n); err != nil {
		return 0, err
	}
	o.digest.Write(b[:size])
	if !ecdsa.VerifyASN1(o.key, o.digest.Sum(nil), b[size+footerOverhead:]) {
		return 0, ErrAuth
	}
	return n, nil
}
