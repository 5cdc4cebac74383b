package xks_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/internal/xks"
)

func TestAnswersAreReadStrictly(t *testing.T) {
	t.Parallel()
	const good = `"keySpec":"AES_256","keyUsage":["ENCRYPT"],"keyStatus":"ENABLED"`
	for body, ok := range map[string]bool{
		`{` + good + `}`:                                                 true,
		"\r\n\t {" + good + "} \n":                                       true,
		`{` + good + `,"more":{"a":[1,{}],"b":""}}`:                      true,
		`{` + good + `,"KeySpec":"RSA_2048"}`:                            true, // another member
		`{"keySpec":"AES\u005f256","keyUsage":[],"keyStatus":"ENABLED"}`: true,

		``:                                   false,
		`{`:                                  false,
		`{}`:                                 false,
		`null`:                               false,
		`[]`:                                 false,
		`"` + `"`:                            false,
		`{` + good:                           false,
		`{` + good + `,}`:                    false,
		`{,` + good + `}`:                    false,
		`{` + good + `}}`:                    false,
		`{` + good + `}{}`:                   false,
		`{` + good + `} x`:                   false,
		`[{` + good + `}]`:                   false,
		`{` + good + ` "a":1}`:               false,
		`{` + good + `,"a"}`:                 false,
		`{` + good + `,1:1}`:                 false,
		`{` + good + `,"a":01}`:              false,
		`{` + good + `,"a":tru}`:             false,
		"{" + good + ",\"a\":\"\x01\"}":      false,
		"{" + good + ",\"a\":\"\xff\"}":      false,
		"\ufeff{" + good + "}":               false,
		`{` + good + `,"keySpec":"AES_256"}`: false, // twice
		`{` + good + `,"key\u0053pec":"X"}`:  false, // twice, in another spelling
		`{` + good + `,"more":1,"more":2}`:   false,
		`{"KeySpec":"AES_256","keyUsage":["ENCRYPT"],"keyStatus":"ENABLED"}`:     false,
		`{"keySpec":null,"keyUsage":["ENCRYPT"],"keyStatus":"ENABLED"}`:          false,
		`{"keySpec":256,"keyUsage":["ENCRYPT"],"keyStatus":"ENABLED"}`:           false,
		`{"keySpec":["AES_256"],"keyUsage":["ENCRYPT"],"keyStatus":"ENABLED"}`:   false,
		`{"keySpec":"AES_256","keyUsage":"ENCRYPT","keyStatus":"ENABLED"}`:       false,
		`{"keySpec":"AES_256","keyUsage":{"0":"ENCRYPT"},"keyStatus":"ENABLED"}`: false,
		`{"keySpec":"AES_256","keyUsage":[1],"keyStatus":"ENABLED"}`:             false,
		`{"keySpec":"AES_256","keyUsage":[null],"keyStatus":"ENABLED"}`:          false,
		`{"keySpec":"AES_256","keyUsage":["ENCRYPT"]}`:                           false,
		`{"keySpec":"AES_256","keyUsage":["ENCRYPT"],"keyStatus":"PENDING"}`:     false,
		`{"keySpec":"AES_256","keyUsage":["ENCRYPT"],"keyStatus":""}`:            false,
	} {
		_, err := answering(body).Metadata(t.Context(), "key", exampleCall)
		if ok {
			require.NoError(t, err, body)
		} else {
			require.ErrorIs(t, err, xks.ErrInvalidResponse, body)
		}
	}
}

// answering returns a client whose proxy always answers with that body.
func answering(body string) *xks.Proxy {
	return exampleProxy(func(*http.Request) (*http.Response, error) {
		return reply(200, "application/json", body), nil
	})
}

