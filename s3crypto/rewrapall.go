package s3crypto

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// RewrapAllInput names objects whose data keys are wrapped again.
type RewrapAllInput struct {
	Bucket string

	// Prefix is what the objects' keys begin with.
	Prefix string

	// StartAfter is the checkpoint that an earlier run has come to: only objects after
	// it are looked at.
	StartAfter string

	// ExpectedBucketOwner and RequestPayer go with every request to S3.
	ExpectedBucketOwner string
	RequestPayer        types.RequestPayer
}

// RewrapAllOptions adjust a RewrapAll. nil, and every zero value, is the safest.
type RewrapAllOptions struct {
	// RewrapOptions are those for each object.
	RewrapOptions

	// Progress is told of each object, in the order of the keys and one at a time.
	Progress func(RewrapProgress)
}

// RewrapProgress is what has become of one object.
type RewrapProgress struct {
	// Key is the object's. It is also the checkpoint: all objects up to here are done,
	// or are in the report's list of failures.
	Key string

	// Output is what Rewrap has done, or nil with Err.
	Output *RewrapOutput

	// Err is Rewrap's error. It is [ErrNotEncrypted] for a plain object, which is no
	// failure.
	Err error
}

// RewrapFailure is an object that could not be rewrapped, by its key, and why.
type RewrapFailure struct {
	Key string
	Err error
}

// RewrapReport is what a RewrapAll has done.
type RewrapReport struct {
	// Rewrapped is the number of objects whose data key was wrapped again, or would have
	// been if it were not a dry run.
	Rewrapped int
	// Already is the number of those that had been rewrapped before.
	Already int
	// Plain is the number of objects that are not encrypted.
	Plain int
	// Gone is the number of objects that were deleted meanwhile.
	Gone int
	// Failed are the objects that could not be rewrapped, in the order of their keys.
	Failed []RewrapFailure
	// Checkpoint is what to start after to go on from here: all objects up to it were
	// looked at. It is RewrapAllInput.StartAfter if there was none.
	Checkpoint string
}

// maxThrottled is how often an object is tried again that S3 or KMS has said to come back
// for later, beyond what their clients do.
const maxThrottled = 8

// RewrapAll does [Client.Rewrap] for each object under a prefix, [Options].Concurrency at
// a time. What is throttled is tried again, ever later. An object that fails does not stop
// it: all failures are in the report, and the error then says how many there are.
//
// If the listing fails, or ctx is done, that is the error, and the report tells what was
// done until then; a further run goes on at its Checkpoint. The report is never nil.
func (c *Client) RewrapAll(ctx context.Context, in *RewrapAllInput, to Wrapper, o *RewrapAllOptions) (*RewrapReport, error) {
	report := &RewrapReport{Checkpoint: in.StartAfter}
	if to == nil {
		return report, errors.New("s3crypto: RewrapAll needs a wrapper")
	}
	if o == nil {
		o = &RewrapAllOptions{}
	}
	inner, cancel := context.WithCancel(ctx)
	defer cancel()
	// With what is waited for and what the producer is about to add, there are as many
	// objects under way as Concurrency says.
	queue := make(chan *rewrapJob, c.o.Concurrency-1)
	var listErr error
	go func() {
		defer close(queue)
		listErr = c.queueRewraps(inner, in, to, o, queue)
	}()
	for job := range queue {
		<-job.done
		if ctx.Err() == nil {
			report.add(job.RewrapProgress)
			if o.Progress != nil {
				o.Progress(job.RewrapProgress)
			}
		}
	}
	switch {
	case ctx.Err() != nil:
		return report, context.Cause(ctx)
	case listErr != nil:
		return report, listErr
	case len(report.Failed) > 0:
		first := report.Failed[0]
		return report, fmt.Errorf("s3crypto: %d objects were not rewrapped, of which the first is %q: %w", len(report.Failed), first.Key, first.Err)
	}
	return report, nil
}

// rewrapJob is an object that is rewrapped until done is closed.
type rewrapJob struct {
	RewrapProgress
	done chan struct{}
}

// queueRewraps starts to rewrap each object, and queues them in the order of their keys.
func (c *Client) queueRewraps(ctx context.Context, in *RewrapAllInput, to Wrapper, o *RewrapAllOptions, queue chan<- *rewrapJob) error {
	list := &s3.ListObjectsV2Input{
		Bucket: &in.Bucket, Prefix: orNil(in.Prefix), StartAfter: orNil(in.StartAfter),
		ExpectedBucketOwner: orNil(in.ExpectedBucketOwner), RequestPayer: in.RequestPayer,
	}
	for entry, err := range c.List(ctx, list, &ListOptions{InstructionSuffix: o.InstructionSuffix, S3: o.S3}) {
		if err != nil {
			return err
		}
		job := &rewrapJob{RewrapProgress{Key: aws.ToString(entry.Key)}, make(chan struct{})}
		select {
		case queue <- job:
		case <-ctx.Done():
			return ctx.Err()
		}
		go func() {
			defer close(job.done)
			job.Output, job.Err = c.rewrapPatiently(ctx, &RewrapInput{
				Bucket: in.Bucket, Key: job.Key,
				ExpectedBucketOwner: in.ExpectedBucketOwner, RequestPayer: in.RequestPayer,
			}, to, &o.RewrapOptions)
		}()
	}
	return nil
}

// rewrapPatiently tries again what was throttled.
func (c *Client) rewrapPatiently(ctx context.Context, in *RewrapInput, to Wrapper, o *RewrapOptions) (*RewrapOutput, error) {
	for attempt := 0; ; attempt++ {
		out, err := c.Rewrap(ctx, in, to, o)
		if err == nil || attempt == maxThrottled || !isThrottled(err) {
			return out, err
		}
		if pause(ctx, attempt) != nil {
			return nil, err
		}
	}
}

// add counts an object.
func (r *RewrapReport) add(p RewrapProgress) {
	r.Checkpoint = p.Key
	switch {
	case errors.Is(p.Err, ErrNotEncrypted):
		r.Plain++
	case isMissing(p.Err):
		r.Gone++
	case p.Err != nil:
		r.Failed = append(r.Failed, RewrapFailure{p.Key, p.Err})
	case p.Output.Already:
		r.Already++
	default:
		r.Rewrapped++
	}
}
