package kmscrypto

import (
	"context"
	"crypto"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"

	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
)

// Decrypter decrypts with an RSA key of KMS that has the usage ENCRYPT_DECRYPT. It
// is a crypto.Decrypter. Who encrypts needs the public key only:
//
//	rsa.EncryptOAEP(sha256.New(), rand.Reader, public, message, nil)
type Decrypter struct {
	key
	api    DecryptionAPI
	public *rsa.PublicKey
}

var _ crypto.Decrypter = (*Decrypter)(nil)

// NewDecrypter returns a decrypter for the RSA key that keyID names, in any of the
// forms that KMS takes. It fetches the public key.
//
// The error is [ErrKey] for a key that is no RSA key for encryption; KMS has no
// public key of a symmetric one. The error of the request can be reached with
// errors.As.
func NewDecrypter(ctx context.Context, api DecryptionAPI, keyID string, o *Options) (*Decrypter, error) {
	k, err := fetch(ctx, api, keyID, types.KeyUsageTypeEncryptDecrypt, o)
	if err != nil {
		return nil, err
	}
	public, err := k.rsa()
	if err != nil {
		return nil, err
	}
	return &Decrypter{k, api, public}, nil
}

// WithContext returns a copy of the decrypter whose requests run under ctx.
func (d *Decrypter) WithContext(ctx context.Context) *Decrypter {
	c := *d
	c.ctx = ctx
	return &c
}

// Public returns the public key, an *rsa.PublicKey. It must not be changed.
func (d *Decrypter) Public() crypto.PublicKey { return d.public }

// Decrypt has KMS decrypt what was encrypted by RSA-OAEP under the public key. The
// first argument is not used. opts have to be an *rsa.OAEPOptions with SHA-1 or
// SHA-256, for both of its hashes, and no label; else the error is [ErrRequest].
//
// The error is rsa.ErrDecryption for anything that KMS cannot decrypt, whatever the
// reason. That of a request that failed can be reached with errors.As. The plaintext
// belongs to the caller.
func (d *Decrypter) Decrypt(_ io.Reader, ciphertext []byte, opts crypto.DecrypterOpts) ([]byte, error) {
	algorithm, err := d.algorithm(opts)
	if err != nil {
		return nil, err
	}
	if len(ciphertext) != d.public.Size() {
		return nil, rsa.ErrDecryption
	}
	out, err := d.api.Decrypt(d.ctx, &kms.DecryptInput{
		KeyId:               &d.arn,
		CiphertextBlob:      ciphertext,
		EncryptionAlgorithm: algorithm,
		GrantTokens:         d.grantTokens,
	})
	if err != nil {
		var invalid *types.InvalidCiphertextException
		if errors.As(err, &invalid) {
			return nil, rsa.ErrDecryption
		}
		return nil, fmt.Errorf("kmscrypto: Decrypt: %w", err)
	}
	if out == nil {
		return nil, fmt.Errorf("%w: Decrypt gave none", ErrResponse)
	}
	if err := d.answered("Decrypt", out.KeyId, string(out.EncryptionAlgorithm), string(algorithm)); err != nil {
		clear(out.Plaintext)
		return nil, err
	}
	return out.Plaintext, nil
}

func (d *Decrypter) algorithm(opts crypto.DecrypterOpts) (types.EncryptionAlgorithmSpec, error) {
	o, ok := opts.(*rsa.OAEPOptions)
	switch {
	case !ok || o == nil:
		return "", d.refuse("options are %T, not *rsa.OAEPOptions", opts)
	case len(o.Label) > 0:
		return "", d.refuse("OAEP with a label")
	case o.MGFHash != 0 && o.MGFHash != o.Hash:
		return "", d.refuse("OAEP with two hashes, %s and %s", o.Hash, o.MGFHash)
	}
	switch o.Hash {
	case crypto.SHA1:
		return types.EncryptionAlgorithmSpecRsaesOaepSha1, nil
	case crypto.SHA256:
		return types.EncryptionAlgorithmSpecRsaesOaepSha256, nil
	}
	return "", d.refuse("OAEP with %s", o.Hash)
}
