//go:build amd64 || arm64

package powerloss

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"time"

	"sluice/feature"
	"sluice/store/registry"
)

const (
	registryWindows = 60       // that are judged
	registryReopen  = 25       // after how many the registry is closed and opened
	evidenceBytes   = 24 << 10 // so that the write-ahead log is folded in and begun anew a few times
)

// registryPart lets a gate's decisions be written one after the other, and announces
// each with a digest of all that the registry then says. After a cut it must say what
// it said at the last announcement, or after the step that was under way.
var registryPart = part{
	name: "registry",
	work: func(ctx context.Context, w *work) error {
		g := gate{work: w}
		if err := g.open(ctx); err != nil {
			return err
		}
		for i := 1; i <= registryWindows; i++ {
			if err := g.judge(ctx, i); err != nil {
				return errors.Join(err, g.Close())
			}
			if i%registryReopen == 0 {
				if err := errors.Join(g.Close(), g.open(ctx)); err != nil {
					return err
				}
			}
		}
		return g.Close()
	},
	check: checkRegistry,
}

func openRegistry(ctx context.Context, dir string, durable bool) (*registry.Registry, error) {
	return registry.OpenSQLite(ctx, filepath.Join(dir, "data", "registry.db"), registry.Options{Sync: durable})
}

// gate writes what a gate would.
type gate struct {
	*registry.Registry
	work *work
	view *feature.View
}

var day = time.Date(2013, 1, 1, 0, 0, 0, 0, time.UTC)

func why(action string) feature.Audit {
	return feature.Audit{At: day, By: "test", Action: action, View: "delays", Reason: "because"}
}

// open opens the registry, which has one view.
func (g *gate) open(ctx context.Context) (err error) {
	if g.Registry, err = openRegistry(ctx, g.work.dir, g.work.durable); err != nil || g.view != nil {
		return err
	}
	defs, _, err := g.SaveDefinitions(ctx, 0, feature.Definitions{Views: []feature.View{{
		Name: "delays", Publish: feature.Publish{Mode: feature.Gated},
		Entities: []feature.Entity{{Name: "carrier", Type: feature.String}},
		Features: []feature.Feature{{Name: "delay", Type: feature.Float64}},
	}}}, why("apply"))
	if err != nil {
		return err
	}
	g.view = &defs.Views[0]
	return g.announce(ctx, "definitions")
}

// announce tells what the registry says behind a step that was acknowledged.
func (g *gate) announce(ctx context.Context, step string) error {
	digest, err := digestOf(ctx, g.Registry)
	if err != nil {
		return err
	}
	g.work.ack("%s %s", step, digest)
	return nil
}

// judge takes the i-th window from its opening to its certification.
func (g *gate) judge(ctx context.Context, i int) error {
	start := day.Add(time.Duration(i) * 5 * time.Minute)
	info, err := g.OpenVersion(ctx, g.view, feature.Window{Start: start, End: start.Add(5 * time.Minute)}, start)
	if err != nil {
		return err
	}
	if err := g.announce(ctx, "open"); err != nil {
		return err
	}
	vector, err := g.Vector(ctx, g.view.ID)
	if err != nil {
		return err
	}
	info.Step = feature.StepSealed
	if err := g.apply(ctx, feature.Commit{IfGeneration: vector.Generation, Versions: []feature.VersionInfo{info}}); err != nil {
		return err
	}
	if len(vector.Visible) == feature.MaxVisible {
		if vector, err = g.certify(ctx, vector); err != nil {
			return err
		}
	}
	if err := g.decide(ctx, vector, info); err != nil {
		return err
	}
	if err := g.WriteAudit(ctx, why("note")); err != nil {
		return err
	}
	return g.announce(ctx, "note")
}

func (g *gate) apply(ctx context.Context, c feature.Commit) error {
	c.View, c.Now = g.view.ID, day
	if _, err := g.Apply(ctx, c); err != nil {
		return err
	}
	return g.announce(ctx, "commit")
}

// certify raises the floor to the newest version but one.
func (g *gate) certify(ctx context.Context, v feature.Vector) (feature.Vector, error) {
	var certified []feature.VersionInfo
	for _, version := range v.Visible[:len(v.Visible)-1] {
		info, err := g.Version(ctx, g.view.ID, version)
		if err != nil {
			return v, err
		}
		info.Step = feature.StepCertified
		certified = append(certified, info)
	}
	next := v.Raise(certified[len(certified)-1].Version, nil)
	err := g.apply(ctx, feature.Commit{IfGeneration: v.Generation, Vector: &next, Versions: certified, Audit: []feature.Audit{why("certify")}})
	next.Generation++
	return next, err
}

