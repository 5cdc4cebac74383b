// Package keyring wraps and unwraps the data keys of envelope encryption.
//
// A [Keyring] holds or reaches wrapping keys: [RawAES], [RawRSA], the raw ECDH
// keyrings ([RawECDHStatic], [RawECDHEphemeral], [RawECDHDiscovery]) and [HPKE] keep
// them in memory, keyring/awskms asks AWS KMS or the local engine, keyring/branchkey
// derives them from branch keys that are kept in a table, [Multi] joins
// several so that each of them can decrypt, [Failover] several so that one which can
// be reached suffices. A [Manager], made from a keyring with [NewManager], supplies
// the materials of each message; packages such as envelope take a manager and do the
// rest:
//
//	ring, err := keyring.NewRawAES("fleet", "2026-01", wrappingKey)
//	m := keyring.NewManager(ring)
//	message, err := envelope.Encrypt(ctx, m, plaintext, nil)
//
// Managers can be stacked. A [Caching] asks the one below it once for many messages,
// and a [RequiredContext] insists that whoever encrypts and decrypts names, say, the tenant:
//
//	caching, err := keyring.NewCaching(m, keyring.CachingOptions{MaxAge: 5 * time.Minute})
//	m, err = keyring.NewRequiredContext(caching, "tenant")
//
// For many tenants, use one of these to keep them apart, from the strongest to the
// cheapest: a wrapping key for each tenant, with a manager and cache partition of its own;
// a branch key for each; a pair of the encryption context that is required, which costs
// nothing. Only the first lets one tenant's data be destroyed by destroying a key, as
// examples/tenants in this module shows.
//
// What is done, and how long it takes, [Hooks] see.
//
// The terms and formats are those of the AWS Encryption SDK specification
// ("framework"), so that data keys wrapped here can be unwrapped by AWS's own
// libraries and the other way round; [HPKE], the post-quantum keyring, is an extension
// that only this module reads.
//
// The package imports the standard library only. Nothing in it logs, and no
// error or printed value holds key bytes.
package keyring
