// S3 keeps encrypted objects in S3 and shares one with another account.
//
//	go run .
//
// starts an S3 server and a KMS in this process. Ann, of account A, uploads a report as it
// is made, in parts, under a KMS key of her account and with an encryption context. She
// reads a range of it, and downloads all of it, verified. Then she hands a copy over to
// account B: S3 copies the object, and only its data key is wrapped again. That takes two
// rights and no more: to decrypt with key A, and to encrypt with key B. Bob, of account B,
// reads the copy and cannot read the original; and Ann cannot read the copy.
//
// The policies that say so are in the folder policies. The example is a module of its own
// for the sake of the S3 server.
package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"

	"github.com/sealring/sealring/local"
	"github.com/sealring/sealring/s3crypto"
)

// The original and the copy.
const (
	bucketA = "reports-of-a"
	bucketB = "inbox-of-b"
	key     = "2026/orders.csv"
)

// tenant is the encryption context of the objects: KMS binds it to their data keys, and a
// reader has to give the same one.
var tenant = map[string]string{"tenant": "42"}

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "s3:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer) error {
	a, err := openAccounts(ctx)
	if err != nil {
		return err
	}
	defer a.cloud.Close()
	api, stop, err := startS3()
	if err != nil {
		return err
	}
	defer stop()
	for _, bucket := range []string{bucketA, bucketB} {
		if _, err := api.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String(bucket)}); err != nil {
			return err
		}
	}
	ann, err := clientFor(api, a.ann.In(regionA), a.keyA)
	if err != nil {
		return err
	}
	sum, err := upload(ctx, out, ann)
	if err != nil {
		return err
	}
	if err := readRange(ctx, out, ann); err != nil {
		return err
	}
	fmt.Fprintf(out, "\nann downloads all of it\n")
	if err := show(ctx, out, ann, bucketA, sum); err != nil {
		return err
	}
	if err := share(ctx, out, api, a, ann); err != nil {
		return err
	}
	return showReaders(ctx, out, api, a, sum)
}

// clientFor returns a client that encrypts and decrypts as somebody may with a KMS key.
func clientFor(api s3crypto.API, who *local.Access, keyARN string) (*s3crypto.Client, error) {
	wrapper, err := s3crypto.NewKMS(who.SDK(), keyARN, nil)
	if err != nil {
		return nil, err
	}
	return s3crypto.New(api, wrapper, &s3crypto.Options{PartSize: 5 << 20})
}

// upload uploads the report and returns its hash.
func upload(ctx context.Context, out io.Writer, c *s3crypto.Client) (sum []byte, err error) {
	hash := sha256.New()
	_, err = c.Put(ctx, &s3.PutObjectInput{
		Bucket: aws.String(bucketA), Key: aws.String(key), ContentType: aws.String("text/csv"),
		Body: io.TeeReader(&report{}, hash),
	}, &s3crypto.PutOptions{Context: tenant})
	if err != nil {
		return nil, err
	}
	_, e, err := c.Head(ctx, &s3.HeadObjectInput{Bucket: aws.String(bucketA), Key: aws.String(key)}, nil)
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(out, "ann uploads s3://%s/%s as it is made\n", bucketA, key)
	fmt.Fprintf(out, "  format %s, data key wrapped with %s, %v\n", e.Format, e.WrapAlgorithm, e.Description)
	fmt.Fprintf(out, "  %d bytes\n", e.Length)
	return hash.Sum(nil), nil
}

// readRange reads a part of the report. Nothing authenticates a part.
func readRange(ctx context.Context, out io.Writer, c *s3crypto.Client) error {
	part, err := c.GetRangeUnauthenticated(ctx, &s3.GetObjectInput{
		Bucket: aws.String(bucketA), Key: aws.String(key), Range: aws.String("bytes=6200000-6200029"),
	}, &s3crypto.GetOptions{Context: tenant})
	if err != nil {
		return err
	}
	defer part.Body.Close()
	text, err := io.ReadAll(part.Body)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "\nann reads a part, which nothing authenticates\n")
	fmt.Fprintf(out, "  %s: %q\n", *part.ContentRange, text)
	return nil
}

// show downloads an object, several parts at a time, and compares it with what was
// uploaded; or it says why it cannot be read.
func show(ctx context.Context, out io.Writer, c *s3crypto.Client, bucket string, want []byte) error {
	file, err := os.CreateTemp("", "report-*")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	defer file.Close()
	in := &s3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String(key)}
	_, err = c.Download(ctx, in, file, &s3crypto.GetOptions{Context: tenant})
	var refused smithy.APIError
	switch {
	case errors.As(err, &refused) && refused.ErrorCode() == "AccessDeniedException":
		fmt.Fprintf(out, "  s3://%s/%s: refused by KMS, %s\n", bucket, key, refused.ErrorCode())
		return nil
	case err != nil:
		return err
	}
	hash := sha256.New()
	n, err := io.Copy(hash, file)
	if err != nil {
		return err
	}
	if string(hash.Sum(nil)) != string(want) {
		return errors.New("what was downloaded differs from what was uploaded")
	}
	fmt.Fprintf(out, "  s3://%s/%s: %d bytes, verified\n", bucket, key, n)
	return nil
}

// share hands a copy over to account B. The content does not leave S3.
func share(ctx context.Context, out io.Writer, api *s3.Client, a *accounts, ann *s3crypto.Client) error {
	_, err := api.CopyObject(ctx, &s3.CopyObjectInput{
		Bucket: aws.String(bucketB), Key: aws.String(key), CopySource: aws.String(bucketA + "/" + key),
	})
	if err != nil {
		return err
	}
	keyB, err := s3crypto.NewKMS(a.ann.In(regionB).SDK(), a.keyB, nil)
	if err != nil {
		return err
	}
	_, err = ann.Rewrap(ctx, &s3crypto.RewrapInput{Bucket: bucketB, Key: key}, keyB, &s3crypto.RewrapOptions{
		GetOptions: s3crypto.GetOptions{Context: tenant},
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "\nann hands a copy over to account B\n")
	fmt.Fprintf(out, "  s3://%s/%s: its data key is wrapped with the key of B, its content is the same\n", bucketB, key)
	return nil
}

// showReaders shows who can read what.
func showReaders(ctx context.Context, out io.Writer, api *s3.Client, a *accounts, sum []byte) error {
	for _, reader := range []struct {
		name, bucket, region, key string
		who                       *local.Access
	}{
		{"bob reads the copy", bucketB, regionB, a.keyB, a.bob},
		{"bob reads the original", bucketA, regionA, a.keyA, a.bob},
		{"ann reads the copy", bucketB, regionB, a.keyB, a.ann},
	} {
		c, err := clientFor(api, reader.who.In(reader.region), reader.key)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "\n%s\n", reader.name)
		if err := show(ctx, out, c, reader.bucket, sum); err != nil {
			return err
		}
	}
	return nil
}
