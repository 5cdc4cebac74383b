package integration

import "testing"

// s3Tests are those that run against every server, each with a server of its own.
var s3Tests = []struct {
	name    string
	test    func(t *testing.T, s *s3Server)
	lacking string // what gofakes3 does not do, if it cannot be tested there
}{
	{name: "Rewrap", test: requireRewrap},
	{name: "RewrapAll", test: requireRewrapAll},
	{name: "List", test: requireList},
	{name: "Delete", test: requireDelete},
	{name: "Conditions", test: requireConditions},
	{name: "Ranges refused", test: requireRangesRefused},
	{name: "Replacement noticed", test: requireReplacementNoticed},
	{name: "Completion under conditions", test: requireConditionalComplete, lacking: "gofakes3 heeds no conditions when an upload is completed"},
	{name: "Reading under conditions", test: requireConditionalGet, lacking: "gofakes3 heeds no conditions of readers"},
}

func TestVersityGW(t *testing.T) {
	t.Parallel()
	for _, test := range s3Tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.test(t, versityGW(t, versityOptions{}))
		})
	}
}

func TestFakeS3Server(t *testing.T) {
	t.Parallel()
	for _, test := range s3Tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if test.lacking != "" {
				t.Skip(test.lacking)
			}
			test.test(t, fakeS3Server(t))
		})
	}
}
