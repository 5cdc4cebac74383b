package kms_test

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/kms"
	"github.com/sealring/sealring/kms/kmstest"
)

// listing is one of the operations that page, by the names of its entries.
type listing struct {
	name   string
	page   func(t *testing.T, api kms.API, limit *int32, marker *string) (entries []string, next *string)
	input  func(limit *int32, marker *string) any
	add    func(t *testing.T, f *fixture, name string)
	remove func(t *testing.T, f *fixture, name string)
	// entry is the nth of a listing of 26 or fewer, in order; half is one between
	// the nth and the next.
	entry, half func(n int) string
	most        int32
}

func keyID(n, half int) string {
	return fmt.Sprintf("%08d-0000-4000-8000-%012d", n, half)
}

// listings returns every listing, about the key of alias/app, which is among the
// keys and aliases listed.
func listings(f *fixture) []listing {
	deleteAlias := func(t *testing.T, f *fixture, name string) {
		succeeds(t, f.api, &sdk.DeleteAliasInput{AliasName: &name})
	}
	createAlias := func(t *testing.T, f *fixture, name string) {
		succeeds(t, f.api, &sdk.CreateAliasInput{AliasName: &name, TargetKeyId: &f.id})
	}
	aliasEntry := func(n int) string { return fmt.Sprintf("alias/%c", 'b'+n) }
	aliasHalf := func(n int) string { return fmt.Sprintf("alias/%c-", 'b'+n) }
	aliases := func(id *string) func(*testing.T, kms.API, *int32, *string) ([]string, *string) {
		return func(t *testing.T, api kms.API, limit *int32, marker *string) (names []string, next *string) {
			out := do[sdk.ListAliasesOutput](t, api, &sdk.ListAliasesInput{KeyId: id, Limit: limit, Marker: marker})
			for _, a := range out.Aliases {
				names = append(names, *a.AliasName)
			}
			require.Equal(t, out.Truncated, out.NextMarker != nil)
			return names, out.NextMarker
		}
	}
	return []listing{
		{
			name: "ListKeys",
			page: func(t *testing.T, api kms.API, limit *int32, marker *string) (ids []string, next *string) {
				out := do[sdk.ListKeysOutput](t, api, &sdk.ListKeysInput{Limit: limit, Marker: marker})
				for _, k := range out.Keys {
					ids = append(ids, *k.KeyId)
				}
				require.Equal(t, out.Truncated, out.NextMarker != nil)
				return ids, out.NextMarker
			},
			input: func(limit *int32, marker *string) any { return &sdk.ListKeysInput{Limit: limit, Marker: marker} },
			add:   func(_ *testing.T, f *fixture, id string) { f.Seed(kmstest.Key{ID: id}) },
			remove: func(t *testing.T, f *fixture, id string) { // a key is deleted by the clock only
				expire(t, f, id)
			},
			entry: func(n int) string { return keyID(n, 0) },
			half:  func(n int) string { return keyID(n, 1) },
			most:  1000,
		},
		{
			name: "ListAliases", page: aliases(nil),
			input: func(limit *int32, marker *string) any { return &sdk.ListAliasesInput{Limit: limit, Marker: marker} },
			add:   createAlias, remove: deleteAlias, entry: aliasEntry, half: aliasHalf, most: 100,
		},
		{
			name: "ListAliases of a key", page: aliases(&f.id),
			input: func(limit *int32, marker *string) any {
				return &sdk.ListAliasesInput{KeyId: &f.id, Limit: limit, Marker: marker}
			},
			add: createAlias, remove: deleteAlias, entry: aliasEntry, half: aliasHalf, most: 100,
		},
		{
			name: "ListResourceTags",
			page: func(t *testing.T, api kms.API, limit *int32, marker *string) (keys []string, next *string) {
				out := do[sdk.ListResourceTagsOutput](t, api, &sdk.ListResourceTagsInput{KeyId: &f.id, Limit: limit, Marker: marker})
				for _, tag := range out.Tags {
					keys = append(keys, *tag.TagKey)
				}
				require.Equal(t, out.Truncated, out.NextMarker != nil)
				return keys, out.NextMarker
			},
			input: func(limit *int32, marker *string) any {
				return &sdk.ListResourceTagsInput{KeyId: &f.id, Limit: limit, Marker: marker}
			},
			add: func(t *testing.T, f *fixture, key string) {
				succeeds(t, f.api, &sdk.TagResourceInput{KeyId: &f.id, Tags: tags(key + "=")})
			},
			remove: func(t *testing.T, f *fixture, key string) {
				succeeds(t, f.api, &sdk.UntagResourceInput{KeyId: &f.id, TagKeys: []string{key}})
			},
			entry: func(n int) string { return fmt.Sprintf("tag%02d", 99-n) }, // order of insertion, not of name
			half:  func(n int) string { return fmt.Sprintf("new%02d", n) },
			most:  50,
		},
	}
}

