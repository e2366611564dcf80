package main

import "sluice/cmd/sluice/app"

type demoCmd struct {
	Format   string   `help:"table for people, json for one JSON document." enum:"table,json" default:"table"`
	Stay     bool     `help:"Keep running afterwards, to look around."`
	Brokers  []string `help:"Use these Kafka brokers." placeholder:"ADDR"`
	Redis    []string `help:"Use this Redis server, or these of a Cluster." placeholder:"ADDR"`
	Postgres string   `help:"Use this PostgreSQL server." placeholder:"URL"`
}

// Help shows examples.
func (*demoCmd) Help() string {
	return "It fails if a planted incident is missed.\n\nExamples:\n  sluice demo\n  sluice demo --format json\n  sluice demo --stay"
}

func (c *demoCmd) Run(e *env) error {
	return app.Demo(e.ctx, app.DemoOptions{
		Format: c.Format, Stay: c.Stay, Brokers: c.Brokers, Redis: c.Redis, Postgres: c.Postgres,
		Out: e.stdout, Progress: e.stderr, Log: newLogger(e.stderr, app.LogConfig{Level: "error"}),
	})
}
