package s3crypto_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/s3crypto"
)

// bodies are one that goes up whole and one that goes up in parts.
func bodies() map[string]func() io.Reader {
	return map[string]func() io.Reader{
		"whole": func() io.Reader { return bytes.NewReader(random(100)) },
		"parts": func() io.Reader { return plainReader{bytes.NewReader(random(6 * mib))} },
	}
}

func TestInstructionFilesWritten(t *testing.T) {
	t.Parallel()
	for format, policy := range policies {
		for kind, body := range bodies() {
			f := newFakeBucket()
			c := newWriter(t, f, s3crypto.Options{CommitmentPolicy: policy, InstructionFiles: true})
			in := putInput(body())
			in.ACL, in.Tagging = types.ObjectCannedACLBucketOwnerFullControl, aws.String("a=b")
			in.ContentEncoding, in.IfNoneMatch = aws.String("gzip"), aws.String("*")
			in.Expires, in.WebsiteRedirectLocation = aws.Time(time.Unix(5, 0)), aws.String("/elsewhere")
			in.Metadata = map[string]string{"mine": "kept"}
			_, err := c.Put(t.Context(), in, nil)
			require.NoError(t, err, kind)
			want, _ := io.ReadAll(body())
			requireWritten(t, f, "k", want)
			require.Equal(t, "PutObject k.instruction", f.log[len(f.log)-1], "after the object")

			file := f.inputs["PutObject"].(*s3.PutObjectInput)
			require.Equal(t, in.ACL, file.ACL)
			require.Equal(t, "a=b", *file.Tagging)
			require.Nil(t, file.IfNoneMatch)
			require.Nil(t, file.ContentEncoding)
			require.Nil(t, file.Expires)
			require.Nil(t, file.WebsiteRedirectLocation)
			require.Equal(t, map[string]string{"x-amz-crypto-instr-file": ""}, file.Metadata)
			var fields map[string]string
			require.NoError(t, json.Unmarshal(f.current("k.instruction").body, &fields))
			object := f.current("k").metadata
			require.Equal(t, "kept", object["mine"])
			if format == "V3" {
				require.Contains(t, fields, "x-amz-3")
				require.NotContains(t, fields, "x-amz-i")
				require.Len(t, object, 4)
			} else {
				require.Contains(t, fields, "x-amz-iv")
				require.Len(t, object, 1)
			}
		}
	}
}

func TestInstructionFileChoice(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		always bool
		o      s3crypto.PutOptions
		keys   []string
	}{
		{false, s3crypto.PutOptions{}, []string{"k"}},
		{true, s3crypto.PutOptions{InstructionFile: aws.Bool(false)}, []string{"k"}},
		{true, s3crypto.PutOptions{}, []string{"k", "k.instruction"}},
		{false, s3crypto.PutOptions{InstructionFile: aws.Bool(true)}, []string{"k", "k.instruction"}},
		{true, s3crypto.PutOptions{InstructionSuffix: "-partner"}, []string{"k", "k-partner"}},
	} {
		f := newFakeBucket()
		_, err := newWriter(t, f, s3crypto.Options{InstructionFiles: c.always}).Put(t.Context(), putInput(strings.NewReader("x")), &c.o)
		require.NoError(t, err)
		require.Equal(t, c.keys, f.keys())
	}
}

// TestKeyOfAnInstructionFile has no object take the place of another one's file, which
// Delete and RewrapAll would take it for.
func TestKeyOfAnInstructionFile(t *testing.T) {
	t.Parallel()
	f := newFakeBucket()
	c := newWriter(t, f, s3crypto.Options{})
	_, err := c.Put(t.Context(), putInput(strings.NewReader("x")), &s3crypto.PutOptions{InstructionFile: aws.Bool(true)})
	require.NoError(t, err)
	before := f.current("k.instruction").body
	in := putInput(strings.NewReader("y"))
	in.Key = aws.String("k.instruction")
	_, err = c.Put(t.Context(), in, nil)
	require.EqualError(t, err, `s3crypto: "k.instruction" is the key of an instruction file`)
	_, err = c.CreateUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: in.Bucket, Key: in.Key}, nil)
	require.EqualError(t, err, `s3crypto: "k.instruction" is the key of an instruction file`)
	require.Equal(t, before, f.current("k.instruction").body)
	require.Empty(t, f.uploads)
}

