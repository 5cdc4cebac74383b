package nitro_test

import (
	"bytes"
	"crypto/elliptic"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"maps"
	"math"
	"math/big"
	"slices"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"
	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/nitro"
)

func TestVerifyReturnsWhatTheDocumentSays(t *testing.T) {
	t.Parallel()
	h := shared()
	document := h.document(t, h.fields())
	want := &nitro.Document{
		ModuleID:  "i-0123456789abcdef0-enc0123456789abcdef",
		Digest:    "SHA384",
		Timestamp: now,
		PCRs:      map[int][]byte{0: make([]byte, 48), 4: {31: 4}, 31: {63: 31}},
		PublicKey: []byte("a public key"),
		UserData:  []byte("user data"),
		Nonce:     []byte("nonce"),
	}
	got, err := h.verifier().Verify(document)
	require.NoError(t, err)
	require.Equal(t, want, got)

	got, err = h.verifier().Verify(append([]byte{0xd2}, document...))
	require.NoError(t, err, "with CBOR tag 18")
	require.Equal(t, want, got)

	clear(document)
	require.Equal(t, want, got, "the document's bytes are not kept")
}

// Older hypervisors leave out nothing and write null, newer ones write maps of
// indefinite length.
func TestVerifyReadsEveryWayToWriteAPayload(t *testing.T) {
	t.Parallel()
	h := shared()
	optional := []string{"public_key", "user_data", "nonce"}
	for name, edit := range map[string]func(map[string]any){
		"null": func(f map[string]any) {
			for _, k := range optional {
				f[k] = nil
			}
		},
		"left out": func(f map[string]any) {
			for _, k := range optional {
				delete(f, k)
			}
		},
	} {
		fields := h.fields()
		edit(fields)
		d, err := h.verifier().Verify(h.document(t, fields))
		require.NoError(t, err, name)
		require.Nil(t, d.PublicKey, name)
		require.Nil(t, d.UserData, name)
		require.Nil(t, d.Nonce, name)
	}

	fields := h.fields()
	fields["user_data"], fields["nonce"] = []byte{}, []byte{}
	d, err := h.verifier().Verify(h.document(t, fields))
	require.NoError(t, err)
	require.Equal(t, [][]byte{{}, {}}, [][]byte{d.UserData, d.Nonce}, "empty is not absent")

	d, err = h.verifier().Verify(h.sign(t, es384, indefinite(t, h.fields())))
	require.NoError(t, err)
	require.Equal(t, []byte("nonce"), d.Nonce)
}

// indefinite returns the fields as a map of indefinite length, with one inside.
func indefinite(t testing.TB, fields map[string]any) []byte {
	pcrs := []byte{0xbf}
	for k, v := range fields["pcrs"].(map[int][]byte) {
		pcrs = append(append(pcrs, encode(t, k)...), encode(t, v)...)
	}
	fields["pcrs"] = cbor.RawMessage(append(pcrs, 0xff))
	out := []byte{0xbf}
	for k, v := range fields {
		out = append(append(out, encode(t, k)...), encode(t, v)...)
	}
	return append(out, 0xff)
}

func TestVerifyTakesFieldsUpToTheirBounds(t *testing.T) {
	t.Parallel()
	h := shared()
	registers := map[int][]byte{}
	for i := range 32 {
		registers[i] = make([]byte, []int{32, 48, 64}[i%3])
	}
	fields := h.fields()
	fields["pcrs"] = registers
	fields["public_key"] = make([]byte, 1024)
	fields["user_data"] = make([]byte, 512)
	fields["nonce"] = make([]byte, 512)
	d, err := h.verifier().Verify(h.document(t, fields))
	require.NoError(t, err)
	require.Equal(t, registers, d.PCRs)
	require.Len(t, d.PublicKey, 1024)
}

