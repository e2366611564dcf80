package storetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"sluice/feature"
)

func testAudit(t *testing.T, r *reg) {
	ctx, view := t.Context(), r.view(feature.Gated)
	full := feature.Audit{ID: "mine", At: day, By: "alice", Action: "reject", View: view.Name, Version: 7, Reason: "bad", Before: json.RawMessage(`{"a":1}`), After: json.RawMessage(`{"a":2}`)}
	if err := r.WriteAudit(ctx, full); err != nil {
		t.Fatalf("WriteAudit = %v", err)
	}
	if err := r.WriteAudit(ctx, full); !errors.Is(err, feature.ErrConflict) {
		t.Errorf("WriteAudit of the same id = %v, want %v", err, feature.ErrConflict)
	}
	r.apply(feature.Commit{View: view.ID, Audit: []feature.Audit{{Action: "one"}, {Action: "two"}}, Now: day})
	if err := r.WriteAudit(ctx, feature.Audit{Action: "three"}); err != nil {
		t.Errorf("WriteAudit = %v", err)
	}
	var actions []string
	var ids []string
	cursor := ""
	for {
		page, next, err := r.AuditLog(ctx, cursor, 2)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		for _, a := range page {
			actions, ids = append(actions, a.Action), append(ids, a.ID)
			if a.ID == "mine" && !reflect.DeepEqual(a, full) {
				t.Errorf("audit row %+v, want %+v", a, full)
			}
			if a.Action == "two" && (!a.At.Equal(day) || string(a.Before) != "{}" || string(a.After) != "{}") {
				t.Errorf("audit row %+v, want the commit's time and empty objects", a)
			}
		}
		cursor = next
	}
	if fmt.Sprint(actions) != "[apply reject one two three]" {
		t.Errorf("actions %v, want the order of the commits", actions)
	}
	if ids[0] >= ids[2] || ids[2] >= ids[3] || ids[3] >= ids[4] {
		t.Errorf("assigned ids %q do not rise", ids)
	}
}

func testAlerts(t *testing.T, r *reg) {
	ctx, view := t.Context(), r.view(feature.Gated)
	alert := func(id, view, text string) feature.Alert {
		return feature.Alert{ID: id, At: day, Kind: "fail", View: view, Version: 3, Verdict: "v", Text: text}
	}
	resolved := alert("d", "delays", "came and went")
	end := day.Add(time.Minute)
	resolved.ResolvedAt = &end
	for _, a := range []feature.Alert{alert("b", "delays", "first"), alert("a", "other", "second"), resolved, {Kind: "blind", View: "delays", At: day}} {
		if err := r.WriteAlert(ctx, a); err != nil {
			t.Fatalf("WriteAlert(%+v) = %v", a, err)
		}
	}
	r.apply(feature.Commit{View: view.ID, Alerts: []feature.Alert{alert("c", "delays", "third")}, Now: day})
	texts := func(alerts []feature.Alert, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		var list []string
		for _, a := range alerts {
			list = append(list, a.ID[:min(1, len(a.ID))]+":"+a.Text)
			if a.ID == "" {
				t.Errorf("alert %+v has no id", a)
			}
		}
		return fmt.Sprint(list[:min(len(list), 1)], len(list))
	}
	if got := texts(r.OpenAlerts(ctx, "delays")); got != "[b:first] 3" {
		t.Errorf("OpenAlerts(delays) = %s", got)
	}
	if got := texts(r.OpenAlerts(ctx, "")); got != "[b:first] 4" {
		t.Errorf("OpenAlerts of all = %s", got)
	}
	r.apply(feature.Commit{View: view.ID, Resolve: []string{"b", "d", "never"}, Now: day.Add(time.Hour)})
	r.apply(feature.Commit{View: view.ID, Resolve: []string{"b"}, Now: day.Add(2 * time.Hour)})
	if got := texts(r.OpenAlerts(ctx, "other")); got != "[a:second] 1" {
		t.Errorf("OpenAlerts(other) = %s", got)
	}
	if err := r.WriteAlert(ctx, alert("a", "other", "second, updated")); err != nil {
		t.Fatalf("WriteAlert of the same id = %v", err)
	}
	first, cursor, err := r.Alerts(ctx, "", 2)
	if err != nil || len(first) != 2 || first[1].Text != "second, updated" {
		t.Fatalf("Alerts = %+v, %v, want the second updated in its place", first, err)
	}
	if at := first[0].ResolvedAt; at == nil || !at.Equal(day.Add(time.Hour)) {
		t.Errorf("alert b was resolved at %v, want the first time", at)
	}
	rest, _, err := r.Alerts(ctx, cursor, 0)
	if err != nil || len(rest) != 3 || !reflect.DeepEqual(rest[0], resolved) {
		t.Errorf("Alerts behind %s = %+v, %v, want three, first %+v", cursor, rest, err, resolved)
	}
}

