//go:build services

package yardstick

import (
	"context"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	feasttypes "sluice/api/feast/types"
	"sluice/feature"
	"sluice/internal/load"
	"sluice/store/redis"
)

// The data that every server serves: a view as Feast's own benchmarks have it.
const (
	entities  = 20_000
	features  = 20
	asked     = 5
	viewName  = "user_stats"
	joinKey   = "user_id"
	project   = "bench"
	storeName = "yard:" // prefix of Sluice's rows
)

var written = time.Now().Add(-time.Minute).Truncate(time.Second)

// view is the definition of it.
func view() feature.View {
	v := feature.View{ID: 1, Name: viewName, Entities: []feature.Entity{{Name: joinKey, Type: feature.String}}, TTL: 24 * time.Hour}
	for i := range features {
		v.Features = append(v.Features, feature.Feature{ID: uint32(i + 1), Name: featureName(i), Type: feature.Float64})
	}
	return v
}

func featureName(i int) string { return fmt.Sprintf("f%02d", i) }

func userName(i int) string { return fmt.Sprintf("u%d", i) }

// question is what is asked of n random entities.
func question(n int) load.Question {
	q := load.Question{Entities: n, Columns: []load.Column{{Name: joinKey, Key: func(rng *rand.Rand) any { return userName(rng.IntN(entities)) }}}}
	for i := range asked {
		q.Features = append(q.Features, viewName+":"+featureName(i))
	}
	return q
}

// fill writes the same values twice: as Sluice's rows, in one version, and as Feast's
// layout, a hash of serialized values an entity, which the yardsticks read.
func fill(ctx context.Context, addr string) error {
	client := goredis.NewClient(&goredis.Options{Addr: addr, Protocol: 2, ReadTimeout: time.Minute})
	defer client.Close()
	if err := client.ConfigSet(ctx, "hash-max-listpack-value", "512").Err(); err != nil {
		return err
	}
	store, err := openStore(ctx, addr)
	if err != nil {
		return err
	}
	defer store.Close()
	v, rng := view(), rand.New(rand.NewPCG(1, 2))
	at, err := proto.Marshal(timestamppb.New(written))
	if err != nil {
		return err
	}
	const batch = 2000
	for from := 0; from < entities; from += batch {
		rows, p := make([]feature.Row, batch), client.Pipeline()
		for i := range rows {
			name := userName(from + i)
			values := make([]feature.Value, features)
			hash := make([]any, 0, 2*features+2)
			for j := range values {
				f := rng.NormFloat64()
				values[j] = feature.Float64Value(f)
				b, err := proto.Marshal(&feasttypes.Value{Val: &feasttypes.Value_DoubleVal{DoubleVal: f}})
				if err != nil {
					return err
				}
				hash = append(hash, hashField(j), b)
			}
			key, err := feature.NewKey(&v, []feature.Value{feature.StringValue(name)})
			if err != nil {
				return err
			}
			rows[i] = feature.Row{Key: key, Record: feature.Record{EventTime: written.UnixNano(), Seq: uint64(from + i), Row: feature.AppendRow(nil, &v, values)}}
			p.HSet(ctx, feastKey(name), append(hash, timeField, at)...)
		}
		if _, err := store.Stage(ctx, v.ID, 1, rows); err != nil {
			return err
		}
		if _, err := p.Exec(ctx); err != nil {
			return err
		}
	}
	return nil
}

func openStore(ctx context.Context, addr string) (*redis.Store, error) {
	c := redis.DefaultConfig()
	c.Addrs, c.Prefix = []string{addr}, storeName
	// A machine with other work on it stalls for longer than the deadlines of production.
	c.ReadDeadline, c.ReadTimeout, c.WriteTimeout, c.DialTimeout, c.PoolTimeout = 5*time.Second, 2*time.Second, 2*time.Second, 2*time.Second, 2*time.Second
	c.WriteDeadline = 30 * time.Second
	return redis.Open(ctx, redis.Options{Config: c})
}

const timeField = "_ts:" + viewName

// hashField is the field of a feature: four bytes of a hash of its name.
func hashField(i int) string {
	h := fnv.New32a()
	h.Write([]byte(viewName + ":" + featureName(i)))
	return string(h.Sum(nil))
}

// feastKey is the key of an entity, serialized as Feast does in version 3.
func feastKey(user string) string {
	text := func(b []byte, kind bool, s string) []byte {
		if kind {
			b = binary.LittleEndian.AppendUint32(b, 2 /* STRING */)
		}
		return append(binary.LittleEndian.AppendUint32(b, uint32(len(s))), s...)
	}
	b := binary.LittleEndian.AppendUint32(nil, 1)
	b = text(b, true, joinKey)
	b = text(b, true, user)
	return string(append(b, project...))
}
