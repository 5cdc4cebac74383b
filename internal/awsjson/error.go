package awsjson

import "strconv"

// A SyntaxError says why [Decode] refused a body. It holds no part of any value
// in the body, so it may be logged and sent to the caller; services answer it
// with a SerializationException.
type SyntaxError struct {
	// Offset is the position in the body, in bytes from 0, at which reading
	// stopped.
	Offset int
	// Path leads to the member that was being read, such as
	// "Constraints.EncryptionContextEquals.value" or "Tags[1].TagKey". It is
	// built from the names of the Go type only and is empty outside of any known
	// member.
	Path string
	// Reason is what is wrong, in a few words.
	Reason string
}

// Error returns the path, the offset and the reason.
func (e *SyntaxError) Error() string {
	s := "awsjson: "
	if e.Path != "" {
		s += e.Path + ": "
	}
	return s + e.Reason + " at byte " + strconv.Itoa(e.Offset)
}

// within puts the name of an enclosing member in front of the path.
func (e *SyntaxError) within(name string) *SyntaxError {
	switch {
	case e == nil:
		return nil
	case e.Path == "":
		e.Path = name
	case e.Path[0] == '[':
		e.Path = name + e.Path
	default:
		e.Path = name + "." + e.Path
	}
	return e
}
