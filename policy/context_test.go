package policy

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestContextSet(t *testing.T) {
	t.Parallel()
	c := new(Context)
	for _, name := range []string{"aws:PrincipalArn", "AWS:PRINCIPALACCOUNT", "kms:CallerAccount", "aws:PrincipalTag/x"} {
		require.False(t, c.Set(name, "x"), name)
	}
	holds := func(operator, key, value string) bool {
		return conditionHolds(t, Condition{Operator: operator, Key: key, Values: []string{value}}, c)
	}
	absent := func(key string) bool { return holds("Null", key, "true") }
	for _, name := range []string{"kms:KeySpec", "aws:ResourceTag/a", "example:x", "kms:ResourceAliases", "aws:SourceIp"} {
		require.True(t, absent(name), name)
		require.True(t, c.Set(name, "one"))
		require.False(t, absent(name), name)
		require.True(t, c.Set(name, "two"))
		operator := "StringEquals"
		if name == "kms:ResourceAliases" {
			operator = "ForAllValues:StringEquals"
		}
		require.True(t, holds(operator, name, "two"), "%s is replaced", name)
		require.True(t, c.Set(name))
		require.True(t, absent(name), name)
	}
	// Text that does not fit a key's type is kept, and matches no operator of the type.
	require.True(t, c.Set("aws:MultiFactorAuthAge", "old"))
	require.True(t, holds("StringEquals", "aws:MultiFactorAuthAge", "old"))
	require.False(t, holds("NumericLessThan", "aws:MultiFactorAuthAge", "1"))
	require.True(t, c.Set("aws:MultiFactorAuthAge", "1.5"))
	require.True(t, holds("NumericEquals", "aws:MultiFactorAuthAge", "1.50"))
	require.True(t, c.Set("aws:CurrentTime", "never"))
	require.False(t, holds("DateLessThan", "aws:CurrentTime", "2100-01-01"))
	require.True(t, c.Set("aws:SecureTransport", "maybe"))
	require.False(t, holds("Bool", "aws:SecureTransport", "true"))
	require.False(t, holds("Bool", "aws:SecureTransport", "false"))
	require.True(t, holds("StringEquals", "aws:SecureTransport", "maybe"))
	// Keys that follow from the request, and none at all, cannot be set.
	c.SetString(keyPrincipalARN, "x")
	c.SetString(numKeys, "x")
	require.True(t, holds("StringEquals", "aws:PrincipalArn", aliceARN))
	c.Add(PrincipalTag, "a", "b")
	require.True(t, absent("aws:PrincipalTag/a"))
}

