package audit_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/sealring/sealring/audit"
)

// A log of events, each in one line, on stable storage when Record returns.
func ExampleOpenFile() {
	dir, err := os.MkdirTemp("", "audit")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "audit.jsonl")

	f, err := audit.OpenFile(path, nil)
	if err != nil {
		log.Fatal(err)
	}
	if torn := f.Torn(); torn.Size > 0 {
		fmt.Println("after a crash", torn.Size, "bytes are in", torn.File)
	}
	err = f.Record(context.Background(), audit.Event{
		ID: "8a7e", Time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Source: "kms.amazonaws.com", Name: "Encrypt", Region: "eu-west-1",
		Identity: audit.Identity{Type: "Root", Account: "111122223333"}, ErrorCode: "DisabledException",
	})
	if err := errors.Join(err, f.Close()); err != nil {
		log.Fatal(err)
	}
	line, err := os.ReadFile(path)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(strings.ReplaceAll(strings.TrimSpace(string(line)), `,"`, ",\n\""))
	// Output:
	// {"eventVersion":"1.11",
	// "userIdentity":{"type":"Root",
	// "accountId":"111122223333"},
	// "eventTime":"2026-01-02T03:04:05Z",
	// "eventSource":"kms.amazonaws.com",
	// "eventName":"Encrypt",
	// "awsRegion":"eu-west-1",
	// "errorCode":"DisabledException",
	// "requestParameters":null,
	// "responseElements":null,
	// "requestID":"",
	// "eventID":"8a7e",
	// "readOnly":false,
	// "eventType":"AwsApiCall",
	// "managementEvent":true,
	// "recipientAccountId":"111122223333",
	// "eventCategory":"Management"}
}

// A chained log whose second event somebody has changed.
func ExampleVerifyLog() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "audit")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "audit.jsonl")

	f, err := audit.OpenFile(path, nil)
	if err != nil {
		log.Fatal(err)
	}
	state := &memoryState{} // a sealed store, in earnest
	chain, err := audit.NewChain(ctx, f, state, nil)
	if err != nil {
		log.Fatal(err)
	}
	for _, name := range []string{"CreateKey", "Decrypt", "DisableKey"} {
		if err := chain.Record(ctx, audit.Event{Name: name}); err != nil {
			log.Fatal(err)
		}
	}
	if err := errors.Join(chain.Close(ctx), f.Close()); err != nil {
		log.Fatal(err)
	}

	origin, head, err := state.Load(ctx)
	if err != nil {
		log.Fatal(err)
	}
	verify := func() {
		sources, err := audit.Sources(path)
		if err != nil {
			log.Fatal(err)
		}
		report, err := audit.VerifyLog(ctx, sources, audit.Verification{
			Origins: []audit.Origin{origin},
			Anchors: []audit.Anchor{head.Anchor},
		})
		fmt.Print("proven: ", report.Chains[0].Proven, " events")
		if fault := (*audit.Fault)(nil); errors.As(err, &fault) {
			fmt.Print(", line ", fault.Line, ": ", fault.Kind)
		}
		fmt.Println()
	}
	verify()
	text, err := os.ReadFile(path)
	if err != nil {
		log.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(strings.Replace(string(text), "Decrypt", "Encrypt", 1)), 0o600); err != nil {
		log.Fatal(err)
	}
	verify()
	// Output:
	// proven: 3 events
	// proven: 1 events, line 2: altered
}

// A program that reacts to keys that were rotated.
func ExampleBus() {
	ctx := context.Background()
	var bus audit.Bus
	changes := bus.Subscribe(ctx)

	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	_ = bus.Publish(ctx, audit.KeyChange(audit.KeyRotated, "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab", at))
	_ = bus.Close()

	for e, err := range changes {
		if err != nil {
			log.Fatal(err)
		}
		if key, ok := e.Detail.(audit.KeyDetail); ok {
			fmt.Println(e.DetailType, key.KeyID)
		}
	}
	// Output: KMS CMK Rotation 1234abcd-12ab-34cd-56ef-1234567890ab
}