func TestVerifyRefusesFields(t *testing.T) {
	t.Parallel()
	h := shared()
	const wrongType = "wrong type"
	register := make([]byte, 48)
	many := map[int][]byte{}
	for i := range 33 {
		many[i] = register
	}
	for _, c := range []struct {
		name, field string
		value       any // nil is null, absent leaves the field out
		reason      string
	}{
		{"module_id absent", "module_id", absent{}, "module_id"},
		{"module_id null", "module_id", nil, "module_id"},
		{"module_id empty", "module_id", "", "module_id"},
		{"module_id of bytes", "module_id", []byte("i-0"), wrongType},
		{"module_id a number", "module_id", 1, wrongType},
		{"module_id not UTF-8", "module_id", cbor.RawMessage("\x62\xff\xfe"), "not well-formed"},
		{"digest absent", "digest", absent{}, "digest"},
		{"digest null", "digest", nil, "digest"},
		{"digest in lower case", "digest", "sha384", "digest"},
		{"digest another", "digest", "SHA512", "digest"},
		{"digest of bytes", "digest", []byte("SHA384"), wrongType},
		{"timestamp absent", "timestamp", absent{}, "timestamp"},
		{"timestamp null", "timestamp", nil, "timestamp"},
		{"timestamp zero", "timestamp", 0, "timestamp"},
		{"timestamp negative", "timestamp", -now.UnixMilli(), "timestamp"},
		{"timestamp a float", "timestamp", float64(now.UnixMilli()), "timestamp"},
		{"timestamp a text", "timestamp", "2026", "timestamp"},
		{"timestamp a simple value", "timestamp", cbor.SimpleValue(200), "timestamp"},
		{"timestamp over 63 bits", "timestamp", uint64(math.MaxInt64) + 1, "timestamp"},
		{"timestamp far away", "timestamp", uint64(math.MaxInt64), "ahead"},
		{"timestamp tagged", "timestamp", cbor.Tag{Number: 1, Content: 5}, "not well-formed"},
		{"timestamp a bignum", "timestamp", *new(big.Int).Lsh(big.NewInt(1), 64), "not well-formed"},
		{"pcrs absent", "pcrs", absent{}, "pcrs"},
		{"pcrs null", "pcrs", nil, "pcrs"},
		{"pcrs empty", "pcrs", map[int][]byte{}, "pcrs"},
		{"pcrs a list", "pcrs", [][]byte{register}, wrongType},
		{"pcrs over 32", "pcrs", many, "not well-formed"},
		{"pcrs index 32", "pcrs", map[int][]byte{32: register}, "index"},
		{"pcrs index huge", "pcrs", map[uint64][]byte{math.MaxUint64: register}, "index"},
		{"pcrs index negative", "pcrs", map[int][]byte{-1: register}, "index"},
		{"pcrs index a text", "pcrs", map[string][]byte{"0": register}, "index"},
		{"pcrs index null", "pcrs", cbor.RawMessage("\xa1\xf6\x58\x30" + string(register)), "index"},
		{"pcrs index a float", "pcrs", map[float64][]byte{1: register}, "index"},
		{"pcrs index of bytes", "pcrs", cbor.RawMessage("\xa1\x41\x00\x58\x30" + string(register)), "index"},
		{"pcrs index twice", "pcrs", cbor.RawMessage("\xa2\x00\x58\x30" + string(register) + "\x00\x58\x30" + string(register)), "twice"},
		{"pcrs index twice, in two forms", "pcrs", cbor.RawMessage("\xa2\x01\x58\x30" + string(register) + "\x18\x01\x58\x30" + string(register)), "twice"},
		{"register null", "pcrs", map[int]any{0: nil}, "register 0 has 0"},
		{"register of text", "pcrs", map[int]string{0: string(register)}, wrongType},
		{"register of numbers", "pcrs", map[int][]int{0: make([]int, 16)}, wrongType},
		{"register of 31 bytes", "pcrs", map[int][]byte{0: make([]byte, 31)}, "register 0 has 31"},
		{"register of 47 bytes", "pcrs", map[int][]byte{3: make([]byte, 47)}, "register 3 has 47"},
		{"register of 65 bytes", "pcrs", map[int][]byte{0: make([]byte, 65)}, "register 0 has 65"},
		{"certificate absent", "certificate", absent{}, "certificate has not"},
		{"certificate null", "certificate", nil, "certificate has not"},
		{"certificate empty", "certificate", []byte{}, "certificate has not"},
		{"certificate too long", "certificate", make([]byte, 1025), "certificate has not"},
		{"certificate of text", "certificate", "x", wrongType},
		{"certificate of nothing", "certificate", make([]byte, 1024), "certificate does not parse"},
		{"certificate and more", "certificate", append(slices.Clone(h.signer.Raw), 0), "certificate does not parse"},
		{"cabundle absent", "cabundle", absent{}, "cabundle"},
		{"cabundle null", "cabundle", nil, "cabundle"},
		{"cabundle empty", "cabundle", [][]byte{}, "cabundle"},
		{"cabundle of bytes", "cabundle", h.root.Raw, wrongType},
		{"cabundle of text", "cabundle", []string{"x"}, wrongType},
		{"cabundle with null", "cabundle", []any{nil}, "a certificate of cabundle"},
		{"cabundle with an empty one", "cabundle", [][]byte{{}}, "a certificate of cabundle"},
		{"cabundle with a long one", "cabundle", [][]byte{make([]byte, 1025)}, "a certificate of cabundle"},
		{"cabundle with another thing", "cabundle", [][]byte{h.root.Raw, {1}}, "certificate 1 of cabundle does not parse"},
		{"cabundle over 8", "cabundle", slices.Repeat([][]byte{h.middle.Raw}, 9), "cabundle"},
		{"cabundle over 16", "cabundle", slices.Repeat([][]byte{{1}}, 17), "not well-formed"},
		{"public_key empty", "public_key", []byte{}, "public_key"},
		{"public_key too long", "public_key", make([]byte, 1025), "public_key"},
		{"public_key of text", "public_key", "x", wrongType},
		{"public_key of numbers", "public_key", []int{1, 2}, wrongType},
		{"user_data too long", "user_data", make([]byte, 513), "user_data"},
		{"user_data of text", "user_data", "x", wrongType},
		{"nonce too long", "nonce", make([]byte, 513), "nonce"},
		{"nonce a number", "nonce", 7, wrongType},
		{"an unknown field", "extra", 1, "unknown field"},
		{"a field in another case", "Nonce", []byte{1}, "unknown field"},
		{"registers of NitroTPM", "nitrotpm_pcrs", map[int][]byte{0: register}, "unknown field"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			fields := h.fields()
			fields[c.field] = c.value
			if _, gone := c.value.(absent); gone {
				delete(fields, c.field)
			}
			refused(t, h.verifier(), h.document(t, fields), c.reason)
		})
	}
}

