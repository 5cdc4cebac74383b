package audit

import (
	"context"
	"errors"
	"log/slog"
)

// SlogSink writes events to a logger.
type SlogSink struct {
	handler slog.Handler
}

var _ Sink = (*SlogSink)(nil)

// Slog returns a sink that writes each event to the logger, at level Info, with the
// event's time and the operation as the message. The attributes have CloudTrail's names.
// Record returns the handler's error; a handler that drops what is of level Info fails
// the event, as it would be lost. A log that has gone through a logger cannot be
// verified by its chain, whose MACs cover the bytes of a [File].
func Slog(l *slog.Logger) *SlogSink {
	return &SlogSink{handler: l.Handler()}
}

// Record hands e to the logger's handler.
func (s *SlogSink) Record(ctx context.Context, e Event) error {
	if !s.handler.Enabled(ctx, slog.LevelInfo) {
		return notRecorded(errors.New("logger drops level INFO"))
	}
	r := slog.NewRecord(e.Time, slog.LevelInfo, e.Name, 0)
	r.AddAttrs(
		slog.String("eventID", e.ID),
		slog.String("requestID", e.RequestID),
		slog.String("eventSource", e.Source),
		slog.String("awsRegion", e.Region),
		slog.Bool("readOnly", e.ReadOnly),
		slog.Any("userIdentity", slog.GroupValue(nonEmpty(
			"type", e.Identity.Type, "arn", e.Identity.ARN, "accountId", e.Identity.Account,
			"accessKeyId", e.Identity.AccessKeyID, "invokedBy", e.Identity.InvokedBy)...)),
	)
	r.AddAttrs(nonEmpty("sourceIPAddress", e.SourceIP, "userAgent", cut(e.UserAgent),
		"errorCode", e.ErrorCode, "errorMessage", cut(e.ErrorMessage))...)
	if len(e.Resources) > 0 {
		r.AddAttrs(slog.Any("resources", e.Resources))
	}
	if len(e.EncryptionContext) > 0 {
		r.AddAttrs(slog.Any("encryptionContext", e.EncryptionContext))
	}
	if e.Chain != nil {
		r.AddAttrs(slog.Group("chain", "engine", e.Chain.Engine, "seq", e.Chain.Seq))
	}
	return s.handler.Handle(ctx, r)
}

// nonEmpty returns attributes of names and values that take turns, without those whose
// value is empty.
func nonEmpty(pairs ...string) []slog.Attr {
	attrs := make([]slog.Attr, 0, len(pairs)/2)
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			attrs = append(attrs, slog.String(pairs[i], pairs[i+1]))
		}
	}
	return attrs
}
