package integration

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sealring/sealring/kms"
)

const (
	cluster     = "cluster-2a23b4cdefg"
	clusterCert = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
)

// withCluster has one AWS CloudHSM cluster.
func withCluster(c *kms.Config) {
	c.CloudHSM = func(id string) (kms.CloudHSMCluster, bool) {
		return kms.CloudHSMCluster{TrustAnchor: clusterCert, Password: "kmsuser-password", Active: true, HSMs: 2}, id == cluster
	}
}

// newKeyLike creates a key with more arguments and returns its ARN.
func (c cli) newKeyLike(args ...string) string {
	c.t.Helper()
	return c.ok(append([]string{"create-key"}, args...)...)["KeyMetadata"].(map[string]any)["Arn"].(string)
}

// metadata describes a key.
func (c cli) metadata(key string) map[string]any {
	c.t.Helper()
	return c.ok("describe-key", "--key-id", key)["KeyMetadata"].(map[string]any)
}

func TestCLISignaturesOfKeys(t *testing.T) {
	t.Parallel()
	e := newEndpoint(t)
	c := newCLI(t, e, e.creds)
	message := []byte("attack at dawn")
	file, digest := c.file("message", message), sha256.Sum256(message)

	key := c.newKeyLike("--key-spec", "ECC_NIST_P256", "--key-usage", "SIGN_VERIFY")
	public, err := x509.ParsePKIXPublicKey(blob(t, c.ok("get-public-key", "--key-id", key)["PublicKey"]))
	require.NoError(t, err)
	signature := blob(t, c.ok("sign", "--key-id", key, "--message", file, "--signing-algorithm", "ECDSA_SHA_256")["Signature"])
	require.True(t, ecdsa.VerifyASN1(public.(*ecdsa.PublicKey), digest[:], signature))
	verified := []string{"verify", "--key-id", key, "--signing-algorithm", "ECDSA_SHA_256", "--signature", c.file("signature", signature)}
	require.Equal(t, true, c.ok(append(verified, "--message", c.file("digest", digest[:]), "--message-type", "DIGEST")...)["SignatureValid"])
	c.refused("KMSInvalidSignatureException", append(verified, "--message", c.file("other", []byte("attack at dusk")))...)

	key = c.newKeyLike("--key-spec", "HMAC_256", "--key-usage", "GENERATE_VERIFY_MAC")
	mac := blob(t, c.ok("generate-mac", "--key-id", key, "--message", file, "--mac-algorithm", "HMAC_SHA_256")["Mac"])
	require.Len(t, mac, 32)
	require.Equal(t, true, c.ok("verify-mac", "--key-id", key, "--message", file, "--mac-algorithm", "HMAC_SHA_256", "--mac", c.file("mac", mac))["MacValid"])

	pair := c.ok("generate-data-key-pair", "--key-id", c.newKey(), "--key-pair-spec", "ECC_NIST_P384")
	private, err := x509.ParsePKCS8PrivateKey(blob(t, pair["PrivateKeyPlaintext"]))
	require.NoError(t, err)
	public, err = x509.ParsePKIXPublicKey(blob(t, pair["PublicKey"]))
	require.NoError(t, err)
	require.True(t, private.(*ecdsa.PrivateKey).PublicKey.Equal(public))
}

func TestCLIMaterials(t *testing.T) {
	t.Parallel()
	e := newEndpoint(t)
	c := newCLI(t, e, e.creds)

	key := c.newKey()
	require.Nil(t, c.ok("enable-key-rotation", "--key-id", key))
	require.Equal(t, true, c.ok("get-key-rotation-status", "--key-id", key)["KeyRotationEnabled"])

	key = c.newKeyLike("--origin", "EXTERNAL")
	parameters := c.ok("get-parameters-for-import", "--key-id", key, "--wrapping-algorithm", "RSAES_OAEP_SHA_256", "--wrapping-key-spec", "RSA_2048")
	public, err := x509.ParsePKIXPublicKey(blob(t, parameters["PublicKey"]))
	require.NoError(t, err)
	wrapped, err := rsa.EncryptOAEP(sha256.New(), rand.Reader, public.(*rsa.PublicKey), make([]byte, 32), nil)
	require.NoError(t, err)
	c.ok("import-key-material", "--key-id", key, "--import-token", c.file("token", blob(t, parameters["ImportToken"])),
		"--encrypted-key-material", c.file("material", wrapped),
		"--expiration-model", "KEY_MATERIAL_EXPIRES", "--valid-to", parameters["ParametersValidTo"].(string))
	imported := c.metadata(key)
	require.Equal(t, "Enabled", imported["KeyState"])
	const toTheSecond = len("2006-01-02T15:04:05") // as the CLI sends times
	require.Equal(t, parameters["ParametersValidTo"].(string)[:toTheSecond], imported["ValidTo"].(string)[:toTheSecond])
	c.ok("delete-imported-key-material", "--key-id", key)
	require.Equal(t, "PendingImport", c.metadata(key)["KeyState"])

	key = c.newKeyLike("--multi-region")
	replica := c.ok("replicate-key", "--key-id", key, "--replica-region", "eu-central-1")
	require.Equal(t, "Creating", replica["ReplicaKeyMetadata"].(map[string]any)["KeyState"])
	require.Nil(t, c.ok("update-primary-region", "--key-id", key, "--primary-region", "eu-central-1"))
	copies := c.metadata(key)["MultiRegionConfiguration"].(map[string]any)
	require.Equal(t, "eu-central-1", copies["PrimaryKey"].(map[string]any)["Region"])
}

func TestCLIKeyStores(t *testing.T) {
	t.Parallel()
	e := newEndpoint(t)
	c := newCLI(t, e, e.creds)
	id := c.ok("create-custom-key-store", "--custom-key-store-name", "hsm", "--cloud-hsm-cluster-id", cluster,
		"--key-store-password", "kmsuser-password", "--trust-anchor-certificate", clusterCert)["CustomKeyStoreId"].(string)
	c.ok("connect-custom-key-store", "--custom-key-store-id", id)
	stores := c.ok("describe-custom-key-stores")["CustomKeyStores"].([]any)
	require.Len(t, stores, 1)
	require.Equal(t, "CONNECTED", stores[0].(map[string]any)["ConnectionState"])

	key := c.newKeyLike("--origin", "AWS_CLOUDHSM", "--custom-key-store-id", id)
	require.Equal(t, id, c.metadata(key)["CustomKeyStoreId"])
	c.ok("generate-random", "--number-of-bytes", "8", "--custom-key-store-id", id)
	c.ok("disconnect-custom-key-store", "--custom-key-store-id", id)
	require.Contains(t, c.refused("KMSInvalidStateException", "generate-data-key", "--key-id", key, "--key-spec", "AES_256"), key+" is unavailable.")
	c.refused("CustomKeyStoreHasCMKsException", "delete-custom-key-store", "--custom-key-store-id", id)
}
