package main

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"net/http"
	"runtime/metrics"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sealring/sealring/kms"
)

// bounds are the upper ends of the buckets in which latencies are counted.
var bounds = [...]time.Duration{
	100 * time.Microsecond, 250 * time.Microsecond, 500 * time.Microsecond,
	time.Millisecond, 2500 * time.Microsecond, 5 * time.Millisecond, 10 * time.Millisecond,
	25 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond,
	250 * time.Millisecond, time.Second, 10 * time.Second,
}

// unknownOperation stands for requests that name no operation of KMS.
const unknownOperation = "unknown"

// meter counts the requests of a handler. It is safe for concurrent use.
type meter struct {
	next       http.Handler
	inFlight   atomic.Int64
	operations map[string]*operationMeter // never changed
}

// operationMeter counts the requests for one operation.
type operationMeter struct {
	buckets [len(bounds) + 1]atomic.Uint64 // not cumulated
	nanos   atomic.Int64

	mu    sync.Mutex
	codes map[string]uint64 // guarded by mu; by AWS's error code, OK for a success
}

// newMeter returns a handler that counts what next answers.
func newMeter(next http.Handler) *meter {
	m := &meter{next: next, operations: map[string]*operationMeter{}}
	for _, o := range kms.Operations() {
		m.operations[o.Name()] = &operationMeter{codes: map[string]uint64{}}
	}
	m.operations[unknownOperation] = &operationMeter{codes: map[string]uint64{}}
	return m
}

// ServeHTTP has the next handler answer and counts it, also if that panics.
func (m *meter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	m.inFlight.Add(1)
	name, _ := strings.CutPrefix(r.Header.Get("X-Amz-Target"), "TrentService.")
	o, ok := m.operations[name]
	if !ok {
		o = m.operations[unknownOperation]
	}
	watched := &statusWriter{ResponseWriter: w}
	defer func() {
		m.inFlight.Add(-1)
		o.count(watched.code(), time.Since(start))
	}()
	m.next.ServeHTTP(watched, r)
	watched.done = true
}

func (o *operationMeter) count(code string, took time.Duration) {
	i, _ := slices.BinarySearch(bounds[:], took)
	o.buckets[i].Add(1)
	o.nanos.Add(int64(took))
	o.mu.Lock()
	defer o.mu.Unlock()
	o.codes[code]++
}

// statusWriter notes the status of an answer.
type statusWriter struct {
	http.ResponseWriter
	status int
	done   bool // the handler has returned
}

// WriteHeader notes the status.
func (w *statusWriter) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController reach the connection.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// code returns AWS's error code of the answer. There are as many as the endpoint knows.
func (w *statusWriter) code() string {
	if code := w.Header().Get("X-Amzn-Errortype"); code != "" {
		return code
	}
	if !w.done {
		return "panic"
	}
	return "OK"
}

// sample is a value of the process that is asked for when metrics are.
type sample struct {
	name, help, kind string
	value            func() (float64, bool) // false: there is none
}

// write writes the counts and the samples in Prometheus's text format, version 0.0.4.
func (m *meter) write(w io.Writer, samples []sample) error {
	b := bufio.NewWriter(w)
	names := slices.Sorted(maps.Keys(m.operations))
	fmt.Fprint(b, "# HELP sealring_requests_total Requests answered, by operation and AWS error code.\n# TYPE sealring_requests_total counter\n")
	for _, name := range names {
		o := m.operations[name]
		o.mu.Lock()
		codes := maps.Clone(o.codes)
		o.mu.Unlock()
		for _, code := range slices.Sorted(maps.Keys(codes)) {
			fmt.Fprintf(b, "sealring_requests_total{operation=%q,code=%q} %d\n", name, code, codes[code])
		}
	}
	fmt.Fprint(b, "# HELP sealring_request_duration_seconds Time from the head of a request to the end of its answer.\n# TYPE sealring_request_duration_seconds histogram\n")
	for _, name := range names {
		m.operations[name].write(b, name)
	}
	all := append([]sample{
		{"sealring_requests_in_flight", "Requests that are being answered.", "gauge", func() (float64, bool) { return float64(m.inFlight.Load()), true }},
	}, samples...)
	for _, s := range all {
		v, ok := s.value()
		if !ok {
			continue
		}
		fmt.Fprintf(b, "# HELP %s %s\n# TYPE %s %s\n%s %s\n", s.name, s.help, s.name, s.kind, s.name, strconv.FormatFloat(v, 'g', -1, 64))
	}
	return b.Flush()
}

// write writes the histogram of an operation, if there were requests for it.
func (o *operationMeter) write(w io.Writer, name string) {
	var counts [len(bounds) + 1]uint64
	total := uint64(0)
	for i := range counts {
		total += o.buckets[i].Load()
		counts[i] = total
	}
	if total == 0 {
		return
	}
	const metric = "sealring_request_duration_seconds"
	for i, bound := range bounds {
		fmt.Fprintf(w, "%s_bucket{operation=%q,le=\"%g\"} %d\n", metric, name, bound.Seconds(), counts[i])
	}
	fmt.Fprintf(w, "%s_bucket{operation=%q,le=\"+Inf\"} %d\n", metric, name, total)
	fmt.Fprintf(w, "%s_sum{operation=%q} %g\n", metric, name, time.Duration(o.nanos.Load()).Seconds())
	fmt.Fprintf(w, "%s_count{operation=%q} %d\n", metric, name, total)
}

// processSamples are the samples that every process has.
func processSamples(started time.Time) []sample {
	runtimeValue := func(name string) func() (float64, bool) {
		return func() (float64, bool) {
			s := []metrics.Sample{{Name: name}}
			metrics.Read(s)
			if s[0].Value.Kind() != metrics.KindUint64 {
				return 0, false
			}
			return float64(s[0].Value.Uint64()), true
		}
	}
	return []sample{
		{"go_goroutines", "Goroutines.", "gauge", runtimeValue("/sched/goroutines:goroutines")},
		{"go_heap_objects_bytes", "Memory of live heap objects and of those not swept yet.", "gauge", runtimeValue("/memory/classes/heap/objects:bytes")},
		{"go_memory_bytes", "Memory that the Go runtime has from the system.", "gauge", runtimeValue("/memory/classes/total:bytes")},
		{"process_start_time_seconds", "When the process started, in seconds since 1970.", "gauge", func() (float64, bool) { return float64(started.UnixMilli()) / 1000, true }},
	}
}
