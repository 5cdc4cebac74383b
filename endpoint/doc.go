// Package endpoint answers HTTP in AWS's wire protocol, so that every AWS SDK and
// the AWS CLI can use the local cloud.
//
// [New] returns an http.Handler that speaks AWS JSON 1.1 and verifies AWS Signature
// Version 4 against registered [AccessKeys]. Each access key stands for one
// [identity.Caller]; the Region is the one that the request was signed for:
//
//	keys := &endpoint.AccessKeys{}
//	id, secret := keys.Create(identity.Root("111122223333", "us-east-1"))
//	h, err := endpoint.New(endpoint.Config{KMS: service, Keys: keys})
//	server := httptest.NewServer(h)
//
// [Transport] carries requests to a handler without a network, for clients that
// take an http.RoundTripper.
//
// [AccessKeys.CreateSession] makes temporary credentials, whose requests give a
// session token.
//
// A request may also be presigned: its signature then stands in the query, and
// whoever is given its URL, headers and body can make it, as often as they like,
// until it expires. Body and X-Amz-* headers are signed like the rest, so a presigned
// request is one operation with one input. With the SDK's signer:
//
//	signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableHeaderHoisting = true })
//	uri, header, err := signer.PresignHTTP(ctx, creds, r, bodyHash, "kms", region, time.Now())
//
// where r is a POST to / with an X-Amz-Target header and X-Amz-Expires in its query.
// X-Amz-Target has to stay a header, which is what DisableHeaderHoisting is for.
//
// [Limits] bounds what a handler does for its clients. Slow and idle connections
// are for the http.Server that it is mounted in: [Server] makes one that holds up
// against them. A handler that others can reach should not be in a server without
// timeouts.
package endpoint
