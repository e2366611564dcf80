package scenario

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	feastserving "sluice/api/feast/serving"
	feasttypes "sluice/api/feast/types"
	sluicev1 "sluice/api/sluice/v1"
)

var (
	hostile     = flag.Int("battery.hostile", 50_000, "messages of TestHostileInput, of which nine in ten go to the log and one to the doors")
	hostileSeed = flag.Uint64("battery.hostile_seed", 1, "what they are drawn from")
)

// maxGrowth is how much more memory a process may take for any number of messages, in KiB:
// what is held back of windows, and fetches, letters and requests that are under way.
const maxGrowth = 64 << 10

// maxKept is what the broker and the row store inside a process may take of its memory
// besides, for so many messages, in KiB.
func maxKept(messages int) int { return 64<<10 + messages/4 }

const hostileViews = `
project: bank
entities:
  - {name: account, type: string}
views:
  - name: target
    entities: [account]
    features:
      - {name: amount, type: float64}
      - {name: count, type: int32}
      - {name: country, type: string}
      - {name: tags, type: "list<string>"}
      - {name: open, type: bool}
      - {name: extra, type: json}
    window: {size: 24h, lateness: 0s}
`

// TestHostileInput throws mutated messages at every door. The process lives, answers
// clearly, and grows within bounds; every message of the log is counted once, and is a
// dead letter once if it was not accepted; and of the good ones in between each is
// accepted and served with its value.
func TestHostileInput(t *testing.T) {
	h := openHouse(t)
	r := &raid{house: h, writes: "sluice.writes", dead: "sluice.dead", taps: []*door{h.base},
		pids: map[string]int{"the process": h.cmd.Process.Pid}, may: func(string) int { return maxGrowth + maxKept(*hostile) }}
	r.run(*hostile)
}

// raid is hostile input for an installation.
type raid struct {
	*house              // the doors
	writes, dead string // topics
	taps         []*door
	pids         map[string]int        // of its processes, by name
	may          func(name string) int // how much more memory one may take, in KiB
}

// run throws n messages at the doors and holds what became of them, and of the processes.
func (h *raid) run(n int) {
	t := h.t
	h.apply(hostileViews)
	if a := h.call(http.MethodPost, "/api/v1/clock", fmt.Sprintf(`{"now":%q}`, first.Add(12*time.Hour).Format(time.RFC3339))); a.status != http.StatusOK {
		t.Fatalf("clock: %s", a)
	}
	m := &mutator{rng: rand.New(rand.NewPCG(*hostileSeed, 3))}
	before := h.memories("VmRSS")
	began := time.Now()
	good := h.flood(m, n*9/10)
	knocks := h.knock(m, n/20)
	calls := h.ring(m, n-n*9/10-n/20)
	h.settle(good)
	h.grown(before)
	h.unharmed()
	t.Logf("seed %d: %d messages in %s, %d of them good; answers over HTTP %v, over gRPC %v",
		*hostileSeed, n, time.Since(began).Round(time.Second), len(good), knocks, calls)
}

// grown fails the test if a process takes much more memory than before.
func (h *raid) grown(before map[string]int) {
	h.t.Helper()
	for name, most := range h.memories("VmHWM") {
		grown, may := most-before[name], h.may(name)
		if h.t.Logf("%s took %d MiB more at most, of %d; it may take %d", name, grown>>10, most>>10, may>>10); grown > may {
			h.t.Errorf("%s took %d MiB more, want at most %d", name, grown>>10, may>>10)
		}
	}
}

var panics = regexp.MustCompile(`(?m)^sluice_tap_panics_total (\S+)$`)

// unharmed fails the test if a record made a tap panic.
func (h *raid) unharmed() {
	h.t.Helper()
	for _, d := range h.taps {
		resp, err := client.Get(*d.Load() + "/metrics")
		if err != nil {
			h.t.Fatal(err)
		}
		text, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			h.t.Fatal(err)
		}
		if n := panics.FindSubmatch(text); len(n) != 2 || string(n[1]) != "0" {
			h.t.Errorf("sluice_tap_panics_total %q, want 0: a record made the tap panic", n)
		}
	}
}

// memories reads a line of the status of each process, in KiB.
func (h *raid) memories(name string) map[string]int {
	h.t.Helper()
	all := map[string]int{}
	for process, pid := range h.pids {
		var err error
		if all[process], err = memory(pid, name); err != nil {
			h.fatalf("%s: %v", process, err)
		}
	}
	return all
}

// memory reads a line of the process's status, in KiB.
func (h *house) memory(name string) int {
	h.t.Helper()
	n, err := memory(h.cmd.Process.Pid, name)
	if err != nil {
		h.fatalf("%v", err)
	}
	return n
}

// memory reads a line of the status of a process, in KiB.
func memory(pid int, name string) (int, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, fmt.Errorf("the process is gone: %w", err)
	}
	found := regexp.MustCompile(name + `:\s+(\d+) kB`).FindSubmatch(text)
	if found == nil {
		return 0, fmt.Errorf("no %s in %s", name, text)
	}
	return strconv.Atoi(string(found[1]))
}

