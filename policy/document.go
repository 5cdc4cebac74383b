package policy

// Kind is what a policy document is attached to. It decides which elements the
// document may have. The zero value is no kind.
type Kind uint8

// The kinds of policy documents.
const (
	_               Kind = iota
	KeyPolicy            // of a KMS key
	Identity             // of a user, group or role
	Boundary             // permissions boundary of a user or role
	Session              // of a role session or federated user
	SCP                  // service control policy of an organization
	RCP                  // resource control policy of an organization
	SecretPolicy         // of a secret
	ParameterPolicy      // of a parameter
	Trust                // of a role: who may assume it
	VPCEndpoint          // of a VPC endpoint
)

// Effect is what a statement does to the requests that it matches.
type Effect uint8

// The two effects.
const (
	Allow Effect = iota + 1
	Deny
)

// Document is a parsed policy. Everything in it is as it was written: nothing is
// expanded, folded or sorted. It is not changed by this package after [Parse].
type Document struct {
	Kind       Kind
	Version    string // "2012-10-17", "2008-10-17", or "" if absent
	ID         string
	Statements []Statement
}

// Statement is one statement of a document. Of each pair such as Action and
// NotAction at most one is not nil; an element that is present but empty is not
// nil.
type Statement struct {
	Sid          string
	Effect       Effect
	Principal    *Principals
	NotPrincipal *Principals
	Action       []string
	NotAction    []string
	Resource     []string
	NotResource  []string
	Conditions   []Condition // in the order of the document

	// Start and End delimit the statement in the document.
	Start, End Position
}

// Principals is the value of a Principal or NotPrincipal element.
type Principals struct {
	// Any is set for "*" without a type.
	Any     bool
	Entries []Principal
}

// Principal is one entry of a Principal or NotPrincipal element.
type Principal struct {
	Type  string // "AWS", "Service", "Federated" or "CanonicalUser"
	Value string
}

// Condition is one condition key under one operator, with the values that it is
// compared with. Values written as numbers or booleans are kept as their text.
type Condition struct {
	Operator string // as written, such as "ForAnyValue:StringLikeIfExists"
	Key      string // as written, such as "kms:ViaService"
	Values   []string
	Position Position
}

// Position is a place in a document. Line and Column start at 1; a column counts
// bytes.
type Position struct{ Offset, Line, Column int }