func testClock(t *testing.T, r *reg) {
	ctx := t.Context()
	if now, err := r.Clock(ctx); !now.IsZero() || err != nil {
		t.Errorf("Clock at first = %s, %v, want the zero time", now, err)
	}
	for _, tc := range []struct {
		set, want time.Time
		err       error
	}{
		{day, day, nil},
		{day, day, nil},
		{day.Add(-1), day, feature.ErrConflict},
		{time.Time{}, day, feature.ErrConflict},
		{day.Add(time.Nanosecond).In(time.FixedZone("", 60)), day.Add(1), nil},
	} {
		if now, err := r.SetClock(ctx, tc.set, feature.Audit{By: "alice", Action: "clock"}); !now.Equal(tc.want) || !errors.Is(err, tc.err) {
			t.Errorf("SetClock(%s) = %s, %v, want %s, %v", tc.set, now, err, tc.want, tc.err)
		}
		if now, err := r.Clock(ctx); !now.Equal(tc.want) || err != nil {
			t.Errorf("Clock = %s, %v, want %s", now, err, tc.want)
		}
	}
	rows, _, err := r.AuditLog(ctx, "", 0)
	var moves []string
	for _, row := range rows {
		moves = append(moves, fmt.Sprintf("%s %s %s %s %s", row.By, row.Action, row.At.Format(time.RFC3339Nano), row.Before, row.After))
	}
	first, second := day.Format(time.RFC3339Nano), day.Add(1).Format(time.RFC3339Nano)
	want := []string{
		fmt.Sprintf(`alice clock %s {} {"now":"%s"}`, first, first),
		fmt.Sprintf(`alice clock %s {"now":"%s"} {"now":"%s"}`, second, first, second),
	}
	if err != nil || !slices.Equal(moves, want) {
		t.Errorf("audit rows %q, %v, want one for each move: %q", moves, err, want)
	}
}

func testInstallation(t *testing.T, r *reg) {
	ctx := t.Context()
	first, err := r.Installation(ctx)
	if first == [16]byte{} || err != nil {
		t.Fatalf("Installation = %x, %v", first, err)
	}
	if again, err := r.second().Installation(ctx); again != first || err != nil {
		t.Errorf("Installation of another opening = %x, %v, want %x", again, err, first)
	}
	elsewhere := r.openAt(t, t.TempDir())
	if other, err := elsewhere.Installation(ctx); other == first || err != nil {
		t.Errorf("Installation of another registry = %x, %v, want another", other, err)
	}
	if err := elsewhere.Close(); err != nil {
		t.Errorf("Close() = %v", err)
	}
}

func testBegun(t *testing.T, r *reg) {
	ctx := t.Context()
	check := func(topic string, partition int32, id string, begun bool) {
		t.Helper()
		if got, ok, err := r.second().Begun(ctx, topic, partition); got != id || ok != begun || err != nil {
			t.Errorf("Begun(%s, %d) = %q, %t, %v, want %q, %t", topic, partition, got, ok, err, id, begun)
		}
	}
	note := func(topic string, partition int32, id string) {
		t.Helper()
		if err := r.NoteBegun(ctx, topic, partition, id); err != nil {
			t.Fatal(err)
		}
	}
	check("writes", 1, "", false)
	note("writes", 1, "first")
	note("writes", 11, "")
	note("writes", 1, "first")
	check("writes", 1, "first", true)
	check("writes", 11, "", true)
	check("writes", 0, "", false)
	check("writes.other", 1, "", false)
	note("writes", 1, "second")
	check("writes", 1, "second", true)
}

func testChanged(t *testing.T, r *reg) {
	ctx, view := t.Context(), r.view(feature.Optimistic)
	closed := func(c <-chan struct{}) bool {
		select {
		case <-c:
			return true
		default:
			return false
		}
	}
	for name, tc := range map[string]struct {
		call func() error
		want bool
	}{
		"a commit": {func() error {
			_, err := r.Apply(ctx, feature.Commit{View: view.ID, IfGeneration: r.vector(view.ID).Generation})
			return err
		}, true},
		"a refused commit": {func() error {
			_, err := r.Apply(ctx, feature.Commit{View: view.ID, IfGeneration: 99})
			return errors.Unwrap(err)
		}, false},
		"a new version": {func() error { _, err := r.OpenVersion(ctx, view, window(0), day); return err }, true},
		"a read":        {func() error { _, err := r.Vectors(ctx); return err }, false},
		"an alert":      {func() error { return r.WriteAlert(ctx, feature.Alert{ID: "x"}) }, true},
		"definitions":   {func() error { r.view(feature.Gated); return nil }, true},
	} {
		t.Run(name, func(t *testing.T) {
			before := r.Changed()
			if closed(before) {
				t.Fatal("Changed gave a closed channel")
			}
			if err := tc.call(); err != nil && !errors.Is(err, feature.ErrConflict) {
				t.Fatal(err)
			}
			if got := closed(before); got != tc.want {
				t.Errorf("closed: %t, want %t", got, tc.want)
			}
		})
	}
}

