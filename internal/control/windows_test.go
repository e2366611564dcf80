package control

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"sluice/feature"
	"sluice/quality/sketch"
)

// asking is a registry that notes from where on versions are listed, and does something
// after each answer about versions.
type asking struct {
	Registry
	after []feature.Version
	then  func()
}

func (a *asking) Versions(ctx context.Context, view feature.ViewID, after feature.Version, limit int) ([]feature.VersionInfo, error) {
	infos, err := a.Registry.Versions(ctx, view, after, limit)
	a.after = append(a.after, after)
	a.then()
	return infos, err
}

func (a *asking) VersionOf(ctx context.Context, view feature.ViewID, start time.Time) (feature.VersionInfo, error) {
	info, err := a.Registry.VersionOf(ctx, view, start)
	a.then()
	return info, err
}

// TestWindowsWaitLooksAhead waits for a window behind some that were judged: looks that find
// no news are at those that were not.
func TestWindowsWaitLooksAhead(t *testing.T) {
	asked := &asking{then: func() {}}
	p := newPlatform(t, func(d *Deps) { asked.Registry, d.Registry = d.Registry, asked })
	v := p.apply()
	for i := range 3 {
		p.judge(v, minute(i), "publish")
	}
	if _, err := p.registry.OpenVersion(t.Context(), v, minute(3), minute(3).End); err != nil {
		t.Fatal(err)
	}
	p.judge(v, minute(4), "reject") // before the one that is open
	asked.then = func() {
		switch len(asked.after) {
		case 1, 2: // no news of windows
			if err := p.registry.WriteAudit(t.Context(), feature.Audit{At: minute(9).Start, By: "eve", Action: "note", View: "pay"}); err != nil {
				t.Error(err)
			}
		case 3:
			p.judge(v, minute(5), "reject")
		}
	}
	code, body := p.do("GET", "/api/v1/views/pay/windows?wait=1m", "")
	if code != 200 || strings.Count(body, `"state":"judged"`) != 5 {
		t.Errorf("GET = %d %s, want the five that are judged", code, body)
	}
	if want := []feature.Version{0, 3, 3, 3, 0}; !slices.Equal(asked.after, want) {
		t.Errorf("versions were listed after %v, want %v", asked.after, want)
	}
}

// TestWindowIsNeverBetween has a window judged between the looks at the board and at the
// registry: it is in the answer, as open or as judged.
func TestWindowIsNeverBetween(t *testing.T) {
	for _, path := range []string{"windows", "windows?start=2024-01-01T00:00:00Z"} {
		asked := &asking{then: func() {}}
		p := newPlatform(t, func(d *Deps) { asked.Registry, d.Registry = d.Registry, asked })
		v := p.apply()
		p.board.Update(
			feature.Progress{Topic: "sluice.writes", Offset: 10, Views: map[string]feature.ViewProgress{"pay": {Watermark: minute(5).Start}}},
			[]sketch.Partial{{View: "pay", Window: minute(0), Topic: "sluice.writes", Rows: 10}},
		)
		asked.then = func() {
			asked.then = func() {}
			p.judge(v, minute(0), "publish")
			p.board.Judged("pay", minute(0).Start)
		}
		for range 2 {
			code, body := p.do("GET", "/api/v1/views/pay/"+path, "")
			if code != 200 || !strings.Contains(body, `"items":[{"start":"2024-01-01T00:00:00Z"`) {
				t.Errorf("GET %s = %d %s, want the window", path, code, body)
			}
		}
	}
}
