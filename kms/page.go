package kms

import (
	"encoding/base64"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
)

// page is one page of a listing. A marker names the listing and the last entry
// given, so that entries that come and go between two pages neither hide nor
// repeat others. It holds no position outside the caller's own listing: whatever
// stands in it is only ever a place to go on from there.
type page struct {
	listing string
	after   string // last entry of the page before, "" for the first page
	size    int
}

// openPage reads the paging members of a request. A limit above most is lowered to
// it: fewer entries than asked for are always allowed.
func openPage(listing string, limit *int32, marker *string, size, most int) (page, error) {
	p := page{listing: listing, size: size}
	if limit != nil {
		p.size = min(int(*limit), most)
	}
	if marker != nil {
		b, err := base64.RawURLEncoding.Strict().DecodeString(*marker)
		after, ok := strings.CutPrefix(string(b), listing+"\x00")
		if err != nil || !ok || after == "" || strings.ContainsAny(*marker, "\r\n") { // which the decoder skips
			return page{}, invalidMarker()
		}
		p.after = after
	}
	return p, nil
}

// full reports whether a page of n entries takes no more.
func (p page) full(n int) bool { return n >= p.size }

// next returns the marker of the page that goes on after the entry last.
func (p page) next(last string) *string {
	return aws.String(base64.RawURLEncoding.EncodeToString([]byte(p.listing + "\x00" + last)))
}

func invalidMarker() error {
	return &types.InvalidMarkerException{Message: text("The marker is not valid for this listing.")}
}
