package s3crypto

import (
	"context"
	"crypto/rand"
	"fmt"
)

// newObject returns the header of a new object of suite s, which is not the legacy one,
// and its data key, which the caller wipes. length is the plaintext's, or -1 if it is
// not known. c is the encryption context.
func newObject(ctx context.Context, w Wrapper, s suite, length int64, c map[string]string) (*header, dataKey, error) {
	h := &header{format: s.format(), suite: s, length: length}
	if s == suiteCommitting {
		h.messageID = randomID(messageIDSize)
	} else {
		h.iv = randomID(gcmNonceSize)
	}
	key, err := w.wrap(ctx, h, nil, c)
	if err != nil {
		return nil, nil, err
	}
	if err := h.commit(key); err != nil {
		clear(key)
		return nil, nil, err
	}
	return h, key, nil
}

// randomID returns n random bytes, not all zero: readers take that for an id that was
// never set.
func randomID(n int) []byte {
	id := make([]byte, n)
	for isZero(id) {
		rand.Read(id)
	}
	return id
}

// unwrap returns the data key of an object with a complete header, which the caller
// wipes. What r and w refuse is refused first; what the object commits to is checked.
func (h *header) unwrap(ctx context.Context, w Wrapper, r *rules) (dataKey, error) {
	if err := r.check(h, w); err != nil {
		return nil, err
	}
	key, err := w.unwrap(ctx, h)
	if err != nil {
		return nil, err
	}
	if err := h.verify(key); err != nil {
		clear(key)
		return nil, err
	}
	return key, nil
}

// rewrap returns the header of the same object with its data key wrapped by w, under the
// encryption context c. The error is ErrLegacy for content in CBC mode, which no wrap
// that is written today goes with.
func (h *header) rewrap(ctx context.Context, key dataKey, w Wrapper, c map[string]string) (*header, error) {
	if h.suite == suiteCBC {
		return nil, fmt.Errorf("%w: the data key of %v content cannot be wrapped again", ErrLegacy, h.suite)
	}
	next := *h
	if _, err := w.wrap(ctx, &next, key, c); err != nil {
		return nil, err
	}
	return &next, nil
}
