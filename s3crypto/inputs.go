package s3crypto

import (
	"fmt"
	"reflect"
	"strings"
)

// fill sets the fields of one of the SDK's structs that have the same name and type in
// another one, so that no field that the SDK will have is lost on the way.
func fill(to, from any) {
	dst, src := reflect.ValueOf(to).Elem(), reflect.ValueOf(from).Elem()
	for i := range dst.NumField() {
		f := dst.Type().Field(i)
		if v := src.FieldByName(f.Name); f.IsExported() && v.IsValid() && v.Type() == f.Type && !v.IsZero() {
			dst.Field(i).Set(v)
		}
	}
}

// refuseDigests returns an error if one of the SDK's inputs has a digest of its body: it
// would be the plaintext's, and S3 sees ciphertext.
func refuseDigests(in any) error {
	v := reflect.ValueOf(in).Elem()
	for i := range v.NumField() {
		name, isDigest := v.Type().Field(i).Name, false
		if name == "ContentMD5" || strings.HasPrefix(name, "Checksum") {
			digest, _ := v.Field(i).Interface().(*string)
			isDigest = digest != nil
		}
		if isDigest {
			return fmt.Errorf("s3crypto: %s would be of the plaintext; ChecksumAlgorithm has the SDK compute it", name)
		}
	}
	return nil
}
