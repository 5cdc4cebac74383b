package kms

import (
	"context"

	"github.com/sealring/sealring/identity"
)

// anyOperation is an operation without its types.
type anyOperation interface {
	operationName() string
	isReadOnly() bool
	readsSharedKeys() bool
	emptyBody() bool
	newInput() any
	decide(r *request, in any) (any, error)
}

func (o *operation[I, O]) operationName() string { return o.name }
func (o *operation[I, O]) isReadOnly() bool      { return o.readOnly }
func (o *operation[I, O]) readsSharedKeys() bool { return o.sharesKeys }
func (o *operation[I, O]) emptyBody() bool       { return o.noBody }
func (o *operation[I, O]) newInput() any         { return new(I) }

// table holds every operation of the API, sorted by name.
var table = []anyOperation{
	cancelKeyDeletion,
	connectCustomKeyStore,
	createAlias,
	createCustomKeyStore,
	createGrant,
	createKey,
	decapsulate,
	decrypt,
	deleteAlias,
	deleteCustomKeyStore,
	deleteImportedKeyMaterial,
	deriveSharedSecret,
	describeCustomKeyStores,
	describeKey,
	disableKey,
	disableKeyRotation,
	disconnectCustomKeyStore,
	enableKey,
	enableKeyRotation,
	encapsulate,
	encrypt,
	generateDataKey,
	generateDataKeyPair,
	generateDataKeyPairWithoutPlaintext,
	generateDataKeyWithoutPlaintext,
	generateMac,
	generateRandom,
	getKeyLastUsage,
	getKeyPolicy,
	getKeyRotationStatus,
	getParametersForImport,
	getPublicKey,
	importKeyMaterial,
	listAliases,
	listGrants,
	listKeyPolicies,
	listKeyRotations,
	listKeys,
	listResourceTags,
	listRetirableGrants,
	putKeyPolicy,
	reEncrypt,
	replicateKey,
	retireGrant,
	revokeGrant,
	rotateKeyOnDemand,
	scheduleKeyDeletion,
	sign,
	tagResource,
	untagResource,
	updateAlias,
	updateCustomKeyStore,
	updateKeyDescription,
	updatePrimaryRegion,
	verify,
	verifyMac,
}

// byName has the operations of the table. It is never changed.
var byName = func() map[string]anyOperation {
	all := make(map[string]anyOperation, len(table))
	for _, op := range table {
		all[op.operationName()] = op
	}
	return all
}()

// Operation is one operation of the API, for code that carries requests to a
// [Service] by name: an HTTP endpoint, the SDK's middleware.
type Operation struct{ op anyOperation }

// Operations returns every operation that the engine offers, sorted by name.
func Operations() []Operation {
	all := make([]Operation, len(table))
	for i, op := range table {
		all[i] = Operation{op}
	}
	return all
}

// LookupOperation returns the operation with the given name, such as "Encrypt".
func LookupOperation(name string) (Operation, bool) {
	op, ok := byName[name]
	return Operation{op}, ok
}

// Name returns the operation's name, such as "Encrypt".
func (o Operation) Name() string { return o.op.operationName() }

// NewInput returns a pointer to a new, empty Input struct of the SDK.
func (o Operation) NewInput() any { return o.op.newInput() }

// EmptyBody reports whether AWS answers a success with no body at all, instead of
// an object.
func (o Operation) EmptyBody() bool { return o.op.emptyBody() }

// Invoke has the engine answer one request. in is a pointer to the operation's
// Input struct, and out to its Output struct. requestID identifies the request in
// the audit records, whether it succeeded or not.
//
// in belongs to the engine: the audit record refers to its encryption context, so that
// nobody may change it, not even later.
func (s *Service) Invoke(ctx context.Context, c identity.Caller, o Operation, in any) (out any, requestID string, err error) {
	r := s.newRequest(o.op, c)
	r.ownsInput = true
	return r.invoke(ctx, in)
}

// invoke serves the request and releases it.
func (r *request) invoke(ctx context.Context, in any) (out any, requestID string, err error) {
	out, err = r.serve(ctx, in)
	if err == nil {
		r.publish(ctx)
	}
	requestID = r.id
	r.release()
	return out, requestID, err
}
