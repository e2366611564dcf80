// Package auth says who a request comes from and whether that one may make it.
// A tokens file names people and programs, their role and the SHA-256 of their
// token; without one everything is allowed, to everybody, as Anonymous.
//
// It holds no session and no secret: only digests of tokens are kept, and they
// are compared in constant time. Tokens and the functions made of them are
// immutable and safe for concurrent use. Which role a call needs is for the
// package that answers it to say. Package auth imports feature only.
package auth
