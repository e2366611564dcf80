// Package admission decides which requests a process works on, which wait and
// which it sheds: an adaptive limit of requests at work, a bounded queue by
// priority before it, and token buckets of names.
//
// What a request is, and how one that was shed is answered, is for the package
// that calls it to say. All types are safe for concurrent use. Package admission
// imports nothing of ours.
package admission
