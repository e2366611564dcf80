// Package refusal says no: it makes the errors of requests that are not answered, and
// gives them their status.
//
// Every refusal wraps a *feature.Error, which holds the contract's code, a message that
// names what was asked for, and a hint that says what to do. Those of this package's own
// kinds add what a door needs beside the code: that asking again does not help (Final),
// that it does after a while (Shed), that another limit is to be named (Rows), another
// status of HTTP (HTTP). How an error is written over HTTP is for packages auth and serving
// to say; GRPC writes it for gRPC.
//
// All functions are pure and safe for concurrent use. Package refusal imports feature.
package refusal
