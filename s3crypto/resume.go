package s3crypto

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// ResumeUpload goes on with an upload. in is what CreateUpload was given, of which the
// state has the bucket and the key only: the rest goes with the requests that are still to
// come. o is as for CreateUpload; its Context has to be the same one, or nil where
// [Options].AcceptStoredContext is set, and where the data key is kept was decided then.
//
// The parts that S3 has are taken from S3. All others are to be given to Part, or
// the whole body to Send. The error is [ErrState] if the state was altered, belongs to
// another object, or is older than what S3 has; [ErrPolicy] if the client writes another
// format; and S3's own if the upload is gone. An upload that was completed already can be
// completed again.
//
// Only one process may go on with an upload at a time. Two that are given different bytes
// for the same part would encrypt both alike and give both away, and neither can see it.
func (c *Client) ResumeUpload(ctx context.Context, in *s3.CreateMultipartUploadInput, state []byte, o *PutOptions) (*Upload, error) {
	o = o.orZero()
	if in == nil || in.Bucket == nil || in.Key == nil {
		return nil, errors.New("s3crypto: bucket or key is missing")
	}
	h, aad, sealed, err := stateHeader(state)
	if err != nil {
		return nil, err
	}
	if h.suite != c.suite {
		return nil, fmt.Errorf("%w: %v does not encrypt %v", ErrPolicy, c.o.CommitmentPolicy, h.suite)
	}
	key, err := h.unwrap(ctx, c.w, c.rules(&GetOptions{Context: o.Context}))
	if err != nil {
		return nil, err
	}
	defer clear(key)
	s, err := h.openState(key, aad, sealed)
	if err != nil {
		return nil, err
	}
	if s.bucket != *in.Bucket || s.key != *in.Key {
		return nil, fmt.Errorf("%w: it is another object's", ErrState)
	}
	own := *in
	own.Metadata = maps.Clone(in.Metadata)
	d, err := c.draftOf(&own, h, key, place{s.fileKey != "", s.fileKey}, o)
	if err != nil {
		return nil, err
	}
	u, err := d.upload(key, s.partSize, o)
	if err != nil {
		return nil, err
	}
	u.id = s.id
	u.digests = isNamed(in.ChecksumAlgorithm)
	if err := u.restore(s); err != nil {
		return nil, err
	}
	if err := u.compare(ctx); err != nil {
		return nil, err
	}
	return u, nil
}

// restore sets what the state knows.
func (u *Upload) restore(s *openedState) error {
	for i, number := range s.numbers {
		if err := u.check(number, s.pieces[i].Len()); err != nil {
			return fmt.Errorf("%w: %v", ErrState, err)
		}
		p, _, err := u.admit(number, s.pieces[i])
		if err != nil {
			return fmt.Errorf("%w: %v", ErrState, err)
		}
		if s.etags[i] != "" {
			p.sent = &types.CompletedPart{ETag: &s.etags[i]}
		}
	}
	u.saved = len(u.parts)
	if s.whole {
		if _, err := u.makeTag(nil); err != nil {
			return fmt.Errorf("%w: %v", ErrState, err)
		}
		u.tag.saved = true
	}
	return nil
}

// compare asks S3 which parts it has.
func (u *Upload) compare(ctx context.Context) error {
	in := &s3.ListPartsInput{}
	fill(in, u.d.in)
	in.UploadId = &u.id
	listed := map[int32]types.Part{}
	for {
		out, err := u.d.c.api.ListParts(ctx, in, u.d.options()...)
		if err != nil && hasCode(err, "NoSuchUpload") {
			if found := u.d.landed(ctx); found != nil {
				u.completed = &s3.CompleteMultipartUploadOutput{Bucket: u.d.in.Bucket, Key: u.d.in.Key}
				fill(u.completed, found)
				u.done = u.d.file == nil || u.d.fileLanded(ctx)
				return nil
			}
		}
		if err == nil && out == nil {
			err = errors.New("no output")
		}
		if err != nil {
			return fmt.Errorf("s3crypto: ListParts: %w", err)
		}
		u.digests = u.digests || isNamed(out.ChecksumAlgorithm)
		before := len(listed)
		for _, p := range out.Parts {
			if p.PartNumber == nil || p.ETag == nil || p.Size == nil {
				return errors.New("s3crypto: ListParts: a part without number, ETag or size")
			}
			listed[*p.PartNumber] = p
		}
		if out.IsTruncated == nil || !*out.IsTruncated {
			break
		}
		if len(listed) == before || len(listed) > maxParts {
			return errors.New("s3crypto: ListParts: the list does not end")
		}
		in.PartNumberMarker = out.NextPartNumberMarker
	}
	return u.reconcile(listed)
}

// isNamed reports whether an upload has a checksum algorithm. Of one that has none, S3 lists
// the parts with "null".
func isNamed(a types.ChecksumAlgorithm) bool { return a != "" && a != "null" }

// reconcile sets which parts S3 has: those that it says and that have the right length
// and, where it is known, the right ETag.
func (u *Upload) reconcile(listed map[int32]types.Part) error {
	for number := range listed {
		p, final := u.parts[number], u.tag != nil && u.tag.number == number
		if !final && (p == nil || p.piece.Len() < u.partSize) {
			return fmt.Errorf("%w: it is older than part %d of the upload", ErrState, number)
		}
	}
	for number, p := range u.parts {
		known := p.sent
		p.sent = nil
		found, there := listed[number]
		if !there || *found.Size != p.piece.Len() || known != nil && *known.ETag != *found.ETag {
			continue
		}
		p.sent = listedPart(found)
		u.progress.done += p.piece.Len()
	}
	if u.tag == nil {
		return nil
	}
	length := int64(gcmTagSize)
	if last := u.parts[u.tag.number]; last != nil {
		length += last.piece.Len()
	}
	if found, there := listed[u.tag.number]; there && *found.Size == length {
		u.tag.sent = listedPart(found)
		u.progress.done += length - gcmTagSize
	}
	return nil
}

func listedPart(p types.Part) *types.CompletedPart {
	sent := &types.CompletedPart{}
	fill(sent, &p)
	return sent
}
