package uuid_test

import (
	"regexp"
	"testing"

	"github.com/sealring/sealring/internal/uuid"
)

func TestNew(t *testing.T) {
	t.Parallel()
	form := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	seen := map[string]bool{}
	check := func(id string) {
		t.Helper()
		if !form.MatchString(id) {
			t.Fatalf("%q is no version 4 UUID", id)
		}
		if seen[id] {
			t.Fatalf("%q came twice", id)
		}
		seen[id] = true
	}
	for range 1000 {
		check(uuid.New())
		first, second := uuid.Two()
		check(first)
		check(second)
	}
}
