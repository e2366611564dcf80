package registry

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/pressly/goose/v3"
)

//go:embed migrations/*.sql
var migrations embed.FS

const (
	// applicationID marks our files among SQLite files; the bytes are "SLCE".
	applicationID = 0x534c4345
	fileMagic     = "SQLite format 3\x00"
	// checkedBytes is the largest file that is read through at every start. Damage
	// in larger ones is found by whatever first reads the damaged page.
	checkedBytes = 64 << 20
)

// checkFile refuses a file that is no SQLite file, and makes the folder of one
// that is not there yet.
func checkFile(path string) error {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return os.MkdirAll(filepath.Dir(path), 0o750)
	}
	if err != nil {
		return err
	}
	defer file.Close()
	magic := make([]byte, len(fileMagic))
	n, err := io.ReadFull(file, magic)
	if n == 0 && errors.Is(err, io.EOF) {
		return nil
	}
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%s: %w", path, err)
	}
	if string(magic[:n]) != fileMagic {
		return fmt.Errorf("%s: %w: it is no SQLite file: move it away, or choose another data folder", path, ErrForeign)
	}
	return nil
}

// migrate marks a new file as ours, refuses a strange one, and brings the schema
// up to date.
func (s *SQLite) migrate(ctx context.Context) error {
	var id, tables int64
	if err := s.writer.QueryRowContext(ctx, "PRAGMA application_id").Scan(&id); err != nil {
		return fmt.Errorf("%s: %w", s.path, err)
	}
	if err := s.writer.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_master").Scan(&tables); err != nil {
		return fmt.Errorf("%s: %w", s.path, err)
	}
	switch {
	case id == applicationID:
		if err := s.check(ctx); err != nil {
			return err
		}
	case tables > 0 || id != 0:
		return fmt.Errorf("%s: %w: it is a SQLite file of another program: move it away, or choose another data folder", s.path, ErrForeign)
	default:
		if _, err := s.writer.ExecContext(ctx, fmt.Sprintf("PRAGMA application_id = %d", applicationID)); err != nil {
			return fmt.Errorf("%s: %w", s.path, err)
		}
	}
	return s.upgrade(ctx)
}

// check reads a file through if it is not too large for that.
func (s *SQLite) check(ctx context.Context) error {
	info, err := os.Stat(s.path)
	if err != nil || info.Size() > checkedBytes {
		return err
	}
	var report string
	if err := s.writer.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&report); err != nil {
		return fmt.Errorf("%s: %w", s.path, err)
	}
	if damaged(report) {
		return fmt.Errorf("%s: %w: restore it from a backup, or move it away to start anew: %s", s.path, ErrCorrupt, report)
	}
	return nil
}

func (s *SQLite) upgrade(ctx context.Context) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, s.writer, files)
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	sources := provider.ListSources()
	newest := sources[len(sources)-1].Version
	version, err := provider.GetDBVersion(ctx)
	if err != nil {
		return fmt.Errorf("%s: read schema version: %w", s.path, err)
	}
	if version > newest {
		return fmt.Errorf("%s: %w: its schema is %d and this release knows %d: run the newer release", s.path, ErrForeign, version, newest)
	}
	if version == newest {
		return nil
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("%s: bring schema from %d to %d: %w", s.path, version, newest, err)
	}
	return nil
}
