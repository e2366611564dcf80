package main

import (
	"errors"
	"fmt"

	"sluice/cmd/sluice/app"
	"sluice/internal/auth"
)

type configCmd struct {
	Check configCheckCmd `cmd:"" help:"Say everything that is wrong with a configuration."`
}

type configCheckCmd struct {
	Target     string      `help:"What will be run: all, tap, gate or serve." default:"all" placeholder:"TARGET"`
	ConfigFile string      `name:"config.file" help:"Configuration." placeholder:"FILE"`
	Format     string      `help:"table for people, json for one JSON document." enum:"table,json" default:"table"`
	Config     configFlags `embed:""`
}

// Help shows examples.
func (*configCheckCmd) Help() string {
	return "It exits with 1 if something is wrong.\n\nExamples:\n  sluice config check -config.file=sluice.yaml\n  sluice config check -config.file=sluice.yaml -target=serve"
}

func (c *configCheckCmd) Run(e *env) error {
	cfg, err := loadConfig(c.ConfigFile, &c.Config, e.set)
	if err == nil {
		err = validate(cfg, c.Target)
	}
	if c.Format == "json" {
		answer := struct {
			OK       bool     `json:"ok"`
			Problems []string `json:"problems"`
		}{err == nil, problemLines(err)}
		if printed := printJSON(e.stdout, answer); printed != nil {
			return printed
		}
		return err
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(e.stdout, "the configuration is good")
	return err
}

// validate returns every problem of a configuration for a target.
func validate(cfg app.Config, target string) error {
	_, tokens := auth.Load(cfg.Auth.TokensFile)
	if tokens != nil {
		tokens = fmt.Errorf("auth.tokens_file: %w", tokens)
	}
	return errors.Join(cfg.Validate(), cfg.ValidateTarget(target), tokens)
}
