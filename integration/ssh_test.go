package integration

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/sealring/sealring/kmscrypto"
)

// signingKMS is a KMS of one signing key: Sign for digests, and for the messages of
// Ed25519.
type signingKMS struct {
	spec types.KeySpec
	key  crypto.Signer
}

const signingARN = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"

func (s signingKMS) GetPublicKey(context.Context, *kms.GetPublicKeyInput, ...func(*kms.Options)) (*kms.GetPublicKeyOutput, error) {
	der, err := x509.MarshalPKIXPublicKey(s.key.Public())
	return &kms.GetPublicKeyOutput{
		KeyId: aws.String(signingARN), KeySpec: s.spec, KeyUsage: types.KeyUsageTypeSignVerify, PublicKey: der,
	}, err
}

func (s signingKMS) Sign(_ context.Context, in *kms.SignInput, _ ...func(*kms.Options)) (*kms.SignOutput, error) {
	var hash crypto.Hash
	switch algorithm := string(in.SigningAlgorithm); {
	case in.MessageType == types.MessageTypeRaw: // of Ed25519 only
	case strings.HasSuffix(algorithm, "SHA_256"):
		hash = crypto.SHA256
	case strings.HasSuffix(algorithm, "SHA_384"):
		hash = crypto.SHA384
	default:
		hash = crypto.SHA512
	}
	signature, err := s.key.Sign(rand.Reader, in.Message, hash)
	return &kms.SignOutput{KeyId: aws.String(signingARN), Signature: signature, SigningAlgorithm: in.SigningAlgorithm}, err
}

// An SSH server and its client, both with a key in KMS, find an algorithm that KMS
// has.
func TestSSH(t *testing.T) {
	t.Parallel()
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	p256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	require.NoError(t, err)
	p521, err := ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	require.NoError(t, err)
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	for _, k := range []signingKMS{
		{types.KeySpecRsa2048, rsaKey}, {types.KeySpecEccNistP256, p256}, {types.KeySpecEccNistP384, p384},
		{types.KeySpecEccNistP521, p521}, {types.KeySpecEccNistEdwards25519, ed},
	} {
		t.Run(string(k.spec), func(t *testing.T) {
			t.Parallel()
			inKMS, err := kmscrypto.NewSigner(t.Context(), k, signingARN, nil)
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
