package main

import (
	"context"
	"fmt"
	"io/fs"
	"os"
)

// fileFlags are the flags of encrypt and decrypt that say where the result goes.
type fileFlags struct {
	out     string
	inPlace bool
	force   bool
}

func (o *fileFlags) add(f *flagSet) {
	f.StringVar(&o.out, "o", "", "`FILE` for the result, in place of standard output")
	f.BoolVar(&o.inPlace, "in-place", false, "replace the input file with the result")
	f.BoolVar(&o.force, "force", false, "replace an output file that is there already")
}

// open opens the input that f's arguments name, and the output.
func (o *fileFlags) open(ctx context.Context, p *process, f *flagSet) (*input, *output, error) {
	name := f.arg(0)
	if o.inPlace && (o.out != "" || name == "" || name == "-") {
		return nil, nil, usagef("%s: -in-place wants an input file, and no -o", f.Name())
	}
	in, err := p.open(ctx, name)
	if err != nil {
		return nil, nil, err
	}
	target, replace, mode := o.out, o.force, fs.FileMode(0o600)
	if o.inPlace {
		if in.file == nil {
			in.close()
			return nil, nil, usagef("%s: -in-place wants a regular file", f.Name())
		}
		info, err := in.file.Stat()
		if err != nil {
			in.close()
			return nil, nil, err
		}
		target, replace, mode = name, true, info.Mode().Perm()
	}
	if err := sameFile(in, target, o.inPlace); err != nil {
		in.close()
		return nil, nil, err
	}
	out, err := p.create(target, replace, mode)
	if err != nil {
		in.close()
		return nil, nil, forceable(err)
	}
	return in, out, nil
}

// sameFile refuses an output that is the input, unless that is what was asked for.
func sameFile(in *input, target string, inPlace bool) error {
	if in.file == nil || inPlace || target == "" || target == "-" {
		return nil
	}
	a, err := in.file.Stat()
	if err != nil {
		return err
	}
	if b, err := os.Stat(target); err == nil && os.SameFile(a, b) {
		return fmt.Errorf("%s: is the input; -in-place replaces it", target)
	}
	return nil
}
