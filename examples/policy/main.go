// Policy asks the policy engine one question and prints why it answers as it does.
//
//	go run ./examples/policy
//
// asks about files of its own, in testdata: may a session of the role app/Svc decrypt
// with the key? It may, with -context tenant=42, and the explanation says so. Other
// questions about the same files:
//
//	-as arn:aws:iam::111122223333:user/eng/ann        an administrator who may not decrypt
//	-as arn:aws:iam::444455556666:user/carol          a user of another account
//	-action kms:ScheduleKeyDeletion -as arn:aws:iam::111122223333:root
//
// and about files of yours:
//
//	go run ./examples/policy -key keypolicy.json -identities folder -as ARN \
//	    -action kms:Decrypt -resource ARN -context key=value -condition kms:ViaService=…
//
// The layout of the folder is that of identity.Load.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
)

func main() {
	if err := run(os.Stdout, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "policy:", err)
		os.Exit(1)
	}
}

func run(out io.Writer, args []string) error {
	var q question
	flags := flag.NewFlagSet("policy", flag.ContinueOnError)
	flags.SetOutput(out)
	flags.StringVar(&q.keyPolicy, "key", "", "`file` with the key policy; the example's")
	flags.StringVar(&q.identities, "identities", "", "`folder` with the policies of principals; the example's")
	flags.StringVar(&q.as, "as", "arn:aws:iam::111122223333:role/app/Svc", "`ARN` of the root user, user or role that asks")
	flags.StringVar(&q.session, "session", "example", "`name` of the session, for a role")
	flags.StringVar(&q.sessionPolicy, "session-policy", "", "`file` with a policy of the session, for a role")
	flags.StringVar(&q.action, "action", "kms:Decrypt", "the `permission`")
	flags.StringVar(&q.resource, "resource", "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab", "`ARN` of the key")
	flags.Var(&q.context, "context", "`key=value` of the encryption context; may be repeated")
	flags.Var(&q.conditions, "condition", "`key=value` of a condition key, such as kms:ViaService; may be repeated")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return nil
	} else if err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("what is %q?", flags.Arg(0))
	}
	return q.ask(out)
}

// pairs is a flag that may be repeated.
type pairs [][2]string

// String returns the flag's default, which is nothing.
func (p *pairs) String() string { return "" }

// Set takes one key=value.
func (p *pairs) Set(text string) error {
	key, value, ok := strings.Cut(text, "=")
	if !ok || key == "" {
		return errors.New("it is not of the form key=value")
	}
	*p = append(*p, [2]string{key, value})
	return nil
}
