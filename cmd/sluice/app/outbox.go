package app

import (
	"context"
	"log/slog"

	"sluice/feature"
	"sluice/internal/notify"
	"sluice/internal/probe"
)

// notices is where the registry keeps what people are to be told.
type notices interface {
	Notices(ctx context.Context, limit int) ([]feature.Notice, error)
	Told(ctx context.Context, ids ...string) error
	Changed() <-chan struct{}
}

// outbox is what the notifier tells from.
type outbox struct {
	notices
	definitions func() *feature.Definitions
}

// Waiting lists the events of the notices that wait. Those of a probe are told to nobody, and
// forgotten here.
func (o outbox) Waiting(ctx context.Context, limit int) ([]notify.Event, error) {
	waiting, err := o.Notices(ctx, limit)
	if err != nil {
		return nil, err
	}
	var events []notify.Event
	var quiet []string
	for _, n := range waiting {
		if ofProbe(o.definitions(), n.Alert) {
			quiet = append(quiet, n.ID)
			continue
		}
		events = append(events, notify.Event{ID: n.ID, At: n.At, Kind: notify.Kind(n.Alert.Kind), View: n.Alert.View, Version: n.Alert.Version, Verdict: n.Alert.Verdict,
			Window: n.Window, Text: n.Alert.Text, Reasons: n.Reasons, ServedVersion: n.Served, Resolved: n.Resolved})
	}
	if len(quiet) == 0 {
		return events, nil
	}
	return events, o.Told(ctx, quiet...)
}

// ofProbe reports whether an alert is about what the gate finds in the view of a probe: its
// faults are planted, and what matters of it are the probe's own metrics. They stay in the
// list of alerts and in the audit log.
func ofProbe(defs *feature.Definitions, a feature.Alert) bool {
	if a.View != probe.View || a.Kind == "frozen" {
		return false
	}
	v := defs.View(probe.View)
	return v != nil && v.Project == probe.Project
}

// notifier tells people what waits in the registry. It runs where the gate leads, so that one
// process does.
func (a *App) notifier() *notify.Notifier {
	cfg := notify.Config{Token: notify.Secret(a.slackToken()), Channel: a.cfg.Slack.Channel, BaseURL: "http://" + a.cfg.Listen.HTTP}
	return notify.New(cfg, outbox{a.parts.registry, a.parts.catalog.Definitions}, a.opts.Log, a.metrics)
}

// tell runs a notifier until ctx ends.
func tell(ctx context.Context, n *notify.Notifier, log *slog.Logger) {
	if err := n.Run(ctx); err != nil {
		log.ErrorContext(ctx, "people are not told any more", "err", err) // never: it gives none
	}
}
