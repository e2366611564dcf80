//go:build amd64 || arm64

package powerloss

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"sluice/cmd/sluice/app"
	"sluice/store/registry"
)

const backups = 12

// backupPart makes backups of an installation that lies elsewhere, each under a name of its
// own, and announces each with a digest. After a cut every announced one is there, whole; one
// that was not may be there only if it is whole as well.
var backupPart = part{
	name: "backup",
	work: func(ctx context.Context, w *work) (err error) {
		cfg := app.DefaultConfig()
		if cfg.Data, err = os.MkdirTemp("", "sluice-powerloss"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(cfg.Data)) }()
		r, err := registry.OpenSQLite(ctx, filepath.Join(cfg.Data, "registry.db"), registry.Options{})
		if err != nil {
			return err
		}
		_, err = r.Installation(ctx) // as a process that runs on it does: nothing else is backed up
		if err := errors.Join(err, r.Close()); err != nil {
			return err
		}
		for i := range backups {
			name := fmt.Sprintf("backup-%d", i)
			if err := backUp(ctx, w, cfg, name); err != nil {
				return err
			}
			b, err := os.ReadFile(filepath.Join(w.dir, name))
			if err != nil {
				return err
			}
			w.ack("%s %x", name, sha256.Sum256(b))
		}
		return nil
	},
	check: checkBackups,
}

// backUp makes one backup. One that is not to be durable is copied into its place.
func backUp(ctx context.Context, w *work, cfg app.Config, name string) error {
	path := filepath.Join(w.dir, name)
	if !w.durable {
		path = filepath.Join(cfg.Data, name)
	}
	if _, err := app.Backup(ctx, cfg, app.BackupOptions{Path: path, Release: "test"}); err != nil || w.durable {
		return err
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(w.dir, name), b, 0o600)
}

func checkBackups(_ context.Context, dir string, acks, later []string) error {
	for i, ack := range append(acks, later...) {
		name, want, _ := strings.Cut(ack, " ")
		b, err := os.ReadFile(filepath.Join(dir, name))
		if errors.Is(err, os.ErrNotExist) && i >= len(acks) {
			continue
		}
		if err != nil {
			return fmt.Errorf("%w: %w", errLost, err)
		}
		if got := fmt.Sprintf("%x", sha256.Sum256(b)); got != want {
			return fmt.Errorf("%w: %s has other bytes", errLost, name)
		}
	}
	return nil
}
