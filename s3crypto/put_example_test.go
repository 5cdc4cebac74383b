package s3crypto_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/sealring/sealring/s3crypto"
)

func ExampleClient_Put() {
	bucket := newFakeBucket() // an *s3.Client
	wrapper, err := s3crypto.NewAES(make([]byte, 32), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	client, err := s3crypto.New(bucket, wrapper, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = client.Put(context.Background(), &s3.PutObjectInput{
		Bucket: aws.String("bucket"), Key: aws.String("greeting"), IfNoneMatch: aws.String("*"),
		Body: strings.NewReader("hello"),
	}, nil)
	fmt.Println(err, bucket.current("greeting").size, "bytes with the tag")
	// Output: <nil> 21 bytes with the tag
}

// Parts go up in any order and at the same time.
func ExampleClient_CreateUpload() {
	ctx := context.Background()
	wrapper, err := s3crypto.NewAES(make([]byte, 32), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	client, err := s3crypto.New(newFakeBucket(), wrapper, nil) // an *s3.Client
	if err != nil {
		fmt.Println(err)
		return
	}
	upload, err := client.CreateUpload(ctx, &s3.CreateMultipartUploadInput{
		Bucket: aws.String("bucket"), Key: aws.String("report"),
	}, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	parts := []string{
		strings.Repeat("x", int(upload.PartSize())),
		strings.Repeat("y", int(upload.PartSize())),
		"the rest",
	}
	var sending sync.WaitGroup
	errs := make([]error, len(parts))
	for i, part := range parts {
		sending.Go(func() { errs[i] = upload.Part(ctx, int32(i+1), strings.NewReader(part)) })
	}
	sending.Wait()
	if err := errors.Join(errs...); err != nil {
		fmt.Println(err, upload.Abort(ctx)) // nothing is left behind
		return
	}
	_, err = upload.Complete(ctx, nil)
	fmt.Println(err)
	// Output: <nil>
}

func ExampleClient_ResumeUpload() {
	ctx := context.Background()
	bucket := newFakeBucket() // an *s3.Client
	wrapper, err := s3crypto.NewAES(make([]byte, 32), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	client, err := s3crypto.New(bucket, wrapper, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	var state []byte // in a file, say
	in := &s3.CreateMultipartUploadInput{Bucket: aws.String("bucket"), Key: aws.String("report")}
	o := &s3crypto.PutOptions{Save: func(_ context.Context, s []byte) error {
		state = s
		return nil
	}}
	upload, err := client.CreateUpload(ctx, in, o)
	if err != nil {
		fmt.Println(err)
		return
	}
	err = upload.Part(ctx, 1, strings.NewReader(strings.Repeat("x", int(upload.PartSize()))))
	fmt.Println("first part:", err)

	// Later, in another process.
	upload, err = client.ResumeUpload(ctx, in, state, o)
	if err != nil {
		fmt.Println(err)
		return
	}
	err = upload.Part(ctx, 2, strings.NewReader("the rest"))
	fmt.Println("second part:", err)
	_, err = upload.Complete(ctx, nil)
	fmt.Println("complete:", err)
	// Output:
	// first part: <nil>
	// second part: <nil>
	// complete: <nil>
}
