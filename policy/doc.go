// Package policy reads, checks and evaluates AWS policy documents: key policies,
// identity policies, permissions boundaries, session policies, organization
// policies, and the policies of secrets, parameters, roles and VPC endpoints.
//
// It is pure. Nothing in it does I/O, reads a clock or keeps state, and
// everything that it returns may be shared by goroutines as long as nobody
// changes it.
//
// [Parse] reads one document. What the AWS API for that kind of policy refuses is
// a [*ParseError] with the exception's name and, where it is known, the text that
// AWS sends. What AWS accepts but is probably not meant is a [Finding], named as
// the checks of IAM Access Analyzer are. Both say where in the document, as a
// byte offset, a line and column, and a JSON pointer. [Print] writes a document
// that parses to the same [Document].
//
// [Compile] turns a Document into a [Policy] once; [Decide] and [Explain] then
// answer requests against any number of policies.
//
// The package does not know which principals, keys or actions exist: a policy for
// a user that was never created is accepted and simply never matches. AWS checks
// that the principals in a key policy exist; a caller that has a directory of
// principals can do the same over [Statement.Principal].
package policy
