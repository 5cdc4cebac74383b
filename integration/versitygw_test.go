package integration

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/stretchr/testify/require"
)

// s3Server is a server that keeps S3's objects, and a bucket of it.
type s3Server struct {
	name   string // of the program
	url    string
	bucket string
	creds  aws.Credentials
	http   *http.Client // trusts the server's certificate; nil if it has none
}

const gofakes3Name = "gofakes3"

// fakeS3Server starts the server that keeps objects in memory.
func fakeS3Server(t *testing.T) *s3Server {
	t.Helper()
	return &s3Server{
		name: gofakes3Name, url: fakeS3(t), bucket: fakeBucket,
		creds: aws.Credentials{AccessKeyID: "AKIAIOSFODNN7EXAMPLE", SecretAccessKey: "secret"},
	}
}

// client returns an SDK client of the server.
func (s *s3Server) client(with ...func(*s3.Options)) *s3.Client {
	o := s3.Options{
		Region: region, BaseEndpoint: &s.url, UsePathStyle: true,
		Credentials: credentials.StaticCredentialsProvider{Value: s.creds},
		// As LoadDefaultConfig has them.
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenSupported,
		ResponseChecksumValidation: aws.ResponseChecksumValidationWhenSupported,
	}
	if s.name == gofakes3Name {
		// It sends the checksum of the whole object with a range too, where S3 sends none.
		o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
	}
	if s.http != nil {
		o.HTTPClient = s.http
	}
	return s3.New(o, with...)
}

// versityOptions adjust a VersityGW. The zero value has none of what they add.
type versityOptions struct {
	versioning bool
	secure     bool // TLS, with a certificate that the s3Server's client trusts
}

// versityGW is VersityGW, a gateway from S3 to a file system that checks signatures and
// digests. The test is skipped where it is not installed, which in CI is a failure:
//
//	go install github.com/versity/versitygw/cmd/versitygw@v1.8.0
func versityGW(t *testing.T, o versityOptions) *s3Server {
	t.Helper()
	program := versityProgram(t)
	address, dir := "127.0.0.1:"+freePort(t), t.TempDir()
	s := &s3Server{
		name: "versitygw", url: "http://" + address, bucket: "objects",
		creds: aws.Credentials{AccessKeyID: "root", SecretAccessKey: "of versitygw"},
	}
	for _, sub := range []string{"data", "versions"} {
		require.NoError(t, os.Mkdir(filepath.Join(dir, sub), 0o700))
	}
	args := []string{"--port", address, "--keep-alive", "--health", "/health", "--region", region}
	if o.secure {
		cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
		s.url, s.http = "https://"+address, selfSigned(t, cert, key)
		args = append(args, "--cert", cert, "--key", key)
	}
	args = append(args, "posix")
	if o.versioning {
		args = append(args, "--versioning-dir", filepath.Join(dir, "versions"))
	}
	run := exec.Command(program, append(args, filepath.Join(dir, "data"))...)
	run.Env = append(os.Environ(), "ROOT_ACCESS_KEY_ID="+s.creds.AccessKeyID, "ROOT_SECRET_ACCESS_KEY="+s.creds.SecretAccessKey)
	s.start(t, run)

	ctx := t.Context()
	_, err := s.client().CreateBucket(ctx, &s3.CreateBucketInput{
		Bucket: &s.bucket, CreateBucketConfiguration: &types.CreateBucketConfiguration{LocationConstraint: region},
	})
	require.NoError(t, err)
	if o.versioning {
		_, err = s.client().PutBucketVersioning(ctx, &s3.PutBucketVersioningInput{
			Bucket: &s.bucket, VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled},
		})
		require.NoError(t, err)
	}
	return s
}

// versityProgram finds VersityGW.
func versityProgram(t *testing.T) string {
	t.Helper()
	if program, err := exec.LookPath("versitygw"); err == nil {
		return program
	}
	cache := os.Getenv("XDG_CACHE_HOME")
	if home, err := os.UserHomeDir(); err == nil && cache == "" {
		cache = filepath.Join(home, ".cache")
	}
	program := filepath.Join(cache, "sealring-tools", "versitygw")
	if _, err := os.Stat(program); err == nil {
		return program
	}
	if os.Getenv("CI") != "" {
		t.Fatal("versitygw is not installed")
	}
	t.Skip("versitygw is not installed")
	return ""
}

// start starts the server's program, waits until it answers, and ends it with the test.
// What it has printed is the test's log if the test has failed.
func (s *s3Server) start(t *testing.T, run *exec.Cmd) {
	t.Helper()
	printed := &printed{}
	run.Stdout, run.Stderr = printed, printed
	require.NoError(t, run.Start())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = run.Wait()
	}()
	t.Cleanup(func() {
		require.NoError(t, run.Process.Kill())
		<-ended
		if t.Failed() {
			t.Logf("versitygw has printed:\n%s", printed.tail(100))
		}
	})
	client := s.http
	if client == nil {
		client = http.DefaultClient
	}
	patience, cancel := context.WithTimeout(t.Context(), 5*time.Minute) // of a machine that is busy
	defer cancel()
	for again := time.NewTicker(10 * time.Millisecond); ; {
		ask, err := http.NewRequestWithContext(patience, http.MethodGet, s.url+"/health", nil)
		require.NoError(t, err)
		if answer, err := client.Do(ask); err == nil {
			require.NoError(t, answer.Body.Close())
			again.Stop()
			return
		}
		select {
		case <-again.C:
		case <-ended:
			t.Fatalf("versitygw has ended:\n%s", printed.tail(100))
		case <-patience.Done():
			t.Fatalf("versitygw does not answer:\n%s", printed.tail(100))
		}
	}
}

// printed is what a program prints.
type printed struct {
	mu   sync.Mutex
	text []byte
}

func (p *printed) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.text = append(p.text, b...)
	return len(b), nil
}

// tail returns the last lines.
func (p *printed) tail(lines int) []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := bytes.SplitAfter(p.text, []byte("\n"))
	return bytes.Join(all[max(0, len(all)-lines):], nil)
}

// selfSigned writes a certificate for the loopback address and its key, and returns a
// client that trusts it.
func selfSigned(t *testing.T, certFile, keyFile string) *http.Client {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "sealring's tests"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	require.NoError(t, os.WriteFile(certFile, certPEM, 0o600))
	require.NoError(t, os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}), 0o600))
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM(certPEM))
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{RootCAs: roots}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}
