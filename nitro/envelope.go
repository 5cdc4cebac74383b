package nitro

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
)

const (
	minRSABits = 2048
	maxRSABits = 4096
	keySize    = 32 // AES-256
)

// The contents of the object identifiers of an envelope, and of its version numbers.
const (
	oidEnvelopedData = "\x2a\x86\x48\x86\xf7\x0d\x01\x07\x03" // 1.2.840.113549.1.7.3
	oidData          = "\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01" // 1.2.840.113549.1.7.1
	oidOAEP          = "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x07" // 1.2.840.113549.1.1.7
	oidMGF1          = "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x08" // 1.2.840.113549.1.1.8
	oidSHA256        = "\x60\x86\x48\x01\x65\x03\x04\x02\x01" // 2.16.840.1.101.3.4.2.1
	oidAES256CBC     = "\x60\x86\x48\x01\x65\x03\x04\x01\x2a" // 2.16.840.1.101.3.4.1.42
	version2         = "\x02"
)

// Seal returns plaintext as KMS returns it in CiphertextForRecipient: a CMS ContentInfo
// with EnvelopedData (RFC 5652 §6) in DER, for the RSA key whose SubjectPublicKeyInfo
// in DER is publicKey. The content key is random and wrapped with RSAES-OAEP, SHA-256
// and MGF1 with SHA-256; the content is encrypted with AES-256-CBC, which does not
// authenticate it. The key identifier is the SHA-256 of publicKey (RFC 7093 §2).
//
// The error is [ErrPublicKey]. Neither argument is kept. plaintext may be empty.
func Seal(publicKey, plaintext []byte) ([]byte, error) {
	parsed, err := x509.ParsePKIXPublicKey(publicKey)
	if err != nil {
		return nil, ErrPublicKey
	}
	key, ok := parsed.(*rsa.PublicKey)
	if !ok || key.N.BitLen() < minRSABits || key.N.BitLen() > maxRSABits {
		return nil, ErrPublicKey
	}
	secret := make([]byte, keySize+aes.BlockSize)
	defer clear(secret[:keySize])
	rand.Read(secret) // never fails: crypto/rand
	contentKey, iv := secret[:keySize], secret[keySize:]
	wrapped, err := rsa.EncryptOAEP(sha256.New(), rand.Reader, key, contentKey, nil)
	if err != nil { // an even modulus, an exponent of 1
		return nil, ErrPublicKey
	}
	id := sha256.Sum256(publicKey)
	return encode(id[:], wrapped, iv, encryptCBC(contentKey, iv, plaintext)), nil
}

// encode returns the envelope around an encrypted key and an encrypted content.
func encode(id, wrapped, iv, content []byte) []byte {
	sha := der(tagSequence, der(tagOID, []byte(oidSHA256)), der(tagNull))
	oaep := der(tagSequence,
		der(tagOID, []byte(oidOAEP)),
		der(tagSequence,
			der(tagContext0|constructed, sha),
			der(tagContext1|constructed, der(tagSequence, der(tagOID, []byte(oidMGF1)), sha))))
	recipient := der(tagSequence, // KeyTransRecipientInfo, RFC 5652 §6.2.1
		der(tagInteger, []byte(version2)),
		der(tagContext0, id),
		oaep,
		der(tagOctetString, wrapped))
	encrypted := der(tagSequence, // EncryptedContentInfo, §6.1
		der(tagOID, []byte(oidData)),
		der(tagSequence, der(tagOID, []byte(oidAES256CBC)), der(tagOctetString, iv)),
		der(tagContext0, content))
	return der(tagSequence, // ContentInfo, §3
		der(tagOID, []byte(oidEnvelopedData)),
		der(tagContext0|constructed, der(tagSequence,
			der(tagInteger, []byte(version2)),
			der(tagSet, recipient),
			encrypted)))
}

