// Package feast runs Feast's own Python client, from PyPI and pinned, against the
// built binary: its FeatureStore with the remote online store, its gRPC stubs, its
// remote registry, and the registry file that its `feast apply` makes.
//
// The tests proper are in clients, for pytest; the Go test makes a virtual
// environment for them, in .venv/feast at the root of the repository, and starts the
// platform. It needs Python 3.10 to 3.13, which SLUICE_PYTHON may name, and fails
// without. It carries the build tag services: `make test-feast` runs it.
package feast
