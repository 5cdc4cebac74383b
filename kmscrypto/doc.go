// Package kmscrypto lets code that knows nothing of KMS use its asymmetric keys,
// through the interfaces of the standard library: a [Signer] for x509, TLS, SSH and
// JSON Web Tokens, a [Decrypter] for RSA-OAEP, [ECDH] for key agreement and [KEM] for
// ML-KEM.
//
//	signer, err := kmscrypto.NewSigner(ctx, client, "alias/tls", nil)
//	chain, err := x509.CreateCertificate(nil, template, parent, signer.Public(), issuer)
//	certificate := tls.Certificate{Certificate: [][]byte{chain}, PrivateKey: signer}
//
// The client is a *kms.Client of aws-sdk-go-v2, a client of the local engine, or
// anything else with the methods that a constructor asks for. A constructor fetches
// the public key once and keeps to the key that it found: an alias that is moved
// later does not change an adapter. Every private operation is one request.
//
// # Contexts
//
// The methods of the standard interfaces take no context. They run under
// context.Background, bounded by the client's own timeouts; each adapter's
// WithContext makes a cheap copy that runs under another one, such as that of a TLS
// handshake.
//
// # What is checked
//
// What a key cannot do is an [ErrRequest] before anything is sent. A response has to
// name the key and the algorithm that were asked for. Signatures of RSA, ECDSA
// and Ed25519 keys are also verified under the cached public key before they are let
// out, which costs little beside the request.
//
// The public key itself is believed: whoever answers GetPublicKey says which key it
// is. Compare [Signer.Public], or the DER encoding, with what is known if the client
// is not to be trusted so far.
//
// The adapters are immutable and safe for concurrent use if the client is.
package kmscrypto
