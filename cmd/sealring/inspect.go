package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"sort"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/sealring/sealring/envelope"
)

const inspectText = `
Prints what the header of FILE, or of standard input, says: the algorithm suite, the
encryption context, and which keys decrypt the message. No key is needed, and nothing of
it is verified: whoever could change the message could make it say anything.
`

// header is the header of a message as inspect prints it.
type header struct {
	Authentic   bool              `json:"authentic"` // never
	Version     int               `json:"version"`
	Suite       string            `json:"suite"`
	SuiteName   string            `json:"suiteName"`
	Committing  bool              `json:"committing"`
	Signed      bool              `json:"signed"`
	MessageID   string            `json:"messageId"`
	Context     map[string]string `json:"encryptionContext"`
	DataKeys    []dataKey         `json:"encryptedDataKeys"`
	FrameLength uint32            `json:"frameLength"` // 0: not framed
	Length      int               `json:"headerLength"`
	Message     *int64            `json:"messageLength,omitempty"`
	Plaintext   *int64            `json:"plaintextLength,omitempty"`
}

// dataKey is an encrypted data key as inspect prints it.
type dataKey struct {
	Provider string `json:"provider"`
	Info     string `json:"info"` // text, or hexadecimal behind "hex:"
	Length   int    `json:"length"`
}

// runInspect is sealring inspect.
func runInspect(ctx context.Context, p *process, args []string) error {
	var asJSON bool
	f := p.flags("inspect", "[flags] [FILE]", inspectText)
	f.BoolVar(&asJSON, "json", false, "print JSON")
	if help, err := f.parse(args, 1); help || err != nil {
		return err
	}
	in, err := p.open(ctx, f.arg(0))
	if err != nil {
		return err
	}
	defer in.close()
	read, err := envelope.ReadHeader(in, nil)
	if err != nil {
		return err
	}
	h := describeHeader(read, in.size)
	if asJSON {
		return printJSON(p.stdout, h)
	}
	return h.print(p.stdout)
}

// describeHeader makes of a header what is printed. size is the message's length, -1 if
// it is not known.
func describeHeader(read *envelope.Header, size int64) *header {
	h := &header{
		Version:     read.Version,
		Suite:       fmt.Sprintf("%04x", uint16(read.Suite)),
		SuiteName:   read.Suite.String(),
		Committing:  read.Suite.Committing(),
		Signed:      read.Suite.Signed(),
		MessageID:   hex.EncodeToString(read.MessageID),
		Context:     read.Context,
		FrameLength: read.FrameLength,
		Length:      read.Length(),
		DataKeys:    []dataKey{},
	}
	if h.Context == nil {
		h.Context = map[string]string{}
	}
	for _, k := range read.EncryptedDataKeys {
		h.DataKeys = append(h.DataKeys, dataKey{k.Provider, infoText(k.Info), len(k.Ciphertext)})
	}
	if size >= 0 {
		h.Message = &size
		if n, ok := plaintextLength(read, size); ok {
			h.Plaintext = &n
		}
	}
	return h
}

// plaintextLength returns the length of the plaintext in a framed message of size bytes;
// ok is false if this module's writer does not make messages of that size.
func plaintextLength(h *envelope.Header, size int64) (n int64, ok bool) {
	if h.FrameLength == 0 {
		return 0, false
	}
	longer := func(n int64) bool {
		made, err := envelope.EncryptedSize(h.Length(), h.Suite, int(h.FrameLength), n)
		return err != nil || made >= size
	}
	// The least plaintext whose message is not shorter.
	found := int64(sort.Search(int(min(size, 1<<62)), func(i int) bool { return longer(int64(i)) }))
	made, err := envelope.EncryptedSize(h.Length(), h.Suite, int(h.FrameLength), found)
	return found, err == nil && made == size
}

// infoText returns a data key's provider info as text if it is some.
func infoText(b []byte) string {
	unprintable := func(r rune) bool { return !unicode.IsPrint(r) }
	if !utf8.Valid(b) || strings.ContainsFunc(string(b), unprintable) {
		return "hex:" + hex.EncodeToString(b)
	}
	return string(b)
}

func (h *header) print(w io.Writer) error {
	b := &strings.Builder{}
	row := func(name, format string, args ...any) {
		fmt.Fprintf(b, "%-18s %s\n", name, fmt.Sprintf(format, args...))
	}
	row("message", "version %d, id %s", h.Version, h.MessageID)
	row("suite", "%s %s", h.Suite, h.SuiteName)
	if h.FrameLength == 0 {
		row("body", "in one piece")
	} else {
		row("body", "frames of %d bytes", h.FrameLength)
	}
	row("header", "%d bytes", h.Length)
	if h.Message != nil {
		row("length", "%d bytes", *h.Message)
	}
	if h.Plaintext != nil {
		row("plaintext", "%d bytes", *h.Plaintext)
	}
	for _, key := range slices.Sorted(maps.Keys(h.Context)) {
		row("context", "%q = %q", key, h.Context[key])
	}
	for _, k := range h.DataKeys {
		row("data key", "%q %q, %d bytes", k.Provider, k.Info, k.Length)
	}
	b.WriteString("Nothing of this has been verified.\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// printJSON prints a value as JSON, indented.
func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}