// flood writes n messages to the topic of writes; one in five is good. It returns the
// amounts of those by account.
func (h *raid) flood(m *mutator, n int) map[string]float64 {
	h.t.Helper()
	log, err := kgo.NewClient(kgo.SeedBrokers(h.kafka), kgo.DefaultProduceTopic(h.writes), kgo.ProducerBatchMaxBytes(4<<20), kgo.MaxBufferedRecords(2000))
	if err != nil {
		h.t.Fatal(err)
	}
	defer log.Close()
	good := map[string]float64{}
	var refused atomic.Pointer[error]
	for i := range n {
		r := &kgo.Record{Key: []byte(fmt.Sprint(i))}
		if i%5 == 0 {
			account := fmt.Sprintf("good-%d", i)
			good[account] = float64(i)
			r.Value = m.write(account, float64(i))
		} else {
			m.record(r)
		}
		log.Produce(h.t.Context(), r, func(_ *kgo.Record, err error) {
			if err != nil {
				refused.CompareAndSwap(nil, &err)
			}
		})
	}
	if err := log.Flush(h.t.Context()); err != nil {
		h.t.Fatal(err)
	}
	if err := refused.Load(); err != nil {
		h.t.Fatalf("the broker refused a record: %v", *err)
	}
	return good
}

// knock sends n mutated bodies to the doors over HTTP and returns the answers by
// status.
func (h *raid) knock(m *mutator, n int) map[int]int {
	h.t.Helper()
	bodies := map[string][]byte{
		"/push":                          []byte(`{"push_source_name":"target","to":"online","df":{"account":["h"],"event_timestamp":["2026-05-01T01:00:00Z"],"amount":[1],"country":["DE"],"open":[true]}}`),
		"/get-online-features":           []byte(`{"features":["target:amount","target:country"],"entities":{"account":["good-0","x"]}}`),
		"/api/v1/views/target/rows":      []byte(`{"keys":[{"account":"good-0"},{"account":"DE"}],"features":["amount"],"policy":"serve"}`),
		"/api/v1/views/target/approve":   []byte(`{"version":1,"reason":"x"}`),
		"/api/v1/views/target/rollback":  []byte(`{"version":9,"reason":"x"}`),
		"/api/v1/plan":                   []byte(mustJSON(map[string]any{"files": []map[string]string{{"name": "f.yaml", "text": hostileViews}}})),
		"/api/v1/deadletters?limit=1000": nil,
	}
	var paths []string
	for path := range bodies {
		paths = append(paths, path)
	}
	answers := map[int]int{}
	for range n {
		path := paths[m.rng.IntN(len(paths))]
		method := http.MethodPost
		if bodies[path] == nil {
			method, path = http.MethodGet, "/api/v1/deadletters?after="+hex.EncodeToString(m.bytes(8))+"&limit="+strconv.Itoa(m.rng.IntN(9000)-9)
		}
		a := h.call(method, path, string(m.mutate(bodies[path])))
		answers[a.status]++
		if a.status >= 500 || a.status >= 400 && !a.clear() {
			h.t.Errorf("%s %s: %s, want an answer or a clear refusal", method, path, a)
		}
	}
	return answers
}

// clear reports whether a refusal says what is wrong, in the contract's form or in
// Feast's.
func (a answer) clear() bool {
	if _, ok := a.problem(); ok {
		return true
	}
	var feast struct{ Detail any }
	return json.Unmarshal([]byte(a.body), &feast) == nil && feast.Detail != nil || strings.Contains(a.body, "Exception")
}

// raw passes bytes through gRPC as they are.
type raw struct{}

func (raw) Marshal(v any) ([]byte, error)      { return *v.(*[]byte), nil }
func (raw) Unmarshal(data []byte, v any) error { *v.(*[]byte) = bytes.Clone(data); return nil }
func (raw) Name() string                       { return "proto" }

// ring sends n mutated requests over gRPC and returns the answers by code.
func (h *raid) ring(m *mutator, n int) map[codes.Code]int {
	h.t.Helper()
	conn, err := grpc.NewClient(h.grpc, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDefaultCallOptions(grpc.ForceCodec(raw{})))
	if err != nil {
		h.t.Fatal(err)
	}
	defer conn.Close()
	keys := map[string]*feasttypes.RepeatedValue{"account": {Val: []*feasttypes.Value{{Val: &feasttypes.Value_StringVal{StringVal: "good-0"}}}}}
	feast, err := proto.Marshal(&feastserving.GetOnlineFeaturesRequest{
		Kind:     &feastserving.GetOnlineFeaturesRequest_Features{Features: &feastserving.FeatureList{Val: []string{"target:amount", "target:tags"}}},
		Entities: keys,
	})
	own, err2 := proto.Marshal(&sluicev1.GetFeaturesRequest{What: &sluicev1.GetFeaturesRequest_Features{Features: &sluicev1.FeatureRefs{Val: []string{"target:*"}}}, Keys: keys})
	if err != nil || err2 != nil {
		h.t.Fatal(err, err2)
	}
	methods := []string{feastserving.ServingService_GetOnlineFeatures_FullMethodName, sluicev1.FeatureService_GetFeatures_FullMethodName}
	answers := map[codes.Code]int{}
	for i := range n {
		request, reply := m.mutate([][]byte{feast, own}[i%2]), []byte{}
		ctx, cancel := context.WithTimeout(h.t.Context(), 30*time.Second)
		err := conn.Invoke(ctx, methods[i%2], &request, &reply)
		cancel()
		code := status.Code(err)
		answers[code]++
		switch code {
		case codes.OK, codes.InvalidArgument, codes.NotFound, codes.ResourceExhausted, codes.FailedPrecondition:
		default:
			h.t.Errorf("%s with %x: %v, want an answer or a clear refusal", methods[i%2], request, err)
		}
	}
	return answers
}

