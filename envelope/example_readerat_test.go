package envelope_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/sealring/sealring/envelope"
	"github.com/sealring/sealring/keyring"
)

// lines is a message of 10,000 lines of 16 bytes.
func lines(ctx context.Context, m keyring.Manager, s envelope.Suite) []byte {
	var text strings.Builder
	for i := range 10_000 {
		fmt.Fprintf(&text, "this is no %04d\n", i)
	}
	message, err := envelope.Encrypt(ctx, m, []byte(text.String()), &envelope.EncryptOptions{Suite: s})
	if err != nil {
		log.Fatal(err)
	}
	return message
}

func ExampleNewReaderAt() {
	ctx, m := context.Background(), newManager()
	message := lines(ctx, m, keyring.AES256GCMHKDFSHA512CommitKey) // without a signature
	r, err := envelope.NewReaderAt(ctx, bytes.NewReader(message), int64(len(message)), m, nil)
	if err != nil {
		log.Fatal(err)
	}
	line := make([]byte, 15)
	if _, err := r.ReadAt(line, 16*4711); err != nil {
		log.Fatal(err)
	}
	fmt.Println(r.Size(), string(line))
	// Output: 160000 this is no 4711
}

// The signature covers the whole message, so the whole message is read once before
// any part of it.
func ExampleNewReaderAt_signed() {
	ctx, m := context.Background(), newManager()
	message := lines(ctx, m, keyring.AES256GCMHKDFSHA512CommitKeyECDSAP384)
	src, size := bytes.NewReader(message), int64(len(message))
	_, err := envelope.NewReaderAt(ctx, src, size, m, nil)
	fmt.Println(err)
	r, err := envelope.NewReaderAt(ctx, src, size, m, &envelope.DecryptOptions{VerifyFirst: true})
	if err != nil {
		log.Fatal(err)
	}
	last, err := io.ReadAll(io.NewSectionReader(r, r.Size()-16, 15))
	fmt.Println(string(last), err)
	// Output:
	// envelope: signed message refused: ALG_AES_256_GCM_HKDF_SHA512_COMMIT_KEY_ECDSA_P384
	// this is no 9999 <nil>
}

// A message is read in parts from a web server.
func ExampleNewRangeReaderAt() {
	ctx, m := context.Background(), newManager()
	message := lines(ctx, m, keyring.AES256GCMHKDFSHA512CommitKey)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"1"`)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(message))
	}))
	defer server.Close()

	head, err := server.Client().Head(server.URL)
	if err != nil {
		log.Fatal(err)
	}
	head.Body.Close()
	fetch := func(ctx context.Context, offset, length int64) (io.ReadCloser, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL, nil)
		if err != nil {
			return nil, err
		}
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", offset, offset+length-1))
		req.Header.Set("If-Match", head.Header.Get("ETag")) // the object that has this size
		resp, err := server.Client().Do(req)
		if err != nil {
			return nil, err
		}
		if resp.StatusCode != http.StatusPartialContent {
			resp.Body.Close()
			return nil, fmt.Errorf("no part of the object: %s", resp.Status)
		}
		return resp.Body, nil
	}
	src := envelope.NewRangeReaderAt(ctx, head.ContentLength, fetch)
	r, err := envelope.NewReaderAt(ctx, src, head.ContentLength, m, nil)
	if err != nil {
		log.Fatal(err)
	}
	line := make([]byte, 15)
	if _, err := r.ReadAt(line, 16*4711); err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(line))
	// Output: this is no 4711
}
