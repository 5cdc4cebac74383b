// Package s3crypto encrypts and decrypts S3 objects in the formats of the Amazon S3
// Encryption Clients (S3 Encryption Client specification), on the client's side: S3 sees
// ciphertext only.
//
// Each object has a data key of its own, 256 bits long. A [Wrapper] encrypts it: [KMS]
// under a key of AWS KMS, [AES] and [RSA] under a key that the caller holds. What a
// reader needs besides the wrapping key lies in the object's metadata, or, for the
// greater part, in an instruction file: a second object beside the first.
//
// There are three formats. V3 commits to the data key and is what is written unless the
// [CommitmentPolicy] says otherwise. V2 is AES-GCM without commitment, or, from old
// writers, AES-CBC without any authentication; V1 is always the latter. What old writers
// wrote is read only where an option names it.
//
// # Which call for which task
//
//	write an object, of any length and from any reader      Client.Put
//	write one in parts, in any order, or resume it          Client.CreateUpload, ResumeUpload
//	read one, nothing before all of it is authenticated     Client.Get
//	read a large one fast, into a file                      Client.Download
//	read one while it arrives, authenticated at its end     Client.GetStream
//	read a part, which nothing authenticates                Client.GetRangeUnauthenticated,
//	                                                        NewReaderAtUnauthenticated
//	know its plaintext's length and how it is encrypted     Client.Head, List
//	change the wrapping key, or share with another one      Client.Rewrap, RewrapAll
//	delete it with its instruction file                     Client.Delete, DeleteObjects
//
// The inputs and outputs are those of aws-sdk-go-v2's S3 client. Inputs are never changed,
// and all of their fields that have a meaning for an encrypted object go to S3.
//
// # What is not protected
//
// Object keys, sizes, metadata and encryption contexts are readable to all who can read
// the bucket. Material descriptions of [AES] and [RSA] can be altered by all who can
// write it; they choose among the reader's keys and do nothing else. So can the caller's
// own metadata, content type and the like. An object can be replaced by an older one, or
// by another one that was encrypted under the same wrapping key: put what tells them apart
// in the encryption context, which is checked.
//
// # Errors
//
// This package's own are variables, to be asked for with [errors.Is], and [*RangeError].
// Those of S3 and KMS can be reached with [errors.As] wherever they come from, as
// smithy.APIError or as the SDK's types. No error has key bytes or plaintext in it.
//
// What is not authentic gives [ErrAuthentication], whatever is wrong with it. What is
// refused before any key is used gives [ErrNotEncrypted], [ErrMetadata], [ErrPolicy],
// [ErrLegacy], [ErrContext] or [ErrWrapper].
//
// # FIPS 140
//
// With GODEBUG=fips140=on everything works. With fips140=only everything works but [RSA],
// whose formats are all with SHA-1 or PKCS #1 v1.5; the error says so. In that mode the
// standard library takes no nonces for AES-GCM, and the formats prescribe them, so that the
// content is encrypted in two passes, with the library's CTR and its GHASH: the result is
// the same, but that it is AES-GCM is this package's doing and not the validated module's.
package s3crypto
