package keyspec

import (
	"crypto/rand"
	"fmt"
)

// rawFamily makes keys that are bytes: of size when they are made here, of least to most
// when they are not.
type rawFamily struct{ size, least, most int }

func (f rawFamily) generate() ([]byte, error) {
	key := make([]byte, f.size)
	rand.Read(key)
	return key, nil
}

// parse returns a half without capabilities: what is done with a symmetric key is not
// done here.
func (f rawFamily) parse(material []byte) (any, error) {
	return nil, f.check(material)
}

func (f rawFamily) check(material []byte) error {
	if len(material) < f.least || len(material) > f.most {
		return fmt.Errorf("%d bytes", len(material))
	}
	return nil
}
