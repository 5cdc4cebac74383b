package keyrecord_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/internal/keyrecord"
)

var grantID = strings.Repeat("0123456789abcdef", 4)

func newGrant() *keyrecord.Grant {
	return &keyrecord.Grant{
		ID: grantID, Account: "111122223333", Region: "eu-west-1", KeyID: id, Name: "n", Created: created, Issuer: "444455556666",
		Grantee: "arn:aws:iam::111122223333:user/a", Retiring: "arn:aws:iam::111122223333:user/b", Operations: []string{"Decrypt", "Encrypt"},
		ContextEquals: map[string]string{"k": "<&>"}, ContextSubset: map[string]string{"b": "2", "a": "1"}, Secret: bytes.Repeat([]byte{7}, 3),
	}
}

// newServiceGrant is a grant to a service, for a resource.
func newServiceGrant() *keyrecord.Grant {
	g := newGrant()
	g.Grantee, g.GranteeService, g.Retiring, g.RetiringService = "", "s3.amazonaws.com", "", "logs.amazonaws.com"
	g.SourceARN = "arn:aws:s3:::b"
	return g
}

func TestGrantRoundTrip(t *testing.T) {
	t.Parallel()
	for _, g := range []*keyrecord.Grant{newGrant(), newServiceGrant(), {ID: grantID}} {
		b, err := g.Marshal()
		require.NoError(t, err)
		require.Equal(t, 1, g.Version)
		got, err := keyrecord.UnmarshalGrant(b)
		require.NoError(t, err)
		require.Equal(t, g, got)
	}
}

// TestGrantRecordIsPinned holds the names of the fields and of the records: stores have
// them.
func TestGrantRecordIsPinned(t *testing.T) {
	t.Parallel()
	g := newGrant()
	b, err := g.Marshal()
	require.NoError(t, err)
	require.JSONEq(t, `{"v":1,"id":"`+grantID+`","account":"111122223333","region":"eu-west-1","keyId":"12345678-1234-4234-8234-123456789abc",
		"name":"n","created":"2026-01-02T03:04:05.678Z","issuer":"444455556666","grantee":"arn:aws:iam::111122223333:user/a",
		"retiring":"arn:aws:iam::111122223333:user/b","operations":["Decrypt","Encrypt"],"contextEquals":{"k":"<&>"},
		"contextSubset":{"a":"1","b":"2"},"secret":"BwcH"}`, string(b))

	record, index := g.Names()
	require.Equal(t, "kms/111122223333/eu-west-1/grant/"+id+"/"+grantID, record)
	// SHA-256 of the ARNs of grantee and retiring principal
	const grantee, retiring = "3156c0e84dcc6b691c886a6bd56b200d742718ecf4ddbf949ad371a7995db7b5", "b692897c399ada10ab0b21711d91cd926bc9c0f41623b63d0d78cb223feb9340"
	require.Equal(t, []string{
		"kms/111122223333/eu-west-1/grantee/" + id + "/" + grantee + "/" + grantID,
		"kms/retiring/eu-west-1/" + retiring + "/111122223333/" + id + "/" + grantID,
	}, index)
	g.Retiring = ""
	_, index = g.Names()
	require.Len(t, index, 1)
	require.Equal(t, "kms/111122223333/eu-west-1/grantname/"+id+"/7f5d32e8d1a9ad48267fd33bd77ed060ea9fcbf4c8c475d3d9284772026dc031", newGrant().GrantName())
}

func TestServiceGrantRecordIsPinned(t *testing.T) {
	t.Parallel()
	g := newServiceGrant()
	g.ContextEquals, g.ContextSubset = nil, nil
	b, err := g.Marshal()
	require.NoError(t, err)
	require.JSONEq(t, `{"v":1,"id":"`+grantID+`","account":"111122223333","region":"eu-west-1","keyId":"12345678-1234-4234-8234-123456789abc",
		"name":"n","created":"2026-01-02T03:04:05.678Z","issuer":"444455556666","grantee":"","granteeService":"s3.amazonaws.com",
		"retiringService":"logs.amazonaws.com","operations":["Decrypt","Encrypt"],"sourceArn":"arn:aws:s3:::b","secret":"BwcH"}`, string(b))
	_, index := g.Names()
	require.Equal(t, []string{
		keyrecord.GranteePrefix("111122223333", "eu-west-1", id, "s3.amazonaws.com") + grantID,
		keyrecord.RetiringPrefix("eu-west-1", "logs.amazonaws.com") + "111122223333/" + id + "/" + grantID,
	}, index)
}

