package main

import (
	"errors"
	"fmt"

	"sluice/cmd/sluice/app"
	"sluice/internal/admin"
)

type backupCmd struct {
	File       string      `arg:"" help:"File to write."`
	ConfigFile string      `name:"config.file" help:"Configuration of the installation; without it everything is embedded." placeholder:"FILE"`
	Force      bool        `help:"Replace the file if it exists."`
	Format     string      `help:"table for people, json for one JSON document." enum:"table,json" default:"table"`
	Config     configFlags `embed:""`
}

// Help shows examples.
func (*backupCmd) Help() string {
	return "It reads the registry, on SQLite or PostgreSQL, as of one moment, and what the taps had read by then; the platform may run meanwhile, and is not asked. " +
		"Where everything is embedded it runs on the machine of the data folder, in which a platform that runs says where its broker is. The file does not depend on the kind of database, and ends with a checksum. " +
		"Rows are not in it: `sluice restore --rows` reads them from the log. It holds the definitions, verdicts and the audit log: keep it as secret as those." +
		"\n\nExamples:\n  sluice backup sluice.bak\n  sluice backup /var/backups/sluice-1.bak -config.file=sluice.yaml"
}

func (c *backupCmd) Run(e *env) error {
	cfg, err := loadConfig(c.ConfigFile, &c.Config, e.set)
	if err == nil {
		err = validate(cfg, "all")
	}
	if err != nil {
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	result, err := app.Backup(e.ctx, cfg, app.BackupOptions{
		Path: c.File, Force: c.Force, Release: admin.ReadBuild(release).Version, Log: newLogger(e.stderr, app.LogConfig{Level: "error"}),
	})
	if errors.Is(err, app.ErrExists) {
		return fmt.Errorf("%w: choose another name, or say --force", err)
	}
	if err != nil {
		return err
	}
	if c.Format == "json" {
		return printJSON(e.stdout, result)
	}
	_, err = fmt.Fprintf(e.stdout, "%s: %d bytes, %s\n", plain(result.Path), result.Bytes, app.Describe(result.Header, result.Summary))
	return err
}
