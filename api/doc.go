// Package api holds the wire: the .proto files of the platform's own gRPC
// service (sluice/v1) and of the parts of Feast's that it answers or reads
// (feast), each with its generated Go beside it; and the OpenAPI document of the
// HTTP surface.
//
// Nothing here decides anything; package serving and those below it answer the services. The
// messages are safe for concurrent use as long as nobody changes them. Package
// api imports the protobuf and gRPC runtimes only.
//
// `go generate ./api` makes the Go files again. It needs nothing but Go.
package api

//go:generate go run ./internal/gen
