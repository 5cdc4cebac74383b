// Package xks speaks to external key store proxies: it is the side of KMS in the
// AWS KMS External Key Store Proxy API, version 1, whose specification (1.0.2) is
// published as github.com/aws/aws-kms-xksproxy-api-spec.
//
// A [Proxy] names a proxy, the credential that requests to it are signed with, and
// the http.RoundTripper that carries them. There is no default transport: nothing
// leaves the process unless the caller provides the way. Redirects are not
// followed, and whether there is an HTTP proxy in between is up to the transport.
//
// The four operations are [Proxy.Health], [Proxy.Metadata], [Proxy.Encrypt] and
// [Proxy.Decrypt]. Each is one request without a retry, and is given up after
// [DefaultTimeout], connecting included. What a proxy answers is not trusted: its
// length is bounded, its JSON is read strictly, and everything that the
// specification says about a member is checked.
//
// KMS encrypts twice. It passes on to the proxy what it has encrypted under its own
// key material; that inner layer is the caller's part, and this package never asks
// for it. An outer layer that cannot be trusted therefore reveals nothing.
//
// Package xkstest has a proxy to test with.
package xks
