package s3crypto

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
)

// newCBC returns what decrypts content in CBC mode that follows the block iv: the header's
// IV for the object's first block, and the block before it for any other. It does not
// keep key.
func newCBC(key dataKey, iv []byte) (cipher.BlockMode, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewCBCDecrypter(block, iv), nil
}

// unpad returns how many bytes of the object's last block, decrypted, are content: the
// rest is padding (PKCS #7; RFC 5652, section 6.3). The error is ErrAuthentication if it
// is not. The time it takes depends on nothing.
func unpad(last [cbcBlockSize]byte) (int, error) {
	pad := int(last[cbcBlockSize-1])
	ok := subtle.ConstantTimeLessOrEq(1, pad) & subtle.ConstantTimeLessOrEq(pad, cbcBlockSize)
	for i, b := range last {
		content := subtle.ConstantTimeLessOrEq(i+1, cbcBlockSize-pad)
		ok &= content | subtle.ConstantTimeByteEq(b, byte(pad))
	}
	if ok != 1 {
		return 0, ErrAuthentication
	}
	return cbcBlockSize - pad, nil
}
