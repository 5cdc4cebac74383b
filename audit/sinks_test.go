package audit_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/audit"
)

func TestSlogTellsTheEvent(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	s := audit.Slog(slog.New(slog.NewJSONHandler(&b, nil)).With("engine", "a"))
	e := event(1)
	e.ErrorCode, e.ErrorMessage = "AccessDenied", "no"
	e.Chain = &audit.Link{Engine: "x", Seq: 7}
	require.NoError(t, s.Record(t.Context(), e))
	require.JSONEq(t, `{"time":"2026-01-02T15:04:06.678Z","level":"INFO","msg":"Encrypt","engine":"a","eventID":"event-1","requestID":"request-1",
		"eventSource":"kms.amazonaws.com","awsRegion":"us-west-2","readOnly":false,
		"userIdentity":{"type":"IAMUser","arn":"arn:aws:iam::111122223333:user/Alice","accountId":"111122223333","accessKeyId":"AKIAEXAMPLE"},
		"sourceIPAddress":"192.0.2.1","errorCode":"AccessDenied","errorMessage":"no","resources":["`+keyARN+`"],
		"encryptionContext":{"a":"1","b":"2"},"chain":{"engine":"x","seq":7}}`, b.String())

	b.Reset()
	require.NoError(t, s.Record(t.Context(), audit.Event{Name: "ListKeys"}))
	var m map[string]any
	require.NoError(t, json.Unmarshal(b.Bytes(), &m))
	for _, name := range []string{"errorCode", "resources", "encryptionContext", "chain", "sourceIPAddress"} {
		require.NotContains(t, m, name)
	}
}

// brokenHandler fails with every record.
type brokenHandler struct{ slog.Handler }

func (brokenHandler) Handle(context.Context, slog.Record) error { return errDisk }

func TestSlogFailsWithItsHandler(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	h := slog.NewJSONHandler(&b, nil)
	require.Equal(t, errDisk, audit.Slog(slog.New(brokenHandler{h})).Record(t.Context(), event(1)))
	quiet := slog.New(slog.NewJSONHandler(&b, &slog.HandlerOptions{Level: slog.LevelWarn}))
	require.ErrorIs(t, audit.Slog(quiet).Record(t.Context(), event(1)), audit.ErrNotRecorded)
	require.Zero(t, b.Len())
}

func TestTeeGivesEventsToAll(t *testing.T) {
	t.Parallel()
	var order []string
	sink := func(name string, err error) audit.Sink {
		return sinkFunc(func(e audit.Event) error {
			order = append(order, name+e.ID)
			return err
		})
	}
	nowhere := errors.Join(audit.ErrNotRecorded, errDisk)
	for _, tt := range []struct {
		name        string
		errs        []error
		ok          bool
		disk        bool
		not         bool
		canceledToo bool
	}{
		{name: "none", ok: true},
		{name: "all take it", errs: []error{nil, nil, nil}, ok: true},
		{name: "one fails", errs: []error{nil, errDisk, nil}, disk: true},
		{name: "two fail", errs: []error{errDisk, nil, context.Canceled}, disk: true, canceledToo: true},
		{name: "one has it", errs: []error{nowhere, nil, nowhere}, disk: true},
		{name: "one may have it", errs: []error{nowhere, context.Canceled}, disk: true, canceledToo: true},
		{name: "none has it", errs: []error{nowhere, nowhere}, disk: true, not: true},
	} {
		order = nil
		var sinks []audit.Sink
		var want []string
		for i, err := range tt.errs {
			name := string(rune('a' + i))
			sinks = append(sinks, sink(name, err))
			want = append(want, name+"event-1")
		}
		tee := audit.Tee(sinks...)
		clear(sinks) // the tee has its own
		err := tee.Record(t.Context(), event(1))
		require.Equal(t, want, order, tt.name)
		require.Equal(t, tt.ok, err == nil, tt.name)
		require.Equal(t, tt.disk, errors.Is(err, errDisk), tt.name)
		require.Equal(t, tt.not, errors.Is(err, audit.ErrNotRecorded), tt.name)
		require.Equal(t, tt.canceledToo, errors.Is(err, context.Canceled), tt.name)
		if tt.disk {
			require.ErrorContains(t, err, errDisk.Error())
		}
	}
}

type sinkFunc func(audit.Event) error

func (f sinkFunc) Record(_ context.Context, e audit.Event) error { return f(e) }
