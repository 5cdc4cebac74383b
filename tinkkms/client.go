package tinkkms

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/tink-crypto/tink-go/v2/core/registry"
	"github.com/tink-crypto/tink-go/v2/tink"
)

// scheme is what every key URI starts with.
const scheme = "aws-kms://"

var (
	// ErrKeyURI is returned for a key URI that is not "aws-kms://" and the ARN of a
	// KMS key or alias, or that a [Client] is not for.
	ErrKeyURI = errors.New("tinkkms: not a key URI for this client")

	// ErrResponse is returned when a response of KMS does not belong to the request:
	// it is empty, or names another key.
	ErrResponse = errors.New("tinkkms: response refused")
)

// API is the part of AWS KMS that is called, with the signatures of aws-sdk-go-v2. An
// implementation must not keep or change what its inputs point to, and what its
// outputs point to belongs to the caller. Its Region has to be the Region of the keys.
type API interface {
	Encrypt(ctx context.Context, in *kms.EncryptInput, o ...func(*kms.Options)) (*kms.EncryptOutput, error)
	Decrypt(ctx context.Context, in *kms.DecryptInput, o ...func(*kms.Options)) (*kms.DecryptOutput, error)
}

var _ API = (*kms.Client)(nil)

// Options adjust a client. The zero value, and nil, are what most callers want.
type Options struct {
	// GrantTokens go with every request, for grants that have not reached all of KMS
	// yet. They are copied.
	GrantTokens []string

	// LegacyAdditionalData names the pair of the encryption context
	// "additionalData". Early versions of Tink's extension for AWS in Go did, and so do
	// the deprecated constructors of later ones. A ciphertext with associated data
	// can be read under the name only with which it was written.
	LegacyAdditionalData bool
}

// Client makes AEADs of KMS keys. It is a registry.KMSClient.
type Client struct {
	api         API
	uriPrefix   string
	pair        string // the name of the associated data in the encryption context
	grantTokens []string
}

var _ registry.KMSClient = (*Client)(nil)

// NewClient returns a client for the keys whose URIs start with uriPrefix, which is
// "aws-kms://" or longer: "aws-kms://arn:aws:kms:eu-west-1:" for the keys of a Region,
// or one whole key URI. Otherwise the error is [ErrKeyURI].
func NewClient(api API, uriPrefix string, o *Options) (*Client, error) {
	if api == nil {
		return nil, errors.New("tinkkms: a client without an API")
	}
	if !strings.HasPrefix(uriPrefix, scheme) {
		return nil, fmt.Errorf("%w: %q does not start with %q", ErrKeyURI, uriPrefix, scheme)
	}
	if o == nil {
		o = &Options{}
	}
	pair := "associatedData"
	if o.LegacyAdditionalData {
		pair = "additionalData"
	}
	return &Client{api, uriPrefix, pair, slices.Clone(o.GrantTokens)}, nil
}

// Supported reports whether keyURI starts with the client's prefix.
func (c *Client) Supported(keyURI string) bool { return strings.HasPrefix(keyURI, c.uriPrefix) }

// GetAEAD is [Client.AEAD] with the result type that Tink's registry asks for.
func (c *Client) GetAEAD(keyURI string) (tink.AEAD, error) {
	a, err := c.AEAD(keyURI)
	if err != nil {
		return nil, err
	}
	return a, nil
}
