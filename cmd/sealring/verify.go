package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/sealring/sealring/audit"
	"github.com/sealring/sealring/kms"
	"github.com/sealring/sealring/local"
	"github.com/sealring/sealring/store"
)

const verifyText = `
Checks a store: every record is decrypted, all of them together are those that were
written last, and what they say of keys, aliases, grants and material fits together. With
-audit, the audit log is checked too: that nothing in it was changed, taken out or cut off
up to the newest anchor. The store is not changed, and must not be in use if it is a file.

What is found is printed, and the exit status is 1 then. The revision that is printed can
be given to -at-least the next time: a store that was put back as a whole is found only
so. -anchor takes anchors that the server has logged.

A log that was found to be wrong stays wrong. When that is understood, set its files aside,
begin another with serve -audit-new-chain, and have verify leave the old chain out with
-audit-without.
`

// verification is what verify prints.
type verification struct {
	OK    bool         `json:"ok"`
	Store *storeReport `json:"store"`
	Audit *auditReport `json:"audit,omitempty"`
}

// storeReport is what was found about a store.
type storeReport struct {
	OK       bool     `json:"ok"`
	Records  int      `json:"records"`
	Damaged  []string `json:"damaged"` // names of records
	Tally    string   `json:"tally"`
	Revision uint64   `json:"revision"`
	Digest   string   `json:"digest,omitempty"`
	Epochs   []uint32 `json:"epochs"`
	Findings []string `json:"findings"`
}

// auditReport is what was found about an audit log.
type auditReport struct {
	OK     bool          `json:"ok"`
	Fault  string        `json:"fault,omitempty"`
	Torn   int64         `json:"torn,omitempty"`
	Chains []chainReport `json:"chains"`

	Without []string `json:"without,omitempty"` // engines whose chains were left out
}

// chainReport is what an audit log proves of one chain.
type chainReport struct {
	Engine   string `json:"engine"`
	First    uint64 `json:"first"`
	Proven   uint64 `json:"proven"`
	Anchored uint64 `json:"anchored"`

	// FirstUnproven is set if nothing vouches for the first event itself, where the log's
	// oldest files are gone.
	FirstUnproven bool `json:"firstUnproven,omitempty"`
}

// errFindings ends verify when it has printed what is wrong.
var errFindings = errors.New("something is wrong, see above")

// runVerify is sealring verify.
func runVerify(ctx context.Context, p *process, args []string) error {
	var (
		s              sealedFlags
		atLeast        uint64
		log, name      string
		anchors        listFlag
		without        listFlag
		pruned, asJSON bool
	)
	f := p.flags("verify", "[flags]", verifyText)
	s.add(f)
	f.Uint64Var(&atLeast, "at-least", 0, "the `REVISION` that the store must have reached")
	f.StringVar(&log, "audit", "", "`FILE` with the audit log")
	f.StringVar(&name, "audit-name", "", "what its chain is called in the store: a `NAME`, as for serve")
	f.Var(&anchors, "anchor", "`ENGINE:NUMBER:MAC` that the audit log must reach; may be repeated")
	f.Var(&without, "audit-without", "`ENGINE` whose chain is left out, as its log has been set aside; may be repeated")
	f.BoolVar(&pruned, "audit-pruned", false, "the oldest files of the audit log may be gone")
	f.BoolVar(&asJSON, "json", false, "print JSON")
	if help, err := f.parse(args, 0); help || err != nil {
		return err
	}
	if err := s.check("verify"); err != nil {
		return err
	}
	if log == "" && (name != "" || pruned || len(anchors)+len(without) > 0) {
		return usagef("verify: name the audit log with -audit")
	}
	name, err := auditName(name, &s.store)
	if err != nil {
		return err
	}
	known := audit.Verification{AllowPruned: pruned}
	for _, text := range anchors {
		a, err := parseAnchor(text)
		if err != nil {
			return err
		}
		known.Anchors = append(known.Anchors, a)
	}
	s.store.salvage = true
	sealed, err := s.open(ctx, p, true, &store.SealOptions{Salvage: true})
	if err != nil {
		return errors.Join(append(s.store.damage, err)...)
	}
	v := &verification{}
	v.Store, err = verifyStore(ctx, sealed, atLeast, s.store.damage)
	if err == nil && log != "" {
		v.Audit, err = verifyAudit(ctx, log, name, sealed, known, without)
	}
	if err := errors.Join(err, sealed.Close()); err != nil {
		return err
	}
	v.OK = v.Store.OK && (v.Audit == nil || v.Audit.OK)
	if asJSON {
		err = printJSON(p.stdout, v)
	} else {
		err = v.print(p.stdout)
	}
	if err == nil && !v.OK {
		return errFindings
	}
	return err
}

