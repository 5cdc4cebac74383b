package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// answer is what the handler under the meter does.
type answer struct {
	target, code string
	panics       bool
	wait         time.Duration
}

func meterOf(t *testing.T, answers ...answer) *meter {
	t.Helper()
	var now answer
	m := newMeter(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if now.panics {
			panic("boom")
		}
		require.NoError(t, http.NewResponseController(w).Flush(), "the connection can be reached")
		time.Sleep(now.wait)
		if now.code != "" {
			w.Header().Set("X-Amzn-Errortype", now.code)
			w.WriteHeader(http.StatusBadRequest)
		}
	}))
	for _, now = range answers {
		r := httptest.NewRequest(http.MethodPost, "/", nil)
		r.Header.Set("X-Amz-Target", now.target)
		if now.panics {
			require.Panics(t, func() { m.ServeHTTP(httptest.NewRecorder(), r) })
			continue
		}
		m.ServeHTTP(httptest.NewRecorder(), r)
	}
	return m
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	m := meterOf(t,
		answer{target: "TrentService.Encrypt"},
		answer{target: "TrentService.Encrypt", wait: 3 * time.Millisecond},
		answer{target: "TrentService.Encrypt", code: "DisabledException"},
		answer{target: "TrentService.Encrypt", panics: true},
		answer{target: "TrentService.Nothing", code: "UnknownOperationException"},
		answer{target: "x\"\n", code: "UnknownOperationException"},
		answer{target: "TrentService.unknown"},
	)
	var out bytes.Buffer
	none := sample{"none", "No value.", "gauge", func() (float64, bool) { return 0, false }}
	some := sample{"some", "A value.", "gauge", func() (float64, bool) { return 1.5, true }}
	require.NoError(t, m.write(&out, append(processSamples(time.Unix(100, 0)), none, some)))
	text := out.String()
	for _, line := range []string{
		`sealring_requests_total{operation="Encrypt",code="DisabledException"} 1`,
		`sealring_requests_total{operation="Encrypt",code="OK"} 2`,
		`sealring_requests_total{operation="Encrypt",code="panic"} 1`,
		`sealring_requests_total{operation="unknown",code="UnknownOperationException"} 2`,
		`sealring_requests_total{operation="unknown",code="OK"} 1`,
		`sealring_request_duration_seconds_bucket{operation="Encrypt",le="+Inf"} 4`,
		`sealring_request_duration_seconds_bucket{operation="Encrypt",le="10"} 4`,
		`sealring_request_duration_seconds_count{operation="Encrypt"} 4`,
		"sealring_requests_in_flight 0",
		"process_start_time_seconds 100",
		"some 1.5",
	} {
		require.Contains(t, text, line+"\n")
	}
	require.NotContains(t, text, "none")
	require.NotContains(t, text, `operation="Decrypt"`, "what nobody asks for takes no room")
	require.Regexp(t, `go_goroutines [1-9]`, text)
	require.Regexp(t, `go_memory_bytes [1-9]`, text)
	requireExposition(t, text)
	slow := regexp.MustCompile(`operation="Encrypt",le="0.0025"} (\d)`).FindStringSubmatch(text)
	require.NotNil(t, slow)
	require.NotEqual(t, "4", slow[1], "one has taken 3 ms")
}

// requireExposition checks that text has the form that Prometheus reads: every value
// belongs to a metric whose type was told before, once, and buckets never sink.
func requireExposition(t *testing.T, text string) {
	t.Helper()
	value := regexp.MustCompile(`^([a-z_]+)(\{([a-z_]+="[^"\\\n]*",?)+\})? [0-9.e+-]+$`)
	types := map[string]bool{}
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if rest, ok := strings.CutPrefix(line, "# TYPE "); ok {
			name, _, _ := strings.Cut(rest, " ")
			require.False(t, types[name], "twice: %s", line)
			types[name] = true
			continue
		}
		if strings.HasPrefix(line, "# HELP ") {
			continue
		}
		m := value.FindStringSubmatch(line)
		require.NotNil(t, m, "%q", line)
		name := m[1]
		for _, end := range []string{"_bucket", "_sum", "_count"} {
			if base, ok := strings.CutSuffix(name, end); ok && types[base] {
				name = base
			}
		}
		require.True(t, types[name], "no type: %s", line)
	}
}