// testRegistryRestart: whatever was answered is there when it is opened again.
func testRegistryRestart(t *testing.T, r *reg) {
	ctx, view := t.Context(), r.view(feature.Gated)
	info := r.opened(view, 2)[0]
	blob := []byte("evidence")
	c := everything(view.ID, info)
	c.Blobs[digest(blob)] = blob
	r.apply(c)
	installation, err := r.Installation(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.SetClock(ctx, day, feature.Audit{Action: "clock"}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Acquire(ctx, "gate"); err != nil {
		t.Fatal(err)
	}
	if _, err := r.LeaveIdle(ctx, "writes", 0, view.ID); err != nil {
		t.Fatal(err)
	}
	defs, _, _ := r.Definitions(ctx)
	before := r.state(view.ID)
	r.reopen()
	if after := r.state(view.ID); after != before {
		t.Errorf("opened again it holds\n%s\nwant\n%s", after, before)
	}
	if got, generation, err := r.Definitions(ctx); generation != 1 || err != nil || !reflect.DeepEqual(got, defs) {
		t.Errorf("Definitions = %+v, %d, %v, want %+v", got, generation, err, defs)
	}
	if got, err := r.Installation(ctx); got != installation || err != nil {
		t.Errorf("Installation = %x, %v, want %x", got, err, installation)
	}
	if now, err := r.Clock(ctx); !now.Equal(day) || err != nil {
		t.Errorf("Clock = %s, %v, want %s", now, err, day)
	}
	if epoch, err := r.Acquire(ctx, "gate"); epoch != 2 || err != nil {
		t.Errorf("Acquire = %d, %v, want 2", epoch, err)
	}
	if left, err := r.LeaveIdle(ctx, "writes", 0, view.ID); left != 2 || err != nil {
		t.Errorf("LeaveIdle = %d, %v, want 2", left, err)
	}
	if got, err := r.Blob(ctx, digest(blob)); string(got) != string(blob) || err != nil {
		t.Errorf("Blob = %q, %v, want %q", got, err, blob)
	}
	if next, err := r.OpenVersion(ctx, view, window(5), day); next.Version != 3 || err != nil {
		t.Errorf("OpenVersion = %+v, %v, want version 3", next, err)
	}
}

// testOwners has ten owners at once follow the same one: one does, and it may ask again.
func testOwners(t *testing.T, r *reg) {
	ctx := t.Context()
	swap := func(partition int32, last, next string, want bool) {
		t.Helper()
		if got, err := r.second().SwapSourceOwner(ctx, "writes", partition, last, next); got != want || err != nil {
			t.Errorf("SwapSourceOwner(%d, %q, %q) = %t, %v, want %t", partition, last, next, got, err, want)
		}
	}
	owner := func(partition int32) string {
		t.Helper()
		name, err := r.SourceOwner(ctx, "writes", partition)
		if err != nil {
			t.Fatal(err)
		}
		return name
	}
	swap(1, "nobody", "first", false)
	swap(1, "", "first", true)
	swap(1, "", "first", true) // again, as after an answer that was lost
	swap(1, "", "second", false)
	swap(11, "", "other", true)
	var swapping sync.WaitGroup
	won := make([]bool, 10)
	for i := range won {
		swapping.Go(func() {
			var err error
			if won[i], err = r.SwapSourceOwner(ctx, "writes", 1, "first", fmt.Sprint("follower ", i)); err != nil {
				t.Error(err)
			}
		})
	}
	swapping.Wait()
	for i, one := range won {
		if name := fmt.Sprint("follower ", i); one != (owner(1) == name) {
			t.Errorf("%s was told %t, and %q is noted", name, one, owner(1))
		}
	}
	if got := []string{owner(0), owner(11)}; !slices.Equal(got, []string{"", "other"}) || owner(1) == "first" {
		t.Errorf("owners = %q, %q, want none, another and a follower", got, owner(1))
	}
}
