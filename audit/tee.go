package audit

import (
	"context"
	"errors"
	"fmt"
)

// TeeSink hands events to several sinks.
type TeeSink struct {
	sinks []Sink
}

var _ Sink = (*TeeSink)(nil)

// Tee returns a sink that gives each event to all the sinks, one after the other in their
// order. Every sink gets it, even when one before has failed, so that none knows less
// than the others; the event fails if any of them fails, with all their errors. To
// chain one of them, put the [Chain] around that one: Tee(chain, others).
func Tee(sinks ...Sink) *TeeSink {
	return &TeeSink{sinks: append([]Sink(nil), sinks...)}
}

// Record gives e to all sinks. The error wraps [ErrNotRecorded] only if no sink has
// recorded e.
func (t *TeeSink) Record(ctx context.Context, e Event) error {
	var errs []error
	nowhere := true
	for _, s := range t.sinks {
		err := s.Record(ctx, e)
		if err != nil {
			errs = append(errs, err)
		}
		nowhere = nowhere && errors.Is(err, ErrNotRecorded)
	}
	switch err := errors.Join(errs...); {
	case err == nil || nowhere:
		return err
	default:
		return &partlyRecordedError{err}
	}
}

// partlyRecordedError is the error of sinks of which at least one may have recorded the
// event: it is whatever theirs is, except ErrNotRecorded.
type partlyRecordedError struct {
	err error
}

func (e *partlyRecordedError) Error() string {
	return fmt.Sprintf("audit: not recorded by every sink: %v", e.err)
}

// Is reports whether the sinks' errors are target.
func (e *partlyRecordedError) Is(target error) bool {
	return target != ErrNotRecorded && errors.Is(e.err, target)
}