// expire lets a key's waiting period pass.
func expire(t *testing.T, f *fixture, id string) {
	t.Helper()
	succeeds(t, f.api, &sdk.ScheduleKeyDeletionInput{KeyId: &id, PendingWindowInDays: aws.Int32(7)})
	f.Advance(7 * day)
}

// eachListing runs a test on every listing, which has n entries of its own.
func eachListing(t *testing.T, n int, test func(t *testing.T, f *fixture, l listing, own []string)) {
	t.Helper()
	for i := range listings(&fixture{}) {
		name := listings(&fixture{})[i].name
		for _, viaSDK := range []bool{false, true} {
			t.Run(strings.ReplaceAll(name, " ", "-")+map[bool]string{false: "/Client", true: "/SDK"}[viaSDK], func(t *testing.T) {
				t.Parallel()
				f := newFixture(t, viaSDK)
				l := listings(f)[i]
				own := []string{}
				for j := range n {
					own = append(own, l.entry(j))
					l.add(t, f, l.entry(j))
				}
				test(t, f, l, own)
			})
		}
	}
}

// walk reads a listing page by page, and does something between two pages.
func walk(t *testing.T, f *fixture, l listing, limit int32, between func(page int)) []string {
	t.Helper()
	var all []string
	var marker *string
	for page := 0; ; page++ {
		entries, next := l.page(t, f.api, &limit, marker)
		require.LessOrEqual(t, len(entries), int(limit))
		all = append(all, entries...)
		if next == nil {
			return all
		}
		require.NotEmpty(t, entries)
		require.LessOrEqual(t, len(*next), 1024)
		marker = next
		between(page)
	}
}

// only leaves out the entry that the fixture itself has in some listings.
func only(own, entries []string) []string {
	return slices.DeleteFunc(slices.Clone(entries), func(e string) bool { return !slices.Contains(own, e) })
}

func TestEveryLimitGivesTheWholeListing(t *testing.T) {
	t.Parallel()
	eachListing(t, 12, func(t *testing.T, f *fixture, l listing, own []string) {
		whole, next := l.page(t, f.api, nil, nil)
		require.Nil(t, next)
		require.Equal(t, own, only(own, whole))
		for limit := int32(1); limit <= 14; limit++ {
			require.Equal(t, whole, walk(t, f, l, limit, func(int) {}), "limit %d", limit)
		}
		for _, limit := range []int32{l.most, min(l.most+1, 1000), 1000} {
			require.Equal(t, whole, walk(t, f, l, limit, func(int) {}), "limit %d", limit)
		}
		exact := int32(len(whole)) // a page that the listing just fills is the last one
		_, next = l.page(t, f.api, &exact, nil)
		require.Nil(t, next)
	})
}

func TestDefaultAndGreatestPages(t *testing.T) {
	t.Parallel()
	f := newFixture(t, false)
	for i := range 2 {
		key := f.Seed(kmstest.Key{ID: keyID(i, 0)})
		for j := range 50 {
			succeeds(t, f.api, &sdk.CreateAliasInput{AliasName: aws.String(fmt.Sprintf("alias/%d-%02d", i, j)), TargetKeyId: &key})
		}
	}
	pageSize := func(limit *int32) int {
		out := do[sdk.ListAliasesOutput](t, f.api, &sdk.ListAliasesInput{Limit: limit})
		require.True(t, out.Truncated)
		return len(out.Aliases)
	}
	require.Equal(t, 50, pageSize(nil))
	require.Equal(t, 100, pageSize(aws.Int32(100)))
	require.Equal(t, 100, pageSize(aws.Int32(1000)))

	for i := range 110 {
		f.Seed(kmstest.Key{ID: keyID(i, 5)})
	}
	require.Len(t, do[sdk.ListKeysOutput](t, f.api, &sdk.ListKeysInput{}).Keys, 100)
	require.Len(t, do[sdk.ListKeysOutput](t, f.api, &sdk.ListKeysInput{Limit: aws.Int32(1000)}).Keys, 113)
}

// TestListingsUnderChange adds and removes entries between pages: whatever stays is
// seen once, in order.
func TestListingsUnderChange(t *testing.T) {
	t.Parallel()
	eachListing(t, 10, func(t *testing.T, f *fixture, l listing, own []string) {
		removed := []string{}
		remove := func(n int) {
			l.remove(t, f, own[n])
			removed = append(removed, own[n])
		}
		seen := walk(t, f, l, 3, func(page int) {
			switch page {
			case 0:
				l.add(t, f, l.half(0)) // behind what was read, or at the end of the tags
				remove(9)
				remove(0)
				remove(2) // what the marker may point to
				remove(1)
			case 1:
				l.add(t, f, l.half(7))
				remove(5)
				remove(4)
			}
		})
		require.Len(t, slices.Compact(slices.Sorted(slices.Values(seen))), len(seen), "an entry came twice")
		survivors := slices.DeleteFunc(slices.Clone(own), func(e string) bool { return slices.Contains(removed, e) })
		require.Equal(t, survivors, only(survivors, seen))
		require.NotContains(t, seen, own[9])
		require.Contains(t, seen, l.half(7))
	})
}

