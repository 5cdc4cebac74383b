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
	args     []string // what parse has found beside flags
}

// flags returns a command's flag set. synopsis is what comes after the name, and text
// explains the command.
func (p *process) flags(name, synopsis, text string) *flagSet {
	f := &flagSet{flag.NewFlagSet(name, flag.ContinueOnError), p, synopsis, text, nil}
	f.SetOutput(io.Discard)
	return f
}

// parse parses args, in which flags and arguments may be mixed, up to a "--". At most
// most arguments may be there. help is true if it has printed the command's help instead.
func (f *flagSet) parse(args []string, most int) (help bool, err error) {
	for {
		err := f.Parse(args)
		switch {
		case errors.Is(err, flag.ErrHelp):
			f.printHelp(f.p.stdout)
			return true, nil
		case err != nil:
			return false, usagef("%s: %v", f.Name(), err)
		}
		rest := f.FlagSet.Args()
		if n := len(args) - len(rest); n > 0 && args[n-1] == "--" {
			f.args = append(f.args, rest...)
			break
		}
		if len(rest) == 0 {
			break
		}
		f.args, args = append(f.args, rest[0]), rest[1:]
	}
	if len(f.args) > most {
		return false, usagef("%s: too many arguments: %q", f.Name(), f.args[most])
	}
	return false, nil
}

// arg returns an argument, "" if there are not so many.
func (f *flagSet) arg(i int) string {
	if i < len(f.args) {
		return f.args[i]
	}
	return ""
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
