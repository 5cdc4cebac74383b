package kms

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/sealring/sealring/internal/keyrecord"
	"github.com/sealring/sealring/internal/xks"
	"github.com/sealring/sealring/store"
)

// External key stores: keys that are used through a proxy, whose API is spoken by
// package xks. What is encrypted under such a key is encrypted twice: under material of
// the key's own, as under any other key, and then by the proxy under the external key.

// question returns what to ask for, told apart by all parts that the answer depends on.
// They may be secret: the question has a hash of them.
func question[P string | []byte](what string, parts ...P) string {
	h := sha256.New()
	for _, p := range parts {
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(p))))
		h.Write([]byte(p))
	}
	return what + " " + string(h.Sum(nil))
}

// proxy returns the client of a proxy for a store in the Region, and what questions to
// it depend on.
func (r *request) proxy(p *keyrecord.Proxy, region string) (client *xks.Proxy, id string) {
	return &xks.Proxy{
		Transport:       r.service.xks,
		Endpoint:        p.Endpoint,
		Path:            p.Path,
		AccessKeyID:     p.AccessKeyID,
		SecretAccessKey: p.SecretAccessKey,
		Region:          region,
		Timeout:         r.service.xksTimeout,
	}, question("proxy", p.Endpoint, p.Path, p.AccessKeyID, p.SecretAccessKey, region)
}

// xksCall describes the request to the proxy; k is nil if it is about no key that there
// is.
func (r *request) xksCall(k *keyrecord.Key) xks.Call {
	c := xks.Call{
		PrincipalARN: cmp.Or(r.caller.Principal, r.caller.Service),
		Operation:    r.op.operationName(),
		RequestID:    r.id,
	}
	if n := len(r.caller.Via); n > 0 {
		c.ViaService = regional(r.caller.Via[n-1], r.caller.Region)
	}
	if k != nil {
		c.KeyARN = k.ARN()
	}
	return c
}

// testProxy asks a proxy how it is. It returns the failure that there is, if any.
func (r *request) testProxy(p *keyrecord.Proxy) (*xksFailure, error) {
	proxy, id := r.proxy(p, r.caller.Region)
	health, err := ask(r, question("health", id), func(ctx context.Context) (xks.Health, error) {
		return proxy.Health(ctx, r.xksCall(nil))
	})
	switch f := xksFailureOf(err); {
	case f != nil:
		return f, nil
	case err == nil && !health.Available():
		return &unhealthy, nil
	}
	return nil, err
}

// checkExternalKey checks that the external key of k, which is about to be made in the
// connected store s, can be used and is in no other use there.
func (r *request) checkExternalKey(s *keyrecord.KeyStore, k *keyrecord.Key) error {
	if strings.Trim(k.XksKey, ".") == "" && len(k.XksKey) <= 2 { // which servers could resolve
		return validation("XksKeyId %s is not valid.", k.XksKey)
	}
	switch other, err := r.keyWithExternalKey(k); {
	case err != nil:
		return err
	case other != nil:
		return &types.XksKeyAlreadyInUseException{Message: text("The external key %s is already associated with a KMS key in the custom key store %s.", k.XksKey, s.ID)}
	}
	proxy, id := r.proxy(s.Proxy, k.Region)
	m, err := ask(r, question("metadata", id, k.XksKey), func(ctx context.Context) (xks.Metadata, error) {
		return proxy.Metadata(ctx, k.XksKey, r.xksCall(nil))
	})
	if f := xksFailureOf(err); f != nil {
		return f.inCreateKey()
	}
	if err != nil {
		return err
	}
	return checkExternalKeyMetadata(m)
}

// keyWithExternalKey returns the key that has the external key and the store of k, nil if
// there is none or it is gone.
func (r *request) keyWithExternalKey(k *keyrecord.Key) (*keyrecord.Key, error) {
	id, err := r.draft.Get(k.StoreKeyName())
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return r.readKey(k.Account, k.Region, string(id))
}

