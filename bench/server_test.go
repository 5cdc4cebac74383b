//go:build unix

package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"syscall"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/sealring/sealring/audit"
	"github.com/sealring/sealring/endpoint"
	"github.com/sealring/sealring/identity"
	"github.com/sealring/sealring/kms"
)

// serverVariable makes a process of this test binary a server. Its value is the JSON
// of a *constantAnswer.
const serverVariable = "SEALRING_BENCH_SERVER"

func TestMain(m *testing.M) {
	if config, ok := os.LookupEnv(serverVariable); ok {
		if err := serve(config); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// A constantAnswer is the whole work of the handler that is compared with.
type constantAnswer struct {
	Header http.Header
	Body   []byte
}

func (a *constantAnswer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		return
	}
	maps.Copy(w.Header(), a.Header)
	_, _ = w.Write(a.Body)
}

// served is what a server says of itself when it is ready. The access key is random
// and gone with the process.
type served struct {
	Address             string
	AccessKeyID, Secret string
	KeyARN              string
}

// serve is the child process: it says where it serves, then for each line of its
// standard input how much processor time it has used, and ends with that input.
func serve(config string) error {
	var a *constantAnswer
	if err := json.Unmarshal([]byte(config), &a); err != nil {
		return err
	}
	var s served
	handler := http.Handler(a)
	if a == nil {
		var err error
		if handler, err = s.endpoint(context.Background()); err != nil {
			return err
		}
	} else {
		// What a connection gets once and for all is not the answer's.
		delete(a.Header, "Date")
		delete(a.Header, "Content-Length")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s.Address = l.Addr().String()
	server := endpoint.Server("", handler)
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()

	out := json.NewEncoder(os.Stdout)
	if err := out.Encode(s); err != nil {
		return err
	}
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			return err
		}
		if err := out.Encode(time.Duration(u.Utime.Nano() + u.Stime.Nano())); err != nil {
			return err
		}
	}
	if err := server.Close(); err != nil {
		return err
	}
	if err := <-ended; err != http.ErrServerClosed {
		return err
	}
	return nil
}

// endpoint returns an endpoint over a KMS in memory with one key, and fills in s.
func (s *served) endpoint(ctx context.Context) (http.Handler, error) {
	service, err := kms.New(ctx, kms.Config{Audit: &audit.Ring{}})
	if err != nil {
		return nil, err
	}
	root := identity.Root(identity.DefaultAccount, identity.DefaultRegion)
	key, err := service.Client(root).CreateKey(ctx, &sdk.CreateKeyInput{})
	if err != nil {
		return nil, err
	}
	s.KeyARN = *key.KeyMetadata.Arn
	keys := &endpoint.AccessKeys{}
	s.AccessKeyID, s.Secret = keys.Create(root)
	return endpoint.New(endpoint.Config{KMS: service, Keys: keys})
}
