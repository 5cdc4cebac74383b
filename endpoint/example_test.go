package endpoint_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/smithy-go"

	"github.com/sealring/sealring/endpoint"
	"github.com/sealring/sealring/identity"
	"github.com/sealring/sealring/kms"
)

// A KMS over HTTP, used by the AWS SDK.
func Example() {
	ctx := context.Background()
	service, err := kms.New(ctx, kms.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer service.Close()

	keys := &endpoint.AccessKeys{}
	id, secret := keys.Create(identity.Root("111122223333", "us-east-1"))
	handler, err := endpoint.New(endpoint.Config{KMS: service, Keys: keys})
	if err != nil {
		log.Fatal(err)
	}
	server := httptest.NewServer(handler)
	defer server.Close()

	client := sdk.New(sdk.Options{
		BaseEndpoint: aws.String(server.URL),
		Region:       "eu-west-1",
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: id, SecretAccessKey: secret}, nil
		}),
	})
	key, err := client.CreateKey(ctx, &sdk.CreateKeyInput{})
	if err != nil {
		log.Fatal(err)
	}
	sealed, err := client.Encrypt(ctx, &sdk.EncryptInput{
		KeyId:             key.KeyMetadata.KeyId,
		Plaintext:         []byte("attack at dawn"),
		EncryptionContext: map[string]string{"tenant": "42"},
	})
	if err != nil {
		log.Fatal(err)
	}
	opened, err := client.Decrypt(ctx, &sdk.DecryptInput{
		CiphertextBlob:    sealed.CiphertextBlob,
		EncryptionContext: map[string]string{"tenant": "42"},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(opened.Plaintext))

	_, err = client.Decrypt(ctx, &sdk.DecryptInput{CiphertextBlob: sealed.CiphertextBlob})
	var refused *types.InvalidCiphertextException
	fmt.Println("without the context:", errors.As(err, &refused))
	// Output:
	// attack at dawn
	// without the context: true
}

// A handler answers in the process too: nothing reaches a network.
func ExampleTransport() {
	hello := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, "hello from %s", r.Host) })
	client := &http.Client{Transport: endpoint.Transport(hello)}
	response, err := client.Get("https://kms.eu-west-1.amazonaws.com/")
	if err != nil {
		log.Fatal(err)
	}
	defer response.Body.Close()
	var name string
	fmt.Fscanf(response.Body, "hello from %s", &name)
	fmt.Println(name)
	// Output: kms.eu-west-1.amazonaws.com
}

// Temporary credentials are good until they expire, and only with their token.
func ExampleAccessKeys_CreateSession() {
	service, err := kms.New(context.Background(), kms.Config{})
	if err != nil {
		log.Fatal(err)
	}
	keys := &endpoint.AccessKeys{}
	h, err := endpoint.New(endpoint.Config{KMS: service, Keys: keys})
	if err != nil {
		log.Fatal(err)
	}
	id, secret, token := keys.CreateSession(identity.Root("111122223333", "us-east-1"), time.Now().Add(time.Hour))
	for _, token := range []string{token, ""} {
		client := sdk.New(sdk.Options{
			Region:     "us-east-1",
			HTTPClient: &http.Client{Transport: endpoint.Transport(h)},
			Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
				return aws.Credentials{AccessKeyID: id, SecretAccessKey: secret, SessionToken: token}, nil
			}),
		})
		_, err := client.ListKeys(context.Background(), &sdk.ListKeysInput{})
		var refused smithy.APIError
		if errors.As(err, &refused) {
			fmt.Println(refused.ErrorMessage())
		} else {
			fmt.Println("listed:", err == nil)
		}
	}
	// Output:
	// listed: true
	// The security token included in the request is invalid.
}

// A server for others to reach has bounds for everything that a client can draw out.
func ExampleServer() {
	hello := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "hello") })
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	server := endpoint.Server(l.Addr().String(), hello)
	go server.Serve(l)
	defer server.Close()
	response, err := http.Get("http://" + server.Addr)
	if err != nil {
		log.Fatal(err)
	}
	defer response.Body.Close()
	text, _ := io.ReadAll(response.Body)
	fmt.Println(string(text))
	// Output: hello
}
