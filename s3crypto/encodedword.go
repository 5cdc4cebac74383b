package s3crypto

import (
	"fmt"
	"mime"
	"strings"
	"unicode/utf8"
)

// decodeWords undoes what S3 does to metadata that is not ASCII: it takes each byte of
// the UTF-8 for a character of Latin-1, and returns these characters in encoded words
// (RFC 2047). S3-compatible servers do not; what has no encoded words, and words that
// hold the text itself, are returned as they are.
func decodeWords(s string) (string, error) {
	if !strings.Contains(s, "=?") {
		return s, nil
	}
	decoded, err := new(mime.WordDecoder).DecodeHeader(s)
	if err != nil {
		return "", fmt.Errorf("%w: encoded word that cannot be read", ErrMetadata)
	}
	text := make([]byte, 0, len(decoded))
	for _, r := range decoded {
		if r > 0xff {
			return decoded, nil
		}
		text = append(text, byte(r))
	}
	if !utf8.Valid(text) {
		return decoded, nil
	}
	return string(text), nil
}