// absent stands for a field that is left out.
type absent struct{}

func TestVerifyRefusesPayloads(t *testing.T) {
	t.Parallel()
	h := shared()
	good := encode(t, h.fields())
	for _, c := range []struct {
		name    string
		payload []byte
		reason  string
	}{
		{"empty", []byte{}, "payload has 0 bytes"},
		{"null", []byte{0xf6}, "module_id"},
		{"a list", []byte{0x80}, "wrong type"},
		{"an empty map", []byte{0xa0}, "module_id"},
		{"bytes behind it", append(slices.Clone(good), 0), "not well-formed"},
		{"cut short", good[:len(good)-1], "not well-formed"},
		{"tagged", append([]byte{0xc1}, good...), "not well-formed"},
		{"as long as can be", make([]byte, 16384), "the payload is"},
		{"too long", make([]byte, 16385), "payload has 16385 bytes"},
		{"a field twice", twice(t, h.fields(), "nonce"), "twice"},
		{"an unknown field twice", append([]byte{0xa2}, slices.Repeat([]byte{0x61, 'x', 0}, 2)...), "unknown field"},
		{"a number for a key", append([]byte{0xaa, 0, 0}, good[1:]...), "unknown field"},
		{"bytes for a key", append([]byte{0xaa, 0x41, 0, 0}, good[1:]...), "wrong type"},
		{"deep", slices.Repeat([]byte{0x81}, 100), "not well-formed"},
		{"a long list that is not there", []byte{0x9b, 0x7f, 255, 255, 255, 255, 255, 255, 255}, "not well-formed"},
		{"many keys", append([]byte{0xb8, 33}, bytes.Repeat([]byte{0x61, 'x', 0}, 33)...), "not well-formed"},
	} {
		refused(t, h.verifier(), h.sign(t, es384, c.payload), c.reason)
	}
}

