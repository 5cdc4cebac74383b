package main

import (
	"context"

	"github.com/sealring/sealring/envelope"
	"github.com/sealring/sealring/keyring"
)

const encryptText = `
Encrypts FILE, or standard input, as a message of the AWS Encryption SDK, which any of
AWS's libraries can read. The result goes to standard output unless -o or -in-place says
otherwise; a file appears only when it is whole. With several keys, each of them alone
decrypts the message.
`

// runEncrypt is sealring encrypt.
func runEncrypt(ctx context.Context, p *process, args []string) error {
	var (
		rings                       ringFlags
		files                       fileFlags
		pairs                       pairsFlag
		suite, commitment, frameLen = "", "", 0
	)
	f := p.flags("encrypt", "[flags] [FILE]", encryptText)
	rings.add(f, true)
	files.add(f)
	f.Var(&pairs, "context", "`KEY=VALUE` to bind to the message, in the clear; may be repeated")
	f.StringVar(&suite, "suite", "", "algorithm suite `ID`: the default is 0578, with a signature; 0478 has none")
	f.StringVar(&commitment, "commitment", "", "`POLICY` require, allow, or forbid for readers that are too old for the others")
	f.IntVar(&frameLen, "frame-length", 0, "plaintext `BYTES` in a frame (default 4096)")
	if help, err := f.parse(args, 1); help || err != nil {
		return err
	}
	o := &envelope.EncryptOptions{Context: keyring.EncryptionContext(pairs), FrameLength: frameLen}
	var err error
	if suite != "" {
		if o.Suite, err = parseSuite(suite); err != nil {
			return err
		}
	}
	if o.CommitmentPolicy, err = parseCommitment(commitment); err != nil {
		return err
	}
	if frameLen < 0 {
		return usagef("encrypt: -frame-length is above zero")
	}
	if files.out == "" && !files.inPlace && p.terminal(p.stdout) {
		return usagef("encrypt: a message is not for a terminal: name a file with -o")
	}
	m, err := rings.open(ctx, p, true)
	if err != nil {
		return err
	}
	in, out, err := files.open(ctx, p, f)
	if err != nil {
		return err
	}
	defer in.close()
	defer out.abandon()
	if err := encryptTo(ctx, p, out, in, m, o); err != nil {
		return err
	}
	return out.commit()
}

// encryptTo encrypts all of in. A file that grows or shrinks meanwhile is refused.
func encryptTo(ctx context.Context, p *process, out *output, in *input, m keyring.Manager, o *envelope.EncryptOptions) error {
	if in.size > 0 {
		o.PlaintextLength = in.size
	}
	w, err := envelope.NewWriter(ctx, out, m, o)
	if err != nil {
		return err
	}
	g := p.newProgress(in.size, byteUnit)
	defer g.end()
	if _, err := w.ReadFrom(g.reader(in)); err != nil {
		return err
	}
	return w.Close()
}
