package endpoint_test

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"runtime"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/endpoint"
)

// connections is the number of clients of the benchmarks over HTTP, all together.
const connections = 16

// BenchmarkEncrypt encrypts 32 bytes: by a direct call, through Transport, and over
// loopback HTTP by a raw client on a kept-open connection. Beside it stands what
// the same client gets from a handler that sends its request back. The request is
// signed once; the endpoint verifies it each time.
func BenchmarkEncrypt(b *testing.B) {
	s := newSite(b, nil)
	body := `{"KeyId":"` + s.key + `","Plaintext":"` + base64.StdEncoding.EncodeToString(make([]byte, 32)) + `"}`
	echo := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) })

	b.Run("direct", func(b *testing.B) {
		client, in := s.Client(s.Root()), &sdk.EncryptInput{KeyId: &s.key, Plaintext: make([]byte, 32)}
		inParallel(b, 1, func() func() error {
			return func() error { _, err := client.Encrypt(b.Context(), in); return err }
		})
	})
	b.Run("Transport", func(b *testing.B) {
		client := http.Client{Transport: endpoint.Transport(s.handler)}
		signed := newRequest("Encrypt", body)
		sign(b, signed, body, signature{})
		inParallel(b, 1, func() func() error {
			return func() error {
				r := signed.Clone(b.Context())
				r.Body, r.RequestURI = io.NopCloser(bytes.NewReader([]byte(body))), ""
				response, err := client.Do(r)
				if err != nil {
					return err
				}
				return drain(response)
			}
		})
	})
	b.Run("HTTP", func(b *testing.B) { overLoopback(b, s.serve(b), body) })
	b.Run("HTTPEcho", func(b *testing.B) {
		overLoopback(b, (&site{handler: echo}).serve(b), body)
	})
}

// inParallel runs what newClient returns on clients goroutines for each processor.
func inParallel(b *testing.B, clients int, newClient func() func() error) {
	b.SetParallelism(clients)
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		call := newClient()
		for pb.Next() {
			if err := call(); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "ops/s")
}

// overLoopback measures a server with raw clients, each on a connection of its own.
func overLoopback(b *testing.B, server, body string) {
	u, err := url.Parse(server)
	require.NoError(b, err)
	signed := newRequest("Encrypt", body)
	sign(b, signed, body, signature{})
	signed.RequestURI = ""
	var wire bytes.Buffer
	require.NoError(b, signed.Write(&wire))
	inParallel(b, max(1, connections/runtime.GOMAXPROCS(0)), func() func() error {
		c, err := net.Dial("tcp", u.Host)
		if err != nil {
			return func() error { return err }
		}
		b.Cleanup(func() { c.Close() })
		in := bufio.NewReader(c)
		return func() error {
			if _, err := c.Write(wire.Bytes()); err != nil {
				return err
			}
			response, err := http.ReadResponse(in, nil)
			if err != nil {
				return err
			}
			return drain(response)
		}
	})
}

// drain reads a response to its end, which has to be a success.
func drain(response *http.Response) error {
	_, err := io.Copy(io.Discard, response.Body)
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", response.StatusCode)
	}
	return err
}
