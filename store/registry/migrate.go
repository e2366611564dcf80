package registry

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
)

//go:embed migrations/*/*.sql
var migrations embed.FS

// upgrade brings a schema up to date with the migrations of a folder. Two upgrades
// of one database must not run at once. place is what errors name.
func upgrade(ctx context.Context, place string, kind goose.Dialect, db *sql.DB, folder string, opts ...goose.ProviderOption) error {
	files, err := fs.Sub(migrations, "migrations/"+folder)
	if err != nil {
		return err
	}
	provider, err := goose.NewProvider(kind, db, files, opts...)
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	sources := provider.ListSources()
	newest := sources[len(sources)-1].Version
	version, err := provider.GetDBVersion(ctx)
	if err != nil {
		return fmt.Errorf("%s: read schema version: %w", place, err)
	}
	if version > newest {
		return fmt.Errorf("%s: %w: its schema is %d and this release knows %d: run the newer release", place, ErrForeign, version, newest)
	}
	if version == newest {
		return nil
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("%s: bring schema from %d to %d: %w", place, version, newest, err)
	}
	return nil
}
