package xks_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/internal/xks"
)

// operations are the four with good arguments but the call.
var operations = map[string]func(context.Context, *xks.Proxy, xks.Call) error{
	"health": func(ctx context.Context, p *xks.Proxy, c xks.Call) error {
		_, err := p.Health(ctx, c)
		return err
	},
	"metadata": func(ctx context.Context, p *xks.Proxy, c xks.Call) error {
		_, err := p.Metadata(ctx, "key", c)
		return err
	},
	"encrypt": func(ctx context.Context, p *xks.Proxy, c xks.Call) error {
		_, err := p.Encrypt(ctx, "key", []byte(exampleText), []byte(exampleAAD), c)
		return err
	},
	"decrypt": func(ctx context.Context, p *xks.Proxy, c xks.Call) error {
		_, err := p.Decrypt(ctx, "key", append([]byte{1, 0, 12}, make([]byte, 12+16+1)...), nil, c)
		return err
	},
}

func TestProxyPrintsWithoutItsSecret(t *testing.T) {
	t.Parallel()
	p := exampleProxy(nil)
	const want = "xks.Proxy{https://xks.example.com/path/kms/xks/v1 in us-east-2 as HGIE2BUAFNDMBCMSQVWLGCEXAMPLE}"
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		require.Equal(t, want, fmt.Sprintf(verb, p), verb)
		require.Equal(t, want, fmt.Sprintf(verb, *p), verb)
	}
	for _, holder := range []any{struct{ P xks.Proxy }{*p}, struct{ p *xks.Proxy }{p}, []xks.Proxy{*p}} {
		require.NotContains(t, fmt.Sprintf("%+v %#v", holder, holder), exampleSecret)
	}
	encoded, err := json.Marshal(map[string]any{"pointer": p, "value": *p})
	require.NoError(t, err)
	require.JSONEq(t, `{"pointer":"`+want+`","value":"`+want+`"}`, string(encoded))
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("", "pointer", p, "value", *p)
	slog.New(slog.NewJSONHandler(&log, nil)).Info("", "pointer", p, "value", *p)
	require.Equal(t, 4, strings.Count(log.String(), want))
	require.NotContains(t, log.String(), exampleSecret)
}

func TestProxyIsCheckedBeforeAnythingIsSent(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*xks.Proxy){
		"no TLS":             func(p *xks.Proxy) { p.Endpoint = "http://xks.example.com" },
		"port":               func(p *xks.Proxy) { p.Endpoint += ":8443" },
		"user":               func(p *xks.Proxy) { p.Endpoint = "https://user@xks.example.com" },
		"path in endpoint":   func(p *xks.Proxy) { p.Endpoint += "/" },
		"line after it":      func(p *xks.Proxy) { p.Endpoint += "\n" },
		"no endpoint":        func(p *xks.Proxy) { p.Endpoint = "" },
		"no path":            func(p *xks.Proxy) { p.Path = "" },
		"other path":         func(p *xks.Proxy) { p.Path = "/kms/v1" },
		"slash after path":   func(p *xks.Proxy) { p.Path += "/" },
		"query":              func(p *xks.Proxy) { p.Path = "/a?b=/kms/xks/v1" },
		"dots":               func(p *xks.Proxy) { p.Path = "/../kms/xks/v1" },
		"no slash":           func(p *xks.Proxy) { p.Path = "kms/xks/v1" },
		"no access key id":   func(p *xks.Proxy) { p.AccessKeyID = "" },
		"no secret":          func(p *xks.Proxy) { p.SecretAccessKey = "" },
		"no Region to be in": func(p *xks.Proxy) { p.Region = "" },
	} {
		for operation, run := range operations {
			t.Run(name+"/"+operation, func(t *testing.T) {
				t.Parallel()
				p := exampleProxy(unused(t))
				spoil(p)
				err := run(t.Context(), p, exampleCall)
				require.ErrorContains(t, err, "xks: ")
				require.NotErrorIs(t, err, xks.ErrUnreachable)
				require.NotContains(t, err.Error(), exampleSecret)
			})
		}
	}
}

// unused returns a transport that must not be used.
func unused(t *testing.T) roundTrip {
	return func(*http.Request) (*http.Response, error) {
		t.Error("something was sent")
		return nil, http.ErrAbortHandler
	}
}

func TestProxyWithoutTransport(t *testing.T) {
	t.Parallel()
	for name, run := range operations {
		p := exampleProxy(nil)
		p.Transport = nil
		require.ErrorIs(t, run(t.Context(), p, exampleCall), xks.ErrUnreachable, name)
	}
}

func TestCallsAreChecked(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		spoil   func(*xks.Call)
		allowed string // the operations that do not need it
	}{
		{"operation", func(c *xks.Call) { c.Operation = "" }, ""},
		{"request id", func(c *xks.Call) { c.RequestID = "" }, ""},
		{"principal", func(c *xks.Call) { c.PrincipalARN = "" }, "health"},
		{"key", func(c *xks.Call) { c.KeyARN = "" }, "health metadata"},
	} {
		for operation, run := range operations {
			call := exampleCall
			c.spoil(&call)
			sent := false
			p := exampleProxy(func(*http.Request) (*http.Response, error) {
				sent = true
				return reply(404, "application/json", `{"errorName":"KeyNotFoundException"}`), nil
			})
			require.Error(t, run(t.Context(), p, call))
			require.Equal(t, strings.Contains(c.allowed, operation), sent, "%s without %s", operation, c.name)
		}
	}
}

func TestArgumentsAreChecked(t *testing.T) {
	t.Parallel()
	ctx, p := t.Context(), exampleProxy(unused(t))
	for _, id := range []string{"", ".", "..", "a/b", "a b", "a%2fb", "é", "key\n", "?", strings.Repeat("k", 129)} {
		_, err := p.Metadata(ctx, id, exampleCall)
		require.ErrorContains(t, err, "invalid key id", id)
		_, err = p.Encrypt(ctx, id, []byte{1}, nil, exampleCall)
		require.ErrorContains(t, err, "invalid key id", id)
		_, err = p.Decrypt(ctx, id, unhex(t, exampleBlob), nil, exampleCall)
		require.ErrorContains(t, err, "invalid key id", id)
	}
	for _, size := range [][2]int{{0, 0}, {xks.MaxPlaintext + 1, 0}, {1, xks.MaxAAD + 1}} {
		_, err := p.Encrypt(ctx, "key", make([]byte, size[0]), make([]byte, size[1]), exampleCall)
		require.ErrorContains(t, err, "cannot encrypt")
	}
	_, err := p.Decrypt(ctx, "key", unhex(t, exampleBlob), make([]byte, xks.MaxAAD+1), exampleCall)
	require.ErrorContains(t, err, "cannot decrypt")
}
