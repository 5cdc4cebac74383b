package s3crypto

import (
	"crypto/cipher"
	"crypto/subtle"
	"slices"

	"github.com/sealring/sealring/internal/gcmstream"
)

// decrypter authenticates and decrypts the content of one object, in pieces that come in
// order. All but the last one have whole blocks.
type decrypter interface {
	// authenticate takes the next piece of ciphertext. With the last one it returns
	// ErrAuthentication if the whole is not authentic.
	authenticate(piece []byte, last bool) error

	// decrypt decrypts the next piece in place and returns the part of it that is
	// plaintext.
	decrypt(piece []byte, last bool) ([]byte, error)

	// length returns the number of bytes of plaintext once the last piece has been
	// authenticated.
	length() int64
}

// decrypter returns the one for the object's content. It keeps no reference to key.
func (h *header) decrypter(key dataKey) (decrypter, error) {
	if h.suite == suiteCBC {
		return newCBCContent(key, h.iv)
	}
	m, err := h.message(key)
	if err != nil {
		return nil, err
	}
	return &gcmContent{message: m}, nil
}

// gcmContent is content whose last 16 bytes are the tag.
type gcmContent struct {
	message   *gcmstream.Message
	hashed    gcmstream.Piece
	decrypted int64
}

func (d *gcmContent) authenticate(piece []byte, last bool) (err error) {
	var tag []byte
	if last {
		if len(piece) < gcmTagSize {
			return ErrAuthentication
		}
		piece, tag = piece[:len(piece)-gcmTagSize], piece[len(piece)-gcmTagSize:]
	}
	if d.hashed, err = d.message.Join(d.hashed, d.message.Hash(piece)); err != nil {
		return ErrTooLarge
	}
	if last {
		return checkTag(d.message, d.hashed, tag)
	}
	return nil
}

// checkTag returns ErrAuthentication if tag is not that of the whole message.
func checkTag(m *gcmstream.Message, whole gcmstream.Piece, tag []byte) error {
	want := m.Tag(whole)
	if subtle.ConstantTimeCompare(want[:], tag) != 1 {
		return ErrAuthentication
	}
	return nil
}

func (d *gcmContent) decrypt(piece []byte, last bool) ([]byte, error) {
	if last {
		piece = piece[:max(len(piece)-gcmTagSize, 0)]
	}
	if err := d.message.XORKeyStream(piece, piece, d.decrypted); err != nil {
		return nil, ErrTooLarge
	}
	d.decrypted += int64(len(piece))
	return piece, nil
}

func (d *gcmContent) length() int64 { return d.hashed.Len() }

// cbcContent is content that nothing authenticates. What can be told of it is that its
// padding is as it should be.
type cbcContent struct {
	key      dataKey
	previous []byte // the ciphertext block before the next one to authenticate
	seen     int64
	padding  int
	stream   cipher.BlockMode
}

func newCBCContent(key dataKey, iv []byte) (*cbcContent, error) {
	stream, err := newCBC(key, iv)
	if err != nil {
		return nil, err
	}
	return &cbcContent{key: slices.Clone(key), previous: slices.Clone(iv), stream: stream}, nil
}

func (d *cbcContent) authenticate(piece []byte, last bool) error {
	if len(piece) == 0 || len(piece)%cbcBlockSize != 0 {
		return ErrAuthentication
	}
	d.seen += int64(len(piece))
	blocks := slices.Concat(d.previous, piece[max(len(piece)-2*cbcBlockSize, 0):])
	before := blocks[len(blocks)-2*cbcBlockSize : len(blocks)-cbcBlockSize]
	final := [cbcBlockSize]byte(blocks[len(blocks)-cbcBlockSize:])
	d.previous = slices.Clone(final[:])
	if !last {
		return nil
	}
	mode, err := newCBC(d.key, before)
	if err != nil {
		return err
	}
	clear(d.key)
	mode.CryptBlocks(final[:], final[:])
	content, err := unpad(final)
	clear(final[:])
	d.padding = cbcBlockSize - content
	return err
}

func (d *cbcContent) decrypt(piece []byte, last bool) ([]byte, error) {
	d.stream.CryptBlocks(piece, piece)
	if last {
		piece = piece[:len(piece)-d.padding]
	}
	return piece, nil
}

func (d *cbcContent) length() int64 { return d.seen - int64(d.padding) }
