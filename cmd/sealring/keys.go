package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/aws/smithy-go"

	"github.com/sealring/sealring/identity"
	"github.com/sealring/sealring/internal/arn"
	"github.com/sealring/sealring/kms"
	"github.com/sealring/sealring/store"
)

const keysText = `
sealring keys list             lists the keys in a store, of all accounts and Regions
sealring keys describe KEY     prints what is known of one, named by its ARN or its id

The store is read as it lies there, without a server; a file that a server uses is
locked, so ask that server then: aws kms list-keys. What a key's policy keeps from its
account's root user is not shown.
`

// keyInfo is a key as keys prints it.
type keyInfo struct {
	ARN         string            `json:"arn"`
	Account     string            `json:"account"`
	Region      string            `json:"region"`
	ID          string            `json:"id"`
	State       string            `json:"state,omitempty"`
	Spec        string            `json:"spec,omitempty"`
	Usage       string            `json:"usage,omitempty"`
	Origin      string            `json:"origin,omitempty"`
	Description string            `json:"description,omitempty"`
	MultiRegion string            `json:"multiRegion,omitempty"`
	Created     *time.Time        `json:"created,omitempty"`
	Deletion    *time.Time        `json:"deletion,omitempty"`
	Aliases     []string          `json:"aliases,omitempty"`
	Tags        map[string]string `json:"tags,omitempty"`
	Policy      string            `json:"policy,omitempty"`
	Refused     string            `json:"refused,omitempty"` // why the above is missing
}

// runKeys is sealring keys.
func runKeys(ctx context.Context, p *process, args []string) error {
	var (
		s      sealedFlags
		asJSON bool
	)
	f := p.flags("keys", "list|describe [flags] [KEY]", keysText)
	s.add(f)
	f.BoolVar(&asJSON, "json", false, "print JSON")
	if help, err := f.parse(args, 2); help || err != nil {
		return err
	}
	verb, name := f.arg(0), f.arg(1)
	switch {
	case verb == "list" && name == "", verb == "describe" && name != "":
	default:
		return usagef("keys: list, or describe KEY")
	}
	if err := s.check("keys"); err != nil {
		return err
	}
	sealed, err := s.open(ctx, p, true, nil)
	if err != nil {
		return err
	}
	service, err := kms.New(ctx, kms.Config{Store: sealed})
	if err != nil {
		return errors.Join(err, sealed.Close())
	}
	if verb == "list" {
		err = listKeys(ctx, p.stdout, service, sealed, asJSON)
	} else {
		err = describeKey(ctx, p.stdout, service, sealed, name, asJSON)
	}
	return errors.Join(err, service.Close())
}

// findKeys returns the keys in the store for which want is true, by their records' names.
func findKeys(ctx context.Context, s store.Store, want func(keyInfo) bool) ([]keyInfo, error) {
	var found []keyInfo
	err := s.View(ctx, func(tx store.Tx) error {
		found = nil
		for e, err := range tx.Scan("kms/", "") {
			if err != nil {
				return err
			}
			clear(e.Value)
			part := strings.Split(e.Key, "/") // kms/account/region/key/id
			if len(part) != 5 || part[3] != "key" {
				continue
			}
			k := keyInfo{Account: part[1], Region: part[2], ID: part[4]}
			k.ARN = "arn:" + arn.Partition(k.Region) + ":kms:" + k.Region + ":" + k.Account + ":key/" + k.ID
			if want(k) {
				found = append(found, k)
			}
		}
		return ctx.Err()
	})
	return found, err
}

// fill asks the engine for the metadata. gone is true if the key has been deleted.
func (k *keyInfo) fill(ctx context.Context, client *kms.Client) (gone bool, err error) {
	out, err := client.DescribeKey(ctx, &sdk.DescribeKeyInput{KeyId: &k.ID})
	if notFound := new(types.NotFoundException); errors.As(err, &notFound) {
		return true, nil
	}
	if refused, err := k.refused(err); refused || err != nil {
		return false, err
	}
	m := out.KeyMetadata
	k.State, k.Spec, k.Usage, k.Origin = string(m.KeyState), string(m.KeySpec), string(m.KeyUsage), string(m.Origin)
	k.Description, k.Created, k.Deletion = aws.ToString(m.Description), m.CreationDate, m.DeletionDate
	if m.MultiRegionConfiguration != nil {
		k.MultiRegion = string(m.MultiRegionConfiguration.MultiRegionKeyType)
	}
	aliases := sdk.NewListAliasesPaginator(client, &sdk.ListAliasesInput{KeyId: &k.ID})
	for aliases.HasMorePages() {
		page, err := aliases.NextPage(ctx)
		if refused, err := k.refused(err); refused || err != nil {
			return false, err
		}
		for _, a := range page.Aliases {
			k.Aliases = append(k.Aliases, aws.ToString(a.AliasName))
		}
	}
	return false, nil
}

