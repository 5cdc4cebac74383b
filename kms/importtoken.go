package kms

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"slices"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/sealring/sealring/internal/keyrecord"
	"github.com/sealring/sealring/internal/keyspec"
	"github.com/sealring/sealring/internal/kwp"
	"github.com/sealring/sealring/store"
)

// An import token says which key it is for and until when, so that one which is too
// old is told from one that never was, even when nothing is kept of it any more:
//
//	offset  bytes  meaning
//	     0      1  format version, 1
//	     1     36  key id, ASCII
//	    37      8  when it expires, milliseconds since 1970
//	    45     32  random
//
// None of it is believed: a token is good if there is a record under its digest. It can
// be used any number of times.
const (
	importTokenVersion = 1
	importTokenHead    = 1 + keyIDLen + 8
	importTokenLen     = importTokenHead + 32

	importTokenLife = 24 * time.Hour

	// maxImportTokens is how many tokens of a key can be good. A new one puts an end to the
	// oldest. All of them can be deleted in one transaction.
	maxImportTokens = 50
)

// wrappingKeys are the key specs that a wrapping key can have, and how long what is
// encrypted under it comes out, in bytes.
var wrappingKeys = map[types.WrappingKeySpec]int{
	types.WrappingKeySpecRsa2048: 256,
	types.WrappingKeySpecRsa3072: 384,
	types.WrappingKeySpecRsa4096: 512,
}

// wrapping is a way to encrypt key material under an RSA key: with the algorithm alone,
// or, if it is hybrid, an AES key that way and the material under that key.
type wrapping struct {
	algorithm types.EncryptionAlgorithmSpec
	hybrid    bool
}

var wrappings = map[types.AlgorithmSpec]wrapping{
	types.AlgorithmSpecRsaesOaepSha1:       {types.EncryptionAlgorithmSpecRsaesOaepSha1, false},
	types.AlgorithmSpecRsaesOaepSha256:     {types.EncryptionAlgorithmSpecRsaesOaepSha256, false},
	types.AlgorithmSpecRsaAesKeyWrapSha1:   {types.EncryptionAlgorithmSpecRsaesOaepSha1, true},
	types.AlgorithmSpecRsaAesKeyWrapSha256: {types.EncryptionAlgorithmSpecRsaesOaepSha256, true},
}

// wrappingAESKey is the length of the AES key of a hybrid wrapping, bytes.
const wrappingAESKey = 32

// newImportToken makes a wrapping key for k and the token that goes with it.
func (r *request) newImportToken(k *keyrecord.Key, in *sdk.GetParametersForImportInput) (*sdk.GetParametersForImportOutput, error) {
	spec, ok := keyspec.Lookup(string(in.WrappingKeySpec))
	if !ok {
		return nil, errors.New("kms: no wrapping key spec " + string(in.WrappingKeySpec))
	}
	private, err := newMaterial(r, spec)
	if err != nil {
		return nil, err
	}
	key, err := spec.Parse(private)
	if err != nil {
		return nil, err
	}
	kept := &keyrecord.ImportToken{
		WrappingKeySpec:   string(in.WrappingKeySpec),
		WrappingAlgorithm: string(in.WrappingAlgorithm),
		PrivateKey:        private,
		Expires:           r.now.Add(importTokenLife),
	}
	token := make([]byte, 0, importTokenLen)
	token = append(token, importTokenVersion)
	token = append(token, k.ID...)
	token = binary.BigEndian.AppendUint64(token, uint64(kept.Expires.UnixMilli()))
	token = token[:importTokenLen]
	rand.Read(token[importTokenHead:])

	if err := r.keepImportToken(k, token, kept); err != nil {
		return nil, err
	}
	return &sdk.GetParametersForImportOutput{
		ImportToken:       token,
		ParametersValidTo: &kept.Expires,
		PublicKey:         slices.Clone(key.PublicKey()),
	}, nil
}

