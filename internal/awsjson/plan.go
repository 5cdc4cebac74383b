package awsjson

import (
	"fmt"
	"reflect"
	"sync"
	"time"
)

// A codec writes and reads values of one type. The values given to decode are
// settable.
type codec struct {
	append func(dst []byte, v reflect.Value) []byte
	decode func(d *decoder, v reflect.Value) *SyntaxError
}

// A field is one member of a structure.
type field struct {
	name  string
	label string // the name as it is written: quoted, with the colon
	index int    // in the Go struct
	omit  func(v reflect.Value) bool
	codec codec
}

// A structPlan is all that is needed to write and read one struct type. It is
// immutable once planFor has returned it.
type structPlan struct {
	fields []field
	byName map[string]int // index into fields
}

// plans holds the *structPlan of every struct type that was written or read.
var plans sync.Map // of reflect.Type

var (
	timeType   = reflect.TypeFor[time.Time]()
	stringMaps = reflect.TypeFor[map[string]string]()
)

// planFor returns the plan of the struct type t.
func planFor(t reflect.Type) (*structPlan, error) {
	if p, ok := plans.Load(t); ok {
		return p.(*structPlan), nil
	}
	p, err := planner{}.structure(t)
	if err != nil {
		return nil, fmt.Errorf("awsjson: %w", err)
	}
	shared, _ := plans.LoadOrStore(t, p)
	return shared.(*structPlan), nil
}

// A planner holds the plans begun so far, so that a type may contain itself.
type planner map[reflect.Type]*structPlan

func (pl planner) structure(t reflect.Type) (*structPlan, error) {
	if p, ok := pl[t]; ok {
		return p, nil
	}
	p := &structPlan{byName: make(map[string]int)}
	pl[t] = p
	for i := range t.NumField() {
		f := t.Field(i)
		// The SDK's outputs carry ResultMetadata for the client's use only, and
		// its error types ErrorCodeOverride.
		if !f.IsExported() || f.Name == "ResultMetadata" || f.Name == "ErrorCodeOverride" {
			continue
		}
		c, err := pl.codec(f.Type)
		if err != nil {
			return nil, fmt.Errorf("%v.%s: %w", t, f.Name, err)
		}
		p.byName[f.Name] = len(p.fields)
		p.fields = append(p.fields, field{
			name:  f.Name,
			label: `"` + f.Name + `":`,
			index: i,
			omit:  omission(f.Type.Kind()),
			codec: c,
		})
	}
	if len(p.fields) > maxFields {
		return nil, fmt.Errorf("%v has more than %d members", t, maxFields)
	}
	return p, nil
}

// omission returns the test for "not set" of a member of kind k, or nil if such
// members are always written.
func omission(k reflect.Kind) func(reflect.Value) bool {
	switch k {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		return reflect.Value.IsNil
	case reflect.String:
		return func(v reflect.Value) bool { return v.Len() == 0 }
	}
	return nil
}

func (pl planner) codec(t reflect.Type) (codec, error) {
	switch t {
	case timeType:
		return codec{appendTime, decodeTime}, nil
	case stringMaps:
		return codec{appendStringMap, decodeStringMap}, nil
	}
	switch t.Kind() {
	case reflect.String:
		return codec{appendStringValue, decodeString}, nil
	case reflect.Bool:
		return codec{appendBool, decodeBool}, nil
	case reflect.Int32, reflect.Int64:
		return codec{appendInt, decodeInt}, nil
	case reflect.Float32, reflect.Float64:
		return codec{appendFloat, decodeFloat}, nil
	case reflect.Struct:
		p, err := pl.structure(t)
		if err != nil {
			return codec{}, err
		}
		return codec{p.append, p.decode}, nil
	case reflect.Pointer:
		return pl.pointer(t)
	case reflect.Slice:
		return pl.slice(t)
	case reflect.Map:
		return pl.mapping(t)
	}
	return codec{}, fmt.Errorf("type %v is not supported", t)
}

func (pl planner) pointer(t reflect.Type) (codec, error) {
	switch t.Elem().Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		return codec{}, fmt.Errorf("type %v is not supported", t)
	}
	elem, err := pl.codec(t.Elem())
	if err != nil {
		return codec{}, err
	}
	return codec{
		append: func(dst []byte, v reflect.Value) []byte { return elem.append(dst, v.Elem()) },
		decode: func(d *decoder, v reflect.Value) *SyntaxError {
			p := reflect.New(t.Elem())
			v.Set(p)
			return elem.decode(d, p.Elem())
		},
	}, nil
}

func (pl planner) slice(t reflect.Type) (codec, error) {
	if t.Elem().Kind() == reflect.Uint8 {
		return codec{appendBlob, decodeBlob}, nil
	}
	elem, err := pl.element(t.Elem())
	if err != nil {
		return codec{}, err
	}
	return codec{
		append: func(dst []byte, v reflect.Value) []byte { return appendList(dst, v, elem) },
		decode: func(d *decoder, v reflect.Value) *SyntaxError { return d.list(v, elem) },
	}, nil
}

func (pl planner) mapping(t reflect.Type) (codec, error) {
	if t.Key().Kind() != reflect.String {
		return codec{}, fmt.Errorf("type %v is not supported", t)
	}
	elem, err := pl.element(t.Elem())
	if err != nil {
		return codec{}, err
	}
	return codec{
		append: func(dst []byte, v reflect.Value) []byte { return appendMap(dst, v, elem) },
		decode: func(d *decoder, v reflect.Value) *SyntaxError { return d.mapping(v, elem) },
	}, nil
}

// element returns the codec of a list's or map's element. Pointers are not
// supported there: they are the SDK's way of marking sparse collections, whose
// nulls mean something.
func (pl planner) element(t reflect.Type) (codec, error) {
	if t.Kind() == reflect.Pointer {
		return codec{}, fmt.Errorf("element type %v is not supported", t)
	}
	return pl.codec(t)
}
