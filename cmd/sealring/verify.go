package main

import (
	"context"
	"errors"
	"io"
)

func runVerify(ctx context.Context, p *process, args []string) error { return errors.New("todo") }

func inspectStore(ctx context.Context, p *process, s *sealedFlags, atLeast uint64, w io.Writer) (any, error) {
	return nil, nil
}
