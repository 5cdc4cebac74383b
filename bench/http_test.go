//go:build unix

package bench

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/sealring/sealring/identity"
)

const (
	httpConnections = 16
	httpRounds      = 9
	httpRound       = time.Second / 2
)

// BenchmarkHTTP compares the endpoint with a handler that reads a request's body and
// writes a constant answer, of the same headers and size: requests a second, and the
// processor time that the server takes for one. Signatures are verified and audit
// records kept. Both are mounted in the same http.Server, each in a process of its
// own, on loopback. Raw clients on 16 connections use one and the other by turns, half
// a second each, nine times in an iteration.
//
// The machines that this runs on are small and shared, and noisy. Only the two ratios
// count, and only those of one run: each is the median over the pairs of neighbouring
// rounds. Clients and server share the processors, so the rate depends on what the
// client takes too.
func BenchmarkHTTP(b *testing.B) {
	ours := startServer(b, nil)
	const data = `,"EncryptionContext":{"tenant":"42","purpose":"benchmark"}`
	key := `"KeyId":"` + ours.KeyARN + `"`
	encrypt := "{" + key + data + `,"Plaintext":"` + base64.StdEncoding.EncodeToString(make([]byte, 32)) + `"}`
	var encrypted struct{ CiphertextBlob string }
	if err := json.Unmarshal(ours.answer(b, "Encrypt", encrypt).Body, &encrypted); err != nil {
		b.Fatal(err)
	}
	for _, r := range []struct{ operation, body string }{
		{"GenerateDataKey", "{" + key + data + `,"KeySpec":"AES_256"}`},
		{"Encrypt", encrypt},
		{"Decrypt", `{"CiphertextBlob":"` + encrypted.CiphertextBlob + `"` + data + "}"},
	} {
		b.Run(r.operation, func(b *testing.B) {
			answer := ours.answer(b, r.operation, r.body)
			echo := startServer(b, &answer)
			sign := func() []byte { return ours.sign(b, r.operation, r.body) }
			compare(b, func() (of, than measure) {
				than = echo.measure(b, sign())
				return ours.measure(b, sign()), than
			})
		})
	}
}

// compare reports what round measures of one server and another.
func compare(b *testing.B, round func() (of, than measure)) {
	var figures [6][]float64
	for b.Loop() {
		for range httpRounds {
			of, than := round()
			for i, f := range []float64{
				of.rate, than.rate, of.rate / than.rate, of.processor, than.processor, of.processor / than.processor,
			} {
				figures[i] = append(figures[i], f)
			}
		}
	}
	for i, unit := range []string{"req/s", "echo-req/s", "rate-ratio", "cpu-µs/req", "echo-cpu-µs/req", "cpu-ratio"} {
		slices.Sort(figures[i])
		b.ReportMetric(figures[i][len(figures[i])/2], unit)
	}
	b.ReportMetric(0, "ns/op") // an iteration's time says nothing
}

// A measure is what one server did in one round.
type measure struct {
	rate      float64 // requests a second
	processor float64 // microseconds of the server's for each
}

// measure has raw clients send the request to the server for a round.
func (s *server) measure(b *testing.B, request []byte) measure {
	var clients [httpConnections]*rawClient
	for i := range clients {
		c, err := net.Dial("tcp", s.Address)
		if err != nil {
			b.Fatal(err)
		}
		defer c.Close()
		clients[i] = &rawClient{c, bufio.NewReader(c)}
	}
	type result struct {
		n   int
		err error
	}
	results := make(chan result)
	used, start := s.processorTime(b), time.Now()
	for _, c := range clients {
		go func() {
			var r result
			for r.err == nil && time.Since(start) < httpRound {
				r.err = c.call(request)
				r.n++
			}
			results <- r
		}()
	}
	n, errs := 0, []error(nil)
	for range clients {
		r := <-results
		n, errs = n+r.n, append(errs, r.err)
	}
	elapsed := time.Since(start)
	used = s.processorTime(b) - used
	if err := errors.Join(errs...); err != nil {
		b.Fatal(err)
	}
	return measure{float64(n) / elapsed.Seconds(), float64(used.Nanoseconds()) / 1000 / float64(n)}
}

// A rawClient does as little as a client can: it keeps a connection, sends bytes and
// looks at an answer's status and length.
type rawClient struct {
	conn net.Conn
	in   *bufio.Reader
}

func (c *rawClient) call(request []byte) error {
	if _, err := c.conn.Write(request); err != nil {
		return err
	}
	ok, length := false, 0
	for first := true; ; first = false {
		line, err := c.in.ReadSlice('\n')
		if err != nil {
			return err
		}
		line = bytes.TrimSuffix(line, []byte("\r\n"))
		if len(line) == 0 {
			break
		}
		if first {
			ok = string(line) == "HTTP/1.1 200 OK"
		}
		if digits, found := bytes.CutPrefix(line, []byte("Content-Length: ")); found {
			if length, err = strconv.Atoi(string(digits)); err != nil {
				return err
			}
		}
	}
	if !ok || length <= 0 {
		return fmt.Errorf("not a success, or without a length: %d", length)
	}
	_, err := c.in.Discard(length)
	return err
}

// sign returns a request as it goes over the wire, signed by the SDK's own signer
// with the server's access key. It is good for five minutes.
func (s *server) sign(b *testing.B, operation, body string) []byte {
	r, err := http.NewRequestWithContext(b.Context(), http.MethodPost, "http://"+s.Address+"/", strings.NewReader(body))
	if err != nil {
		b.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	r.Header.Set("X-Amz-Target", "TrentService."+operation)
	hash := sha256.Sum256([]byte(body))
	creds := aws.Credentials{AccessKeyID: s.AccessKeyID, SecretAccessKey: s.Secret}
	err = v4.NewSigner().SignHTTP(b.Context(), creds, r, hex.EncodeToString(hash[:]), "kms", identity.DefaultRegion, time.Now())
	if err != nil {
		b.Fatal(err)
	}
	var wire bytes.Buffer
	if err := r.Write(&wire); err != nil {
		b.Fatal(err)
	}
	return wire.Bytes()
}

// answer returns the server's answer to one request.
func (s *server) answer(b *testing.B, operation, body string) constantAnswer {
	c, err := net.Dial("tcp", s.Address)
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write(s.sign(b, operation, body)); err != nil {
		b.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		b.Fatal(err)
	}
	defer response.Body.Close()
	a := constantAnswer{Header: response.Header}
	if a.Body, err = io.ReadAll(response.Body); err != nil || response.StatusCode != http.StatusOK {
		b.Fatal(response.Status, err, string(a.Body))
	}
	return a
}

// A server is a child process that serves HTTP until its standard input ends.
type server struct {
	served
	in  io.WriteCloser
	out *json.Decoder
}

// startServer starts the endpoint, or a handler of the constant answer if there is
// one. It ends with the benchmark.
func startServer(b *testing.B, a *constantAnswer) *server {
	b.Helper()
	config, err := json.Marshal(a)
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), serverVariable+"="+string(config))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		defer cancel()
		_ = in.Close()
		if err := cmd.Wait(); err != nil {
			b.Error(err)
		}
	})
	s := &server{in: in, out: json.NewDecoder(out)}
	if err := s.out.Decode(&s.served); err != nil {
		b.Fatal(err)
	}
	return s
}

// processorTime asks the process how much it has used.
func (s *server) processorTime(b *testing.B) (d time.Duration) {
	if _, err := io.WriteString(s.in, "\n"); err != nil {
		b.Fatal(err)
	}
	if err := s.out.Decode(&d); err != nil {
		b.Fatal(err)
	}
	return d
}