// verifyStore checks a store that is opened to be salvaged. damage is what was found about
// its file.
func verifyStore(ctx context.Context, sealed *store.Sealed, atLeast uint64, damage []error) (*storeReport, error) {
	found, err := sealed.Verify(ctx)
	if err != nil {
		return nil, err
	}
	r := &storeReport{
		Records: found.Records, Damaged: append([]string{}, found.Damaged...), Tally: found.Tally.String(),
		Revision: found.Revision, Digest: found.Digest, Epochs: found.Epochs, Findings: []string{},
	}
	for _, err := range damage {
		r.Findings = append(r.Findings, err.Error())
	}
	if err := found.Err(); err != nil {
		r.Findings = append(r.Findings, err.Error())
	}
	switch {
	case atLeast > 0 && found.Tally == store.TallyAbsent:
		r.Findings = append(r.Findings, "the store keeps no tally: nothing vouches for its revision")
	case found.Revision < atLeast:
		r.Findings = append(r.Findings, fmt.Sprintf("the store is at revision %d instead of %d or later", found.Revision, atLeast))
	}
	if len(found.Damaged)+len(damage) == 0 { // what cannot be read cannot be looked at
		broken, err := kms.Check(ctx, sealed)
		if err != nil {
			return nil, err
		}
		for _, b := range broken {
			r.Findings = append(r.Findings, b.String())
		}
	}
	r.OK = len(r.Findings) == 0
	return r, nil
}

// verifyAudit checks an audit log with what the store and the caller know of it.
func verifyAudit(ctx context.Context, path, name string, sealed *store.Sealed, known audit.Verification, without []string) (*auditReport, error) {
	state, err := local.NewChainState(sealed, name)
	if err != nil {
		return nil, err
	}
	stored, err := state.Verification(ctx)
	if err != nil {
		return nil, err
	}
	if len(stored.Origins) == 0 { // or else an empty log would be a good one
		return &auditReport{Fault: fmt.Sprintf("the store knows no chain that is called %q", name), Chains: []chainReport{}}, nil
	}
	for _, engine := range without {
		n := len(stored.Origins)
		stored.Origins = slices.DeleteFunc(stored.Origins, func(o audit.Origin) bool { return o.Engine == engine })
		stored.Anchors = slices.DeleteFunc(stored.Anchors, func(a audit.Anchor) bool { return a.Engine == engine })
		if len(stored.Origins) == n {
			return nil, usagef("verify: -audit-without: the store knows no chain of engine %q", engine)
		}
	}
	known.Origins = stored.Origins
	known.Anchors = append(known.Anchors, stored.Anchors...)
	sources, err := audit.Sources(path)
	if err != nil {
		return nil, err
	}
	if len(sources) == 0 {
		return &auditReport{Fault: fmt.Sprintf("there is no log at %s", path), Chains: []chainReport{}}, nil
	}
	found, err := audit.VerifyLog(ctx, sources, known)
	r := &auditReport{Chains: []chainReport{}, Without: without}
	var fault *audit.Fault
	switch {
	case errors.As(err, &fault):
		r.Fault = fault.Error()
	case err != nil:
		return nil, err
	}
	r.OK, r.Torn = fault == nil, found.Torn
	for _, c := range found.Chains {
		r.Chains = append(r.Chains, chainReport{c.Engine, c.First, c.Proven, c.Anchored, c.FirstUnproven})
	}
	return r, nil
}

func (v *verification) print(w io.Writer) error {
	s := v.Store
	fmt.Fprintf(w, "store: %d records, %d damaged, tally %s, revision %d\n", s.Records, len(s.Damaged), s.Tally, s.Revision)
	if s.Digest != "" {
		fmt.Fprintf(w, "store: digest %s\n", s.Digest)
	}
	for _, name := range s.Damaged {
		fmt.Fprintf(w, "store: DAMAGED %q\n", name)
	}
	for _, text := range s.Findings {
		fmt.Fprintf(w, "store: WRONG %s\n", text)
	}
	if a := v.Audit; a != nil {
		for _, engine := range a.Without {
			fmt.Fprintf(w, "audit: chain %s was left out\n", engine)
		}
		for _, c := range a.Chains {
			if c.First == 0 {
				fmt.Fprintf(w, "audit: chain %s, no events\n", c.Engine)
				continue
			}
			fmt.Fprintf(w, "audit: chain %s, events %d to %d are as they were recorded, anchored up to %d\n", c.Engine, c.First, c.Proven, c.Anchored)
			if c.FirstUnproven {
				fmt.Fprintf(w, "audit: except for event %d, which nothing vouches for: those before it are gone\n", c.First)
			}
		}
		if a.Torn > 0 {
			fmt.Fprintf(w, "audit: an unfinished line of %d bytes at the end proves nothing\n", a.Torn)
		}
		if a.Fault != "" {
			fmt.Fprintf(w, "audit: WRONG %s\n", a.Fault)
		}
	}
	verdict := "ok"
	if !v.OK {
		verdict = "NOT OK"
	}
	_, err := fmt.Fprintln(w, verdict)
	return err
}