// TestGrantName has the name depend on all that two requests for one grant share, and
// on nothing else.
func TestGrantName(t *testing.T) {
	t.Parallel()
	name := newGrant().GrantName()
	for _, change := range []func(*keyrecord.Grant){
		func(g *keyrecord.Grant) { g.ID = "x" },
		func(g *keyrecord.Grant) { g.Created = created.AddDate(1, 0, 0) },
		func(g *keyrecord.Grant) { g.Secret = nil },
		func(g *keyrecord.Grant) { g.Version = 1 },
	} {
		g := newGrant()
		change(g)
		require.Equal(t, name, g.GrantName())
	}
	seen := map[string]bool{name: true}
	for i, change := range []func(*keyrecord.Grant){
		func(g *keyrecord.Grant) { g.Account = "444455556666" },
		func(g *keyrecord.Grant) { g.Region = "us-east-1" },
		func(g *keyrecord.Grant) { g.KeyID = "x" },
		func(g *keyrecord.Grant) { g.Name = "N" },
		func(g *keyrecord.Grant) { g.Issuer = "111122223333" },
		func(g *keyrecord.Grant) { g.Grantee, g.Retiring = g.Retiring, g.Grantee },
		func(g *keyrecord.Grant) { g.Retiring = "" },
		func(g *keyrecord.Grant) { g.Operations = g.Operations[:1] },
		func(g *keyrecord.Grant) { g.ContextEquals, g.ContextSubset = g.ContextSubset, g.ContextEquals },
		func(g *keyrecord.Grant) { g.ContextEquals = nil },
		func(g *keyrecord.Grant) { g.Grantee, g.GranteeService = "", g.Grantee },
		func(g *keyrecord.Grant) { g.Retiring, g.RetiringService = "", g.Retiring },
		func(g *keyrecord.Grant) { g.SourceARN = "arn:aws:s3:::b" },
		func(g *keyrecord.Grant) { g.SourceARN = "arn:aws:s3:::c" },
		func(g *keyrecord.Grant) { g.ContextSubset = map[string]string{"a": "2", "b": "1"} },
	} {
		g := newGrant()
		change(g)
		require.False(t, seen[g.GrantName()], "change %d", i)
		seen[g.GrantName()] = true
	}
}

func TestRefusedGrantRecords(t *testing.T) {
	t.Parallel()
	for record, want := range map[string]string{
		``:                           "keyrecord: grant: unexpected end of JSON input",
		`[]`:                         "keyrecord: grant: json: cannot unmarshal",
		`{}`:                         "keyrecord: grant of format 0, this program knows 1",
		`{"v":2}`:                    "keyrecord: grant of format 2, this program knows 1",
		`{"v":1,"secret":"not b64"}`: "keyrecord: grant: illegal base64",
	} {
		_, err := keyrecord.UnmarshalGrant([]byte(record))
		require.ErrorContains(t, err, want, record)
	}
}

func FuzzUnmarshalGrant(f *testing.F) {
	b, err := newGrant().Marshal()
	require.NoError(f, err)
	f.Add(b)
	f.Add([]byte(`{"v":1}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		g, err := keyrecord.UnmarshalGrant(b)
		if err != nil {
			return
		}
		again, err := g.Marshal()
		require.NoError(t, err)
		got, err := keyrecord.UnmarshalGrant(again)
		require.NoError(t, err)
		require.Equal(t, g.GrantName(), got.GrantName())
		require.Equal(t, g.Secret, got.Secret)
	})
}

func TestSecretOfAGrantIsNotPrinted(t *testing.T) {
	t.Parallel()
	g := newGrant()
	g.Secret = []byte("SECRET-marker-0123456789abcdef")
	for _, v := range []any{g, *g, []keyrecord.Grant{*g}, struct{ G *keyrecord.Grant }{g}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
			text := strings.ToLower(fmt.Sprintf(verb, v))
			require.NotContains(t, text, "marker", verb)
			require.NotContains(t, text, "5345435245542d", verb)
			require.NotContains(t, text, "83 69 67", verb)
			require.NotContains(t, text, "0x53, 0x45, 0x43", verb)
		}
	}
	require.Equal(t, "grant "+grantID, fmt.Sprint(g))
}
