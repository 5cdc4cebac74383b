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
// # What is not protected
//
// Object keys, sizes, metadata and encryption contexts are readable to all who can read
// the bucket. Material descriptions of [AES] and [RSA] can be altered by all who can
// write it; they choose among the reader's keys and do nothing else. An object can be
// replaced by an older one, or by another one that was encrypted under the same wrapping
// key: put what tells them apart in the encryption context, which is checked.
package s3crypto