func TestHealthIsReadStrictly(t *testing.T) {
	t.Parallel()
	_, err := answering(exampleHealth).Health(t.Context(), exampleCall)
	require.NoError(t, err)
	for _, c := range [][2]string{
		{`"xksProxyFleetSize":2`, `"xksProxyFleetSize":0`},
		{`"xksProxyFleetSize":2`, `"xksProxyFleetSize":-1`},
		{`"xksProxyFleetSize":2`, `"xksProxyFleetSize":2.5`},
		{`"xksProxyFleetSize":2`, `"xksProxyFleetSize":2e0`},
		{`"xksProxyFleetSize":2`, `"xksProxyFleetSize":99999999999999999999`},
		{`"xksProxyFleetSize":2`, `"xksProxyFleetSize":"2"`},
		{`"xksProxyFleetSize":2`, `"xksProxyFleetSize":null`},
		{`"xksProxyFleetSize":2`, `"xksProxyFleetsize":2`},
		{`"xksProxyVendor"`, `"vendor"`},
		{`"xksProxyModel"`, `"model"`},
		{`"ekmVendor"`, `"xksVendor"`},
		{`"ekmFleetDetails"`, `"fleet"`},
		{`"id":"hsm-id-1",`, ``},
		{`"model":"Luna 5.0",`, ``},
		{`"model":"Luna 5.0"`, `"id":"Luna 5.0"`},
		{`,"healthStatus":"ACTIVE"`, ``},
		{`"ACTIVE"`, `"active"`},
		{`"ACTIVE"`, `null`},
		{`{"id":"hsm-id-1"`, `null,{"id":"hsm-id-1"`},
		{`{"id":"hsm-id-1"`, `[],{"id":"hsm-id-1"`},
		{`[{`, `{"a":{`},
	} {
		body := strings.Replace(exampleHealth, c[0], c[1], 1)
		require.NotEqual(t, exampleHealth, body)
		_, err := answering(body).Health(t.Context(), exampleCall)
		require.ErrorIs(t, err, xks.ErrInvalidResponse, fmt.Sprint(c))
	}
}

// FuzzAnswers has each operation interpret the same answer of a proxy.
func FuzzAnswers(f *testing.F) {
	for _, body := range []string{
		exampleHealth, exampleMetadata, exampleCiphertext, examplePlaintext,
		`{"errorName":"KeyNotFoundException","errorMessage":null}`, `{"a":[{}],"a":1}`, "{\"\xff\":\"\\ud800\"}", "",
	} {
		f.Add(200, "application/json", []byte(body))
		f.Add(404, "application/json; a=b", []byte(body))
	}
	f.Fuzz(func(t *testing.T, status int, contentType string, body []byte) {
		p := exampleProxy(func(*http.Request) (*http.Response, error) {
			return reply(status, contentType, string(body)), nil
		})
		ctx := t.Context()
		h, err := p.Health(ctx, exampleCall)
		if err == nil && (h.FleetSize < 1 || len(h.Managers) < 1 || len(h.Managers) > 10) {
			t.Errorf("accepted %+v", h)
		}
		m, err2 := p.Metadata(ctx, "key", exampleCall)
		if err2 == nil && (m.Spec == "" || len(m.Usage) > 10 || !slices.Contains([]string{xks.Enabled, xks.Disabled}, m.Status)) {
			t.Errorf("accepted %+v", m)
		}
		blob, err3 := p.Encrypt(ctx, "key", []byte(exampleText), []byte(exampleAAD), exampleCall)
		if err3 == nil && (len(blob) <= len(exampleText) || len(blob) > len(exampleText)+xks.MaxOverhead) {
			t.Errorf("accepted %x", blob)
		}
		example := []byte(strings.Repeat("\x01\x00\x0c", 1) + strings.Repeat("\x00", 12+16+len(exampleText)))
		plaintext, err4 := p.Decrypt(ctx, "key", example, nil, exampleCall)
		if err4 == nil && len(plaintext) != len(exampleText) {
			t.Errorf("accepted %d bytes", len(plaintext))
		}
		for _, err := range []error{err, err2, err3, err4} {
			known(t, status, err)
		}
	})
}

// known fails the test if err is none that an answer with the status may lead to.
func known(t *testing.T, status int, err error) {
	t.Helper()
	switch e := err.(type) {
	case nil:
		if status != 200 {
			t.Errorf("status %d is a success", status)
		}
	case *xks.Error:
		if e.Status != status || status < 400 || status > 599 || xks.Status(e.Name) == 0 {
			t.Errorf("status %d became %v", status, e)
		}
	default:
		require.ErrorIs(t, err, xks.ErrInvalidResponse)
	}
}
