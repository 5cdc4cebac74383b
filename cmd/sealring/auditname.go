package main

import "os"

// auditName returns the name of a log's chain in the store, which has to stay apart from
// those of others: by default one for a store that one server has for itself, and that of
// the machine for one that several share. See [local.NewChainState] for what is a name.
func auditName(name string, s *storeFlags) (string, error) {
	switch {
	case name != "":
		return name, nil
	case len(s.etcd.endpoints) == 0:
		return "default", nil
	}
	return os.Hostname()
}
