package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"sluice/feature"
	"sluice/rules"
)

type scoreCmd struct {
	connection
	Name string `arg:"" optional:"" help:"View or service; all if it is left out."`
}

// Help shows examples.
func (*scoreCmd) Help() string {
	return "SCORE goes from 0 to 100: the mean of what the features of the newest judged window moved, by weight. A feature at its threshold moved by half. Its weight is its importance in the definition, times what part of all reads ask for it (READ, at least 0.1), in a view times one more than the services that name it. " +
		"READS are rows given to readers in an hour, over the last day; IMPACT those that meet what moved.\n\nExamples:\n  sluice score\n  sluice score carrier_delays\n  sluice score delay_model --format json"
}

// scored is a view or service with its score.
type scored struct {
	Kind string `json:"kind"` // view | service
	Name string `json:"name"`
	rules.Impact
}

func (c *scoreCmd) Run(e *env) error {
	if c.Name != "" {
		return c.one(e)
	}
	items := []scored{}
	list := listFlags{connection: c.connection}
	for _, kind := range []string{"view", "service"} {
		path := "/api/v1/" + kind + "s"
		page, err := list.pages(e.ctx, path, nil, 0)
		if err != nil {
			return err
		}
		var of []struct {
			Name string `json:"name"`
		}
		if err := json.Unmarshal(page["items"], &of); err != nil {
			return fmt.Errorf("answer of %s: %w", path, err)
		}
		for _, item := range of {
			s, err := c.read(e, kind, item.Name)
			if err != nil {
				return err
			}
			items = append(items, s)
		}
	}
	return c.print(e, items)
}

// one shows a view, or the service of that name where no view has it, with its parts.
func (c *scoreCmd) one(e *env) error {
	s, err := c.read(e, "view", c.Name)
	var known *answerError
	if errors.As(err, &known) && known.Code == string(feature.CodeUnknownView) {
		s, err = c.read(e, "service", c.Name)
	}
	if err != nil {
		return err
	}
	return c.print(e, []scored{s})
}

func (c *scoreCmd) read(e *env, kind, name string) (scored, error) {
	s := scored{Kind: kind, Name: name}
	path := "/api/v1/" + kind + "s/" + url.PathEscape(name)
	if kind == "service" {
		return s, c.get(e.ctx, path, &s.Impact)
	}
	var v shownView
	err := c.get(e.ctx, path, &v)
	s.Impact = v.Impact
	return s, err
}

// print shows items; a single one part by part.
func (c *scoreCmd) print(e *env, items []scored) error {
	if c.Format == "json" {
		if c.Name != "" {
			return printJSON(e.stdout, items[0])
		}
		return printJSON(e.stdout, map[string]any{"items": items, "next": ""})
	}
	var rows [][]string
	if c.Name == "" {
		for _, s := range items {
			worst := "-"
			if len(s.Parts) > 0 && s.Parts[0].Share > 0 {
				worst = partName(&s.Parts[0])
			}
			rows = append(rows, []string{s.Kind, s.Name, s.text(), short(s.ReadsPerHour), short(s.Impact.Impact), worst})
		}
		return table(e.stdout, "KIND NAME SCORE READS IMPACT MOST", rows)
	}
	s := items[0]
	if _, err := fmt.Fprintf(e.stdout, "%s %s: score %s of 100, %s reads an hour%s, %s of them meet what moved\n", s.Kind, plain(s.Name), s.text(), short(s.ReadsPerHour), s.period(), short(s.Impact.Impact)); err != nil {
		return err
	}
	for i := range s.Parts {
		p := &s.Parts[i]
		rows = append(rows, []string{partName(p), short(p.Severity), short(p.Drift), short(p.Importance), number(p.Services), short(p.ReadsPerHour), short(p.ReadShare), short(p.Weight), fmt.Sprintf("%.0f %%", 100*p.Share)})
	}
	return table(e.stdout, "PART SEVERITY DRIFT IMPORTANCE SERVICES READS READ WEIGHT SHARE", rows)
}

func (s *scored) text() string {
	if !s.Measured {
		return scoreText(nil)
	}
	return scoreText(&s.Score)
}

// period says whose reads were counted, and when; empty if there were none.
func (s *scored) period() string {
	if s.ReadsFrom.IsZero() {
		return ""
	}
	text := fmt.Sprintf(" from %s to %s", s.ReadsFrom.UTC().Format(time.RFC3339), s.ReadsTo.UTC().Format(time.RFC3339))
	if s.ReadsOf == rules.ReadsOfViews {
		text += " of a view of it (nobody named the service)"
	}
	return text
}

// partName names a feature as services do, and a view as a whole by its name.
func partName(p *rules.FeatureImpact) string {
	if p.Feature == "" {
		return p.View
	}
	return p.View + ":" + p.Feature
}

// scoreText is a score in a table; nil: nothing was measured.
func scoreText(score *float64) string {
	if score == nil {
		return "-"
	}
	return strconv.FormatFloat(*score, 'f', 1, 64)
}

func short(v float64) string { return strconv.FormatFloat(v, 'g', 3, 64) }