// checkExternalKeyMetadata holds an external key to what AWS KMS needs.
func checkExternalKeyMetadata(m xks.Metadata) error {
	switch {
	case m.Spec != xks.AES256:
		return unfitExternalKey(text("The key spec of the external key must be %s. The key spec of specified external key is %s.", xks.AES256, m.Spec))
	case m.Status != xks.Enabled:
		return unfitExternalKey(text("The status of the external key must be %s. The status of specified external key is %s.", xks.Enabled, m.Status))
	case !slices.Contains(m.Usage, xks.UsageEncrypt) || !slices.Contains(m.Usage, xks.UsageDecrypt):
		return unfitExternalKey(text("The key usage of the external key must include ENCRYPT and DECRYPT. The key use of specified external key is %s.", strings.Join(m.Usage, ", ")))
	}
	return nil
}

// proxyOf returns the proxy through which k, whose store is connected, is used.
func (r *request) proxyOf(k *keyrecord.Key) (client *xks.Proxy, id string, err error) {
	s, err := r.keyStoreOf(k)
	if err != nil {
		return nil, "", err
	}
	if s == nil || s.Proxy == nil {
		return nil, "", errors.New("kms: an external key without its key store")
	}
	client, id = r.proxy(s.Proxy, k.Region)
	return client, id, nil
}

// seal encrypts plaintext under k, a symmetric key, wherever it is.
func (r *request) seal(k *keyrecord.Key, plaintext []byte, context map[string]string) ([]byte, error) {
	inner, err := seal(k, plaintext, context)
	if err != nil || k.XksKey == "" {
		return inner, err
	}
	return r.sealOutside(k, plaintext, inner, context)
}

// sealOutside has the proxy encrypt the inner blob, which holds the plaintext. Another
// attempt at the request makes another inner blob; the answer holds the first.
func (r *request) sealOutside(k *keyrecord.Key, plaintext, inner []byte, encryptionContext map[string]string) ([]byte, error) {
	proxy, id, err := r.proxyOf(k)
	if err != nil {
		return nil, err
	}
	header := outerHeader(k)
	aad := outerAAD(header, encryptionContext)
	call := r.xksCall(k)
	b, err := ask(r, question("encrypt", []byte(id), aad, plaintext), func(ctx context.Context) ([]byte, error) {
		outer, err := proxy.Encrypt(ctx, k.XksKey, inner, aad, call)
		return slices.Concat(header, outer), err
	})
	if f := xksFailureOf(err); f != nil {
		return nil, f.inCryptography()
	}
	return b, err
}

// openOutside decrypts a blob of k, an external key.
func (r *request) openOutside(k *keyrecord.Key, p blob, encryptionContext map[string]string) (plaintext []byte, material *string, err error) {
	proxy, id, err := r.proxyOf(k)
	if err != nil {
		return nil, nil, err
	}
	aad := outerAAD(p.header, encryptionContext)
	call := r.xksCall(k)
	b, err := ask(r, question("decrypt", []byte(id), aad, p.outer), func(ctx context.Context) ([]byte, error) {
		return proxy.Decrypt(ctx, k.XksKey, p.outer, aad, call)
	})
	switch f := xksFailureOf(err); {
	case f != nil:
		return nil, nil, f.inCryptography()
	case errors.Is(err, xks.ErrInvalidBlob):
		return nil, nil, invalidCiphertext()
	case err != nil:
		return nil, nil, err
	}
	if inner, ok := parseBlob(b); ok && inner.outer == nil {
		if plaintext, m, ok := inner.open(k, encryptionContext); ok {
			return plaintext, aws.String(m.ID), nil
		}
	}
	return nil, nil, invalidState(wrongInnerBlob)
}

// random returns n random bytes to be encrypted under k. Where that takes several
// attempts at the request, all of them have the same bytes: they have to be those that
// the blob holds.
func (r *request) random(k *keyrecord.Key, n int) []byte {
	draw := func() []byte {
		b := make([]byte, n)
		rand.Read(b)
		return b
	}
	if k.XksKey == "" {
		return draw()
	}
	return slices.Clone(keep(r, "random bytes", draw)) // each attempt may wipe its own
}