// twice returns a payload in which a field is given again, after all others.
func twice(t testing.TB, fields map[string]any, field string) []byte {
	b := encode(t, fields)
	b[0]++ // the head of a map of fewer than 23 pairs
	return append(append(b, encode(t, field)...), encode(t, fields[field])...)
}

func TestVerifyRefusesEnvelopesOfCOSE(t *testing.T) {
	t.Parallel()
	h := shared()
	payload := encode(t, h.fields())
	signature := h.signature(t, es384, payload)
	none := map[int]int{}
	raw := func(b ...byte) cbor.RawMessage { return b }
	const structure = "COSE_Sign1"
	for name, c := range map[string]struct {
		document any
		reason   string
	}{
		"three parts":                    {[]any{es384, none, payload}, structure},
		"five parts":                     {[]any{es384, none, payload, signature, 0}, structure},
		"a map":                          {map[int]any{0: es384}, structure},
		"a number":                       {1, structure},
		"null":                           {nil, "protected header"},
		"another tag":                    {cbor.Tag{Number: 17, Content: []any{es384, none, payload, signature}}, structure},
		"tag 18 twice":                   {raw(append([]byte{0xd2, 0xd2}, encode(t, []any{es384, none, payload, signature})...)...), structure},
		"tag 18 in two bytes":            {raw(append([]byte{0xd8, 18}, encode(t, []any{es384, none, payload, signature})...)...), structure},
		"of indefinite length":           {raw(slices.Concat([]byte{0x9f}, encode(t, es384), encode(t, none), encode(t, payload), encode(t, signature), []byte{0xff})...), structure},
		"payload in pieces":              {[]any{es384, none, raw(slices.Concat([]byte{0x5f}, encode(t, payload), []byte{0xff})...), signature}, structure},
		"payload null":                   {[]any{es384, none, nil, signature}, "payload has 0"},
		"payload of text":                {[]any{es384, none, "x", signature}, structure},
		"payload a map":                  {[]any{es384, none, h.fields(), signature}, structure},
		"unprotected header, one entry":  {[]any{es384, map[int]int{1: -35}, payload, signature}, "unprotected header"},
		"unprotected header, key id":     {[]any{es384, map[int][]byte{4: []byte("k")}, payload, signature}, "unprotected header"},
		"unprotected header, same twice": {[]any{es384, raw(0xa2, 1, 1, 1, 1), payload, signature}, "unprotected header"},
		"unprotected header, null":       {[]any{es384, nil, payload, signature}, "unprotected header"},
		"unprotected header, indefinite": {[]any{es384, raw(0xbf, 0xff), payload, signature}, structure},
		"unprotected header, bytes":      {[]any{es384, []byte{0xa0}, payload, signature}, "unprotected header"},
		"signature in DER":               {[]any{es384, none, payload, make([]byte, 103)}, "signature has 103"},
		"signature empty":                {[]any{es384, none, payload, []byte{}}, "signature has 0"},
		"signature of 95":                {[]any{es384, none, payload, signature[1:]}, "signature has 95"},
		"signature of 97":                {[]any{es384, none, payload, append([]byte{0}, signature...)}, "signature has 97"},
		"signature of zeros":             {[]any{es384, none, payload, make([]byte, 96)}, "not the certificate's"},
		"signature of text":              {[]any{es384, none, payload, "x"}, structure},
		"protected header as a map":      {[]any{map[int]int{1: -35}, none, payload, signature}, structure},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			refused(t, h.verifier(), encode(t, c.document), c.reason)
		})
	}
	refused(t, h.verifier(), nil, structure)
	refused(t, h.verifier(), []byte{0xd2}, structure)
	refused(t, h.verifier(), append(h.document(t, h.fields()), 0), structure)
	refused(t, h.verifier(), make([]byte, 1<<20), "longer")
}

