package s3crypto_test

import (
	"bytes"
	"maps"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/s3crypto"
)

// eachFlip calls fn with b for every bit that it has flipped in it, one at a time.
func eachFlip(b []byte, fn func(at int, bit byte, flipped []byte)) {
	for at := range b {
		for bit := byte(1); bit != 0; bit <<= 1 {
			flipped := bytes.Clone(b)
			flipped[at] ^= bit
			fn(at, bit, flipped)
		}
	}
}

// verifiedWays are those of everyWay that release nothing of an object of one piece before
// it was authenticated.
func verifiedWays(t *testing.T, s *shelf) map[string]func() ([]byte, error) {
	ways := everyWay(t, s)
	maps.DeleteFunc(ways, func(way string, _ func() ([]byte, error)) bool { return !isVerified(way) })
	return ways
}

// TestEveryFlipOfTheBodyIsRefused flips every bit of the ciphertext and of the tag.
func TestEveryFlipOfTheBodyIsRefused(t *testing.T) {
	t.Parallel()
	for _, kind := range kinds {
		if !isGCM(kind) {
			continue
		}
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := newShelf()
			o := sealedAs(kind, numbered(50))
			o.store(s, "key")
			ways := verifiedWays(t, s)
			eachFlip(o.body, func(at int, _ byte, flipped []byte) {
				s.get("key").body = bytes.NewReader(flipped)
				for way, read := range ways {
					got, err := read()
					require.ErrorIs(t, err, s3crypto.ErrAuthentication, "%s %d", way, at)
					require.Empty(t, got)
				}
			})
		})
	}
}

// TestEveryOtherLengthIsRefused cuts the body and makes it longer.
func TestEveryOtherLengthIsRefused(t *testing.T) {
	t.Parallel()
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := newShelf()
			o := sealedAs(kind, numbered(50))
			o.store(s, "key")
			ways := verifiedWays(t, s)
			if !isGCM(kind) {
				delete(ways, "download")
			}
			for n := range len(o.body) + 40 {
				body := append(bytes.Clone(o.body), make([]byte, 40)...)[:n]
				thing := s.get("key")
				thing.body, thing.size = bytes.NewReader(body), int64(n)
				for way, read := range ways {
					got, err := read()
					if n == len(o.body) {
						require.NoError(t, err, way)
						continue
					}
					if !isGCM(kind) && n%16 == 0 && n > 0 {
						continue // nothing but the padding tells, and it may be good by chance
					}
					require.ErrorIs(t, err, s3crypto.ErrAuthentication, "%s %d", way, n)
					require.Empty(t, got)
				}
			}
		})
	}
}

// TestEveryFlipOfTheMetadataIsRefused flips every bit of the values in an object's metadata,
// and takes them away. What format V3 has there is committed to, so that it is refused where
// nothing else is authenticated too.
func TestEveryFlipOfTheMetadataIsRefused(t *testing.T) {
	t.Parallel()
	for _, kind := range kinds {
		if !isGCM(kind) {
			continue
		}
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := newShelf()
			o := sealedAs(kind, numbered(50))
			o.store(s, "key")
			ways := verifiedWays(t, s)
			if strings.HasPrefix(kind, "V3") {
				ways = everyWay(t, s)
			}
			for entry, value := range o.metadata {
				refused := func(set func(metadata map[string]string)) {
					o.store(s, "key")
					set(s.get("key").metadata)
					for way, read := range ways {
						got, err := read()
						require.Error(t, err, "%s: %s: %q", way, entry, s.get("key").metadata[entry])
						require.Empty(t, got, way)
					}
				}
				eachFlip([]byte(value), func(_ int, _ byte, flipped []byte) {
					refused(func(metadata map[string]string) { metadata[entry] = string(flipped) })
				})
				if entry != "x-amz-tag-len" && entry != "x-amz-matdesc" {
					refused(func(metadata map[string]string) { delete(metadata, entry) })
				}
			}
		})
	}
}

// TestEveryFlipOfTheInstructionFileIsRefused flips every bit of the file. What is not a
// value may stay as good as it was: a name in another case, the name of an entry that need
// not be. Nothing ever gives another plaintext.
func TestEveryFlipOfTheInstructionFileIsRefused(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"V3 with file", "V2 with file"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s, plaintext := newShelf(), numbered(50)
			o := sealedAs(kind, plaintext)
			o.store(s, "key")
			ways := verifiedWays(t, s)
			if kind == "V3 with file" {
				ways = everyWay(t, s)
			}
			eachFlip(o.file, func(at int, bit byte, flipped []byte) {
				s.get("key.instruction").body = bytes.NewReader(flipped)
				for way, read := range ways {
					got, err := read()
					if err != nil {
						require.Empty(t, got, way)
						continue
					}
					require.Equal(t, plaintext, got)
					entry := string(o.file[max(at-20, 0):min(at+20, len(o.file))])
					optional := strings.Contains(entry, "tag-len") || strings.Contains(entry, "matdesc")
					require.True(t, bit == 'a'^'A' || optional, "%s: %s", way, entry)
				}
			})
		})
	}
}

// TestFlipsOfLegacyObjects flips every bit of objects that nothing authenticates. They may
// be read as something else, but what is refused is refused with one error wherever a key
// was used: it tells nothing of the padding or of the data key.
func TestFlipsOfLegacyObjects(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"V2 CBC", "V1"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := newShelf()
			o := sealedAs(kind, numbered(50))
			o.store(s, "key")
			ways := verifiedWays(t, s)
			delete(ways, "download")
			errs := map[string]int{}
			check := func() {
				for way, read := range ways {
					_, err := read()
					if err == nil {
						continue
					}
					require.ErrorIs(t, err, s3crypto.ErrAuthentication, way)
					errs[err.Error()]++
				}
			}
			eachFlip(o.body, func(_ int, _ byte, flipped []byte) {
				s.get("key").body = bytes.NewReader(flipped)
				check()
			})
			for _, entry := range []string{"x-amz-key", "x-amz-key-v2", "x-amz-iv"} {
				value := bytesOf(t, o.metadata[entry])
				eachFlip(value, func(_ int, _ byte, flipped []byte) {
					o.store(s, "key")
					s.get("key").metadata[entry] = base64Of(flipped)
					check()
				})
			}
			require.Len(t, errs, 1, "%v", errs)
		})
	}
}
