package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime"
	"slices"
	"time"

	"sluice/feature"
	"sluice/internal/backup"
	"sluice/materialize"
	"sluice/quality/sketch"
	"sluice/store/registry"
	"sluice/tap"
)

// RestoreOptions say what to restore.
type RestoreOptions struct {
	Path     string
	Force    bool // replace what the registry holds, and stage rows beside others
	Rows     bool // also stage the rows again from the log
	Parallel int  // for Rows; 0 takes twice the processors
	By       string
	Reason   string
	Log      *slog.Logger
	Tell     func(backup.Progress)
}

// RestoreResult is what a restore did.
type RestoreResult struct {
	Header   backup.Header    `json:"header"`
	Summary  backup.Summary   `json:"summary"`
	States   int              `json:"states"`         // source partitions that taps go on from as of the backup
	Anew     []string         `json:"anew"`           // source partitions that are read from the start of the log: their topic is another one, or newer than the backup
	Dropped  int              `json:"dropped"`        // rows of versions that the registry no longer knows
	Clock    time.Time        `json:"clock,omitzero"` // where the manual clock stands again, that of the backup; zero: it was never set
	Restaged *backup.Restaged `json:"restaged,omitempty"`
}

// ErrRowsNotEmpty reports an online store that holds rows of the versions to be staged.
var ErrRowsNotEmpty = errors.New("the online store is not empty")

// CheckArchive reads an archive to its end and says what it holds.
func CheckArchive(path string) (backup.Header, backup.Summary, error) {
	file, err := os.Open(path)
	if err != nil {
		return backup.Header{}, backup.Summary{}, err
	}
	defer file.Close()
	h, s, err := backup.Verify(file)
	if err != nil {
		return h, s, fmt.Errorf("%s: %w", path, err)
	}
	return h, s, nil
}

// Restore puts an archive in place: the registry, where the taps go on from, and with
// Rows the online store. The platform must not run. The archive is verified before
// anything is changed; the registry changes in one transaction. A restore that ended
// early is repeated with Force.
func Restore(ctx context.Context, cfg Config, opts RestoreOptions) (result RestoreResult, err error) {
	opts.Log = discard(opts.Log)
	if result.Header, result.Summary, err = CheckArchive(opts.Path); err != nil {
		return result, err
	}
	p, err := openLedger(ctx, cfg, opts.Log, false)
	defer func() { err = errors.Join(err, p.Close()) }()
	if err != nil {
		return result, err
	}
	if err := p.openRows(ctx, cfg, Options{Log: opts.Log}); err != nil {
		return result, err
	}
	r := &restoration{parts: p, cfg: cfg, opts: opts, result: &result}
	if opts.Rows && !opts.Force {
		if err := r.checkRows(ctx); err != nil {
			return result, err
		}
	}
	err = r.run(ctx)
	return result, err
}

// restoration is one Restore under way.
type restoration struct {
	parts  *parts
	cfg    Config
	opts   RestoreOptions
	result *RestoreResult
	states []tap.State
	defs   feature.Definitions
}

func (r *restoration) run(ctx context.Context) error {
	if err := r.registry(ctx); err != nil {
		return err
	}
	if err := r.rest(ctx); err != nil {
		return fmt.Errorf("the registry is restored and the rest is not: nothing runs on it until this is repeated with --force: %w", err)
	}
	return nil
}

// rest is what follows the registry.
func (r *restoration) rest(ctx context.Context) (err error) {
	if r.defs, _, err = r.parts.registry.Definitions(ctx); err != nil {
		return err
	}
	r.parts.inForce(&r.defs)
	if r.result.Clock, err = r.parts.registry.Clock(ctx); err != nil {
		return err
	}
	gone, err := r.taps(ctx)
	if err != nil {
		return err
	}
	if err := r.dropUnknown(ctx); err != nil {
		return err
	}
	if r.opts.Rows {
		if err := r.rows(ctx, gone); err != nil {
			return err
		}
	}
	return r.finish(ctx)
}