// refused reports whether err says that the root user may not know something, and notes
// it. Other errors are returned.
func (k *keyInfo) refused(err error) (bool, error) {
	var api smithy.APIError
	if errors.As(err, &api) && api.ErrorCode() == "AccessDeniedException" {
		k.Refused = api.ErrorCode()
		return true, nil
	}
	return false, err
}

func listKeys(ctx context.Context, w io.Writer, service *kms.Service, s store.Store, asJSON bool) error {
	found, err := findKeys(ctx, s, func(keyInfo) bool { return true })
	if err != nil {
		return err
	}
	keys := []keyInfo{}
	for _, k := range found {
		gone, err := k.fill(ctx, service.Client(identity.Root(k.Account, k.Region)))
		if err != nil {
			return err
		}
		if !gone {
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, func(a, b keyInfo) int {
		return cmp.Or(cmp.Compare(a.Account, b.Account), cmp.Compare(a.Region, b.Region), cmp.Compare(a.ID, b.ID))
	})
	if asJSON {
		return printJSON(w, keys)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "KEY\tSTATE\tSPEC\tUSAGE\tALIASES")
	for _, k := range keys {
		state := cmp.Or(k.Refused, k.State)
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", k.ARN, state, k.Spec, k.Usage, strings.Join(k.Aliases, " "))
	}
	return t.Flush()
}

func describeKey(ctx context.Context, w io.Writer, service *kms.Service, s store.Store, name string, asJSON bool) error {
	found, err := findKeys(ctx, s, func(k keyInfo) bool { return k.ARN == name || k.ID == name })
	if err != nil {
		return err
	}
	switch {
	case len(found) > 1:
		return fmt.Errorf("%s: there are %d copies of the key: name one by its ARN", name, len(found))
	case len(found) == 0:
		return fmt.Errorf("%s: there is no such key", name)
	}
	k := found[0]
	client := service.Client(identity.Root(k.Account, k.Region))
	gone, err := k.fill(ctx, client)
	if err != nil {
		return err
	}
	if gone {
		return fmt.Errorf("%s: the key has been deleted", name)
	}
	if err := k.details(ctx, client); err != nil {
		return err
	}
	if asJSON {
		return printJSON(w, k)
	}
	return k.print(w)
}

// details asks the engine for what a list does not have.
func (k *keyInfo) details(ctx context.Context, client *kms.Client) error {
	policy, err := client.GetKeyPolicy(ctx, &sdk.GetKeyPolicyInput{KeyId: &k.ID})
	if refused, err := k.refused(err); refused || err != nil {
		return err
	}
	k.Policy = aws.ToString(policy.Policy)
	tags := sdk.NewListResourceTagsPaginator(client, &sdk.ListResourceTagsInput{KeyId: &k.ID})
	k.Tags = map[string]string{}
	for tags.HasMorePages() {
		page, err := tags.NextPage(ctx)
		if refused, err := k.refused(err); refused || err != nil {
			return err
		}
		for _, t := range page.Tags {
			k.Tags[aws.ToString(t.TagKey)] = aws.ToString(t.TagValue)
		}
	}
	return nil
}

func (k *keyInfo) print(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(name, value string) {
		if value != "" {
			fmt.Fprintf(t, "%s\t%s\n", name, value)
		}
	}
	date := func(d *time.Time) string {
		if d == nil {
			return ""
		}
		return d.UTC().Format(time.RFC3339)
	}
	row("key", k.ARN)
	row("state", k.State)
	row("spec", k.Spec)
	row("usage", k.Usage)
	row("origin", k.Origin)
	row("multi-Region", k.MultiRegion)
	row("created", date(k.Created))
	row("deletion", date(k.Deletion))
	if k.Description != "" {
		row("description", fmt.Sprintf("%q", k.Description))
	}
	row("aliases", strings.Join(k.Aliases, " "))
	for _, name := range slices.Sorted(maps.Keys(k.Tags)) {
		row("tag", fmt.Sprintf("%q = %q", name, k.Tags[name]))
	}
	row("refused", k.Refused)
	if err := t.Flush(); err != nil || k.Policy == "" {
		return err
	}
	_, err := fmt.Fprintf(w, "policy:\n%s\n", k.Policy)
	return err
}
