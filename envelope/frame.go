package envelope

import (
	"crypto/cipher"
	"encoding/binary"

	"github.com/sealring/sealring/internal/suite"
)

// The body of a message ("Message body") is a row of frames or, in messages of
// old writers, one unframed piece. All integers are big-endian.
//
//	regular frame                     final frame, exactly one, the last
//	offset  size  meaning             offset  size  meaning
//	0       4     sequence number     0       4     FF FF FF FF
//	4       12    IV                  4       4     sequence number
//	16      F     ciphertext          8       12    IV
//	16+F    16    tag                 20      4     length n, 0 to F
//	                                  24      n     ciphertext
//	unframed                          24+n    16    tag
//	0       12    IV
//	12      8     length n
//	20      n     ciphertext
//	20+n    16    tag
//
// F is the header's frame length. Sequence numbers count from 1; the IV that we
// write is the sequence number in 12 bytes, the one that we read is used as it
// stands, because the sequence number is authenticated by the additional data.
const (
	sequenceLen  = 4
	finalMarker  = 0xFFFFFFFF
	firstFrame   = 1
	regularStart = sequenceLen + suite.IVLen
	finalStart   = 2*sequenceLen + suite.IVLen + 4
	unframedHead = suite.IVLen + 8

	frameOverhead    = regularStart + suite.TagLen
	finalOverhead    = finalStart + suite.TagLen
	unframedOverhead = unframedHead + suite.TagLen
)

// The content strings of the additional data, one for each kind of content, so
// that none can stand for another ("Message body AAD").
const (
	regularContent  = "AWSKMSEncryptionClient Frame"
	finalContent    = "AWSKMSEncryptionClient Final Frame"
	unframedContent = "AWSKMSEncryptionClient Single Block"
)

// frames seals and opens the body of one message. It does not change and is safe
// for concurrent use, if each goroutine has an aad of its own.
type frames struct {
	aead   cipher.AEAD
	length int // of a regular frame's plaintext, 0 if the body is unframed
}

// aad is the room in which one goroutine builds the additional data of its GCM
// calls ("Message body AAD"):
//
//	message id, content string, u32 sequence number, u64 length of the plaintext
type aad struct {
	buf []byte
	id  int // length of the message id, which buf starts with
}

func newAAD(messageID []byte) aad {
	buf := make([]byte, 0, len(messageID)+len(unframedContent)+4+8)
	return aad{append(buf, messageID...), len(messageID)}
}

func (a *aad) of(content string, seq uint32, length int) []byte {
	b := append(a.buf[:a.id], content...)
	b = binary.BigEndian.AppendUint32(b, seq)
	return binary.BigEndian.AppendUint64(b, uint64(length))
}

// sealRun appends regular frames of plaintext to dst, the first with sequence
// number seq. The plaintext is a whole number of frames.
func (f *frames) sealRun(dst []byte, a *aad, seq uint32, plaintext []byte) []byte {
	for ; len(plaintext) > 0; seq++ {
		dst = binary.BigEndian.AppendUint32(dst, seq)
		dst = appendIV(dst, seq)
		iv := dst[len(dst)-suite.IVLen:]
		dst = f.aead.Seal(dst, iv, plaintext[:f.length], a.of(regularContent, seq, f.length))
		plaintext = plaintext[f.length:]
	}
	return dst
}

// sealFinal appends the final frame to dst.
func (f *frames) sealFinal(dst []byte, a *aad, seq uint32, plaintext []byte) []byte {
	dst = binary.BigEndian.AppendUint32(dst, finalMarker)
	dst = binary.BigEndian.AppendUint32(dst, seq)
	dst = appendIV(dst, seq)
	iv := dst[len(dst)-suite.IVLen:]
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(plaintext)))
	return f.aead.Seal(dst, iv, plaintext, a.of(finalContent, seq, len(plaintext)))
}

func appendIV(dst []byte, seq uint32) []byte {
	return binary.BigEndian.AppendUint32(append(dst, 0, 0, 0, 0, 0, 0, 0, 0), seq)
}

// openRun appends to dst the plaintext of the regular frames that run consists
// of, up to the first that is not authentic or has not the number that it should,
// and returns how many there were. The first has sequence number seq.
func (f *frames) openRun(dst []byte, a *aad, seq uint32, run []byte) ([]byte, int) {
	opened := 0
	for ; len(run) > 0; opened, seq = opened+1, seq+1 {
		if number := binary.BigEndian.Uint32(run); number != seq || number == finalMarker {
			break
		}
		iv, sealed := run[sequenceLen:regularStart], run[regularStart:f.length+frameOverhead]
		out, err := f.aead.Open(dst, iv, sealed, a.of(regularContent, seq, f.length))
		if err != nil {
			break
		}
		dst, run = out, run[f.length+frameOverhead:]
	}
	return dst, opened
}

// openEnd appends to dst the plaintext of the body's end, a final frame or an
// unframed body as kind says, or returns false.
func (f *frames) openEnd(dst []byte, a *aad, seq uint32, kind string, end []byte) ([]byte, bool) {
	iv, sealed := end[2*sequenceLen:], end[finalStart:]
	if kind == unframedContent {
		iv, sealed = end, end[unframedHead:]
	}
	out, err := f.aead.Open(dst, iv[:suite.IVLen], sealed, a.of(kind, seq, len(sealed)-suite.TagLen))
	return out, err == nil
}
