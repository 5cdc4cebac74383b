package envelope

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"encoding/binary"

	"github.com/sealring/sealring/internal/suite"
)

// derive returns the message's AES-GCM and, for a committing suite, the
// commitment to the data key that version 2 headers carry. Specification,
// "Encrypt: Get the encryption materials":
//
//	suites     salt        info of the content key    info of the commitment
//	NO_KDF     the data key is the content key
//	v1         none        id || message id
//	v2         message id  id || "DERIVEKEY"          "COMMITKEY"
func derive(s *suite.Suite, dataKey, messageID []byte) (cipher.AEAD, []byte, error) {
	key, commitment, err := expand(s, dataKey, messageID)
	if err != nil {
		return nil, nil, err
	}
	defer clear(key)
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, nil, err
	}
	aead, err := cipher.NewGCM(block)
	return aead, commitment, err
}

// expand returns the content key, which the caller wipes, and the commitment.
func expand(s *suite.Suite, dataKey, messageID []byte) (key, commitment []byte, err error) {
	if s.KDF == 0 {
		return bytes.Clone(dataKey), nil, nil
	}
	var salt []byte
	info := binary.BigEndian.AppendUint16(make([]byte, 0, 2+maxMessageIDLen), s.ID)
	if s.Committing {
		salt, info = messageID, append(info, "DERIVEKEY"...)
	} else {
		info = append(info, messageID...)
	}
	secret, err := hkdf.Extract(s.KDF.New, dataKey, salt)
	if err != nil {
		return nil, nil, err
	}
	defer clear(secret)
	if s.Committing {
		if commitment, err = hkdf.Expand(s.KDF.New, secret, "COMMITKEY", suite.CommitLen); err != nil {
			return nil, nil, err
		}
	}
	key, err = hkdf.Expand(s.KDF.New, secret, string(info), s.KeyLen)
	return key, commitment, err
}