// registry puts the tables in, and keeps the states for later.
func (r *restoration) registry(ctx context.Context) error {
	file, err := os.Open(r.opts.Path)
	if err != nil {
		return err
	}
	defer file.Close()
	in, err := backup.NewReader(file)
	if err != nil {
		return err
	}
	defer in.Close()
	why, err := r.why()
	if err != nil {
		return err
	}
	err = r.parts.registry.Import(ctx, registry.Import{Force: r.opts.Force, Why: &why, Next: func() (*registry.Table, []any, error) {
		for {
			record, err := in.Next()
			switch {
			case err != nil:
				return nil, nil, err
			case record.Table != nil:
				table := registry.Table(*record.Table)
				return &table, nil, nil
			case record.State == nil:
				return nil, record.Row, nil
			}
			var state tap.State
			if err := json.Unmarshal(record.State, &state); err != nil {
				return nil, nil, fmt.Errorf("state: %w: %w", backup.ErrCorrupt, err)
			}
			r.states = append(r.states, state)
		}
	}})
	if err == nil && in.Summary().SHA256 != r.result.Summary.SHA256 {
		err = errors.New("the archive changed while it was read")
	}
	return err
}

// taps makes the taps go on from where they were. It returns why the spans of a topic
// name other records than they did, by topic.
func (r *restoration) taps(ctx context.Context) (gone map[string]string, err error) {
	gone = map[string]string{}
	if err := r.parts.log.EnsureTopics(ctx, sourceTopics(r.cfg, &r.defs)...); err != nil {
		return nil, err
	}
	now, err := r.parts.log.States(ctx)
	if err != nil {
		return nil, err
	}
	ids, err := r.parts.log.TopicIDs(ctx, topicNames(r.states, now)...)
	if err != nil {
		return nil, err
	}
	for _, s := range r.states {
		id, there := ids[s.Topic]
		switch {
		case !there:
			gone[s.Topic] = "the topic " + s.Topic + " is gone"
		case id != s.TopicID:
			gone[s.Topic] = "the topic " + s.Topic + " was made anew after the backup"
		default:
			if err := r.parts.log.PutState(ctx, s); err != nil {
				return nil, err
			}
			r.result.States++
		}
	}
	return gone, r.anew(ctx, now, ids, gone)
}

// anew has the partitions read from their start of which the archive knows nothing, or
// nothing that holds.
func (r *restoration) anew(ctx context.Context, now []tap.State, ids, gone map[string]string) error {
	for _, s := range now {
		known := slices.ContainsFunc(r.states, func(o tap.State) bool { return o.Topic == s.Topic && o.Partition == s.Partition })
		if _, there := ids[s.Topic]; !there || known && gone[s.Topic] == "" {
			continue
		}
		if err := r.parts.log.PutState(ctx, tap.FirstState(s.Topic, s.Partition, ids[s.Topic])); err != nil {
			return err
		}
		r.result.Anew = append(r.result.Anew, fmt.Sprintf("%s/%d", s.Topic, s.Partition))
	}
	return r.begun(ctx, now)
}

// begun has the partitions read from their start that the registry of the archive knows as
// read, but neither the archive nor the log has a state of: the backup was made while they
// were begun, and the taps would hold them.
func (r *restoration) begun(ctx context.Context, now []tap.State) error {
	return r.parts.registry.ReadSources(ctx, func(topic string, partition int32, topicID string) error {
		if slices.ContainsFunc(slices.Concat(now, r.states), func(s tap.State) bool { return s.Topic == topic && s.Partition == partition }) {
			return nil
		}
		ids, err := r.parts.log.TopicIDs(ctx, topic)
		if err != nil {
			return err
		}
		if id, there := ids[topic]; !there || id != topicID {
			return nil
		}
		if err := r.parts.log.PutState(ctx, tap.FirstState(topic, partition, topicID)); err != nil {
			return err
		}
		r.result.Anew = append(r.result.Anew, fmt.Sprintf("%s/%d", topic, partition))
		return nil
	})
}

