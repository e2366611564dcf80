// Package backup writes and reads the archive of an installation, and stages the rows of
// its online store again from the log.
//
// An archive is one file: the registry's tables as of one moment, whatever database they
// are in, and what the taps had read by then. It is compressed, versioned, and ends with
// a checksum over all of it, without which nothing of it is believed. Rows are not in it:
// they are derived, and Restage reads them from the log by the spans of the versions that
// the registry knows.
//
// The package knows neither databases nor brokers: values go in and out as they are, and
// states of taps are opaque. A Writer and a Reader belong to one goroutine each. Package
// backup imports feature only.
package backup
