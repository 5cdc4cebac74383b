package etcdtest

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
	"go.uber.org/zap"
	"google.golang.org/grpc"

	"github.com/sealring/sealring/store/etcdstore"
)

// patience bounds the waits for something that a correct store does soon. It passes
// only where a store has failed.
const patience = 30 * time.Second

// shared is a cluster of one member for all the tests that leave a cluster as it was.
var shared = sync.OnceValues(func() (*cluster, error) {
	dir, err := os.MkdirTemp("", "etcdtest")
	if err != nil {
		return nil, err
	}
	return startMembers(dir, 1, nil)
})

func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "12"); err != nil { // they wait more than they work
		panic(err)
	}
	code := m.Run()
	if c, err := shared(); err == nil {
		c.stop()
		_ = os.RemoveAll(c.dir)
	}
	os.Exit(code)
}

// cluster is an etcd cluster within the process.
type cluster struct {
	dir     string
	members []*embed.Etcd
}

// sharedCluster returns the cluster that tests share.
func sharedCluster(tb testing.TB) *cluster {
	tb.Helper()
	c, err := shared()
	require.NoError(tb, err)
	return c
}

// newCluster starts n members that end with the test.
func newCluster(tb testing.TB, n int, change func(*embed.Config)) *cluster {
	tb.Helper()
	c, err := startMembers(tb.TempDir(), n, change)
	require.NoError(tb, err)
	tb.Cleanup(c.stop)
	return c
}

func startMembers(dir string, n int, change func(*embed.Config)) (*cluster, error) {
	c := &cluster{dir: dir}
	var configs []*embed.Config
	var initial []string
	for i := range n {
		config := embed.NewConfig()
		config.Name = fmt.Sprintf("m%d", i)
		config.Dir = fmt.Sprintf("%s/%s", dir, config.Name)
		config.ClusterState, config.InitialClusterToken = "new", dir
		config.TickMs, config.ElectionMs = 50, 500
		config.UnsafeNoFsync = true // no test cuts the power
		config.LogLevel, config.ZapLoggerBuilder = "panic", embed.NewZapLoggerBuilder(zap.NewNop())
		peer, client, err := freeURLs()
		if err != nil {
			return nil, err
		}
		config.ListenPeerUrls, config.AdvertisePeerUrls = peer, peer
		config.ListenClientUrls, config.AdvertiseClientUrls = client, client
		if change != nil {
			change(config)
		}
		initial = append(initial, config.Name+"="+peer[0].String())
		configs = append(configs, config)
	}
	for _, config := range configs {
		config.InitialCluster = strings.Join(initial, ",")
		e, err := embed.StartEtcd(config)
		if err != nil {
			c.stop()
			return nil, err
		}
		c.members = append(c.members, e)
	}
	for _, e := range c.members {
		select {
		case <-e.Server.ReadyNotify():
		case <-time.After(patience):
			c.stop()
			return nil, fmt.Errorf("no quorum after %v", patience)
		}
	}
	return c, nil
}

// freeURLs returns two addresses on loopback that nobody listens at.
func freeURLs() (peer, client []url.URL, err error) {
	var free [2][]url.URL
	for i := range free {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, nil, err
		}
		defer l.Close()
		free[i] = []url.URL{{Scheme: "http", Host: l.Addr().String()}}
	}
	return free[0], free[1], nil
}

// stop ends all members, without ceremony: a member that is stopped last would wait for
// a quorum.
func (c *cluster) stop() {
	for _, e := range c.members {
		e.Server.HardStop()
	}
	var wg sync.WaitGroup
	for _, e := range c.members {
		wg.Go(e.Close)
	}
	wg.Wait()
}

// leader returns the index of the member that leads.
func (c *cluster) leader(tb testing.TB) int {
	tb.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		for i, e := range c.members {
			if e.Server.Leader() == e.Server.MemberID() {
				return i
			}
		}
	}
	tb.Fatal("no member leads")
	return 0
}

// cutOff parts a member from the others, or joins it with them again.
func (c *cluster) cutOff(member int, cut bool) {
	one := c.members[member].Server
	for i, e := range c.members {
		switch {
		case i == member:
		case cut:
			one.CutPeer(e.Server.MemberID())
			e.Server.CutPeer(one.MemberID())
		default:
			one.MendPeer(e.Server.MemberID())
			e.Server.MendPeer(one.MemberID())
		}
	}
}

// endpoints returns the addresses of the given members, of all if none are given.
func (c *cluster) endpoints(members ...int) []string {
	if len(members) == 0 {
		for i := range c.members {
			members = append(members, i)
		}
	}
	var all []string
	for _, i := range members {
		all = append(all, c.members[i].Config().ListenClientUrls[0].Host)
	}
	return all
}

// dial returns a client of the endpoints that ends with the test.
func dial(tb testing.TB, endpoints []string, options ...grpc.DialOption) *clientv3.Client {
	tb.Helper()
	client, err := clientv3.New(clientv3.Config{
		Endpoints: endpoints, DialOptions: options, Logger: zap.NewNop(),
		BackoffWaitBetween: 25 * time.Millisecond,
	})
	require.NoError(tb, err)
	tb.Cleanup(func() { _ = client.Close() })
	return client
}

var namespaces atomic.Int64

// namespace returns one that nobody uses.
func namespace() string { return fmt.Sprintf("test/%d", namespaces.Add(1)) }

// open opens a store that ends with the test.
func open(tb testing.TB, c *clientv3.Client, o etcdstore.Options) *etcdstore.Store {
	tb.Helper()
	s, err := etcdstore.Open(tb.Context(), c, &o)
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, s.Close()) })
	return s
}

// eventually waits until f, which may fail the test, returns true.
func eventually(tb testing.TB, f func() bool) {
	tb.Helper()
	for end := time.Now().Add(patience); !f(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			tb.Fatalf("not after %v", patience)
		}
	}
}

// wire is a TCP proxy that can be cut.
type wire struct {
	listener net.Listener
	to       string

	mu    sync.Mutex
	cut   bool
	conns map[net.Conn]struct{}
}

// newWire returns a proxy to the given address that ends with the test.
func newWire(tb testing.TB, to string) *wire {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(tb, err)
	w := &wire{listener: l, to: to, conns: map[net.Conn]struct{}{}}
	go w.serve()
	tb.Cleanup(func() { _ = l.Close(); w.set(true) })
	return w
}

func (w *wire) address() string { return w.listener.Addr().String() }

func (w *wire) serve() {
	for {
		in, err := w.listener.Accept()
		if err != nil {
			return
		}
		out, err := net.Dial("tcp", w.to)
		if err != nil || !w.keep(in, out) {
			_ = in.Close()
			continue
		}
		go func() { _, _ = io.Copy(in, out); _ = in.Close() }()
		go func() { _, _ = io.Copy(out, in); _ = out.Close() }()
	}
}

// keep remembers the connections, unless the wire is cut.
func (w *wire) keep(conns ...net.Conn) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range conns {
		w.conns[c] = struct{}{}
	}
	return !w.cut
}

// set cuts the wire, with all that it carries, or mends it.
func (w *wire) set(cut bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut = cut
	if cut {
		for c := range w.conns {
			_ = c.Close()
		}
		clear(w.conns)
	}
}

// within returns a context that lives for d.
func within(tb testing.TB, d time.Duration) context.Context {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), d)
	tb.Cleanup(cancel)
	return ctx
}
