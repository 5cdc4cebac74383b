package s3crypto_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/sealring/sealring/s3crypto"
)

// exampleClient returns a client of a bucket with the object "greeting", whose data key is
// in an instruction file. In real life the first argument of New is an *s3.Client.
func exampleClient() *s3crypto.Client {
	bucket := newShelf()
	sealedAs("V3 with file", []byte("hello, world")).store(bucket, "greeting")
	wrapper, err := s3crypto.NewAES(wrappingKey, nil)
	if err != nil {
		panic(err)
	}
	client, err := s3crypto.New(bucket, wrapper, nil)
	if err != nil {
		panic(err)
	}
	return client
}

func ExampleClient_Get() {
	ctx, client := context.Background(), exampleClient()
	out, err := client.Get(ctx, &s3.GetObjectInput{Bucket: aws.String("bucket"), Key: aws.String("greeting")}, nil)
	if err != nil {
		panic(err)
	}
	defer out.Body.Close()
	io.Copy(os.Stdout, out.Body) // verified
	// Output: hello, world
}

func ExampleClient_GetStream() {
	ctx, client := context.Background(), exampleClient()
	out, err := client.GetStream(ctx, &s3.GetObjectInput{Bucket: aws.String("bucket"), Key: aws.String("greeting")}, nil)
	if err != nil {
		panic(err)
	}
	defer out.Body.Close()
	n, err := io.Copy(io.Discard, out.Body) // not verified until it returns
	fmt.Println(n, err, out.Body.(*s3crypto.UnverifiedBody).Verified())
	// Output: 12 <nil> true
}

func ExampleClient_GetRangeUnauthenticated() {
	ctx, client := context.Background(), exampleClient()
	out, err := client.GetRangeUnauthenticated(ctx, &s3.GetObjectInput{
		Bucket: aws.String("bucket"), Key: aws.String("greeting"), Range: aws.String("bytes=-5"),
	}, nil)
	if err != nil {
		panic(err)
	}
	defer out.Body.Close()
	part, err := io.ReadAll(out.Body)
	fmt.Printf("%s %s %v\n", *out.ContentRange, part, err)
	// Output: bytes 7-11/12 world <nil>
}

func ExampleClient_NewReaderAtUnauthenticated() {
	ctx, client := context.Background(), exampleClient()
	r, err := client.NewReaderAtUnauthenticated(ctx, &s3.GetObjectInput{Bucket: aws.String("bucket"), Key: aws.String("greeting")}, nil)
	if err != nil {
		panic(err)
	}
	part := make([]byte, 5)
	if _, err := r.ReadAt(part, 7); err != nil {
		panic(err)
	}
	fmt.Printf("%s of %d bytes\n", part, r.Size())
	// Output: world of 12 bytes
}

func ExampleClient_Download() {
	ctx, client := context.Background(), exampleClient()
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	file, err := os.Create(filepath.Join(dir, "greeting"))
	if err != nil {
		panic(err)
	}
	defer file.Close()
	in := &s3.GetObjectInput{Bucket: aws.String("bucket"), Key: aws.String("greeting")}
	if _, err := client.Download(ctx, in, file, nil); err != nil {
		panic(err) // the file has nothing but zeros
	}
	io.Copy(os.Stdout, file) // verified
	// Output: hello, world
}

func ExampleClient_Head() {
	ctx, client := context.Background(), exampleClient()
	out, encryption, err := client.Head(ctx, &s3.HeadObjectInput{Bucket: aws.String("bucket"), Key: aws.String("greeting")}, nil)
	if err != nil {
		panic(err)
	}
	fmt.Println(*out.ContentLength, "bytes,", encryption.Format, encryption.WrapAlgorithm)
	// Output: 12 bytes, V3 AES/GCM
}

func ExampleClient_List() {
	ctx, client := context.Background(), exampleClient()
	for entry, err := range client.List(ctx, &s3.ListObjectsV2Input{Bucket: aws.String("bucket")}, &s3crypto.ListOptions{Inspect: true}) {
		if err != nil {
			panic(err)
		}
		fmt.Println(*entry.Key, entry.Encryption.Length)
	}
	// Output: greeting 12
}

// An object is shared with a partner, who has another key: the partner reads it with the
// suffix ".partner".
func ExampleClient_Rewrap() {
	ctx, client := context.Background(), exampleClient()
	partner, err := s3crypto.NewAES([]byte("the partner's key of 32 bytes..."), nil)
	if err != nil {
		panic(err)
	}
	out, err := client.Rewrap(ctx, &s3crypto.RewrapInput{Bucket: "bucket", Key: "greeting"}, partner,
		&s3crypto.RewrapOptions{NewSuffix: ".partner"})
	if err != nil {
		panic(err)
	}
	fmt.Println(out.InstructionFile)
	// Output: greeting.partner
}

func ExampleClient_RewrapAll() {
	ctx, client := context.Background(), exampleClient()
	next, err := s3crypto.NewAES([]byte("the new wrapping key of 32 bytes"), nil)
	if err != nil {
		panic(err)
	}
	report, err := client.RewrapAll(ctx, &s3crypto.RewrapAllInput{Bucket: "bucket"}, next, nil)
	fmt.Println(report.Rewrapped, len(report.Failed), report.Checkpoint, err)
	// Output: 1 0 greeting <nil>
}

func ExampleClient_Delete() {
	ctx, client := context.Background(), exampleClient()
	_, err := client.Delete(ctx, &s3.DeleteObjectInput{Bucket: aws.String("bucket"), Key: aws.String("greeting")}, nil)
	fmt.Println(err) // the instruction file is gone too
	// Output: <nil>
}
