package main

import (
	"context"
	"crypto/rand"
	"errors"

	"github.com/sealring/sealring/keyring"
	"github.com/sealring/sealring/keyring/awskms"
	"github.com/sealring/sealring/local"
	"github.com/sealring/sealring/store"
)

const newPassphraseVariable = "SEALRING_NEW_PASSPHRASE"

// rootFlags say what opens a store. The prefix of the flags is "" or "new-".
type rootFlags struct {
	prefix         string
	variable       string
	plainKeyFile   string
	passphrase     bool
	passphraseFile string
	kmsKey         string
	kmsEndpoint    string
	insecureHTTP   bool
}

func (r *rootFlags) add(f *flagSet, prefix, variable string) {
	r.prefix, r.variable = prefix, variable
	f.StringVar(&r.plainKeyFile, prefix+"plain-root-key", "", "`FILE` with the root key, in the clear: whoever can read it can open the store")
	f.BoolVar(&r.passphrase, prefix+"passphrase", false, "the root key is a passphrase: of -"+prefix+"passphrase-file, "+variable+" or the terminal")
	f.StringVar(&r.passphraseFile, prefix+"passphrase-file", "", "`FILE` with the passphrase")
	f.StringVar(&r.kmsKey, prefix+"root-kms-key", "", "`ARN` of the KMS key that is the root key, with the credentials that the AWS CLI would use")
	f.StringVar(&r.kmsEndpoint, prefix+"root-kms-endpoint", "", "`URL` of a KMS other than AWS's for it")
	f.BoolVar(&r.insecureHTTP, prefix+"root-kms-insecure-http", false, "allow plain HTTP to that KMS on another machine: what opens the store can be read on the way")
}

// named returns how many root keys the flags name.
func (r *rootFlags) named() int {
	n := 0
	for _, is := range []bool{r.plainKeyFile != "", r.passphrase || r.passphraseFile != "", r.kmsKey != ""} {
		if is {
			n++
		}
	}
	return n
}

// check refuses flags that name no root key, or two.
func (r *rootFlags) check(command string) error {
	if r.named() != 1 {
		return usagef("%s: name one root key: -%spassphrase, -%sroot-kms-key or -%splain-root-key", command, r.prefix, r.prefix, r.prefix)
	}
	return nil
}

// open returns the keyring of the root key. fresh is set if a store will be made under it.
func (r *rootFlags) open(ctx context.Context, p *process, fresh bool) (keyring.Keyring, error) {
	switch {
	case r.plainKeyFile != "":
		return local.ReadKeyFile(r.plainKeyFile)
	case r.kmsKey != "":
		api, err := kmsClient(ctx, p, r.kmsKey, r.kmsEndpoint)
		if err != nil {
			return nil, err
		}
		if readableEndpoint(api) && !r.insecureHTTP {
			return nil, usagef("plain HTTP to a KMS on another machine: what opens the store could be read on the way: name an https URL, or -%sroot-kms-insecure-http", r.prefix)
		}
		return awskms.NewMRK(api, r.kmsKey, nil)
	default:
		secret, err := p.passphrase(ctx, r.passphraseFile, r.variable, fresh)
		if err != nil {
			return nil, err
		}
		defer clear(secret)
		return keyring.NewPassphrase(defaultNamespace, defaultKeyName, secret)
	}
}

// randomRoot returns a root key that nobody will ever know again: for a store in memory.
func randomRoot() (keyring.Keyring, error) {
	key := make([]byte, 32)
	rand.Read(key)
	defer clear(key)
	return keyring.NewRawAES(defaultNamespace, defaultKeyName, key)
}

// sealedFlags say where a sealed store is and what opens it.
type sealedFlags struct {
	store storeFlags
	root  rootFlags
}

func (s *sealedFlags) add(f *flagSet) {
	s.store.add(f, "")
	s.root.add(f, "", passphraseVariable)
}

func (s *sealedFlags) check(command string) error {
	if err := s.store.check(command); err != nil {
		return err
	}
	return s.root.check(command)
}

// open opens a store that is there already.
func (s *sealedFlags) open(ctx context.Context, p *process, readOnly bool, o *store.SealOptions) (*store.Sealed, error) {
	root, err := s.root.open(ctx, p, false)
	if err != nil {
		return nil, err
	}
	return s.openWith(ctx, root, readOnly, o)
}

// openWith is open with the root key.
func (s *sealedFlags) openWith(ctx context.Context, root keyring.Keyring, readOnly bool, o *store.SealOptions) (*store.Sealed, error) {
	inner, err := s.store.open(ctx, readOnly, false)
	if err != nil {
		return nil, err
	}
	empty := true
	err = inner.View(ctx, func(tx store.Tx) error {
		for _, err := range tx.Scan("", "") {
			empty = false
			return err
		}
		return nil
	})
	if err == nil && empty { // to seal it would make a store, perhaps under a mistaken name
		err = errors.New("there is no store: it is empty")
	}
	if err != nil {
		return nil, errors.Join(err, inner.Close())
	}
	return seal(ctx, inner, root, o)
}

// seal seals a store, and closes it if that fails.
func seal(ctx context.Context, inner store.Store, root keyring.Keyring, o *store.SealOptions) (*store.Sealed, error) {
	s, err := store.Seal(ctx, inner, root, o)
	if err != nil {
		return nil, errors.Join(err, inner.Close())
	}
	return s, nil
}
