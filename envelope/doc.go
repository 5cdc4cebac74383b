// Package envelope encrypts and decrypts messages in the format of the AWS
// Encryption SDK, versions 1 and 2, so that AWS's own libraries read what it
// writes and it reads what they wrote.
//
// A message carries all that is needed to decrypt it except the wrapping key:
//
//	header   suite, message id, encryption context, encrypted data keys; authenticated
//	body     frames of ciphertext, each with a sequence number and a tag
//	footer   an ECDSA signature of all the rest, in signed suites only
//
// The data key is new for each message; a [keyring.Manager] supplies it together
// with its encryptions. [Encrypt] and [Decrypt] work on whole byte slices,
// [NewWriter] and [NewReader] on streams of any length in constant memory:
//
//	ring, err := keyring.NewRawAES("fleet", "2026-01", wrappingKey)
//	m := keyring.NewManager(ring)
//	message, err := envelope.Encrypt(ctx, m, plaintext, nil)
//	plaintext, header, err := envelope.Decrypt(ctx, m, message, nil)
//
// [NewReaderAt] reads any part of an unsigned message, from a file, or over HTTP or
// from S3 by way of [NewRangeReaderAt], and fetches only the frames that it needs.
//
// # Speed and memory
//
// Calls with 512 KiB of plaintext or more use several goroutines, as many as the
// options' Parallelism says, GOMAXPROCS by default; none outlives the call that
// started it, so a Writer or Reader can be abandoned at any time. [AppendEncrypt]
// and [AppendDecrypt] write into the caller's buffer, which for long messages saves
// as much again. What a stream holds in memory is said at [Writer] and [Reader]; it
// comes from a pool and is wiped before others get it.
//
// # What is promised
//
// Nothing is released that has not been authenticated. [Decrypt] returns
// plaintext only when the whole message is authentic. A [Reader] releases frame
// by frame, each after its own tag; a message that was cut, reordered or altered
// further on is refused when that place is reached, so whoever has used the
// beginning must be able to undo it. Only [io.EOF] says that the message was
// whole. The last frame of a signed message is withheld until the signature has
// been verified. A [ReaderAt] knows at open that the message is whole, and of each
// frame, when it is read, that it is the one that was written there.
//
// The zero options are the safest: the signed and key-committing suite 0578 is
// written, and only committing suites are read. Reading what older clients wrote
// takes [keyring.RequireEncryptAllowDecrypt].
//
// # What is not
//
// The header is not secret: the encryption context, the key names and the length
// of the plaintext are visible. Keys and plaintext are wiped from buffers of
// this package on a best-effort basis only. The signature proves which holder of
// encrypt permission made a message only as far as the wrapping of its data key
// binds the encryption context, which carries the public key.
//
// Functions are safe for concurrent use, and so is a ReaderAt; a Writer or Reader is
// not.
package envelope
