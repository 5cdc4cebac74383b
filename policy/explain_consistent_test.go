package policy

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// requireConsistent holds an explanation's parts to its decision.
func requireConsistent(t testing.TB, x Explanation) {
	t.Helper()
	denied := false
	for _, v := range x.Layers {
		denied = denied || v.Outcome == ExplicitDeny
		if x.Decision.Allowed {
			require.NotEqual(t, ExplicitDeny, v.Outcome, "%v", v.Layer)
			if v.Layer == SCPLayer || v.Layer == RCPLayer || v.Layer == VPCEndpointLayer {
				require.Equal(t, Allowed, v.Outcome, "%v", v.Layer)
			}
		}
	}
	require.Equal(t, denied, x.Decision.Outcome == ExplicitDeny)
	require.Equal(t, x.Decision.Allowed, x.Message() == "")
	deciding, denies := false, false
	for _, m := range x.Matched {
		deciding = deciding || m.Statement == x.Decision.Statement
		denies = denies || m.Effect == Deny
	}
	require.Equal(t, denied, denies)
	require.Equal(t, x.Decision.Statement.Statement >= 0, deciding)
	for _, n := range x.NearMisses {
		require.NotEmpty(t, n.Failures)
		for _, m := range x.Matched {
			require.NotEqual(t, m.Statement, n.Statement, "both matched and missed")
		}
	}
	require.NotEmpty(t, x.String())
}
