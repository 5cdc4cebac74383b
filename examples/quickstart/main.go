// Quickstart shows envelope encryption under a KMS key from end to end.
//
//	go run ./examples/quickstart [file]
//
// creates a key and an alias in a local KMS, encrypts the file (README.md if none is
// named) as a stream, decrypts it and compares, and then shows what is refused: a
// flipped bit, a wrong encryption context, a disabled key.
//
//	go run ./examples/quickstart -aws-endpoint URL -key ARN [file]
//
// does the same with a key of a KMS over HTTP, AWS's own (such as
// https://kms.eu-west-1.amazonaws.com) or a local one. It takes credentials from
// AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, and changes
// nothing: no alias is made and the key is not disabled.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/sealring/sealring/envelope"
	"github.com/sealring/sealring/keyring"
	"github.com/sealring/sealring/keyring/awskms"
)

func main() {
	endpoint := flag.String("aws-endpoint", "", "`URL` of a KMS to use instead of a local one")
	keyARN := flag.String("key", "", "`ARN` of a symmetric key there")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Stdout, *endpoint, *keyARN, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "quickstart:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer, endpoint, keyARN string, args []string) error {
	file := "README.md"
	if len(args) > 0 {
		file = args[0]
	}
	client, key, err := open(ctx, out, endpoint, keyARN)
	if err != nil {
		return err
	}
	ring, err := awskms.New(client, key, nil)
	if err != nil {
		return err
	}
	m := keyring.NewManager(ring)
	pairs := keyring.EncryptionContext{"file": file, "purpose": "quickstart"}

	message, err := encryptFile(ctx, out, m, file, pairs)
	if err != nil {
		return err
	}
	if err := decryptAndCompare(ctx, out, m, file, message, pairs); err != nil {
		return err
	}
	return showRefusals(ctx, out, client, key, m, message, endpoint == "")
}

// encryptFile returns the file as an encrypted message. Both sides stream: the file
// may be larger than memory, only the example keeps the message.
func encryptFile(ctx context.Context, out io.Writer, m keyring.Manager, file string, pairs keyring.EncryptionContext) ([]byte, error) {
	src, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer src.Close()

	var message bytes.Buffer
	start := time.Now()
	w, err := envelope.NewWriter(ctx, &message, m, &envelope.EncryptOptions{Context: pairs})
	if err != nil {
		return nil, err
	}
	n, err := io.Copy(w, src)
	if err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	took := time.Since(start)

	h, err := envelope.ReadHeader(bytes.NewReader(message.Bytes()), nil)
	if err != nil {
		return nil, err
	}
	frames := max(1, (n+int64(h.FrameLength)-1)/int64(h.FrameLength))
	fmt.Fprintf(out, "\nencrypted  %s\n", file)
	fmt.Fprintf(out, "  suite    %v\n", h.Suite)
	fmt.Fprintf(out, "  frames   %d of up to %d bytes\n", frames, h.FrameLength)
	for _, k := range h.EncryptedDataKeys {
		fmt.Fprintf(out, "  data key encrypted by %s %s (%d bytes)\n", k.Provider, k.Info, len(k.Ciphertext))
	}
	fmt.Fprintf(out, "  size     %d bytes -> %d bytes\n", n, message.Len())
	fmt.Fprintf(out, "  speed    %s\n", speed(n, took))
	return message.Bytes(), nil
}

// decryptAndCompare reads the message back as a stream. The pairs are required: a
// message with others would be refused.
func decryptAndCompare(ctx context.Context, out io.Writer, m keyring.Manager, file string, message []byte, pairs keyring.EncryptionContext) error {
	start := time.Now()
	r, err := envelope.NewReader(ctx, bytes.NewReader(message), m, &envelope.DecryptOptions{Context: pairs})
	if err != nil {
		return err
	}
	plaintext, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	took := time.Since(start)
	original, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if !bytes.Equal(plaintext, original) {
		return errors.New("the decrypted file differs from the original")
	}
	fmt.Fprintf(out, "\ndecrypted  %d bytes, the same as the file\n", len(plaintext))
	fmt.Fprintf(out, "  speed    %s\n", speed(int64(len(plaintext)), took))
	return nil
}

// showRefusals tries what must not work and reports how it fails.
func showRefusals(ctx context.Context, out io.Writer, client *kms.Client, key string, m keyring.Manager, message []byte, mayDisable bool) error {
	fmt.Fprintf(out, "\nrefused\n")

	h, err := envelope.ReadHeader(bytes.NewReader(message), nil)
	if err != nil {
		return err
	}
	flipped := bytes.Clone(message)
	flipped[h.Length()+24] ^= 1 // in the first frame, behind its sequence number and IV
	_, _, err = envelope.Decrypt(ctx, m, flipped, nil)
	if err := refused(out, "a flipped bit", err, errors.Is(err, envelope.ErrAuth)); err != nil {
		return err
	}

	_, _, err = envelope.Decrypt(ctx, m, message, &envelope.DecryptOptions{Context: keyring.EncryptionContext{"file": "another"}})
	if err := refused(out, "a wrong encryption context", err, errors.Is(err, keyring.ErrEncryptionContext)); err != nil {
		return err
	}

	if !mayDisable {
		return nil
	}
	if _, err := client.DisableKey(ctx, &kms.DisableKeyInput{KeyId: &key}); err != nil {
		return err
	}
	_, _, err = envelope.Decrypt(ctx, m, message, nil)
	var disabled *types.DisabledException
	return refused(out, "a disabled key", err, errors.As(err, &disabled))
}

// refused reports a refusal; it is an error if the attempt succeeded or failed for
// another reason than the expected one.
func refused(out io.Writer, what string, err error, expected bool) error {
	if !expected {
		return fmt.Errorf("%s was not refused as it should be: %w", what, err)
	}
	fmt.Fprintf(out, "  %s:\n    %v\n", what, err)
	return nil
}

func speed(n int64, d time.Duration) string {
	return fmt.Sprintf("%.1f MB/s, %v", float64(n)/1e6/d.Seconds(), d.Round(time.Microsecond))
}
