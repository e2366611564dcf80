package sim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"

	"sluice/feature"
	"sluice/internal/notify"
	"sluice/store/registry"
)

// outbox is what the people of a cell are told from: the real registry.
type outbox struct{ *registry.Registry }

func (o outbox) Waiting(ctx context.Context, limit int) ([]notify.Event, error) {
	notices, err := o.Notices(ctx, limit)
	var events []notify.Event
	for _, n := range notices {
		events = append(events, notify.Event{ID: n.ID, At: n.At, Kind: notify.Kind(n.Alert.Kind), View: n.Alert.View, Version: n.Alert.Version, Resolved: n.Resolved})
	}
	return events, err
}

// tell tells people by a file in the folder, which outlives the process.
func (p *platform) tell(ctx context.Context) error {
	file, err := os.OpenFile(filepath.Join(p.dir, "told"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	n := notify.New(notify.Config{}, outbox{p.registry}, slog.New(slog.NewJSONHandler(file, nil)), nil)
	return errors.Join(n.Run(ctx), file.Close())
}

// told is one line of that file.
type told struct {
	Alert    string
	View     string
	Version  feature.Version
	Resolved bool
	Notice   string
}

// toldAll wants people to have been told of every alert of the registry, by one notice each,
// and no notice to be told twice but by a process that was killed between telling it and
// noting so.
func (p *platform) toldAll(ctx context.Context) error {
	if err := p.until(ctx, "people are told", func() (bool, error) {
		left, err := p.registry.Notices(ctx, 0)
		return len(left) == 0, err
	}); err != nil {
		return err
	}
	lines, err := readTold(filepath.Join(p.dir, "told"))
	if err != nil {
		return err
	}
	notices, times := map[told]int{}, map[string]int{}
	for _, line := range lines {
		if times[line.Notice]++; times[line.Notice] == 1 {
			notices[line.of()]++
		}
	}
	for id, n := range times {
		if most := 1 + p.deaths; n > most {
			return fmt.Errorf("notice %s was told %d times, want at most %d", id, n, most)
		}
	}
	alerts, _, err := p.registry.Alerts(ctx, "", 0)
	if err != nil || len(alerts) < 2*len(p.views) {
		return fmt.Errorf("%d alerts, want of a window that fails and one that is held in each view: %w", len(alerts), err)
	}
	for _, a := range alerts {
		if a.Kind != "recovered" {
			notices[told{Alert: a.Kind, View: a.View, Version: a.Version}]--
		}
	}
	for what, n := range notices {
		if n != 0 && !what.Resolved {
			return fmt.Errorf("%+v was told by %d notices more than there are alerts of it", what, n)
		}
	}
	return nil
}

// of is what a line is about, without the notice that it was told by.
func (t told) of() told { t.Notice = ""; return t }

func readTold(path string) (lines []told, err error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	for from := json.NewDecoder(file); ; {
		var line told
		err := from.Decode(&line)
		if errors.Is(err, io.EOF) {
			return lines, file.Close()
		}
		if err != nil {
			return nil, errors.Join(err, file.Close())
		}
		lines = append(lines, line)
	}
}
