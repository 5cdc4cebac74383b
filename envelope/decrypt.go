package envelope

import (
	"context"
	"io"

	"github.com/sealring/sealring/keyring"
)

// DecryptOptions say what is accepted from a message. A nil pointer and the zero
// value are the safest choice.
//
// Of the limits, zero means the default and a negative number whatever the
// format allows.
type DecryptOptions struct {
	// Context is what the caller knows of the encryption context and requires: a
	// pair that the header stores must have the same value there, any other must
	// have been authenticated without being stored.
	Context keyring.EncryptionContext

	// CommitmentPolicy says which suites may be read. The zero value refuses those
	// that do not commit to the data key; messages of older clients need
	// [keyring.RequireEncryptAllowDecrypt].
	CommitmentPolicy CommitmentPolicy

	// RefuseSigned refuses messages of signed suites with [ErrSigned]: for streams
	// of which nothing may be released that a later signature would have to vouch
	// for.
	RefuseSigned bool

	// VerifyFirst makes [NewReaderAt] read the whole message and verify every frame
	// and the signature before it returns. Without it, NewReaderAt refuses messages
	// of signed suites with [ErrSigned]. What a [ReaderAt] releases later is what
	// was signed only if the source has not changed since; against whoever lacks
	// the data key, each frame's own tag protects in any case. Nothing else looks
	// at the field.
	VerifyFirst bool

	// MaxEncryptedDataKeys is how many encrypted data keys a header may hold. The
	// default is 100. Each may cost a request to a key service.
	MaxEncryptedDataKeys int

	// MaxHeaderLength is how long a header may be, in bytes. The default is 1 MiB.
	MaxHeaderLength int

	// MaxFrameLength is how long a frame's plaintext may be, in bytes. The default
	// is 64 MiB. A [Reader] holds two frames in memory.
	MaxFrameLength int64

	// MaxUnframedLength is how long an unframed body may be, in bytes. The default
	// is 64 MiB. It has a single tag, so a [Reader] has to hold all of it.
	MaxUnframedLength int64

	// Parallelism is how many goroutines open a message, the caller's included:
	// zero means GOMAXPROCS; 1, or a negative number, means none but the caller's.
	// Only calls that find 512 KiB of frames and more use several, and only while
	// they run: none outlives the call that started it.
	Parallelism int
}

// Decrypt returns the plaintext of a message and its header, both of which the
// caller owns. It changes neither message nor options. Unless all of the message
// is authentic, it returns nothing but the error.
//
// The errors of a message that is not as it should be are [ErrAuth],
// [*FormatError], [ErrBase64], [ErrTruncated], [ErrTrailingData], [ErrLimit] and
// [ErrSigned]. Wrapped are those of package keyring, among them
// [keyring.ErrCommitmentPolicy], [keyring.ErrEncryptionContext] and
// [keyring.ErrNoMatch], and whatever else the manager returns.
func Decrypt(ctx context.Context, m keyring.Manager, message []byte, o *DecryptOptions) (plaintext []byte, h *Header, err error) {
	plaintext, h, err = AppendDecrypt(ctx, nil, m, message, o)
	if err != nil {
		return nil, nil, err
	}
	return plaintext, h, nil
}

// AppendDecrypt appends to dst what [Decrypt] returns, and returns the result. If
// dst has the capacity for the length of the message, nothing is allocated for the
// plaintext. After an error it returns dst as it was, and whatever it has written
// behind its length has been wiped.
//
// The capacity of dst and the message must not overlap; it panics if they do.
func AppendDecrypt(ctx context.Context, dst []byte, m keyring.Manager, message []byte, o *DecryptOptions) ([]byte, *Header, error) {
	checkOverlap(dst, message)
	ctx, end := keyring.BeginData(ctx, keyring.DataWork{Operation: keyring.OpDecrypt, Length: -1})
	out, h, err := appendDecrypt(ctx, dst, m, message, o)
	if err != nil {
		end(0, err)
		return dst, nil, err
	}
	end(int64(len(out)-len(dst)), nil)
	return out, h, nil
}

func appendDecrypt(ctx context.Context, dst []byte, m keyring.Manager, message []byte, o *DecryptOptions) ([]byte, *Header, error) {
	in := newInput(message)
	op, err := newOpener(ctx, in, m, o)
	if err != nil {
		return nil, nil, err
	}
	room := plaintextBound(len(in.buffered()), op.frames.length)
	out := extend(dst, room)
	end := len(out) + room
	for {
		if room = end - len(out); !op.parallel(room) {
			room = min(room, batchLen)
		}
		p, err := op.next(ctx, room)
		if err == nil {
			out, err = op.open(ctx, out, p)
		}
		switch {
		case err == io.EOF:
			return out, op.header, nil
		case err != nil:
			clear(out[len(dst):])
			return nil, nil, err
		}
	}
}
