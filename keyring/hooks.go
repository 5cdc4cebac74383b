package keyring

import "context"

// Hooks are told of the three kinds of work that a message takes: on data keys, on
// data, and in caches. Any of them may be nil. They are attached to a context, so
// they see what is done under it, whatever keyrings and managers take part:
//
//	ctx = keyring.WithHooks(ctx, &keyring.Hooks{
//		KeyWrapping: func(ctx context.Context, w keyring.KeyWrapping) (context.Context, keyring.KeyWrappingEnd) {
//			ctx, span := tracer.Start(ctx, "data key "+string(w.Operation))
//			return ctx, func(k keyring.EncryptedDataKey, err error) {
//				span.SetAttributes(attribute.String("key", string(k.Info)))
//				if err != nil {
//					span.SetStatus(codes.Error, err.Error())
//				}
//				span.End()
//			}
//		},
//		Cache: func(ctx context.Context, l keyring.CacheLookup) {
//			lookups.Add(ctx, 1, metric.WithAttributes(attribute.String("outcome", string(l.Outcome))))
//		},
//	})
//
// Each is called in the goroutine that does the work, which waits for it, and several
// may run at a time. What a cache loads is told to the hooks of the request that began
// the load, even after that request was given up, if others wait for it too. What hooks
// return must not be nil. No hook is given a key in the clear
// or plaintext. Without hooks, the price of all this is to look for them in the context.
type Hooks struct {
	// KeyWrapping is called before one data key is wrapped, generated or unwrapped
	// by one wrapping key, and what it returns when that is done. The work is done
	// under the returned context, so that the spans of requests to a key service
	// become its children.
	KeyWrapping func(ctx context.Context, w KeyWrapping) (context.Context, KeyWrappingEnd)

	// Data is called before a message is encrypted or decrypted, and what it returns
	// when that is done or given up. The work, that on the message's data keys
	// included, is done under the returned context.
	Data func(ctx context.Context, w DataWork) (context.Context, DataWorkEnd)

	// Cache is called when a cache of keys has been asked.
	Cache func(ctx context.Context, l CacheLookup)
}

// Operation says what work hooks are told of.
type Operation string

// The operations of [KeyWrapping], [DataWork] and [CacheLookup].
const (
	OpWrap     Operation = "wrap"     // a data key is encrypted
	OpGenerate Operation = "generate" // a key service makes a data key and encrypts it
	OpUnwrap   Operation = "unwrap"   // an encrypted data key is decrypted
	OpEncrypt  Operation = "encrypt"  // a message is encrypted
	OpDecrypt  Operation = "decrypt"  // a message is decrypted
)

// KeyWrapping is work on one encrypted data key.
type KeyWrapping struct {
	// Operation is OpWrap, OpGenerate or OpUnwrap.
	Operation Operation
	// Key is the encrypted data key that is to be unwrapped. It is zero when one is
	// to be made: the end tells. Its bytes must not be changed.
	Key EncryptedDataKey
}

// KeyWrappingEnd is told how the work on one encrypted data key has ended: with k,
// whose bytes must not be changed, or with an error and what is known of k.
type KeyWrappingEnd func(k EncryptedDataKey, err error)

// DataWork is work on one message.
type DataWork struct {
	// Operation is OpEncrypt or OpDecrypt.
	Operation Operation
	// Length is the length of the plaintext in bytes, or -1 if it is not known.
	Length int64
}

// DataWorkEnd is told how many bytes of plaintext were encrypted or given out, and
// the error, if any.
type DataWorkEnd func(n int64, err error)

// CacheLookup is one question to a cache.
type CacheLookup struct {
	// Cache says which: "caching manager" for a [Caching], "branch keys" for the
	// keyring of package branchkey.
	Cache string
	// Operation is what the answer is for: OpEncrypt or OpDecrypt for the materials
	// of a message, OpWrap or OpUnwrap for a wrapping key.
	Operation Operation
	// Outcome is what came of it.
	Outcome CacheOutcome
}

// CacheOutcome is what came of a question to a cache.
type CacheOutcome string

// The outcomes of a [CacheLookup].
const (
	CacheHit    CacheOutcome = "hit"    // the cache had the answer
	CacheMiss   CacheOutcome = "miss"   // the answer had to be loaded, or waited for
	CacheBypass CacheOutcome = "bypass" // the answer must not be cached
	CacheSpent  CacheOutcome = "spent"  // the cache's answer has reached a limit of use and was dropped; another outcome follows
)

type hooksKey struct{}

// WithHooks returns a context under which h is told of the work that is done. It
// takes the place of other hooks; one that shall call those finds them with
// [HooksFrom]. h is kept and must not be changed.
func WithHooks(ctx context.Context, h *Hooks) context.Context {
	return context.WithValue(ctx, hooksKey{}, h)
}

// HooksFrom returns the hooks that ctx carries, or nil.
func HooksFrom(ctx context.Context) *Hooks {
	h, _ := ctx.Value(hooksKey{}).(*Hooks)
	return h
}

// BeginData tells ctx's hooks, if there are any, of work on a message, and returns
// the context to do it under and a function to call, once, at its end.
func BeginData(ctx context.Context, w DataWork) (context.Context, DataWorkEnd) {
	if h := HooksFrom(ctx); h != nil && h.Data != nil {
		return h.Data(ctx, w)
	}
	return ctx, func(int64, error) {}
}

// BeginKeyWrapping tells ctx's hooks, if there are any, of work on a data key, and
// returns the context to do it under and a function to call, once, at its end.
// [Wrap] and [Unwrap] do this.
func BeginKeyWrapping(ctx context.Context, w KeyWrapping) (context.Context, KeyWrappingEnd) {
	if h := HooksFrom(ctx); h != nil && h.KeyWrapping != nil {
		return h.KeyWrapping(ctx, w)
	}
	return ctx, func(EncryptedDataKey, error) {}
}

// ReportCache tells ctx's hooks, if there are any, of a question to a cache.
func ReportCache(ctx context.Context, l CacheLookup) {
	if h := HooksFrom(ctx); h != nil && h.Cache != nil {
		h.Cache(ctx, l)
	}
}
