// Package ddbstore keeps branch keys in a DynamoDB table, with the schema of AWS's
// branch key store: tables of AWS's libraries can be used, and the other way round.
//
//	table, err := ddbstore.New(dynamodb.NewFromConfig(config), "orders-keys")
//	arn, err := table.CreateTable(ctx) // once
//	keys, err := branchkey.NewKeyStore(branchkey.Config{
//		LogicalName: "orders-keys", Table: table, KMS: client, KMSKey: branchkey.ExactKey(keyARN),
//	})
//
// Reading takes the right dynamodb:GetItem; creating and versioning branch keys also
// dynamodb:PutItem, for TransactWriteItems. Reads are strongly consistent.
package ddbstore
