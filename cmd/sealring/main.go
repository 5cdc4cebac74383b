// Sealring runs a local AWS KMS, looks after its store, and encrypts files under its
// keys or under AWS's.
//
//	sealring help            the commands
//	sealring help serve      one of them, with its flags
//
// Secrets are read from files that nobody else can read, from the environment or from a
// terminal, never from the command line, and are never printed.
//
// The exit status is 0 if all went well; 1 if the command failed, or found something
// wrong; 2 if it was called in a wrong way; 3 if a message, a store or a log is not
// authentic; 4 if no key opens it; 5 if another process uses the store.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/aws/aws-sdk-go-v2/aws"
	"golang.org/x/term"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(run(ctx, os.Args[1:], &process{
		stdin:     os.Stdin,
		stdout:    os.Stdout,
		stderr:    os.Stderr,
		getenv:    os.Getenv,
		terminal:  isTerminal,
		awsConfig: sharedAWSConfig,
	}))
}

// process is what a command knows of the world.
type process struct {
	stdin  io.Reader
	stdout io.Writer
	stderr io.Writer
	getenv func(string) string

	// terminal reports whether one of the above is a terminal.
	terminal func(stream any) bool

	// awsConfig returns the settings and credentials for AWS in a Region.
	awsConfig func(ctx context.Context, region string) (aws.Config, error)

	// started, if it is not nil, is told where a server listens.
	started func(address, admin string)
}

func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// command is one of the program's commands.
type command struct {
	name    string
	summary string
	run     func(ctx context.Context, p *process, args []string) error
}

// commands returns all commands, in the order of their help.
func commands() []command {
	return []command{
		{"encrypt", "encrypt a file or a stream", runEncrypt},
		{"decrypt", "decrypt a file or a stream", runDecrypt},
		{"inspect", "print what the header of a message says", runInspect},
		{"new", "make a key file or credentials", runNew},
		{"serve", "run a KMS", runServe},
		{"keys", "list and describe the keys in a store", runKeys},
		{"backup", "copy a store's file while it is in use, or not", runBackup},
		{"restore", "make a store's file from a backup", runRestore},
		{"verify", "check a store and an audit log", runVerify},
		{"rekey", "put a store under another root key", runRekey},
		{"migrate", "bring a store to the newest format, or to another place", runMigrate},
	}
}

// run runs the command that args begin with and returns the exit status.
func run(ctx context.Context, args []string, p *process) int {
	if len(args) == 0 {
		printCommands(p.stderr)
		return exitUsage
	}
	name, args := args[0], args[1:]
	switch {
	case name == "help" && len(args) == 1:
		name, args = args[0], []string{"-h"}
	case name == "help" || name == "-h" || name == "-help" || name == "--help":
		printCommands(p.stdout)
		return exitOK
	}
	for _, c := range commands() {
		if c.name != name {
			continue
		}
		err := c.run(ctx, p, args)
		report(p.stderr, name, err)
		return exitCode(err)
	}
	err := usagef("no command is called %q", name)
	report(p.stderr, "", err)
	return exitCode(err)
}

// report prints an error, and after one of usage where to read on.
func report(w io.Writer, name string, err error) {
	if err == nil {
		return
	}
	fmt.Fprintf(w, "sealring: %v\n", err)
	var wrong *usageError
	switch {
	case !errors.As(err, &wrong):
	case name == "":
		fmt.Fprintln(w, "See: sealring help")
	default:
		fmt.Fprintf(w, "See: sealring help %s\n", name)
	}
}

func printCommands(w io.Writer) {
	fmt.Fprint(w, "Usage: sealring COMMAND [flags] [arguments]\n\n")
	for _, c := range commands() {
		fmt.Fprintf(w, "  %-10s %s\n", c.name, c.summary)
	}
	fmt.Fprint(w, "\nsealring help COMMAND prints a command's flags.\n\n"+exitStatuses)
}
