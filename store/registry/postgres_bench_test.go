//go:build services

package registry_test

import (
	"testing"

	"sluice/store/registry"
)

func server(b *testing.B) *registry.Registry {
	b.Helper()
	return openPostgres(b, databaseOf(b, superuser(b), b.TempDir()), registry.PostgresOptions{})
}

func BenchmarkPostgresCommit(b *testing.B)      { benchmarkCommit(b, server) }
func BenchmarkPostgresVector(b *testing.B)      { benchmarkVector(b, server) }
func BenchmarkPostgresOpenVersion(b *testing.B) { benchmarkOpenVersion(b, server) }
func BenchmarkPostgresRetain(b *testing.B)      { benchmarkRetain(b, server) }