// The header is signed, so that what is wrong is the header alone.
func TestVerifyRefusesOtherAlgorithms(t *testing.T) {
	t.Parallel()
	h := shared()
	for name, protected := range map[string][]byte{
		"none":                 {},
		"an empty map":         {0xa0},
		"ES256":                {0xa1, 0x01, 0x26},
		"ES512":                {0xa1, 0x01, 0x38, 0x23},
		"PS384":                {0xa1, 0x01, 0x38, 0x25},
		"a text":               append([]byte{0xa1, 0x01, 0x65}, "ES384"...),
		"a longer form":        {0xa1, 0x01, 0x39, 0x00, 0x22},
		"indefinite length":    {0xbf, 0x01, 0x38, 0x22, 0xff},
		"given twice":          {0xa2, 0x01, 0x38, 0x22, 0x01, 0x38, 0x22},
		"with a key id":        {0xa2, 0x01, 0x38, 0x22, 0x04, 0x41, 0x00},
		"with critical fields": {0xa2, 0x01, 0x38, 0x22, 0x02, 0x81, 0x04},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			refused(t, h.verifier(), h.sign(t, protected, encode(t, h.fields())), "protected header")
		})
	}
}

func TestVerifyRefusesOtherSigners(t *testing.T) {
	t.Parallel()
	h, other := shared(), newHypervisor(t, plan{})
	document := h.document(t, h.fields())

	refused(t, other.verifier(), document, "do not chain to a root")
	refused(t, &nitro.Verifier{Now: h.verifier().Now}, document, "no roots")
	refused(t, &nitro.Verifier{Roots: x509.NewCertPool(), Now: h.verifier().Now}, document, "do not chain to a root")
	refused(t, h.verifier(), other.document(t, h.fields()), "not the certificate's")

	fields := h.fields()
	fields["certificate"] = other.signer.Raw
	refused(t, h.verifier(), other.document(t, fields), "do not chain to a root")

	p256 := newHypervisor(t, plan{curve: elliptic.P256()})
	refused(t, p256.verifier(), p256.document(t, p256.fields()), "not the certificate's")
}

func TestVerifyWantsTheBundleInOrder(t *testing.T) {
	t.Parallel()
	h, other := shared(), newHypervisor(t, plan{})
	root, middle := h.root.Raw, h.middle.Raw
	for name, c := range map[string]struct {
		bundle [][]byte
		reason string
	}{
		"without the root":         {[][]byte{middle}, "do not chain"},
		"without the intermediate": {[][]byte{root}, "do not chain"},
		"reversed":                 {[][]byte{middle, root}, "do not chain"},
		"root twice":               {[][]byte{root, root, middle}, "in this order"},
		"intermediate twice":       {[][]byte{root, middle, middle}, "in this order"},
		"another's root":           {[][]byte{other.root.Raw, middle}, "in this order"},
		"another's certificate":    {[][]byte{root, other.middle.Raw, middle}, "in this order"},
		"the signer too":           {[][]byte{root, middle, h.signer.Raw}, "not for signing certificates"},
	} {
		fields := h.fields()
		fields["cabundle"] = c.bundle
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			refused(t, h.verifier(), h.document(t, fields), c.reason)
		})
	}

	v := h.verifier()
	v.Roots.AddCert(h.middle)
	_, err := v.Verify(h.document(t, h.fields()))
	require.NoError(t, err, "a shorter chain exists, and the bundle is one too")
	v.Roots.AddCert(h.signer)
	refused(t, v, h.document(t, h.fields()), "in this order")
}

