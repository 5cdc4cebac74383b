package envelope

import (
	"cmp"
	"context"
	"fmt"

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

	// Parallelism is how many goroutines seal a message, the caller's included:
	// zero means GOMAXPROCS; 1, or a negative number, means none but the caller's.
	// Only calls with 512 KiB of plaintext and more use several, and only while
	// they run: none outlives the call that started it.
	Parallelism int
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
	message, err := AppendEncrypt(ctx, nil, m, plaintext, o)
	if err != nil {
		return nil, err
	}
	return message, nil
}

// AppendEncrypt appends to dst what [Encrypt] returns, and returns the result. If
// dst has the capacity, nothing is allocated for the message: the first touch of
// fresh memory costs about as much as the encryption. After an error it returns
// dst as it was; what is behind its length may have been overwritten.
//
// The capacity of dst and the plaintext must not overlap; it panics if they do.
func AppendEncrypt(ctx context.Context, dst []byte, m keyring.Manager, plaintext []byte, o *EncryptOptions) ([]byte, error) {
	checkOverlap(dst, plaintext)
	if o == nil {
		o = &EncryptOptions{}
	}
	length := int64(len(plaintext))
	if cmp.Or(o.PlaintextLength, length) != length {
		return dst, fmt.Errorf("%w: %d bytes, declared were %d", ErrLength, length, o.PlaintextLength)
	}
	ctx, end := keyring.BeginData(ctx, keyring.DataWork{Operation: keyring.OpEncrypt, Length: length})
	out, err := appendEncrypt(ctx, dst, m, plaintext, o)
	if err != nil {
		end(0, err)
		return dst, err
	}
	end(length, nil)
	return out, nil
}

func appendEncrypt(ctx context.Context, dst []byte, m keyring.Manager, plaintext []byte, o *EncryptOptions) ([]byte, error) {
	s, err := newSealer(ctx, m, o, int64(len(plaintext)))
	if err != nil {
		return nil, err
	}
	size, err := s.encryptedSize(int64(len(plaintext)))
	if err != nil {
		return nil, err
	}
	return s.appendMessage(ctx, append(extend(dst, int(size)), s.header.raw...), plaintext)
}
