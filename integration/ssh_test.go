package integration

import (
	"io"
	"net"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/sealring/sealring/kmscrypto"
	"github.com/sealring/sealring/local"
)

// An SSH server and its client, both with a key in KMS, find an algorithm that KMS
// has.
func TestSSH(t *testing.T) {
	t.Parallel()
	cloud, err := local.New(nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, cloud.Close()) })
	client := cloud.SDK(region)
	for _, spec := range []types.KeySpec{
		types.KeySpecRsa2048, types.KeySpecEccNistP256, types.KeySpecEccNistP384,
		types.KeySpecEccNistP521, types.KeySpecEccNistEdwards25519,
	} {
		t.Run(string(spec), func(t *testing.T) {
			t.Parallel()
			created, err := client.CreateKey(t.Context(), &kms.CreateKeyInput{KeySpec: spec, KeyUsage: types.KeyUsageTypeSignVerify})
			require.NoError(t, err)
			inKMS, err := kmscrypto.NewSigner(t.Context(), client, *created.KeyMetadata.Arn, nil)
			require.NoError(t, err)
			signer, err := ssh.NewSignerFromSigner(inKMS)
			require.NoError(t, err)
			login(t, signer)
		})
	}
}

// login connects a client to a server and authenticates each to the other by signer.
func login(t *testing.T, signer ssh.Signer) {
	t.Helper()
	public := signer.PublicKey()
	serverConfig := &ssh.ServerConfig{
		PublicKeyCallback: func(_ ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
			if string(key.Marshal()) != string(public.Marshal()) {
				return nil, io.ErrUnexpectedEOF
			}
			return nil, nil
		},
	}
	serverConfig.AddHostKey(signer)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	served := make(chan error, 1)
	go func() {
		conn, err := listener.Accept()
		if err == nil {
			_, _, _, err = ssh.NewServerConn(conn, serverConfig)
		}
		served <- err
	}()
	client, err := ssh.Dial("tcp", listener.Addr().String(), &ssh.ClientConfig{
		User: "ann", Auth: []ssh.AuthMethod{ssh.PublicKeys(signer)}, HostKeyCallback: ssh.FixedHostKey(public),
	})
	require.NoError(t, err)
	require.NoError(t, <-served)
	require.NoError(t, client.Close())
}