func TestForeignMarkers(t *testing.T) {
	t.Parallel()
	const message = "The marker is not valid for this listing."
	eachListing(t, 4, func(t *testing.T, f *fixture, l listing, _ []string) {
		_, marker := l.page(t, f.api, aws.Int32(2), nil)
		require.NotNil(t, marker)
		foreign := []string{"x", "garbage!", " ", "AAAA", (*marker)[:4], *marker + "=", *marker + "é", (*marker)[1:], base64.RawURLEncoding.EncodeToString([]byte("ListGrants\x00x"))}
		for _, other := range listings(f) {
			if strings.HasPrefix(l.name, other.name) || other.name == "ListAliases of a key" {
				continue
			}
			for j := range 4 {
				other.add(t, f, other.entry(j+10))
			}
			_, marker := other.page(t, f.api, aws.Int32(2), nil)
			foreign = append(foreign, *marker)
		}
		for _, marker := range foreign {
			refused(t, f.api, l.input(nil, &marker), "InvalidMarkerException", message)
		}
	})
	f := newFixture(t, false)
	for _, seq := range []string{"x", "-1", "99999999999999999999"} {
		marker := base64.RawURLEncoding.EncodeToString([]byte("ListResourceTags\x00" + seq))
		refused(t, f.api, &sdk.ListResourceTagsInput{KeyId: &f.id, Marker: &marker}, "InvalidMarkerException", message)
	}
}

// TestMarkerOfAnotherAccount shows a caller nothing but its own entries, whatever
// the marker.
func TestMarkerOfAnotherAccount(t *testing.T) {
	t.Parallel()
	f := newFixture(t, false)
	stranger := f.Client(callerOf(otherAccount))
	own := []string{}
	for i := range 3 {
		m := do[sdk.CreateKeyOutput](t, stranger, &sdk.CreateKeyInput{}).KeyMetadata
		own = append(own, *m.KeyId)
		name := fmt.Sprintf("alias/z%d", i)
		succeeds(t, stranger, &sdk.CreateAliasInput{AliasName: &name, TargetKeyId: m.KeyId})
	}
	for i := range 3 {
		f.Seed(kmstest.Key{ID: keyID(i, 0), Alias: fmt.Sprintf("alias/b%d", i)})
	}
	for _, l := range listings(f)[:2] {
		_, marker := l.page(t, f.api, aws.Int32(1), nil)
		entries, _ := l.page(t, stranger, nil, marker)
		require.NotEmpty(t, entries)
		for _, e := range entries {
			require.True(t, slices.Contains(own, e) || strings.HasPrefix(e, "alias/z"), e)
		}
	}
	for _, forged := range []string{"../", "444455556666", "\xff\xff", "\x00", strings.Repeat("z", 700)} {
		marker := base64.RawURLEncoding.EncodeToString([]byte("ListKeys\x00" + forged))
		for _, k := range do[sdk.ListKeysOutput](t, stranger, &sdk.ListKeysInput{Marker: &marker}).Keys {
			require.Contains(t, own, *k.KeyId)
		}
	}
}

func TestPaginatorsOfTheSDK(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, f *fixture) {
		for i := range 5 {
			succeeds(t, f.api, &sdk.CreateAliasInput{AliasName: aws.String(fmt.Sprintf("alias/b%d", i)), TargetKeyId: &f.id})
			f.Seed(kmstest.Key{ID: keyID(i, 0)})
		}
		succeeds(t, f.api, &sdk.TagResourceInput{KeyId: &f.id, Tags: manyTags(7)})
		n := 0
		keys := sdk.NewListKeysPaginator(f.api, &sdk.ListKeysInput{}, func(o *sdk.ListKeysPaginatorOptions) { o.Limit = 2 })
		for keys.HasMorePages() {
			page, err := keys.NextPage(t.Context())
			require.NoError(t, err)
			n += len(page.Keys)
		}
		require.Equal(t, 6, n)
		aliases := sdk.NewListAliasesPaginator(f.api, &sdk.ListAliasesInput{KeyId: &f.id}, func(o *sdk.ListAliasesPaginatorOptions) { o.Limit = 4 })
		for n = 0; aliases.HasMorePages(); {
			page, err := aliases.NextPage(t.Context())
			require.NoError(t, err)
			n += len(page.Aliases)
		}
		require.Equal(t, 6, n)
		list := sdk.NewListResourceTagsPaginator(f.api, &sdk.ListResourceTagsInput{KeyId: &f.id}, func(o *sdk.ListResourceTagsPaginatorOptions) { o.Limit = 3 })
		for n = 0; list.HasMorePages(); {
			page, err := list.NextPage(t.Context())
			require.NoError(t, err)
			n += len(page.Tags)
		}
		require.Equal(t, 7, n)
	})
}
