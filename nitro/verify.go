package nitro

import (
	"crypto/x509"
	"slices"
	"time"

	"github.com/fxamacker/cbor/v2"
)

const (
	// defaultMaxAge is how old a document may be unless MaxAge says otherwise.
	defaultMaxAge = 5 * time.Minute
	// maxSkew is how far ahead of the verifier's clock a hypervisor's may be.
	maxSkew = time.Minute
)

// Verifier checks attestation documents. Its fields must not be changed while it is in
// use.
type Verifier struct {
	// Roots are the certificate authorities that documents may come from. Nil or an
	// empty pool trusts nobody, so that no document verifies; neither the system's
	// roots nor any others take its place. Documents of AWS need the certificate of
	// CN=aws.nitro-enclaves, which AWS publishes together with its SHA-256.
	Roots *x509.CertPool

	// Now is the clock, for the age of documents and the validity of certificates.
	// Nil is [time.Now].
	Now func() time.Time

	// MaxAge is how old a document may be. Zero is five minutes. A longer time lets
	// a document be replayed for longer.
	MaxAge time.Duration
}

// Verify returns what a document says, if it is a COSE_Sign1 structure (CBOR tag 18 or
// none) with an ES384 signature, follows AWS's rules, was made no longer than MaxAge
// ago, and its certificates chain to one of the roots in the order in which AWS gives
// them: the root first, each signed by the one before, the signer's last.
//
// Every error is a [*DocumentError]. Documents over some 16 KiB are refused unread.
// Revocation is not checked, as AWS asks.
//
// Source: AWS, "Nitro Enclaves Attestation Process", section 3; RFC 9052.
func (v *Verifier) Verify(document []byte) (*Document, error) {
	if v.Roots == nil {
		return nil, refuse("the verifier has no roots")
	}
	s, err := parseSign1(document)
	if err != nil {
		return nil, err
	}
	p, err := parsePayload(s.Payload)
	if err != nil {
		return nil, err
	}
	d, err := p.document()
	if err != nil {
		return nil, err
	}
	signer, bundle, err := p.certificates()
	if err != nil {
		return nil, err
	}
	// The signature first: a chain takes several such checks.
	if !s.signedBy(signer.PublicKey) {
		return nil, refuse("the signature is not the certificate's")
	}
	now := v.now()
	if err := v.trusts(signer, bundle, now); err != nil {
		return nil, err
	}
	if err := v.fresh(d.Timestamp, now); err != nil {
		return nil, err
	}
	return d, nil
}

// now returns the verifier's time.
func (v *Verifier) now() time.Time {
	if v.Now == nil {
		return time.Now()
	}
	return v.Now()
}

// fresh checks a document's age.
func (v *Verifier) fresh(made, now time.Time) error {
	most := v.MaxAge
	if most == 0 {
		most = defaultMaxAge
	}
	switch age := now.Sub(made); {
	case age > most:
		return refuse("it was made %s ago, more than %s", age.Truncate(time.Second), most)
	case age < -maxSkew:
		return refuse("it was made %s ahead of this clock", (-age).Truncate(time.Second))
	}
	return nil
}

// certificates parses the signer's certificate and the bundle.
func (p *payload) certificates() (signer *x509.Certificate, bundle []*x509.Certificate, err error) {
	signer, err = parseCertificate(p.Certificate)
	if err != nil {
		return nil, nil, refuse("certificate does not parse")
	}
	for i, der := range p.CABundle {
		c, err := parseCertificate(der)
		if err != nil {
			return nil, nil, refuse("certificate %d of cabundle does not parse", i)
		}
		bundle = append(bundle, c)
	}
	return signer, bundle, nil
}

func parseCertificate(der cbor.ByteString) (*x509.Certificate, error) {
	return x509.ParseCertificate([]byte(der))
}

// trusts checks the chain from a root to the signer (section 3.2.3). x509 sees to the
// signatures, validity, critical extensions, basic constraints and path lengths; what
// is left are the key usages, which x509 does not ask for where a certificate has
// none, and the order.
func (v *Verifier) trusts(signer *x509.Certificate, bundle []*x509.Certificate, now time.Time) error {
	if signer.KeyUsage&x509.KeyUsageDigitalSignature == 0 {
		return refuse("certificate is not for signatures")
	}
	if signer.IsCA || signer.MaxPathLen > 0 || signer.MaxPathLenZero {
		return refuse("certificate is that of an authority")
	}
	intermediates := x509.NewCertPool()
	for i, c := range bundle {
		if c.KeyUsage&x509.KeyUsageCertSign == 0 {
			return refuse("certificate %d of cabundle is not for signing certificates", i)
		}
		if i > 0 {
			intermediates.AddCert(c)
		}
	}
	chains, err := signer.Verify(x509.VerifyOptions{
		Roots:         v.Roots,
		Intermediates: intermediates,
		CurrentTime:   now,
		KeyUsages:     []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
	if err != nil {
		return refuse("the certificates do not chain to a root: %v", err)
	}
	want := append(bundle, signer)
	slices.Reverse(want) // x509 begins with the signer
	for _, chain := range chains {
		if slices.EqualFunc(chain, want, (*x509.Certificate).Equal) {
			return nil
		}
	}
	return refuse("cabundle is not the chain from the root to the signer, in this order")
}
