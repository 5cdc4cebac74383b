package s3crypto

import (
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
)

// maxPause is the longest that is waited before something is tried again.
const maxPause = 20 * time.Second

// pause waits before something is tried again: the longer the more often that was done, up
// to maxPause, and for a random time, so that many who failed together do not come back
// together.
func pause(ctx context.Context, attempt int) error {
	delay, err := retry.NewExponentialJitterBackoff(maxPause).BackoffDelay(attempt, nil)
	if err != nil {
		return err
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}

// throttles are the answers that say to come back later, of S3 and of KMS.
var throttles = retry.IsErrorThrottles(retry.DefaultThrottles)

// isThrottled reports whether err says to come back later.
func isThrottled(err error) bool {
	var status interface{ HTTPStatusCode() int }
	if errors.As(err, &status) && (status.HTTPStatusCode() == 503 || status.HTTPStatusCode() == 429) {
		return true
	}
	return throttles.IsErrorThrottle(err) == aws.TrueTernary
}
