package main

import (
	"context"
	"errors"
	"io"
	"os"

	"github.com/sealring/sealring/envelope"
	"github.com/sealring/sealring/keyring"
)

const decryptText = `
Decrypts FILE, or standard input: a message of the AWS Encryption SDK.

A file, named by -o or -in-place, appears only when the whole message is authentic. That
of -o is for its owner only; that of -in-place may be read by whoever could read the
message, if its mode says so.

To standard output each piece goes as soon as it is authentic, and the status tells at the
end whether the message was whole: a reader that acts on the beginning has to be able to
undo it. -verify-first reads a message twice and writes nothing before all of it, its
signature included, has been verified; what is not a file is kept meanwhile, as it is,
encrypted, in a temporary file.

-context requires pairs: the message's own have to agree.
`

// runDecrypt is sealring decrypt.
func runDecrypt(ctx context.Context, p *process, args []string) error {
	var (
		rings       ringFlags
		files       fileFlags
		pairs       pairsFlag
		commitment  string
		verifyFirst bool
	)
	f := p.flags("decrypt", "[flags] [FILE]", decryptText)
	rings.add(f, false)
	files.add(f)
	f.Var(&pairs, "context", "`KEY=VALUE` that has to be bound to the message; may be repeated")
	f.StringVar(&commitment, "commitment", "", "`POLICY` require, or allow for messages of older clients, whose suites do not commit to the key")
	f.BoolVar(&verifyFirst, "verify-first", false, "write nothing before all of the message is verified")
	if help, err := f.parse(args, 1); help || err != nil {
		return err
	}
	policy, err := parseCommitment(commitment)
	if err != nil {
		return err
	}
	o := &envelope.DecryptOptions{Context: keyring.EncryptionContext(pairs), CommitmentPolicy: policy}
	m, err := rings.open(ctx, p, false)
	if err != nil {
		return err
	}
	in, out, err := files.open(ctx, p, f)
	if err != nil {
		return err
	}
	defer in.close()
	defer out.abandon()
	if verifyFirst && out.streams() {
		spooled, err := verifyMessage(ctx, p, in, m, o)
		if err != nil {
			return err
		}
		defer spooled.close()
		in = spooled
	}
	if _, err := decryptTo(ctx, p, out, in, m, o); err != nil {
		return err
	}
	return out.commit()
}

// decryptTo decrypts all of in and returns the header.
func decryptTo(ctx context.Context, p *process, out io.Writer, in *input, m keyring.Manager, o *envelope.DecryptOptions) (*envelope.Header, error) {
	g := p.newProgress(in.size, byteUnit)
	defer g.end()
	r, err := envelope.NewReader(ctx, g.reader(in), m, o)
	if err != nil {
		return nil, err
	}
	if _, err := r.WriteTo(out); err != nil {
		return nil, err
	}
	return r.Header(), nil
}

// verifyMessage decrypts all of in and throws the plaintext away. It returns the message
// again, from its beginning: of the file that it is in, or of a copy.
func verifyMessage(ctx context.Context, p *process, in *input, m keyring.Manager, o *envelope.DecryptOptions) (*input, error) {
	again := &input{name: in.name, file: in.file, size: in.size}
	if in.file == nil {
		f, err := os.CreateTemp("", "sealring-*")
		if err != nil {
			return nil, err
		}
		if err := os.Remove(f.Name()); err != nil { // it lives as long as it is open
			f.Close()
			return nil, err
		}
		in.Reader = io.TeeReader(in.Reader, f)
		again.file, again.opened = f, []io.Closer{f}
	}
	_, err := decryptTo(ctx, p, io.Discard, in, m, o)
	if err == nil {
		_, err = again.file.Seek(0, io.SeekStart)
	}
	if err != nil {
		if in.file == nil {
			err = errors.Join(err, again.file.Close())
		}
		return nil, err
	}
	again.Reader = again.file
	return again, nil
}