// TestNoOrphans has each request fail in turn, with and without an object and file that
// were there before.
func TestNoOrphans(t *testing.T) {
	t.Parallel()
	denied := errors.New("denied")
	for kind, body := range bodies() {
		for _, versions := range []bool{false, true} {
			for _, failing := range []string{
				"PutObject k", "CreateMultipartUpload k", "UploadPart 1", "UploadPart 2",
				"CompleteMultipartUpload k", "PutObject k.instruction",
			} {
				for _, lost := range []bool{false, true} {
					f := newFakeBucket()
					f.versions = versions
					on := s3crypto.Options{InstructionFiles: true}
					c := newWriter(t, f, on)
					_, err := c.Put(t.Context(), putInput(strings.NewReader("before")), nil)
					require.NoError(t, err)
					var happened atomic.Bool
					fault := func(op, what string, _ int) error {
						if op+" "+what == failing {
							happened.Store(true)
							return denied
						}
						return nil
					}
					if f.fail = fault; lost {
						f.fail, f.lose = nil, fault
					}
					_, err = c.Put(t.Context(), putInput(body()), nil)
					f.fail, f.lose = nil, nil
					if !lost || failing != "CreateMultipartUpload k" { // the lost answer has its only name
						require.Empty(t, f.uploads)
					}
					if !happened.Load() {
						require.NoError(t, err)
						continue
					}
					name := kind + failing
					want, _ := io.ReadAll(body())
					landed := lost && failing != "CreateMultipartUpload k" && failing != "UploadPart 1" && failing != "UploadPart 2"
					switch {
					case err == nil:
						require.True(t, landed, name)
						requireWritten(t, f, "k", want)
					case lost && failing == "CompleteMultipartUpload k":
						t.Fatalf("%s: the object is there, and its file is not: %v", name, err)
					case failing == "PutObject k.instruction" && !versions:
						require.ErrorIs(t, err, denied)
						require.Empty(t, f.keys(), "neither is of any use")
					default:
						require.ErrorIs(t, err, denied, name)
						requireWritten(t, f, "k", []byte("before"))
					}
				}
			}
		}
	}
}

// TestOrphanOfCancelled ends the context between an object and its file.
func TestOrphanOfCancelled(t *testing.T) {
	t.Parallel()
	for kind, body := range bodies() {
		for _, op := range []string{"PutObject k", "CompleteMultipartUpload k"} {
			f := newFakeBucket()
			ctx, cancel := context.WithCancel(t.Context())
			ended := false
			f.lose = func(now, what string, _ int) error {
				if now+" "+what == op {
					ended = true
					cancel()
					return ctx.Err()
				}
				return nil
			}
			_, err := newWriter(t, f, s3crypto.Options{InstructionFiles: true}).Put(ctx, putInput(body()), nil)
			if ended {
				require.ErrorIs(t, err, context.Canceled, kind)
				require.Empty(t, f.keys())
			} else {
				require.NoError(t, err)
			}
			cancel()
		}
	}
}

// TestForeignObjectStays has somebody else write the object before its file fails.
func TestForeignObjectStays(t *testing.T) {
	t.Parallel()
	f := newFakeBucket()
	f.fail = func(op, what string, _ int) error {
		if op == "PutObject" && what == "k.instruction" {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.objects["k"] = []*fakeObject{{etag: `"theirs"`}}
			return errors.New("denied")
		}
		return nil
	}
	_, err := newWriter(t, f, s3crypto.Options{InstructionFiles: true}).Put(t.Context(), putInput(strings.NewReader("x")), nil)
	require.ErrorContains(t, err, "denied")
	require.ErrorContains(t, err, "was not deleted")
	require.Equal(t, `"theirs"`, f.current("k").etag)
}

// TestUploadWithoutFile completes an upload whose instruction file fails at first.
func TestUploadWithoutFile(t *testing.T) {
	t.Parallel()
	denied := errors.New("denied")
	fault := func(op, what string, _ int) error {
		if op == "PutObject" {
			return denied
		}
		return nil
	}
	for _, after := range []string{"complete", "abort", "resume"} {
		f := newFakeBucket()
		c := newWriter(t, f, s3crypto.Options{InstructionFiles: true})
		states := &savedStates{}
		o := states.options()
		o.InstructionSuffix = ".instruction"
		u, err := c.CreateUpload(t.Context(), createInput(), o)
		require.NoError(t, err)
		require.NoError(t, u.Send(t.Context(), bytes.NewReader(random(6*mib))))
		f.fail = fault
		_, err = u.Complete(t.Context(), nil)
		require.ErrorIs(t, err, denied)
		f.fail = nil
		switch after {
		case "abort":
			require.NoError(t, u.Abort(t.Context()))
			require.Empty(t, f.keys())
			continue
		case "resume":
			c = newWriter(t, f, s3crypto.Options{})
			u, err = c.ResumeUpload(t.Context(), createInput(), states.last, nil)
			require.NoError(t, err)
			require.NoError(t, u.Send(t.Context(), bytes.NewReader(random(6*mib))))
		}
		_, err = u.Complete(t.Context(), nil)
		require.NoError(t, err)
		require.Equal(t, 1, f.count("CompleteMultipartUpload"))
		requireWritten(t, f, "k", random(6*mib))
	}
}
