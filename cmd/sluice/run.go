package main

import (
	"fmt"
	"io"
	"log/slog"

	"sluice/cmd/sluice/app"
	"sluice/internal/admin"
)

type runCmd struct {
	Target     string      `help:"What to run: all, or one part of many: tap, gate, serve." default:"all" placeholder:"TARGET"`
	ConfigFile string      `name:"config.file" help:"Configuration; without it everything is embedded." placeholder:"FILE"`
	Clock      string      `help:"wall, or manual: moved by POST /api/v1/clock." enum:"wall,manual" default:"wall"`
	Config     configFlags `embed:""`
}

// Help shows examples.
func (*runCmd) Help() string {
	return "Flags override the file.\n\nExamples:\n  sluice run\n  sluice run -config.file=sluice.yaml --listen.http=127.0.0.1:8080\n  sluice run -target=all -clock=manual"
}

func (c *runCmd) Run(e *env) error {
	cfg, err := loadConfig(c.ConfigFile, &c.Config, e.set)
	if err == nil {
		err = validate(cfg, c.Target)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	return app.Run(e.ctx, cfg, app.Options{
		Target: c.Target, Clock: c.Clock, Version: admin.ReadBuild(release).Version, Log: newLogger(e.stderr, cfg.Log), Out: e.stdout,
	})
}

// configFlags is the configuration as flags. It is a type of its own because the
// parser would call a method Validate, before the file is read.
type configFlags app.Config

// loadConfig reads the file over the defaults, and the flags that were given over
// both.
func loadConfig(file string, flags *configFlags, set map[string]bool) (app.Config, error) {
	cfg, err := app.LoadConfig(file)
	if err != nil {
		return cfg, err
	}
	given := (*app.Config)(flags).Keys()
	for i, key := range cfg.Keys() {
		if set[key.Name] {
			key.Value.Set(given[i].Value)
		}
	}
	return cfg, nil
}

// newLogger returns the log of a process.
func newLogger(w io.Writer, cfg app.LogConfig) *slog.Logger {
	level := map[string]slog.Level{"debug": slog.LevelDebug, "warn": slog.LevelWarn, "error": slog.LevelError}[cfg.Level]
	opts := &slog.HandlerOptions{Level: level}
	if cfg.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, opts))
	}
	return slog.New(slog.NewTextHandler(w, opts))
}
