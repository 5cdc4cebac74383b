package envelope

import (
	"fmt"
	"math"

	"github.com/sealring/sealring/internal/suite"
	"github.com/sealring/sealring/keyring"
)

// EncryptedSize returns the exact length in bytes of the message that [Encrypt]
// or a [Writer] makes of n bytes of plaintext, with a header of headerLength
// bytes ([Header.Length]), suite s and frames of frameLength bytes:
//
//	header + n + 32 for each frame + 8 + footer
//
// The error is [ErrLimit] if the message would exceed the format's 4,294,967,295
// frames or an argument is negative or impossible, and [keyring.ErrUnknownSuite].
func EncryptedSize(headerLength int, s Suite, frameLength int, n int64) (int64, error) {
	known := suite.Lookup(uint16(s))
	if known == nil {
		return 0, fmt.Errorf("envelope: %w: %v", keyring.ErrUnknownSuite, s)
	}
	if headerLength < 0 || n < 0 {
		return 0, fmt.Errorf("%w: negative length", ErrLimit)
	}
	if err := checkFrameLength(frameLength); err != nil {
		return 0, err
	}
	frames := max(1, n/int64(frameLength))
	if n > frames*int64(frameLength) {
		frames++
	}
	if frames > math.MaxUint32 {
		return 0, fmt.Errorf("%w: %d bytes need %d frames of %d bytes, the format has %d", ErrLimit, n, frames, frameLength, uint32(math.MaxUint32))
	}
	overhead := int64(headerLength) + frames*frameOverhead + (finalOverhead - frameOverhead)
	if known.Signed() {
		overhead += footerOverhead + int64(known.SigLen)
	}
	if n > math.MaxInt64-overhead {
		return 0, fmt.Errorf("%w: a message of %d bytes of plaintext", ErrLimit, n)
	}
	return n + overhead, nil
}

// plaintextBound returns the most plaintext that a body of size bytes can hold,
// or that its bytes would hold if they were regular frames to the end.
func plaintextBound(size, frameLength int) int {
	if frameLength == 0 {
		return max(0, size-unframedOverhead)
	}
	all := size / (frameLength + frameOverhead) * frameLength
	size = max(0, size-finalOverhead)
	regular := size / (frameLength + frameOverhead)
	return max(all, regular*frameLength+min(frameLength, size-regular*(frameLength+frameOverhead)))
}

func checkFrameLength(n int) error {
	if n < 1 || int64(n) > math.MaxUint32 {
		return fmt.Errorf("%w: frames of %d bytes, the format has 1 to %d", ErrLimit, n, uint32(math.MaxUint32))
	}
	return nil
}
