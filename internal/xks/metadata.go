package xks

import "context"

// What KMS requires of an external key.
const (
	AES256       = "AES_256" // its spec
	UsageEncrypt = "ENCRYPT" // its usage, of which both are needed
	UsageDecrypt = "DECRYPT"
	Enabled      = "ENABLED"  // its status
	Disabled     = "DISABLED" // the other one
)

// maxUsages is how many usages a proxy may list.
const maxUsages = 10

// Metadata describes an external key. All texts are printable ASCII.
type Metadata struct {
	Spec   string   // AES256, or that of a key that KMS cannot use
	Usage  []string // UsageEncrypt, UsageDecrypt and others that KMS has no use for
	Status string   // Enabled or Disabled
}

// Metadata asks the proxy about the external key (GetKeyMetadata). It returns an
// *Error or one of the package's other errors, but leaves it to the caller whether
// the key will do.
func (p *Proxy) Metadata(ctx context.Context, keyID string, c Call) (Metadata, error) {
	if err := c.check(true, false); err != nil {
		return Metadata{}, err
	}
	a, err := p.ask(ctx, keyID, "metadata", struct {
		Call Call `json:"requestMetadata"`
	}{c})
	if err != nil {
		return Metadata{}, err
	}
	return a.metadata()
}

func (a *answer) metadata() (Metadata, error) {
	m := Metadata{
		Spec:   a.word("keySpec"),
		Status: a.oneOf("keyStatus", Enabled, Disabled),
	}
	const list = "keyUsage"
	if a.required(list, &m.Usage); len(m.Usage) > maxUsages {
		a.fail(list, "has too many entries")
	}
	for _, u := range m.Usage {
		if !isWord(u) { // nor is null, which has become an empty string
			a.fail(list, "has an entry that is not a word")
		}
	}
	if a.err != nil {
		return Metadata{}, a.err
	}
	return m, nil
}
