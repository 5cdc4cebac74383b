package kms

import (
	"cmp"
	"context"
	"crypto/subtle"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/kms/types"

	"github.com/sealring/sealring/internal/keyrecord"
)

// CloudHSMCluster describes an AWS CloudHSM cluster to the engine, which has none: see
// [Config].CloudHSM. Whatever is said here, no hardware security module is involved. The
// keys of an AWS CloudHSM key store are software keys like all others, and stored where
// those are; what the description decides is which errors there are.
type CloudHSMCluster struct {
	// TrustAnchor is the content of the cluster's customerCA.crt.
	TrustAnchor string

	// Password is that of the kmsuser, which a store has to have for its connection. It
	// stays what it is: AWS rotates it.
	Password string

	// Active is set for a cluster that is initialized and activated.
	Active bool

	// HSMs is the number of active HSMs, each in an Availability Zone of its own. To be
	// connected a store needs one; to be made or changed, or to make a key, two.
	HSMs int

	// History names the backup that the cluster comes from. Clusters with the same
	// history have the same certificate. Empty means that there is no other.
	History string

	// Misconfigured is set if the cluster's subnets or security group are not as AWS KMS
	// needs them.
	Misconfigured bool

	// Failure is what connecting fails with, such as USER_LOCKED_OUT. Empty means that
	// it succeeds if the password is right.
	Failure types.ConnectionErrorCodeType
}

// Format prints the cluster without its password, whatever the verb.
func (c CloudHSMCluster) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "kms.CloudHSMCluster{%d HSMs, active: %t}", c.HSMs, c.Active)
}

// What AWS KMS needs of a cluster, in active HSMs.
const (
	hsmsToConnect = 1
	hsmsToManage  = 2
)

// cluster looks a cluster up. It is nil if there is none with the id.
func (r *request) cluster(id string) (*CloudHSMCluster, error) {
	return ask(r, question("cluster", id), func(context.Context) (*CloudHSMCluster, error) {
		if r.service.cloudHSM == nil {
			return nil, nil
		}
		c, ok := r.service.cloudHSM(id)
		if !ok {
			return nil, nil
		}
		return &c, nil
	})
}

// history returns what the cluster of the id has in common with those that it is
// related to.
func (c *CloudHSMCluster) history(id string) string { return cmp.Or(c.History, id) }

// check refuses a cluster that cannot be used with a key store.
func (c *CloudHSMCluster) check(id string, hsms int) error {
	switch {
	case !c.Active:
		return &types.CloudHsmClusterNotActiveException{Message: text("The CloudHSM cluster %s is not active.", id)}
	case c.Misconfigured:
		return &types.CloudHsmClusterInvalidConfigurationException{Message: text("The CloudHSM cluster %s does not meet the configuration requirements for a CloudHSM key store.", id)}
	case c.HSMs < hsms:
		return &types.CloudHsmClusterInvalidConfigurationException{Message: text("The CloudHSM cluster %s must contain at least %d active HSMs.", id, hsms)}
	}
	return nil
}

// newCluster finds the cluster that a store is to have and checks it.
func (r *request) newCluster(id string) (*CloudHSMCluster, error) {
	c, err := r.cluster(id)
	if err != nil {
		return nil, err
	}
	if c == nil {
		return nil, &types.CloudHsmClusterNotFoundException{Message: text("The CloudHSM cluster %s was not found.", id)}
	}
	return c, c.check(id, hsmsToManage)
}

// setCluster gives a new store its cluster.
func (r *request) setCluster(s *keyrecord.KeyStore, all *keyrecord.KeyStores, id, trustAnchor, password string) error {
	c, err := r.newCluster(id)
	if err != nil {
		return err
	}
	for i := range all.Stores {
		if other := all.Stores[i].Cluster; other != nil && (other.ID == id || other.History == c.history(id)) {
			return &types.CloudHsmClusterInUseException{Message: text("The CloudHSM cluster %s, or one that shares its backup history, is already associated with a custom key store.", id)}
		}
	}
	if strings.TrimSpace(trustAnchor) != strings.TrimSpace(c.TrustAnchor) {
		return &types.IncorrectTrustAnchorException{Message: text("The trust anchor certificate is not that of the CloudHSM cluster %s.", id)}
	}
	s.Cluster = &keyrecord.Cluster{ID: id, History: c.history(id), TrustAnchor: trustAnchor, Password: password}
	return nil
}

// changeCluster gives a store a related cluster in place of its own.
func (r *request) changeCluster(s *keyrecord.Cluster, id string) error {
	c, err := r.newCluster(id)
	if err != nil {
		return err
	}
	if id != s.ID && c.history(id) != s.History {
		return &types.CloudHsmClusterNotRelatedException{Message: text("The CloudHSM cluster %s does not share a backup history with the cluster %s.", id, s.ID)}
	}
	s.ID = id
	return nil
}

// connectCluster tries to connect a store to its cluster. It returns the code of what
// it fails with, empty if it succeeds.
func (r *request) connectCluster(s *keyrecord.Cluster) (types.ConnectionErrorCodeType, error) {
	c, err := r.cluster(s.ID)
	switch {
	case err != nil:
		return "", err
	case c == nil:
		return types.ConnectionErrorCodeTypeClusterNotFound, nil
	}
	if err := c.check(s.ID, hsmsToConnect); err != nil {
		return "", err
	}
	if c.Failure == "" && subtle.ConstantTimeCompare([]byte(c.Password), []byte(s.Password)) == 0 {
		return types.ConnectionErrorCodeTypeInvalidCredentials, nil
	}
	return c.Failure, nil
}

// checkClusterForKey checks that the cluster of a connected store can have a new key.
func (r *request) checkClusterForKey(s *keyrecord.Cluster) error {
	c, err := r.cluster(s.ID)
	switch {
	case err != nil:
		return err
	case c == nil || c.check(s.ID, hsmsToManage) != nil:
		return &types.CloudHsmClusterInvalidConfigurationException{Message: text("The CloudHSM cluster %s must contain at least %d active HSMs.", s.ID, hsmsToManage)}
	}
	return nil
}
