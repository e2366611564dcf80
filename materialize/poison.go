package materialize

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"sluice/feature"
	"sluice/rules"
)

// poisoned is the worst minute of a source in which more of its records were dead letters
// than may be.
type poisoned struct {
	topic string
	feature.SourceMinute
	allowed float64
}

func (p *poisoned) share() float64 { return float64(p.Dead) / float64(p.N) }

// String says it in a sentence.
func (p *poisoned) String() string {
	percent := func(share float64) string { return strconv.FormatFloat(100*share, 'g', 3, 64) }
	return fmt.Sprintf("%d of %d records of %s in the minute from %s are dead letters (%s %%), allowed %s %%", p.Dead, p.N, p.topic,
		time.Unix(60*p.At, 0).UTC().Format(time.RFC3339), percent(p.share()), percent(p.allowed))
}

// poison returns the worst poisoned minute of the view's source while a window took
// records: from its start until its lateness is over. Nil is none. A minute with fewer than
// least dead letters, over all partitions, is never one.
func (b *Board) poison(view *feature.View, w feature.Window, allowed float64, least int) *poisoned {
	b.mu.Lock()
	defer b.mu.Unlock()
	topic := b.topic(view)
	minutes := map[int64]feature.SourceMinute{}
	for i := range b.partitions(topic) {
		for _, m := range b.progress[part{topic, int32(i)}].Source {
			if from := time.Unix(60*m.At, 0); from.Before(w.End.Add(view.Window.Lateness)) && from.Add(time.Minute).After(w.Start) {
				sum := minutes[m.At]
				minutes[m.At] = feature.SourceMinute{At: m.At, N: sum.N + m.N, Dead: sum.Dead + m.Dead}
			}
		}
	}
	var worst *poisoned
	for _, m := range minutes {
		p := &poisoned{topic, m, allowed}
		if m.Dead < uint64(least) || p.share() <= allowed {
			continue
		}
		if worst == nil || p.share() > worst.share() || p.share() == worst.share() && p.At < worst.At {
			worst = p
		}
	}
	return worst
}

// trip looks whether the source of a window's view was poisoned while the window took
// records, and tells the desk.
func (g *Gate) trip(c *candidate) {
	p := g.deps.Board.poison(c.desk.view, c.info.Window, g.cfg.DeadShare, g.cfg.DeadLeast)
	name := c.desk.view.Name
	if p == nil {
		g.metrics.tripped.WithLabelValues(name).Set(0)
		return
	}
	c.desk.poison = p.String()
	g.metrics.tripped.WithLabelValues(name).Set(1)
	g.log.Warn("source tripped the gate", "view", name, "window", c.info.Window.Start.Format(time.RFC3339), "version", c.info.Version,
		"topic", p.topic, "minute", time.Unix(60*p.At, 0).UTC().Format(time.RFC3339), "records", p.N, "dead", p.Dead)
}

// well lists the versions that were held for their source alone, once a later window was
// judged whose source is well again.
func (d *Desk) well(v *rules.Verdict) {
	if d.poison != "" {
		return
	}
	for _, version := range slices.Clone(d.memory.Poisoned) {
		info := d.versions[version]
		switch {
		case info == nil || info.State != feature.StateHeld:
			d.memory.drop(version)
			continue
		case !info.Window.End.Before(v.Window.End):
			continue
		}
		d.memory.drop(version)
		if d.rest(version, true) {
			continue
		}
		info = d.touch(version)
		if d.frozen {
			d.memory.wait(version)
			info.Reason = waitsFrozen
			continue
		}
		d.list(version)
		info.DecidedBy, info.DecidedAt, info.Reason = byGate, d.now, "passed, and was held until its source was well again"
		d.note("publish", version, info.Reason)
		d.recover(version, info.Verdict)
	}
}

const waitsFrozen = "waits: the view is frozen"
