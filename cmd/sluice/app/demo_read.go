package app

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	feasttypes "sluice/api/feast/types"
	sluicev1 "sluice/api/sluice/v1"
	"sluice/internal/flights"
)

const (
	readEvery = 20 * time.Millisecond // of each reader
	readKeys  = 20                    // rows of a read
)

// readers read served features over HTTP and gRPC until they are stopped, and tell
// the demo what they got.
type readers struct {
	cancel context.CancelFunc
	wait   sync.WaitGroup
	conn   *grpc.ClientConn
}

// startReaders starts one reader for each door.
func (d *demo) startReaders(ctx context.Context) (*readers, error) {
	conn, err := grpc.NewClient(d.platform.Addrs().GRPC, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, fmt.Errorf("connect to gRPC: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	r := &readers{cancel: cancel, conn: conn}
	plan := d.readPlan()
	r.wait.Go(func() { d.readLoop(ctx, plan, 1, d.readHTTP) })
	client := sluicev1.NewFeatureServiceClient(conn)
	r.wait.Go(func() {
		d.readLoop(ctx, plan, 2, func(ctx context.Context, v readView, keys [][]string) (uint64, []readRow, error) {
			return readGRPC(ctx, client, v, keys)
		})
	})
	return r, nil
}

// stop ends the readers and waits for them.
func (r *readers) stop() error {
	r.cancel()
	r.wait.Wait()
	return r.conn.Close()
}

// readView is what readers ask of a view.
type readView struct {
	name     string
	joins    []string
	keys     [][]string
	features []string // numeric ones
}

// readRow is one row that was read: its event time, zero if there is none, and its
// numeric features, NaN for null.
type readRow struct {
	key    []string
	at     time.Time
	values map[string]float64
}

type readFunc func(ctx context.Context, v readView, keys [][]string) (version uint64, rows []readRow, err error)

func (d *demo) readPlan() []readView {
	var plan []readView
	for i := range d.defs.Views {
		view := &d.defs.Views[i]
		v := readView{name: view.Name, keys: d.year.Keys(view.Name)}
		for _, e := range view.Entities {
			v.joins = append(v.joins, e.Name)
		}
		for _, f := range view.Features {
			if f.Type.Float() {
				v.features = append(v.features, f.Name)
			}
		}
		plan = append(plan, v)
	}
	return plan
}

// readLoop reads random keys of one view after another.
func (d *demo) readLoop(ctx context.Context, plan []readView, seed uint64, read readFunc) {
	rng := rand.New(rand.NewPCG(seed, 2013))
	spoiled := flights.SpoiledOf(d.year)
	tick := time.NewTicker(readEvery)
	defer tick.Stop()
	for i := 0; ; i++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		v := plan[i%len(plan)]
		keys := make([][]string, readKeys)
		for k := range keys {
			keys[k] = v.keys[rng.IntN(len(v.keys))]
		}
		version, rows, err := read(ctx, v, keys)
		if ctx.Err() != nil {
			return
		}
		d.note(spoiled, v, version, rows, err)
	}
}

// note adds one read to the tally.
func (d *demo) note(spoiled flights.Spoiled, v readView, version uint64, rows []readRow, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err != nil {
		d.say("read of %s: %v", v.name, err)
	}
	d.tally.Read(v.name, version, err != nil)
	for _, row := range rows {
		for name, value := range row.values {
			if !spoiled.Has(v.name, row.key, row.at, name, value) {
				continue
			}
			plant, ok := flights.Planted(v.name, row.at.Truncate(24*time.Hour))
			if !ok {
				continue
			}
			d.tally.Spoilt(plant, time.Now())
			d.seen[plant.Name] = true
			select {
			case d.spied <- struct{}{}:
			default:
			}
			return // one bad value is enough for one read
		}
	}
}

// readHTTP reads by POST /api/v1/views/{view}/rows.
func (d *demo) readHTTP(ctx context.Context, v readView, keys [][]string) (uint64, []readRow, error) {
	request := map[string]any{"features": v.features}
	var asked []map[string]string
	for _, key := range keys {
		k := map[string]string{}
		for i, join := range v.joins {
			k[join] = key[i]
		}
		asked = append(asked, k)
	}
	request["keys"] = asked
	var answer struct {
		Rows []struct {
			Values     map[string]*float64
			EventTimes map[string]*time.Time `json:"event_times"`
		}
		Provenance struct{ Version uint64 }
	}
	if err := d.client.post(ctx, "/api/v1/views/"+v.name+"/rows", request, &answer); err != nil {
		return 0, nil, err
	}
	if len(answer.Rows) != len(keys) {
		return 0, nil, fmt.Errorf("%d rows for %d keys", len(answer.Rows), len(keys))
	}
	rows := make([]readRow, len(keys))
	for i, r := range answer.Rows {
		rows[i] = readRow{key: keys[i], values: map[string]float64{}}
		for _, name := range v.features {
			if at := r.EventTimes[name]; at != nil && !at.IsZero() {
				rows[i].at = *at
			}
			rows[i].values[name] = math.NaN()
			if value := r.Values[name]; value != nil {
				rows[i].values[name] = *value
			}
		}
	}
	return answer.Provenance.Version, rows, nil
}

// readGRPC reads by sluice.v1.FeatureService.
func readGRPC(ctx context.Context, client sluicev1.FeatureServiceClient, v readView, keys [][]string) (uint64, []readRow, error) {
	request := &sluicev1.GetFeaturesRequest{Keys: map[string]*feasttypes.RepeatedValue{}}
	refs := &sluicev1.FeatureRefs{}
	for _, name := range v.features {
		refs.Val = append(refs.Val, v.name+":"+name)
	}
	request.What = &sluicev1.GetFeaturesRequest_Features{Features: refs}
	for i, join := range v.joins {
		column := &feasttypes.RepeatedValue{}
		for _, key := range keys {
			column.Val = append(column.Val, &feasttypes.Value{Val: &feasttypes.Value_StringVal{StringVal: key[i]}})
		}
		request.Keys[join] = column
	}
	answer, err := client.GetFeatures(ctx, request)
	if err != nil {
		return 0, nil, err
	}
	if len(answer.Views) != 1 || len(answer.Views[0].EventTimes) != len(keys) {
		return 0, nil, fmt.Errorf("%d views, want one with %d rows", len(answer.Views), len(keys))
	}
	got := answer.Views[0]
	rows := make([]readRow, len(keys))
	for i := range rows {
		rows[i] = readRow{key: keys[i], values: map[string]float64{}}
		if t := got.EventTimes[i]; t != 0 {
			rows[i].at = time.Unix(0, t).UTC()
		}
		for _, column := range got.Columns {
			value := math.NaN()
			if number, ok := column.Values[i].GetVal().(*feasttypes.Value_DoubleVal); ok {
				value = number.DoubleVal
			}
			rows[i].values[column.Feature] = value
		}
	}
	return got.Provenance.GetVersion(), rows, nil
}
