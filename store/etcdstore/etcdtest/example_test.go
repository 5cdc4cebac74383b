package etcdtest

import (
	"context"
	"fmt"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/sealring/sealring/store"
	"github.com/sealring/sealring/store/etcdstore"
)

func Example_twoProcesses() {
	ctx := context.Background()
	cluster, err := shared() // a cluster for tests
	if err != nil {
		panic(err)
	}
	client, err := clientv3.New(clientv3.Config{Endpoints: cluster.endpoints()})
	if err != nil {
		panic(err)
	}
	defer client.Close()
	// Two processes would each open one.
	here, err := etcdstore.Open(ctx, client, &etcdstore.Options{Namespace: "sealring/example"})
	if err != nil {
		panic(err)
	}
	defer here.Close()
	there, err := etcdstore.Open(ctx, client, &etcdstore.Options{
		Namespace: "sealring/example", MaxStaleness: etcdstore.Linearizable,
	})
	if err != nil {
		panic(err)
	}
	defer there.Close()

	err = here.Update(ctx, func(tx store.Tx) error { return tx.Put("greeting", []byte("hello")) })
	if err != nil {
		panic(err)
	}
	err = there.View(ctx, func(tx store.Tx) error {
		value, err := tx.Get("greeting")
		fmt.Printf("%s\n", value)
		return err
	})
	if err != nil {
		panic(err)
	}
	// Output: hello
}
