package xks

import (
	"context"
	"encoding/json"
	"slices"
)

// States of an external key manager.
const (
	Active      = "ACTIVE"      // it is healthy
	Degraded    = "DEGRADED"    // it is not, but serves requests
	Unavailable = "UNAVAILABLE" // it does not serve requests
)

// maxManagers is how many external key managers a proxy may list.
const maxManagers = 10

// Health is the state of a proxy and of the key managers behind it.
type Health struct {
	FleetSize     int    // instances of the proxy, at least one
	Vendor, Model string // of the proxy
	ManagerVendor string // of the external key managers
	Managers      []Manager
}

// Manager is an external key manager.
type Manager struct {
	ID, Model string
	Status    string // Active, Degraded or Unavailable
}

// Available reports whether a key manager serves requests. KMS takes a proxy that
// has none for one that cannot be reached.
func (h *Health) Available() bool {
	return slices.ContainsFunc(h.Managers, func(m Manager) bool { return m.Status != Unavailable })
}

// Health asks the proxy how it is (GetHealthStatus). Of the call only the operation
// and the request's id are sent. It returns an *Error or one of the package's other
// errors.
func (p *Proxy) Health(ctx context.Context, c Call) (Health, error) {
	if err := c.check(false, false); err != nil {
		return Health{}, err
	}
	a, err := p.post(ctx, "/health", struct {
		Call Call `json:"requestMetadata"`
	}{Call{Operation: c.Operation, RequestID: c.RequestID}})
	if err != nil {
		return Health{}, err
	}
	return a.health()
}

func (a *answer) health() (Health, error) {
	h := Health{
		Vendor:        a.text("xksProxyVendor"),
		Model:         a.text("xksProxyModel"),
		ManagerVendor: a.text("ekmVendor"),
	}
	if a.required("xksProxyFleetSize", &h.FleetSize); h.FleetSize < 1 {
		a.fail("xksProxyFleetSize", "is not positive")
	}
	const list = "ekmFleetDetails"
	var managers []json.RawMessage
	if a.required(list, &managers); len(managers) < 1 || len(managers) > maxManagers {
		a.fail(list, "has no or too many entries")
	}
	if a.err != nil {
		return Health{}, a.err
	}
	for _, raw := range managers {
		m, err := parseAnswer(raw)
		if err != nil {
			return Health{}, err
		}
		h.Managers = append(h.Managers, Manager{
			ID:     m.text("id"),
			Model:  m.text("model"),
			Status: m.oneOf("healthStatus", Active, Degraded, Unavailable),
		})
		if m.err != nil {
			return Health{}, m.err
		}
	}
	return h, nil
}
