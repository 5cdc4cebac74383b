// Package awsjson reads and writes the bodies of the AWS JSON 1.1 protocol: the
// Input and Output structs of the AWS SDK for Go v2, as KMS, Systems Manager and
// Secrets Manager put them on the wire.
//
// A member's name on the wire is its Go field's name, which holds for every
// input, output and nested structure of these services. Errors are the one
// exception, their Message travels as "message", and have their own function,
// [AppendError].
//
// The package works by reflection. What a type needs is worked out at its first
// use and kept, so a later use costs no lookup by name, and no method is ever
// looked up at all, which would keep the linker from dropping unused ones. All
// functions may be called from any number of goroutines.
//
// Reading is stricter than the standard library's encoding/json, because two
// readers that differ over one body are how a check is passed with one value and
// acted on with another. See [Decode].
package awsjson

import (
	"fmt"
	"reflect"
)

// Append appends the JSON object for the struct that v points to and returns the
// extended slice; v is only read. A member is left out if it is a nil pointer,
// slice or map, or an empty string that is not behind a pointer (an unset enum).
// Empty slices and maps that are not nil are written, and so are plain booleans
// and numbers, false and zero included: the services always send members such as
// Truncated, Enabled or Version.
//
// Blobs are written as standard padded base64, times as seconds since 1970 with
// up to three decimals (what is finer is cut off), members in the order of the
// struct, and map entries sorted by key. Invalid UTF-8 is replaced by U+FFFD.
//
// The error is not nil only if v is not a non-nil pointer to a struct, or its
// type has a member that the protocol cannot carry; dst is returned unchanged
// then.
func Append(dst []byte, v any) ([]byte, error) {
	rv, p, err := target(v)
	if err != nil {
		return dst, err
	}
	return p.append(dst, rv), nil
}

// Decode reads the JSON object in data into the struct that v points to, which
// should be the zero value: members that data does not mention keep what they
// have. Empty data is read as {}. Nothing in v refers to data afterwards.
//
// Refused with a [*SyntaxError] are: anything but one object; invalid UTF-8 and
// unpaired surrogate escapes; a member or map key given twice, in whatever
// spelling, at any depth and also where members are not known; objects and
// arrays nested deeper than 64; values of another type than the member's
// (numbers are not read as strings, nor strings as numbers); integers with a
// fraction or exponent, or out of the member's range; blobs that are not
// canonical padded base64; times that are not numbers or lie outside the years 1
// to 9999. Times are rounded to milliseconds.
//
// Members are matched by their exact name; one that is not known, be it for its
// case alone, is skipped, but its syntax is checked. A member that is null is
// read as absent. A null inside a list or a map is refused: to drop an entry of,
// say, an encryption context would change what the caller asked for.
//
// An error that is not a *SyntaxError is a fault of the calling program: v is
// not a non-nil pointer to a struct, or its type has a member that the protocol
// cannot carry. After an error v may be filled in part.
func Decode(data []byte, v any) error {
	rv, p, err := target(v)
	if err != nil {
		return err
	}
	if len(data) == 0 {
		return nil
	}
	d := decoder{data: data}
	if err := d.document(p, rv); err != nil {
		return err
	}
	return nil
}

// AppendError appends the body of an error response, {"__type":code} with a
// "message" member if message is not empty, and returns the extended slice. The
// code is the exception's bare name.
func AppendError(dst []byte, code, message string) []byte {
	dst = append(dst, `{"__type":`...)
	dst = appendString(dst, code)
	if message != "" {
		dst = append(dst, `,"message":`...)
		dst = appendString(dst, message)
	}
	return append(dst, '}')
}

// target returns the struct behind v and its plan.
func target(v any) (reflect.Value, *structPlan, error) {
	rv := reflect.ValueOf(v)
	if rv.Kind() != reflect.Pointer || rv.IsNil() || rv.Elem().Kind() != reflect.Struct {
		return reflect.Value{}, nil, fmt.Errorf("awsjson: want a non-nil pointer to a struct, got %T", v)
	}
	p, err := planFor(rv.Type().Elem())
	return rv.Elem(), p, err
}
