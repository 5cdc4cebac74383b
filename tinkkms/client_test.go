package tinkkms_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/sealring/sealring/kms/kmstest"
	"github.com/sealring/sealring/tinkkms"
)

const (
	scheme  = "aws-kms://"
	account = "arn:aws:kms:us-east-1:111122223333:"
	keyURI  = scheme + account + "key/1234abcd-12ab-34cd-56ef-1234567890ab"
)

func TestNewClient(t *testing.T) {
	t.Parallel()
	api := kmstest.New(t, nil).SDK()
	for _, prefix := range []string{"", "aws-kms", "aws-kms:/", "gcp-kms://", "AWS-KMS://", "arn:aws:kms:us-east-1:"} {
		_, err := tinkkms.NewClient(api, prefix, nil)
		require.ErrorIs(t, err, tinkkms.ErrKeyURI, "%q", prefix)
	}
	_, err := tinkkms.NewClient(nil, scheme, nil)
	require.ErrorContains(t, err, "without an API")
}

func TestSupported(t *testing.T) {
	t.Parallel()
	api := kmstest.New(t, nil).SDK()
	for _, c := range []struct {
		prefix, uri string
		want        bool
	}{
		{scheme, keyURI, true},
		{scheme, "gcp-kms://projects/p", false},
		{scheme, "", false},
		{scheme + "arn:aws:kms:us-east-1:", keyURI, true},
		{scheme + "arn:aws:kms:eu-west-1:", keyURI, false},
		{keyURI, keyURI, true},
		{keyURI, scheme + account + "alias/orders", false},
	} {
		client, err := tinkkms.NewClient(api, c.prefix, nil)
		require.NoError(t, err)
		require.Equal(t, c.want, client.Supported(c.uri), "%s %s", c.prefix, c.uri)
		_, err = client.GetAEAD(c.uri)
		if c.want {
			require.NoError(t, err)
		} else {
			require.ErrorIs(t, err, tinkkms.ErrKeyURI)
		}
	}
}

func TestKeyURIs(t *testing.T) {
	t.Parallel()
	client, err := tinkkms.NewClient(kmstest.New(t, nil).SDK(), scheme, nil)
	require.NoError(t, err)
	for _, arn := range []string{
		account + "key/1234abcd-12ab-34cd-56ef-1234567890ab", account + "alias/orders",
		"arn:aws-cn:kms:cn-north-1:111122223333:key/mrk-1234",
	} {
		a, err := client.GetAEAD(scheme + arn)
		require.NoError(t, err, arn)
		require.Implements(t, (*tink.AEADWithContext)(nil), a)
	}
	for _, id := range []string{
		"", "1234abcd-12ab-34cd-56ef-1234567890ab", "alias/orders", account, account + "key/", account + "alias",
		"arn:aws:s3:us-east-1:111122223333:key/1", "arn:aws:kms::111122223333:key/1", "arn:aws:kms:us-east-1::key/1",
		"//" + account + "key/1",
	} {
		_, err := client.AEAD(scheme + id)
		require.ErrorIs(t, err, tinkkms.ErrKeyURI, "%q", id)
		a, err := client.GetAEAD(scheme + id)
		require.Error(t, err)
		require.True(t, a == nil, "no interface around a nil pointer")
	}
}
