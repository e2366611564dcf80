package main

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"

	"sluice/internal/control"
)

type deadlettersCmd struct {
	List deadlettersListCmd `cmd:"" help:"List records that were not accepted, and why."`
	Show deadlettersShowCmd `cmd:"" help:"Show one of them with its bytes."`
}

type deadlettersListCmd struct {
	listFlags
	View   string `help:"Only of this view." placeholder:"VIEW"`
	Reason string `help:"Only for this reason, such as decode, type or expect." placeholder:"CODE"`
}

// Help shows examples.
func (*deadlettersListCmd) Help() string {
	return "Examples:\n  sluice deadletters list\n  sluice deadletters list --view carrier_delays --reason expect"
}

func (c *deadlettersListCmd) Run(e *env) error {
	query := url.Values{}
	for key, value := range map[string]string{"view": c.View, "reason": c.Reason} {
		if value != "" {
			query.Set(key, value)
		}
	}
	return show(e, &c.listFlags, "/api/v1/deadletters", query, "RECORD AT KIND REASON VIEW FEATURE TEXT", func(d control.DeadLetter) []string {
		record := fmt.Sprintf("%s/%d/%d", d.Topic, d.Partition, d.Offset)
		return []string{record, when(d.At), d.Kind, string(d.Reason), d.View, d.Feature, d.Text}
	})
}

type deadlettersShowCmd struct {
	connection
	Record string `arg:"" help:"Record, as list names it: TOPIC/PARTITION/OFFSET."`
}

// Help shows examples.
func (*deadlettersShowCmd) Help() string {
	return "Examples:\n  sluice deadletters show sluice.writes/0/1234"
}

func (c *deadlettersShowCmd) Run(e *env) error {
	parts := strings.Split(c.Record, "/")
	if len(parts) != 3 {
		return fmt.Errorf("%w: record %q: want TOPIC/PARTITION/OFFSET", errUsage, c.Record)
	}
	var raw json.RawMessage
	path := "/api/v1/deadletters/" + url.PathEscape(parts[0]) + "/" + url.PathEscape(parts[1]) + "/" + url.PathEscape(parts[2])
	if err := c.get(e.ctx, path, &raw); err != nil {
		return err
	}
	if c.Format == "json" {
		return printJSON(e.stdout, raw)
	}
	var d control.DeadLetter
	if err := json.Unmarshal(raw, &d); err != nil {
		return fmt.Errorf("answer about the dead letter: %w", err)
	}
	_, err := fmt.Fprintf(e.stdout, "%s %s, read at %s\nview %s, feature %s: %s\n%s\n", plain(d.Kind), plain(string(d.Reason)), when(d.At),
		plain(d.View), plain(d.Feature), plain(d.Text), plain(string(d.Bytes)))
	return err
}
