package envelope

import (
	"cmp"
	"math"
)

const (
	defaultFrameLength = 4096

	defaultMaxEncryptedDataKeys = 100
	defaultMaxHeaderLength      = 1 << 20
	defaultMaxFrameLength       = 64 << 20
	defaultMaxUnframedLength    = 64 << 20

	// maxUnframed is GCM's own limit, the most that one key and nonce encrypt (NIST
	// SP 800-38D, section 5.2.1.1; message body, "Encrypted content length").
	maxUnframed = 1<<36 - 32

	// batchLen is how many bytes of frames are sealed or opened at a time: enough
	// that a call costs little per frame, few enough to stay in the cache.
	batchLen = 128 << 10

	// ringLen and streamLen are how many bytes of frames, and of bytes to be taken
	// from a source, a stream has in memory for each of its goroutines.
	ringLen   = 2 * batchLen
	streamLen = 4 * batchLen
)

// limits are a reader's bounds on what a message may make it hold.
type limits struct {
	keys            int
	header          int
	frame, unframed int64
}

func (o *DecryptOptions) limits() limits {
	return limits{
		keys:     keyLimit(o.MaxEncryptedDataKeys),
		header:   int(bound(int64(o.MaxHeaderLength), defaultMaxHeaderLength, math.MaxInt)),
		frame:    bound(o.MaxFrameLength, defaultMaxFrameLength, math.MaxUint32),
		unframed: bound(o.MaxUnframedLength, defaultMaxUnframedLength, maxUnframed),
	}
}

func keyLimit(set int) int {
	return int(bound(int64(set), defaultMaxEncryptedDataKeys, math.MaxUint16))
}

// bound resolves one limit of the options: zero means the default, a negative
// number the most that the format allows. The result and a frame's overhead fit
// an int.
func bound(set, byDefault, most int64) int64 {
	most = min(most, math.MaxInt-finalOverhead)
	if set < 0 {
		return most
	}
	return min(cmp.Or(set, byDefault), most)
}

// batchFrames returns how many frames of the given length make a batch.
func batchFrames(frameLength int) int {
	return max(1, batchLen/(frameLength+frameOverhead))
}