// keepImportToken stores what has to be kept of a token of k, and deletes those that have
// expired or that are too many.
func (r *request) keepImportToken(k *keyrecord.Key, token []byte, kept *keyrecord.ImportToken) error {
	name, list := keyrecord.ImportTokensName(k.Account, k.Region, k.ID), &keyrecord.ImportTokens{}
	b, err := r.draft.Get(name)
	if err == nil {
		list, err = keyrecord.UnmarshalImportTokens(b)
	}
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	record := keyrecord.ImportTokenName(k.Account, k.Region, k.ID, token)
	for _, old := range list.Add(keyrecord.ListedToken{Record: record, Expires: kept.Expires}, r.now, maxImportTokens) {
		r.draft.Delete(old)
	}
	if err := r.put(name, list.Marshal); err != nil {
		return err
	}
	return r.put(record, kept.Marshal)
}

// importToken returns what is kept of a token of k.
func (r *request) importToken(k *keyrecord.Key, token []byte) (*keyrecord.ImportToken, error) {
	if len(token) != importTokenLen || token[0] != importTokenVersion || string(token[1:1+keyIDLen]) != k.ID {
		return nil, invalidImportToken()
	}
	expires := time.UnixMilli(int64(binary.BigEndian.Uint64(token[1+keyIDLen:])))
	if !r.now.Before(expires) {
		return nil, expiredImportToken()
	}
	b, err := r.draft.Get(keyrecord.ImportTokenName(k.Account, k.Region, k.ID, token))
	if errors.Is(err, store.ErrNotFound) {
		return nil, invalidImportToken()
	}
	if err != nil {
		return nil, err
	}
	defer clear(b)
	kept, err := keyrecord.UnmarshalImportToken(b)
	if err == nil && kept.Expired(r.now) {
		return nil, expiredImportToken()
	}
	return kept, err
}

func invalidImportToken() error {
	return &types.InvalidImportTokenException{Message: text("The import token is invalid or is associated with a different KMS key.")}
}

func expiredImportToken() error {
	return &types.ExpiredImportTokenException{Message: text("The import token is expired.")}
}

// unwrap decrypts material for k and checks it, once for all attempts at the request: an
// RSA key takes a while to read and to use. It clears the token's private key.
func (r *request) unwrap(k *keyrecord.Key, token *keyrecord.ImportToken, wrapped []byte) ([]byte, error) {
	b, err := ask(r, "imported material", func(context.Context) ([]byte, error) {
		defer clear(token.PrivateKey)
		material, err := unwrap(token, wrapped)
		if err != nil {
			return nil, err
		}
		return material, checkMaterial(k, material)
	})
	if !errors.Is(err, errAsked) { // else it is still needed
		clear(token.PrivateKey)
	}
	return slices.Clone(b), err // each attempt wipes its own
}

// unwrap decrypts key material as it was agreed when the token was made. Whatever does
// not decrypt gets the one answer of [invalidCiphertext].
func unwrap(token *keyrecord.ImportToken, wrapped []byte) ([]byte, error) {
	spec, known := keyspec.Lookup(token.WrappingKeySpec)
	how, ok := wrappings[types.AlgorithmSpec(token.WrappingAlgorithm)]
	if !known || !ok {
		return nil, errors.New("kms: an import token for " + token.WrappingAlgorithm + " under " + token.WrappingKeySpec)
	}
	key, err := spec.Parse(token.PrivateKey)
	if err != nil {
		return nil, err
	}
	sealed := wrapped
	if how.hybrid {
		sealed = wrapped[:min(len(wrapped), wrappingKeys[types.WrappingKeySpec(token.WrappingKeySpec)])]
	}
	inner, err := key.Decrypt(string(how.algorithm), sealed)
	if err != nil {
		return nil, invalidCiphertext()
	}
	if !how.hybrid {
		return inner, nil
	}
	defer clear(inner)
	if len(inner) != wrappingAESKey {
		return nil, invalidCiphertext()
	}
	material, err := kwp.Unwrap(inner, wrapped[len(sealed):])
	if err != nil {
		return nil, invalidCiphertext()
	}
	return material, nil
}