func TestVerifyRefusesCertificates(t *testing.T) {
	t.Parallel()
	critical := func(c *x509.Certificate) {
		c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 2, 3}, Critical: true, Value: []byte{5, 0}}}
	}
	expired := func(c *x509.Certificate) { c.NotAfter = now.Add(-time.Second) }
	early := func(c *x509.Certificate) { c.NotBefore = now.Add(time.Second) }
	noUsage := func(c *x509.Certificate) { c.KeyUsage = 0 }
	crlOnly := func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCRLSign }
	const chain = "do not chain to a root"
	for name, c := range map[string]struct {
		plan   plan
		reason string
	}{
		"root expired":              {plan{root: expired}, chain},
		"root not valid yet":        {plan{root: early}, chain},
		"root without usage":        {plan{root: noUsage}, "certificate 0 of cabundle is not for"},
		"root for lists":            {plan{root: crlOnly}, "certificate 0 of cabundle is not for"},
		"root with a critical":      {plan{root: critical}, chain},
		"root of no path":           {plan{root: func(c *x509.Certificate) { c.MaxPathLenZero = true }}, chain},
		"root no authority":         {plan{root: func(c *x509.Certificate) { c.IsCA = false }}, chain},
		"intermediate expired":      {plan{middle: expired}, chain},
		"intermediate not yet":      {plan{middle: early}, chain},
		"intermediate without use":  {plan{middle: noUsage}, "certificate 1 of cabundle is not for"},
		"intermediate for lists":    {plan{middle: crlOnly}, "certificate 1 of cabundle is not for"},
		"intermediate no authority": {plan{middle: func(c *x509.Certificate) { c.IsCA = false }}, chain},
		"intermediate unlimited":    {plan{middle: func(c *x509.Certificate) { c.BasicConstraintsValid = false }}, chain},
		"intermediate critical":     {plan{middle: critical}, chain},
		"signer expired":            {plan{signer: expired}, chain},
		"signer not valid yet":      {plan{signer: early}, chain},
		"signer without usage":      {plan{signer: noUsage}, "not for signatures"},
		"signer for certificates":   {plan{signer: func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCertSign }}, "not for signatures"},
		"signer an authority":       {plan{signer: func(c *x509.Certificate) { c.IsCA = true }}, "authority"},
		"signer with a path length": {plan{signer: func(c *x509.Certificate) {
			c.BasicConstraintsValid = false // the extension is written by hand: no authority, path length 0
			c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 19}, Critical: true, Value: []byte{0x30, 3, 2, 1, 0}}}
		}}, "authority"},
		"signer critical": {plan{signer: critical}, chain},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHypervisor(t, c.plan)
			refused(t, h.verifier(), h.document(t, h.fields()), c.reason)
		})
	}

	h := newHypervisor(t, plan{middle: func(c *x509.Certificate) { c.MaxPathLenZero = true }})
	_, err := h.verifier().Verify(h.document(t, h.fields()))
	require.NoError(t, err, "a path length of 0 is enough for the last authority")
}