// decide publishes a version with all that a decision brings.
func (g *gate) decide(ctx context.Context, v feature.Vector, info feature.VersionInfo) error {
	info.Step, info.State, info.Verdict = feature.StepDecided, feature.StateVisible, "pass"
	next, _ := v.With(info.Version)
	evidence := make([]byte, evidenceBytes)
	rng := rand.New(rand.NewPCG(uint64(info.Version), 1))
	for i := range evidence {
		evidence[i] = byte(rng.Uint32())
	}
	sum := sha256.Sum256(evidence)
	digest := hex.EncodeToString(sum[:])
	return g.apply(ctx, feature.Commit{
		IfGeneration: v.Generation, Vector: &next, Versions: []feature.VersionInfo{info},
		Verdicts: []feature.VerdictRow{{
			ID: fmt.Sprint("verdict", info.Version), Kind: "window", Window: info.Window, Version: info.Version,
			State: "pass", Decision: "publish", Body: []byte(`{}`), Case: []byte(digest),
		}},
		Blobs:   map[string][]byte{digest: evidence},
		Audit:   []feature.Audit{why("publish")},
		Alerts:  []feature.Alert{{Kind: "recovered", View: "delays", Version: info.Version}},
		History: []feature.HistoryRow{{Window: info.Window, Version: info.Version, Profile: evidence[:4096], Summary: []byte(digest)}},
		Memory:  fmt.Append(nil, info.Version),
	})
}

// digestOf is a digest of all that a registry says.
func digestOf(ctx context.Context, s *registry.Registry) (string, error) {
	const all = 10_000
	hash := sha256.New()
	say := json.NewEncoder(hash)
	defs, generation, err := s.Definitions(ctx)
	if err != nil {
		return "", err
	}
	err = errors.Join(say.Encode(defs), say.Encode(generation))
	for _, view := range defs.Views {
		vector, first := s.Vector(ctx, view.ID)
		versions, second := s.Versions(ctx, view.ID, 0, all)
		verdicts, _, third := s.Verdicts(ctx, view.ID, "", all)
		history, fourth := s.History(ctx, view.ID, time.Time{}, day.AddDate(1, 0, 0))
		memory, fifth := s.Memory(ctx, view.ID)
		err = errors.Join(err, first, second, third, fourth, fifth, say.Encode([]any{vector, versions, verdicts, history, memory}))
	}
	audit, _, first := s.AuditLog(ctx, "", all)
	alerts, _, second := s.Alerts(ctx, "", all)
	err = errors.Join(err, first, second, say.Encode([]any{audit, alerts}))
	return hex.EncodeToString(hash.Sum(nil)), err
}

// checkRegistry wants a whole file that says what was announced last, or what the step
// under way made of it; and then goes on.
func checkRegistry(ctx context.Context, dir string, acks, later []string) (err error) {
	s, err := openRegistry(ctx, dir, true)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if err := integrity(ctx, filepath.Join(dir, "data", "registry.db")); err != nil {
		return err
	}
	digest, err := digestOf(ctx, s)
	if err != nil {
		return err
	}
	if err := among(digest, acks, later); err != nil {
		return err
	}
	if err := evidence(ctx, s); err != nil {
		return err
	}
	return s.WriteAudit(ctx, why("note"))
}

func among(digest string, acks, later []string) error {
	said := func(ack string) bool { return strings.HasSuffix(ack, digest) }
	switch {
	case len(acks) == 0, said(acks[len(acks)-1]), len(later) > 0 && said(later[0]):
		return nil
	}
	for i, ack := range acks {
		if said(ack) {
			return fmt.Errorf("%w: it is as after step %d (%s), and %d were acknowledged", errLost, i+1, ack, len(acks))
		}
	}
	return fmt.Errorf("%w: it is as it never was; %d steps were acknowledged", errLost, len(acks))
}

func integrity(ctx context.Context, path string) error {
	db, err := sql.Open("sqlite", path)
	if err != nil {
		return err
	}
	var report string
	err = db.QueryRowContext(ctx, "PRAGMA integrity_check").Scan(&report)
	if err == nil && report != "ok" {
		err = fmt.Errorf("integrity check: %s", report)
	}
	return errors.Join(err, db.Close())
}

// evidence reads what the verdicts were computed from.
func evidence(ctx context.Context, s *registry.Registry) error {
	verdicts, _, err := s.Verdicts(ctx, 1, "", 10_000)
	for _, v := range verdicts {
		row, first := s.Verdict(ctx, v.ID)
		blob, second := s.Blob(ctx, string(row.Case))
		if err = errors.Join(err, first, second); err != nil {
			return err
		}
		if sum := sha256.Sum256(blob); hex.EncodeToString(sum[:]) != string(row.Case) {
			return fmt.Errorf("evidence of %s is another", v.ID)
		}
	}
	return err
}
