package envelope

import (
	"reflect"
	"slices"
)

// extend returns dst with room for n more bytes: of exactly that size if it was
// empty, else as append would grow it. It is not nil.
func extend(dst []byte, n int) []byte {
	if dst != nil && cap(dst)-len(dst) >= n {
		return dst
	}
	if len(dst) == 0 {
		return make([]byte, 0, n)
	}
	return slices.Grow(dst, n)
}

// checkOverlap panics if what may be appended to dst lies over src: sealing or
// opening would read what it has written.
func checkOverlap(dst, src []byte) {
	free := dst[len(dst):cap(dst)]
	if len(free) == 0 || len(src) == 0 {
		return
	}
	start, end := address(free, 0), address(free, len(free)-1)
	if address(src, 0) <= end && start <= address(src, len(src)-1) {
		panic("envelope: the buffers overlap")
	}
}

func address(b []byte, i int) uintptr { return reflect.ValueOf(&b[i]).Pointer() }
