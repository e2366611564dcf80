package main

import (
	"errors"
	"fmt"
	"strings"

	"sluice/cmd/sluice/app"
)

type rereadCmd struct {
	Partitions []string    `arg:"" help:"Partitions of topics of writes, each as TOPIC/PARTITION, as the alert and the log name them." placeholder:"TOPIC/PARTITION"`
	ConfigFile string      `name:"config.file" help:"Configuration of the installation; without it everything is embedded." placeholder:"FILE"`
	Force      bool        `help:"Also partitions whose progress is there."`
	Yes        bool        `short:"y" help:"Do not ask."`
	By         string      `help:"Who does it." env:"USER" placeholder:"NAME"`
	Reason     string      `help:"Why, for the audit log." required:"" placeholder:"TEXT"`
	Config     configFlags `embed:""`
}

// Help shows examples.
func (*rereadCmd) Help() string {
	return "For partitions that are held because their progress is gone and no backup has it. The taps read them from the start of the log, as if they never had: " +
		"what was counted of them is counted again, event ids are not known, and what belongs to windows that are judged comes late. " +
		"The platform may run; where everything is embedded the command runs on the machine of the data folder." +
		"\n\nExamples:\n  sluice reread sluice.writes/3 --reason 'profiles topic was deleted, no backup'\n  sluice reread flights/0 flights/1 -config.file=sluice.yaml --yes --reason 'as agreed with the producers'"
}

func (c *rereadCmd) Run(e *env) error {
	cfg, err := loadConfig(c.ConfigFile, &c.Config, e.set)
	if err == nil {
		err = validate(cfg, "all")
	}
	if err != nil {
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	names := strings.Join(c.Partitions, ", ")
	if err := confirm(e, c.Yes, nil, "read %s from the start of the log and count it again", names); err != nil {
		return err
	}
	err = app.Reread(e.ctx, cfg, app.RereadOptions{Sources: c.Partitions, Force: c.Force, By: c.By, Reason: c.Reason, Log: newLogger(e.stderr, app.LogConfig{Level: "error"})})
	switch {
	case errors.Is(err, app.ErrSource):
		return fmt.Errorf("%w: %w", errUsage, err)
	case errors.Is(err, app.ErrHasProgress):
		return fmt.Errorf("%w: taps go on from there; say --force to begin again", err)
	case err != nil:
		return err
	}
	_, err = fmt.Fprintf(e.stdout, "%s: read from the start of the log, as soon as a tap has it\n", plain(names))
	return err
}