// settle waits until the log is read to its end, holds accounting and dead letters
// against it, seals the day and reads every good row.
func (h *raid) settle(good map[string]float64) {
	h.t.Helper()
	log, err := kgo.NewClient(kgo.SeedBrokers(h.kafka), kgo.ConsumeTopics(h.writes, h.dead), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchMaxBytes(8<<20), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	if err != nil {
		h.t.Fatal(err)
	}
	defer log.Close()
	var sum struct{ received, accepted, refused, duplicate int }
	places, letters, written := map[string]int{}, 0, 0
	read := func(until func() bool) error {
		ctx, cancel := context.WithTimeout(h.t.Context(), time.Second)
		defer cancel()
		log.PollFetches(ctx).EachRecord(func(r *kgo.Record) {
			if r.Topic == h.writes {
				written++
				return
			}
			var place []string
			for _, header := range r.Headers {
				if strings.HasPrefix(header.Key, "sluice-dead-") && (strings.HasSuffix(header.Key, "-partition") || strings.HasSuffix(header.Key, "-offset")) {
					place = append(place, string(header.Value))
				}
			}
			letters++
			places[strings.Join(place[:2], "/")]++
		})
		if !until() {
			return fmt.Errorf("%d records on the topic, %d letters; counted %+v", written, letters, sum)
		}
		return nil
	}
	h.until("all is read", 3*time.Minute, func() error {
		var accounting struct {
			Items []struct {
				Received, Accepted, Quarantined, Duplicate int
				DeadLettered                               int `json:"dead_lettered"`
			}
		}
		if err := h.get("/api/v1/accounting", &accounting); err != nil {
			return err
		}
		sum.received, sum.accepted, sum.refused, sum.duplicate = 0, 0, 0, 0
		for _, a := range accounting.Items {
			sum.received, sum.accepted, sum.refused, sum.duplicate = sum.received+a.Received, sum.accepted+a.Accepted, sum.refused+a.Quarantined+a.DeadLettered, sum.duplicate+a.Duplicate
		}
		return read(func() bool { return written > 0 && sum.received == written && letters == sum.refused })
	})
	if sum.accepted+sum.refused+sum.duplicate != sum.received || sum.accepted < len(good) || sum.refused == 0 {
		h.t.Errorf("accounting %+v does not balance, or has no refusals, or fewer than %d accepted", sum, len(good))
	}
	if len(places) != letters {
		h.t.Errorf("%d dead letters of %d records: one each was wanted", letters, len(places))
	}
	h.t.Logf("received %d, accepted %d, refused %d, duplicates %d", sum.received, sum.accepted, sum.refused, sum.duplicate)
	h.readGood(good)
}

// readGood seals the day and reads every good account.
func (h *raid) readGood(good map[string]float64) {
	h.t.Helper()
	if a := h.call(http.MethodPost, "/api/v1/clock", fmt.Sprintf(`{"now":%q}`, first.Add(25*time.Hour).Format(time.RFC3339))); a.status != http.StatusOK {
		h.t.Fatalf("clock: %s", a)
	}
	seal := h.write("seal.jsonl", mustJSON(map[string]any{"account": "seal", "event_time": first.Add(23 * time.Hour), "amount": 1})+"\n")
	if out := h.command(h.t, "push", "target", seal, "--seal", "--wait"); out.code != 0 && out.code != 3 {
		h.t.Fatalf("push: %s", out)
	}
	var accounts []string
	for account := range good {
		accounts = append(accounts, account)
	}
	wrong := 0
	for len(accounts) > 0 {
		some := accounts[:min(100, len(accounts))]
		accounts = accounts[len(some):]
		h.until("good rows are served", 30*time.Second, func() error {
			var reply struct {
				Results []struct {
					Values   []any
					Statuses []string
				}
			}
			if err := h.post("/get-online-features", map[string]any{"features": []string{"target:amount"}, "entities": map[string]any{"account": some}}, &reply); err != nil {
				return err
			}
			column := reply.Results[len(reply.Results)-1]
			for i, account := range some {
				if column.Statuses[i] != "PRESENT" {
					return fmt.Errorf("%s is %s", account, column.Statuses[i])
				}
				if column.Values[i] != good[account] {
					wrong++
				}
			}
			return nil
		})
	}
	if wrong > 0 {
		h.t.Errorf("%d of %d good rows are served with another value", wrong, len(good))
	}
}
