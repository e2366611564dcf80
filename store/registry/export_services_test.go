//go:build services

package registry_test

import (
	"testing"

	"sluice/store/registry"
)

func TestMoveBetweenKinds(t *testing.T) {
	on := map[string]func(t *testing.T) *registry.Registry{
		"SQLite": sqlite,
		"PostgreSQL": func(t *testing.T) *registry.Registry {
			s := openPostgres(t, databaseOf(t, superuser(t), t.TempDir()), registry.PostgresOptions{})
			t.Cleanup(func() {
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			})
			return s
		},
	}
	for _, from := range []string{"SQLite", "PostgreSQL"} {
		for _, to := range []string{"SQLite", "PostgreSQL"} {
			t.Run(from+" to "+to, func(t *testing.T) { testMove(t, on[from](t), on[to](t)) })
		}
	}
	t.Run("one moment", func(t *testing.T) { testMoment(t, on["PostgreSQL"](t)) })
}

func TestInspectPostgres(t *testing.T) {
	dsn := databaseOf(t, superuser(t), t.TempDir())
	before, err := registry.InspectPostgres(t.Context(), dsn)
	if err != nil || before.Major < 12 || before.Schema || before.Free < 1 || before.Version == "" {
		t.Errorf("InspectPostgres of an empty database = %+v, %v", before, err)
	}
	if err := openPostgres(t, dsn, registry.PostgresOptions{}).Close(); err != nil {
		t.Fatal(err)
	}
	if after, err := registry.InspectPostgres(t.Context(), dsn); err != nil || !after.Schema {
		t.Errorf("InspectPostgres of a registry = %+v, %v, want its schema", after, err)
	}
}
