package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/pressly/goose/v3"

	"sluice/store/folder"
)

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
		return folder.Make(filepath.Dir(path), 0o750)
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
func (f *sqlite) migrate(ctx context.Context) error {
	var id, tables int64
	if err := f.writer.QueryRowContext(ctx, "PRAGMA application_id").Scan(&id); err != nil {
		return fmt.Errorf("%s: %w", f.path, err)
	}
	if err := f.writer.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_master").Scan(&tables); err != nil {
		return fmt.Errorf("%s: %w", f.path, err)
	}
	switch {
	case id == applicationID:
		if err := f.check(ctx); err != nil {
			return err
		}
	case tables > 0 || id != 0:
		return fmt.Errorf("%s: %w: it is a SQLite file of another program: move it away, or choose another data folder", f.path, ErrForeign)
	default:
		if _, err := f.writer.ExecContext(ctx, fmt.Sprintf("PRAGMA application_id = %d", applicationID)); err != nil {
			return fmt.Errorf("%s: %w", f.path, err)
		}
	}
	return upgrade(ctx, f.path, goose.DialectSQLite3, f.writer, "sqlite")
}

// check reads a file through if it is not too large for that.
func (f *sqlite) check(ctx context.Context) error {
	info, err := os.Stat(f.path)
	if err != nil || info.Size() > checkedBytes {
		return err
	}
	var report string
	if err := f.writer.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&report); err != nil {
		return fmt.Errorf("%s: %w", f.path, err)
	}
	if !strings.EqualFold(strings.TrimSpace(report), "ok") {
		return fmt.Errorf("%s: %w: restore it from a backup, or move it away to start anew: %s", f.path, ErrCorrupt, report)
	}
	return nil
}
