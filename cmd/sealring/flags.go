package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
)

// flagSet is the flags of one command.
type flagSet struct {
	*flag.FlagSet
	p        *process
	synopsis string
	text     string
}

// flags returns a command's flag set. synopsis is what comes after the name, and text
// explains the command.
func (p *process) flags(name, synopsis, text string) *flagSet {
	f := &flagSet{flag.NewFlagSet(name, flag.ContinueOnError), p, synopsis, text}
	f.SetOutput(io.Discard)
	return f
}

// parse parses args, of which at most most may be left. help is true if it has printed
// the command's help instead.
func (f *flagSet) parse(args []string, most int) (help bool, err error) {
	err = f.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		f.printHelp(f.p.stdout)
		return true, nil
	case err != nil:
		return false, usagef("%s: %v", f.Name(), err)
	}
	for _, a := range f.Args() {
		if len(a) > 1 && a[0] == '-' {
			return false, usagef("%s: flags come before arguments: %q", f.Name(), a)
		}
	}
	if f.NArg() > most {
		return false, usagef("%s: too many arguments: %q", f.Name(), f.Arg(most))
	}
	return false, nil
}

// given reports whether a flag was set.
func (f *flagSet) given(name string) bool {
	found := false
	f.Visit(func(g *flag.Flag) { found = found || g.Name == name })
	return found
}

func (f *flagSet) printHelp(w io.Writer) {
	fmt.Fprintf(w, "Usage: sealring %s %s\n\n%s\n\nFlags:\n", f.Name(), f.synopsis, strings.TrimSpace(f.text))
	f.SetOutput(w)
	f.PrintDefaults()
	f.SetOutput(io.Discard)
}

// listFlag is a flag that may be given more than once.
type listFlag []string

func (l *listFlag) String() string { return strings.Join(*l, ",") }

// Set appends a value.
func (l *listFlag) Set(s string) error {
	if s == "" {
		return errors.New("empty")
	}
	*l = append(*l, s)
	return nil
}

// pairsFlag is a flag KEY=VALUE that may be given more than once.
type pairsFlag map[string]string

func (p *pairsFlag) String() string { return "" }

// Set adds a pair whose key is new.
func (p *pairsFlag) Set(s string) error {
	key, value, ok := strings.Cut(s, "=")
	if !ok || key == "" {
		return errors.New("not of the form KEY=VALUE")
	}
	if _, twice := (*p)[key]; twice {
		return fmt.Errorf("%q is given twice", key)
	}
	if *p == nil {
		*p = pairsFlag{}
	}
	(*p)[key] = value
	return nil
}