func TestContextTypes(t *testing.T) {
	t.Parallel()
	c := new(Context)
	holds := func(operator, key, value string) bool {
		return conditionHolds(t, Condition{Operator: operator, Key: key, Values: []string{value}}, c)
	}
	c.SetBool(AWSMultiFactorAuthPresent, true)
	require.True(t, holds("Bool", "aws:MultiFactorAuthPresent", "true"))
	c.SetBool(AWSMultiFactorAuthPresent, false)
	require.True(t, holds("Bool", "aws:MultiFactorAuthPresent", "false"))
	c.SetAddr(AWSSourceIP, netip.MustParseAddr("203.0.113.1"))
	c.SetAddr(AWSVPCSourceIP, netip.MustParseAddr("10.0.0.1"))
	c.SetAddr(AWSSourceIP, netip.MustParseAddr("::ffff:203.0.113.2"))
	require.True(t, holds("IpAddress", "aws:SourceIp", "203.0.113.2/32"))
	require.True(t, holds("IpAddress", "aws:VpcSourceIp", "10.0.0.0/8"))
	c.SetAddr(AWSSourceIP, netip.Addr{})
	require.True(t, holds("NotIpAddress", "aws:SourceIp", "0.0.0.0/0"))
	c.SetTime(AWSCurrentTime, time.Date(2026, 5, 1, 2, 0, 0, 5, time.FixedZone("", 7200)))
	require.True(t, holds("DateGreaterThan", "aws:CurrentTime", "2026-05-01"))
	require.True(t, holds("DateLessThan", "aws:CurrentTime", "2026-05-01T00:00:01Z"))
	c.SetTime(AWSCurrentTime, time.Time{})
	require.True(t, holds("DateLessThan", "aws:CurrentTime", "1700-01-01"), "too early for nanoseconds")
	c.SetStrings(AWSTagKeys, []string{"a"})
	c.Add(RequestTag, "b", "1")
	require.True(t, holds("ForAllValues:StringEquals", "aws:TagKeys", "a"), "an explicit list stays")
	c.Unset(AWSTagKeys)
	require.True(t, holds("ForAllValues:StringEquals", "aws:TagKeys", "b"))
	c.SetInt(KMSRotationPeriodInDays, 365)
	require.True(t, holds("NumericEquals", "kms:RotationPeriodInDays", "365"))
	require.True(t, holds("DateLessThan", "kms:RotationPeriodInDays", "1971-01-01"))
	// A list in a single-valued key needs a set operator too.
	c.SetStrings(KMSViaService, []string{"a"})
	require.False(t, holds("StringEquals", "kms:ViaService", "a"))
	require.True(t, holds("ForAnyValue:StringEquals", "kms:ViaService", "a"))
	// One value in a multi-valued key does as well.
	c.SetString(KMSResourceAliases, "a")
	require.False(t, holds("StringEquals", "kms:ResourceAliases", "a"))
	require.True(t, holds("ForAnyValue:StringEquals", "kms:ResourceAliases", "a"))
}

func TestContextReset(t *testing.T) {
	c := new(Context)
	list := []string{"alias/a"}
	fill := func() {
		c.SetString(KMSViaService, viaSSM)
		c.SetStrings(KMSResourceAliases, list)
		c.SetAddr(AWSSourceIP, netip.IPv6Unspecified())
		c.Add(EncryptionContext, "a", "b")
		c.Add(ResourceTag, "a", "b")
	}
	fill()
	c.Set("example:x", "y")
	c.Reset()
	for _, key := range []string{"kms:ViaService", "kms:ResourceAliases", "aws:SourceIp", "kms:EncryptionContext:a", "kms:EncryptionContextKeys", "aws:ResourceTag/a", "example:x"} {
		require.True(t, conditionHolds(t, Condition{Operator: "Null", Key: key, Values: []string{"true"}}, c), key)
	}
	require.Zero(t, testing.AllocsPerRun(50, func() { c.Reset(); fill() }))
}

func TestResolveKey(t *testing.T) {
	t.Parallel()
	require.Less(t, int(numKeys), 128, "a keySet has 128 bits")
	for name, want := range map[string]keyRef{
		"AWS:sourceIP":                  {kind: knownRef, key: AWSSourceIP},
		"kms:CustomerMasterKeyUsage":    {kind: knownRef, key: KMSKeyUsage},
		"kms:EncryptionContextKeys":     {kind: knownRef, key: KMSEncryptionContextKeys},
		"KMS:encryptioncontext:A":       {kind: familyRef, family: EncryptionContext, name: "A"},
		"kms:EncryptionContext:":        {kind: otherRef, name: "kms:EncryptionContext:"},
		"ssm:resourceTag/k":             {kind: familyRef, family: ResourceTag, name: "k"},
		"kms:RecipientAttestation:PCR0": {kind: familyRef, family: RecipientAttestation, name: "PCR0"},
		"aws:PrincipalTag/a/b":          {kind: familyRef, family: PrincipalTag, name: "a/b"},
		"secretsmanager:resource/Type":  {kind: knownRef, key: SecretsResourceType},
		"foo:bar":                       {kind: otherRef, name: "foo:bar"},
	} {
		require.Equal(t, want, resolveKey(name), name)
	}
}
