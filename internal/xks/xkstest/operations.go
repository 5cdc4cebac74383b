package xkstest

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/sealring/sealring/internal/xks"
)

// maxBody bounds the body of a request, in bytes.
const maxBody = 64 << 10

// An exception is the name of an error that a request is answered with.
type exception string

func (e exception) Error() string { return "xkstest: " + string(e) }

// request is the body of any request. Members that are not known are ignored, as KMS
// may bring new ones; an empty value is not a missing one.
type request struct {
	Call               *xks.Call `json:"requestMetadata"`
	AAD                []byte    `json:"additionalAuthenticatedData"`
	Plaintext          []byte    `json:"plaintext"`
	Ciphertext         []byte    `json:"ciphertext"`
	CiphertextMetadata []byte    `json:"ciphertextMetadata"`
	Algorithm          string    `json:"encryptionAlgorithm"`
	IntegrityAlgorithm string    `json:"ciphertextDataIntegrityValueAlgorithm"`
	IV                 []byte    `json:"initializationVector"`
	Tag                []byte    `json:"authenticationTag"`
}

// members are the members of an answer.
type members map[string]any

func (p *Proxy) serve(w http.ResponseWriter, r *http.Request) {
	operation, keyID, err := p.route(r.URL.EscapedPath())
	if err == nil && r.Method != http.MethodPost {
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	var m members
	if err == nil {
		m, err = p.answer(r, operation, keyID)
	}
	status := http.StatusOK
	if err != nil {
		var e exception
		if !errors.As(err, &e) {
			e = xks.InternalException
		}
		status = xks.Status(string(e))
		m = members{"errorName": string(e), "errorMessage": "This text goes into a log of KMS."}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(m)
}

// route returns what a path asks for.
func (p *Proxy) route(path string) (operation, keyID string, err error) {
	rest, ok := strings.CutPrefix(path, p.Path)
	if !ok {
		return "", "", exception(xks.InvalidURIPathException)
	}
	if rest == "/health" {
		return "health", "", nil
	}
	rest, ok = strings.CutPrefix(rest, "/keys/")
	keyID, operation, found := strings.Cut(rest, "/")
	switch operation {
	case "metadata", "encrypt", "decrypt":
		if ok && found && keyID != "" {
			return operation, keyID, nil
		}
	}
	return "", "", exception(xks.InvalidURIPathException)
}

func (p *Proxy) answer(r *http.Request, operation, keyID string) (members, error) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	switch {
	case err != nil:
		return nil, err
	case len(body) > maxBody:
		return nil, exception(xks.ValidationException)
	}
	if err := p.authenticate(r, body); err != nil {
		return nil, err
	}
	q, err := parseRequest(body, operation)
	if err != nil {
		return nil, err
	}
	if p.Observe != nil {
		p.Observe(operation, keyID, *q.Call)
	}
	if operation == "health" {
		return p.health(), nil
	}
	k, ok := p.key(keyID)
	if !ok {
		return nil, exception(xks.KeyNotFoundException)
	}
	switch operation {
	case "metadata":
		return members{"keySpec": k.Spec, "keyUsage": k.Usage, "keyStatus": k.Status}, nil
	case "encrypt":
		return p.encrypt(&k, q)
	default:
		return decrypt(&k, q)
	}
}

// parseRequest reads a request and checks what all of the operation have in common.
func parseRequest(body []byte, operation string) (*request, error) {
	q := new(request)
	if err := json.Unmarshal(body, q); err != nil {
		return nil, exception(xks.ValidationException)
	}
	c := q.Call
	uses := operation == "encrypt" || operation == "decrypt"
	switch {
	case c == nil, c.Operation == "", c.RequestID == "",
		operation != "health" && c.PrincipalARN == "",
		uses && (c.KeyARN == "" || q.Algorithm != "AES_GCM"):
		return nil, exception(xks.ValidationException)
	case len(q.AAD) > xks.MaxAAD, len(q.Plaintext) > xks.MaxPlaintext, len(q.Ciphertext) > xks.MaxPlaintext:
		return nil, exception(xks.UnsupportedOperationException)
	}
	return q, nil
}

func (p *Proxy) health() members {
	p.mu.Lock()
	defer p.mu.Unlock()
	var managers []members
	for i, state := range p.managers {
		managers = append(managers, members{
			"id": fmt.Sprintf("manager-%d", i+1), "model": "Map 1.0", "healthStatus": state,
		})
	}
	return members{
		"xksProxyFleetSize": 1,
		"xksProxyVendor":    "Sealring",
		"xksProxyModel":     "xkstest 1.0",
		"ekmVendor":         "Sealring",
		"ekmFleetDetails":   managers,
	}
}

func (p *Proxy) encrypt(k *key, q *request) (members, error) {
	if q.Plaintext == nil || q.IntegrityAlgorithm != "" && q.IntegrityAlgorithm != "SHA_256" {
		return nil, exception(xks.ValidationException)
	}
	if err := k.check(xks.UsageEncrypt); err != nil {
		return nil, err
	}
	metadata, iv, ciphertext, tag := k.seal(q.Plaintext, q.AAD, p.IVSize)
	m := members{
		"ciphertext":           ciphertext,
		"ciphertextMetadata":   metadata,
		"initializationVector": iv,
		"authenticationTag":    tag,
	}
	if q.IntegrityAlgorithm == "" {
		return m, nil
	}
	// The value is computed before what it vouches for is tried, not after, so that
	// nothing can be damaged in between (specification, Appendix C).
	sum := sha256.Sum256(bytes.Join([][]byte{q.AAD, metadata, iv, ciphertext, tag}, nil))
	if _, err := k.open(metadata, iv, ciphertext, tag, q.AAD); err != nil {
		return nil, exception(xks.InternalException)
	}
	m["ciphertextDataIntegrityValue"] = sum[:]
	return m, nil
}

func decrypt(k *key, q *request) (members, error) {
	switch {
	case q.Ciphertext == nil, q.IV == nil, q.Tag == nil:
		return nil, exception(xks.ValidationException)
	case len(q.IV) != 12 && len(q.IV) != 16, len(q.Tag) != 16, len(q.CiphertextMetadata) > 20:
		return nil, exception(xks.ValidationException)
	}
	if err := k.check(xks.UsageDecrypt); err != nil {
		return nil, err
	}
	plaintext, err := k.open(q.CiphertextMetadata, q.IV, q.Ciphertext, q.Tag, q.AAD)
	if err != nil {
		return nil, err
	}
	return members{"plaintext": append([]byte{}, plaintext...)}, nil // "" and not null
}