// Open returns the plaintext of an envelope that [Seal] or KMS has made for key, which
// must not be nil. It is the enclave's side. DER is read, and BER with the indefinite
// lengths and strings in pieces that KMS writes; one recipient, and no algorithms but
// those of Seal. The recipient's key identifier is not looked at.
//
// The error is [ErrOpen] and says no more. No error does not mean that the plaintext
// is KMS's: the envelope is not authenticated (see the package's documentation). An
// enclave must not let others see whether altered envelopes open.
//
// The plaintext belongs to the caller, and envelope is not kept.
func Open(key *rsa.PrivateKey, envelope []byte) ([]byte, error) {
	wrapped, iv, content, ok := decode(envelope)
	if !ok || len(iv) != aes.BlockSize || len(content) == 0 || len(content)%aes.BlockSize != 0 {
		return nil, ErrOpen
	}
	contentKey, err := rsa.DecryptOAEP(sha256.New(), nil, key, wrapped, nil)
	if err != nil || len(contentKey) != keySize {
		return nil, ErrOpen
	}
	defer clear(contentKey)
	plaintext, ok := decryptCBC(contentKey, iv, content)
	if !ok {
		return nil, ErrOpen
	}
	return plaintext, nil
}

// decode returns the parts of an envelope, of any length.
func decode(envelope []byte) (wrapped, iv, content []byte, ok bool) {
	r := newBER(envelope)
	info := r.enter(tagSequence)
	r.end()
	info.match(tagOID, oidEnvelopedData)
	explicit := info.enter(tagContext0 | constructed)
	info.end()
	enveloped := explicit.enter(tagSequence)
	explicit.end()

	enveloped.match(tagInteger, version2)
	recipients := enveloped.enter(tagSet)
	encrypted := enveloped.enter(tagSequence)
	enveloped.end()

	recipient := recipients.enter(tagSequence)
	recipients.end()
	recipient.match(tagInteger, version2)
	recipient.take(tagContext0)
	algorithm := recipient.enter(tagSequence)
	algorithm.oaep()
	wrapped = recipient.take(tagOctetString)
	recipient.end()

	encrypted.match(tagOID, oidData)
	cbc := encrypted.enter(tagSequence)
	cbc.match(tagOID, oidAES256CBC)
	iv = cbc.take(tagOctetString)
	cbc.end()
	content = encrypted.octets(tagContext0)
	encrypted.end()
	return wrapped, iv, content, r.ok()
}

// oaep expects the content of the algorithm RSAES-OAEP with SHA-256 and an empty label
// (RFC 8017, appendix A.2.1).
func (r *ber) oaep() {
	r.match(tagOID, oidOAEP)
	parameters := r.enter(tagSequence)
	r.end()
	hash := parameters.enter(tagContext0 | constructed)
	hash.sha256()
	hash.end()
	mask := parameters.enter(tagContext1 | constructed)
	parameters.end()
	mgf1 := mask.enter(tagSequence)
	mask.end()
	mgf1.match(tagOID, oidMGF1)
	mgf1.sha256()
	mgf1.end()
}

// sha256 expects the algorithm SHA-256, whose parameters are null or left out.
func (r *ber) sha256() {
	algorithm := r.enter(tagSequence)
	algorithm.match(tagOID, oidSHA256)
	if algorithm.next(tagNull) {
		algorithm.match(tagNull, "")
	}
	algorithm.end()
}

// encryptCBC pads plaintext (RFC 5652 §6.3) and encrypts it.
func encryptCBC(key, iv, plaintext []byte) []byte {
	pad := aes.BlockSize - len(plaintext)%aes.BlockSize
	out := make([]byte, len(plaintext)+pad)
	copy(out, plaintext)
	copy(out[len(plaintext):], bytes.Repeat([]byte{byte(pad)}, pad))
	cipher.NewCBCEncrypter(newAES(key), iv).CryptBlocks(out, out)
	return out
}

// decryptCBC decrypts one or more whole blocks and removes the padding. How long it
// takes does not depend on the padding.
func decryptCBC(key, iv, content []byte) ([]byte, bool) {
	out := make([]byte, len(content))
	cipher.NewCBCDecrypter(newAES(key), iv).CryptBlocks(out, content)
	pad := int(out[len(out)-1])
	good := subtle.ConstantTimeLessOrEq(1, pad) & subtle.ConstantTimeLessOrEq(pad, aes.BlockSize)
	for i := 1; i <= aes.BlockSize; i++ {
		same := subtle.ConstantTimeByteEq(out[len(out)-i], byte(pad))
		good &= subtle.ConstantTimeSelect(subtle.ConstantTimeLessOrEq(i, pad), same, 1)
	}
	if good != 1 {
		clear(out)
		return nil, false
	}
	return out[:len(out)-pad], true
}

// newAES returns the block cipher of a key of [keySize] bytes.
func newAES(key []byte) cipher.Block {
	b, err := aes.NewCipher(key)
	if err != nil {
		panic("nitro: " + err.Error())
	}
	return b
}
