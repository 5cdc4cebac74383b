// Package integration tests sealring with programs and libraries that are not its own,
// AWS's Encryption SDK for Go among them, and with test vectors of Project Wycheproof. It
// is a module apart, and nothing in it is imported.
//
// The tests need the AWS CLI, the openssl command and Ruby with the AWS SDK (on Debian:
// apt-get install awscli openssl ruby ruby-aws-sdk-s3 ruby-aws-sdk-kms) and the go command,
// and use no network but the loopback interface. They fail where the CLI is not installed,
// and in CI where openssl or Ruby is not:
//
//	cd integration && go test ./...
//
// Those of s3crypto run against VersityGW, an S3 server over a file system, which has to be
// in PATH or where .ci/run installs it; without it they are skipped, and fail in CI. It
// keeps metadata in extended attributes, so the folder for temporary files must have them.
// To install it:
//
//	go install github.com/versity/versitygw/cmd/versitygw@v1.8.0
//
// SEALRING_DYNAMODB may be the URL of a server that speaks DynamoDB with transactions,
// such as DynamoDB local or moto; without it the test of branch key tables there is
// skipped.
package integration