func topicNames(lists ...[]tap.State) (names []string) {
	for _, list := range lists {
		for _, s := range list {
			names = append(names, s.Topic)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// unknownVersions is how many numbers behind the newest version are looked at for rows
// of versions that were opened after the backup.
const unknownVersions = 64

// dropUnknown removes rows of versions that the registry does not know: it gives their
// numbers to other windows.
func (r *restoration) dropUnknown(ctx context.Context) error {
	for i := range r.defs.Views {
		view := &r.defs.Views[i]
		versions, err := r.parts.registry.Versions(ctx, view.ID, 0, 0)
		if err != nil {
			return err
		}
		newest := feature.Version(0)
		if len(versions) > 0 {
			newest = versions[len(versions)-1].Version
		}
		for empty, v := 0, newest+1; empty < unknownVersions; v++ {
			n, err := r.parts.rows.Drop(ctx, view.ID, v)
			if err != nil {
				return err
			}
			if r.result.Dropped += n; n > 0 {
				empty = 0
			} else {
				empty++
			}
		}
	}
	return nil
}

// rows stages the rows of everything that shows or is still to be decided.
func (r *restoration) rows(ctx context.Context, gone map[string]string) error {
	plan := backup.Plan{Vectors: map[feature.ViewID]feature.Vector{}, Foldable: foldable(r.parts.registry.Memory), Parallel: r.opts.Parallel, Tell: r.opts.Tell}
	if plan.Parallel <= 0 {
		plan.Parallel = 2 * runtime.GOMAXPROCS(0)
	}
	open, err := r.open()
	if err != nil {
		return err
	}
	for i := range r.defs.Views {
		view := &r.defs.Views[i]
		versions, err := r.parts.registry.Versions(ctx, view.ID, 0, 0)
		if err != nil {
			return err
		}
		if plan.Vectors[view.ID], err = r.parts.registry.Vector(ctx, view.ID); err != nil {
			return err
		}
		plan.Parts = append(plan.Parts, backup.Parts(view, versions, open)...)
	}
	for i := range plan.Parts {
		plan.Parts[i].Gone = gone[plan.Parts[i].Span.Topic]
	}
	id, err := r.parts.registry.Installation(ctx)
	if err != nil {
		return err
	}
	done, err := backup.Restage(ctx, tap.NewReader(tap.DefaultConfig(), r.parts.log, sketch.HashKey(id), r.parts.registry), r.parts.rows, plan)
	r.result.Restaged = &done
	if err != nil {
		return err
	}
	return r.parts.filledStores(ctx, sketch.HashKey(id))
}

// foldable asks what the gate remembers of a view, at the moment of the question, how far its
// records may be folded.
func foldable(memory func(context.Context, feature.ViewID) ([]byte, error)) backup.FoldableFunc {
	return func(ctx context.Context, view feature.ViewID, floor feature.Version) (feature.Version, error) {
		raw, err := memory(ctx, view)
		if err != nil {
			return 0, err
		}
		return materialize.Foldable(raw, floor)
	}
}

// open lists what the taps had of windows that were not sealed.
func (r *restoration) open() (all []backup.Open, err error) {
	for i := range r.states {
		_, partials, err := r.states[i].Read()
		if err != nil {
			return nil, err
		}
		for _, p := range partials {
			all = append(all, backup.Open{View: p.View, Version: p.Version, Window: p.Window, Span: p.Span})
		}
	}
	return all, nil
}

// checkRows refuses an online store that has rows of a version of the archive already,
// before anything is changed.
func (r *restoration) checkRows(ctx context.Context) error {
	if err := r.group(); err != nil {
		return err
	}
	return r.each("versions", []string{"view_id", "version"}, func(values []any) error {
		view, ok := values[0].(int64)
		version, ok2 := values[1].(int64)
		if !ok || !ok2 {
			return fmt.Errorf("table versions: %w", backup.ErrCorrupt)
		}
		n, _, err := r.parts.rows.Stat(ctx, feature.ViewID(view), feature.Version(version))
		if err == nil && n > 0 {
			err = fmt.Errorf("%w: it has %d rows of view %d version %d", ErrRowsNotEmpty, n, view, version)
		}
		return err
	})
}

// group tells the online stores in which groups the rows of the archive's views lie; one
// of a release that knew none has none.
func (r *restoration) group() error {
	groups := map[feature.ViewID]string{}
	err := r.each("views", []string{"view_id", "row_group"}, func(values []any) error {
		view, ok := values[0].(int64)
		group, ok2 := values[1].(string)
		if !ok || !ok2 {
			return fmt.Errorf("table views: %w", backup.ErrCorrupt)
		}
		groups[feature.ViewID(view)] = group
		return nil
	})
	r.parts.rows.Group(groups)
	return err
}

// each calls fn with the columns of every row of a table of the archive, unless the
// table lacks one of them.
func (r *restoration) each(table string, columns []string, fn func(values []any) error) error {
	file, err := os.Open(r.opts.Path)
	if err != nil {
		return err
	}
	defer file.Close()
	in, err := backup.NewReader(file)
	if err != nil {
		return err
	}
	defer in.Close()
	var at []int
	values := make([]any, len(columns))
	for {
		record, err := in.Next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case record.Table != nil:
			if at = nil; record.Table.Name == table {
				at = positions(record.Table.Columns, columns)
			}
		case record.Row != nil && at != nil:
			if slices.Max(at) >= len(record.Row) {
				return fmt.Errorf("table %s: %w", table, backup.ErrCorrupt)
			}
			for i, n := range at {
				values[i] = record.Row[n]
			}
			if err := fn(values); err != nil {
				return err
			}
		}
	}
}

// positions returns where columns are in a table; nil if one is not.
func positions(in, columns []string) (at []int) {
	for _, name := range columns {
		n := slices.Index(in, name)
		if n < 0 {
			return nil
		}
		at = append(at, n)
	}
	return at
}

// why is the audit row of a restore, in the transaction that puts the registry in: there is
// none without it.
func (r *restoration) why() (feature.Audit, error) {
	after, err := json.Marshal(map[string]any{"made_at": r.result.Header.MadeAt, "sha256": r.result.Summary.SHA256, "rows": r.opts.Rows})
	if err != nil {
		return feature.Audit{}, fmt.Errorf("encode audit row: %w", err)
	}
	return feature.Audit{At: time.Now().UTC(), By: r.opts.By, Action: "restore", Reason: r.opts.Reason, After: after}, nil
}

// finish notes that all is restored; before, nothing may run on the installation.
func (r *restoration) finish(ctx context.Context) error {
	did := map[string]any{"sha256": r.result.Summary.SHA256, "states": r.result.States, "anew": r.result.Anew, "dropped": r.result.Dropped}
	if done := r.result.Restaged; done != nil {
		did["rows"], did["lost"] = done.Rows, len(done.Lost)
	}
	after, err := json.Marshal(did)
	if err != nil {
		return fmt.Errorf("encode audit row: %w", err)
	}
	return r.parts.registry.FinishRestore(ctx, feature.Audit{At: time.Now().UTC(), By: r.opts.By, Action: "restored", Reason: r.opts.Reason, After: after})
}

// finished refuses an installation of which a restore has put the registry in and not all of
// the rest: taps would go on behind windows that the registry does not know.
func (p *parts) finished(ctx context.Context) error {
	unfinished, err := p.registry.Unfinished(ctx)
	if err == nil && unfinished {
		err = registry.ErrRestoring
	}
	return err
}
