// Package integration tests sealring with programs that are not its own. It is a
// module apart, and nothing in it is imported.
//
// The tests need the AWS CLI (on Debian: apt-get install awscli) and the go command,
// and use no network but the loopback interface. They fail where the CLI is not
// installed:
//
//	cd integration && go test ./...
package integration
