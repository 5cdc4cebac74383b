package kms_test

// badToken is the answer to a grant token that no grant has.
const badToken = "The grant token is not valid."
