package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/sealring/sealring/keyring"
)

// parseSuite reads an algorithm suite: its id, such as 0478 or 0x0478.
func parseSuite(s string) (keyring.Suite, error) {
	id, err := strconv.ParseUint(strings.TrimPrefix(s, "0x"), 16, 16)
	if err == nil {
		for _, known := range keyring.Suites() {
			if known == keyring.Suite(id) {
				return known, nil
			}
		}
	}
	return 0, usagef("-suite: %q is not one of %s", s, suiteIDs())
}

func suiteIDs() string {
	var ids []string
	for _, s := range keyring.Suites() {
		ids = append(ids, fmt.Sprintf("%04x", uint16(s)))
	}
	return strings.Join(ids, ", ")
}

// parseCommitment reads a commitment policy.
func parseCommitment(s string) (keyring.CommitmentPolicy, error) {
	switch s {
	case "", "require":
		return keyring.RequireEncryptRequireDecrypt, nil
	case "allow":
		return keyring.RequireEncryptAllowDecrypt, nil
	case "forbid":
		return keyring.ForbidEncryptAllowDecrypt, nil
	}
	return 0, usagef("-commitment: %q is not one of require, allow, forbid", s)
}
