package integration

import (
	"bytes"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/s3crypto"
)

// putVersion writes a version of an object, and returns its id and that of its
// instruction file, if it has one.
func (o *s3Object) putVersion(t *testing.T, content []byte) (version, fileVersion string) {
	t.Helper()
	in := o.putInput()
	in.Body = bytes.NewReader(content)
	out, err := o.client(t).Put(t.Context(), in, o.putOptions())
	require.NoError(t, err)
	require.NotEmpty(t, aws.ToString(out.VersionId))
	if key, there := o.fileKey(); there {
		head, err := o.server.client().HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: &o.server.bucket, Key: &key})
		require.NoError(t, err)
		fileVersion = *head.VersionId
	}
	return *out.VersionId, fileVersion
}

// getVersion reads a version of an object.
func (o *s3Object) getVersion(t *testing.T, version, fileVersion string) ([]byte, error) {
	t.Helper()
	in, options := o.getInput(), o.getOptions()
	options.InstructionVersionID = fileVersion
	if version != "" {
		in.VersionId = &version
	}
	return drain(o.client(t).Get(t.Context(), in, options))
}

func TestVersityGWVersions(t *testing.T) {
	t.Parallel()
	s := versityGW(t, versityOptions{versioning: true})
	for place, name := range []string{"metadata", "instruction file"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := &s3Object{server: s, wrap: newS3Wraps(t)[2], policy: s3Formats[0], put: s3Places[place], key: name + "/object"}
			one, two := s3Bytes(1000), s3Bytes(2000)
			version1, file1 := o.putVersion(t, one)
			version2, file2 := o.putVersion(t, two)
			for _, v := range []struct {
				version, file string
				content       []byte
			}{{"", "", two}, {version1, file1, one}, {version2, file2, two}} {
				content, err := o.getVersion(t, v.version, v.file)
				require.NoError(t, err)
				requireSame(t, v.content, content, "version")
			}
			if place == 1 { // the newest file is another version's
				_, err := o.getVersion(t, version1, "")
				require.ErrorIs(t, err, s3crypto.ErrAuthentication)
			}

			// A marker hides the object and the file, and both are there again without.
			deleted, err := o.client(t).Delete(t.Context(), &s3.DeleteObjectInput{Bucket: &s.bucket, Key: &o.key}, nil)
			require.NoError(t, err)
			require.True(t, *deleted.DeleteMarker)
			_, err = o.getVersion(t, "", "")
			requireCode(t, "NoSuchKey", err)
			content, err := o.getVersion(t, version1, file1)
			require.NoError(t, err)
			requireSame(t, one, content, "version 1 behind the marker")

			// One version is deleted alone.
			for _, version := range []string{*deleted.VersionId, version2} {
				_, err = o.client(t).Delete(t.Context(), &s3.DeleteObjectInput{Bucket: &s.bucket, Key: &o.key, VersionId: &version}, nil)
				require.NoError(t, err)
			}
			content, err = o.getVersion(t, "", file1)
			require.NoError(t, err)
			requireSame(t, one, content, "version 1, which is the newest")
		})
	}
}

// If the instruction file of a new version cannot be written, the version before it is
// back.
func TestVersityGWVersionWithoutFile(t *testing.T) {
	t.Parallel()
	s := versityGW(t, versityOptions{versioning: true})
	o := &s3Object{server: s, wrap: newS3Wraps(t)[0], policy: s3Formats[0], put: s3Places[1], key: "object", content: s3Bytes(1000)}
	for _, w := range []s3Writer{s3Writers[0], s3Writers[1]} {
		require.NoError(t, putSeekable(t.Context(), t, o, s.client()))
		next := *o
		next.content = s3Bytes(s3PartSize + 1)
		calls := 1 // before the file's
		if w.name != s3Writers[0].name {
			calls = 4 // creation, two parts, completion
		}
		f, client := newFaultProxy(t, s, internalError, calls, true)
		require.Error(t, w.write(t.Context(), t, &next, client))
		require.NotEmpty(t, f.hit())
		o.requireWhole(t)
		require.Empty(t, s.listUploads(t))
	}
}

// The data key of an old version can be wrapped again if it is in an instruction file, and
// that of the newest one in any case.
func TestVersityGWRewrapVersions(t *testing.T) {
	t.Parallel()
	s := versityGW(t, versityOptions{versioning: true})
	wraps := newS3Wraps(t)
	inFile := &s3Object{server: s, wrap: wraps[0], policy: s3Formats[0], put: s3Places[1], key: "file"}
	version1, file1 := inFile.putVersion(t, s3Bytes(1000))
	inFile.putVersion(t, s3Bytes(2000))
	options := &s3crypto.RewrapOptions{NewSuffix: ".partner", NewContext: wraps[2].context}
	options.InstructionVersionID = file1
	in := &s3crypto.RewrapInput{Bucket: s.bucket, Key: inFile.key, VersionID: version1}
	_, err := inFile.client(t).Rewrap(t.Context(), in, wraps[2].wrapper, options)
	require.NoError(t, err)
	partner := *inFile
	partner.wrap, partner.put.InstructionSuffix = wraps[2], ".partner"
	content, err := partner.getVersion(t, version1, "")
	require.NoError(t, err)
	requireSame(t, s3Bytes(1000), content, "old version, new key")
	_, err = partner.getVersion(t, "", "")
	require.ErrorIs(t, err, s3crypto.ErrAuthentication) // the file is the old version's

	inMetadata := &s3Object{server: s, wrap: wraps[0], policy: s3Formats[0], key: "metadata"}
	old, _ := inMetadata.putVersion(t, s3Bytes(1000))
	newest, _ := inMetadata.putVersion(t, s3Bytes(2000))
	in = &s3crypto.RewrapInput{Bucket: s.bucket, Key: inMetadata.key, VersionID: old}
	_, err = inMetadata.client(t).Rewrap(t.Context(), in, wraps[1].wrapper, nil)
	require.ErrorContains(t, err, "old version")
	in.VersionID = newest
	out, err := inMetadata.client(t).Rewrap(t.Context(), in, wraps[1].wrapper, nil)
	require.NoError(t, err)
	// S3 makes a new version. VersityGW gives the newest one other metadata, and says so.
	require.Equal(t, newest, out.VersionID)
	inMetadata.wrap = wraps[1]
	for _, version := range []string{"", out.VersionID} {
		content, err = inMetadata.getVersion(t, version, "")
		require.NoError(t, err)
		requireSame(t, s3Bytes(2000), content, "rewrapped version")
	}
}
