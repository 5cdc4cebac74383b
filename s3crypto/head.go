package s3crypto

import (
	"context"
	"errors"
	"maps"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// Encryption is what an object says of its encryption. Nothing of it is authenticated,
// and no key was needed to read it. It belongs to the caller.
type Encryption struct {
	// Format is "V1", "V2" or "V3".
	Format string
	// ContentAlgorithm is how the content is encrypted: "AES/GCM/NoPadding",
	// "AES/CBC/PKCS5Padding" or "115", which is the committing AES-GCM.
	ContentAlgorithm string
	// WrapAlgorithm is how the data key is encrypted: "kms+context", "AES/GCM",
	// "RSA-OAEP-SHA1", or an old one.
	WrapAlgorithm string
	// Committing reports whether the object commits to its data key.
	Committing bool
	// Description is the material description, or the encryption context of AWS KMS
	// without the formats' own entries.
	Description map[string]string
	// InstructionFile reports whether the data key is in an instruction file.
	InstructionFile bool
	// Length is that of the plaintext in bytes, or -1 if it cannot be known without
	// decrypting. It follows from the object's size, but for content in CBC mode.
	Length int64
}

// encryption returns what h says of an object of size bytes.
func (h *header) encryption(size int64) (*Encryption, error) {
	length, err := h.plaintextLength(size)
	if err != nil {
		return nil, err
	}
	e := &Encryption{
		Format: h.format.String(), ContentAlgorithm: h.suite.name(), WrapAlgorithm: h.wrap.String(),
		Committing: h.suite == suiteCommitting, Description: maps.Clone(h.description),
		InstructionFile: h.inFile, Length: length,
	}
	if h.wrap.byKMS() {
		e.Description = callersContext(h.description)
	}
	return e, nil
}

// Head returns what S3 says of an object, and what the object says of its encryption,
// which takes no key: neither the commitment policy nor the encryption context is looked
// at. The error is [ErrNotEncrypted] for a plain object.
//
// in is passed on, and not changed; a Range or a PartNumber is refused. Of the output,
// ContentLength is the plaintext's, or nil if that is not known, and Metadata is without
// the formats' entries. All the rest is what S3 says of the ciphertext.
func (c *Client) Head(ctx context.Context, in *s3.HeadObjectInput, o *GetOptions) (*s3.HeadObjectOutput, *Encryption, error) {
	if in.Range != nil || in.PartNumber != nil {
		return nil, nil, errors.New("s3crypto: a Range or PartNumber for Head")
	}
	o = o.orZero()
	ask := *in
	out, err := c.api.HeadObject(ctx, &ask, o.S3...)
	if err != nil {
		return nil, nil, err
	}
	named := &s3.GetObjectInput{
		Bucket: in.Bucket, Key: in.Key, ExpectedBucketOwner: in.ExpectedBucketOwner, RequestPayer: in.RequestPayer,
		SSECustomerAlgorithm: in.SSECustomerAlgorithm, SSECustomerKey: in.SSECustomerKey, SSECustomerKeyMD5: in.SSECustomerKeyMD5,
	}
	h, _, err := c.header(ctx, named, out.Metadata, o)
	if err != nil {
		return nil, nil, err
	}
	e, err := h.encryption(aws.ToInt64(out.ContentLength))
	if err != nil {
		return nil, nil, err
	}
	answer := *out
	answer.Metadata, answer.ContentLength = withoutHeader(out.Metadata), nil
	if e.Length >= 0 {
		answer.ContentLength = aws.Int64(e.Length)
	}
	return &answer, e, nil
}