func TestVerifyWantsFreshDocuments(t *testing.T) {
	t.Parallel()
	h := shared()
	document := h.document(t, h.fields())
	at := func(d time.Duration) func() time.Time { return func() time.Time { return now.Add(d) } }
	for _, c := range []struct {
		age, most time.Duration
		reason    string // empty: verified
	}{
		{0, 0, ""},
		{5 * time.Minute, 0, ""},
		{5*time.Minute + time.Millisecond, 0, "made 5m0s ago"},
		{30 * time.Second, 30 * time.Second, ""},
		{31 * time.Second, 30 * time.Second, "made 31s ago, more than 30s"},
		{50 * time.Minute, 50 * time.Minute, ""},
		{-time.Minute, 0, ""},
		{-time.Minute - time.Millisecond, 0, "1m0s ahead"},
		{-10 * time.Minute, 50 * time.Minute, "10m0s ahead"},
		{0, -1, "ago"},
	} {
		v := &nitro.Verifier{Roots: h.verifier().Roots, Now: at(c.age), MaxAge: c.most}
		if c.reason != "" {
			refused(t, v, document, c.reason)
			continue
		}
		d, err := v.Verify(document)
		require.NoError(t, err, "%v", c)
		require.True(t, now.Equal(d.Timestamp))
	}
}

func TestVerifyUsesTheWallClock(t *testing.T) {
	t.Parallel()
	wide := func(c *x509.Certificate) { c.NotAfter = now.AddDate(1000, 0, 0) }
	h := newHypervisor(t, plan{root: wide, middle: wide, signer: wide})
	v := h.verifier()
	v.Now = nil
	fields := h.fields()
	fields["timestamp"] = uint64(time.Now().UnixMilli())
	_, err := v.Verify(h.document(t, fields))
	require.NoError(t, err)
	fields["timestamp"] = uint64(time.Now().Add(-6 * time.Minute).UnixMilli())
	refused(t, v, h.document(t, fields), "ago")
}

func TestVerifyRefusesEveryFlippedBit(t *testing.T) {
	t.Parallel()
	h := shared()
	fields := h.fields()
	fields["pcrs"] = map[int][]byte{0: make([]byte, 32)} // every bit costs a verification
	document := append([]byte{0xd2}, h.document(t, fields)...)
	v := h.verifier()
	const shares = 16
	for share := range shares {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			flipped := slices.Clone(document)
			for i := share * stride; i < len(flipped)*8; i += shares * stride {
				flipped[i/8] ^= 1 << (i % 8)
				if _, err := v.Verify(flipped); err == nil {
					t.Errorf("bit %d of byte %d (%#x) is of no matter", i%8, i/8, document[i/8])
				}
				flipped[i/8] = document[i/8]
			}
		})
	}
}

func TestVerifyRefusesEveryTruncation(t *testing.T) {
	t.Parallel()
	h := shared()
	document := h.document(t, h.fields())
	for n := range len(document) {
		refused(t, h.verifier(), document[:n], "COSE_Sign1")
	}
}

// Two documents that are both genuine cannot be mixed.
func TestVerifyRefusesAnothersParts(t *testing.T) {
	t.Parallel()
	h := shared()
	fields := h.fields()
	payload := encode(t, fields)
	other := maps.Clone(fields)
	other["nonce"] = []byte("other")
	refused(t, h.verifier(),
		encode(t, []any{es384, map[int]int{}, payload, h.signature(t, es384, encode(t, other))}),
		"not the certificate's")
}

func TestReasonsHaveNoValues(t *testing.T) {
	t.Parallel()
	h := shared()
	const secret = "swordfish"
	for _, fields := range []map[string]any{
		{"module_id": []byte(secret)}, {"digest": secret}, {"timestamp": secret},
		{"pcrs": map[string][]byte{secret: make([]byte, 48)}}, {"pcrs": map[int]string{0: secret}},
		{"pcrs": cbor.RawMessage("\xa2\x69" + secret + "\x40\x69" + secret + "\x40")},
		{"certificate": []byte(secret)}, {"cabundle": []string{secret}}, {secret: secret},
		{"user_data": secret}, {"nonce": secret}, {"public_key": secret},
	} {
		all := h.fields()
		maps.Copy(all, fields)
		_, err := h.verifier().Verify(h.document(t, all))
		require.Error(t, err)
		require.NotContains(t, err.Error(), secret)
	}
}
