package s3crypto

import (
	"errors"
	"slices"

	"github.com/aws/smithy-go"
)

// hasCode reports whether err is one of S3's with one of the given codes.
func hasCode(err error, codes ...string) bool {
	var answer smithy.APIError
	return errors.As(err, &answer) && slices.Contains(codes, answer.ErrorCode())
}

// isMissing reports whether S3 says that there is no such object.
func isMissing(err error) bool {
	return hasCode(err, "NoSuchKey", "NotFound") // the latter for HEAD, which has no body
}
