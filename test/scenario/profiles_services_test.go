//go:build services

package scenario

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"sluice/test/services"
)

// forgetful loses what the profiles topic of a fleet holds, again and again.
type forgetful struct {
	*fleet
	admin *kadm.Client
	topic string
	done  []string
}

// partitions is how many the topic of writes has by default.
const partitions = 4

// ways are how the topic is lost, and turns what happens to a tap meanwhile.
var (
	ways  = []string{"deleted", "made anew", "cut"}
	turns = []string{"both run", "one leaves", "one stands still"}
)

// strike loses the topic while a window is on its way, in each way at each turn.
func (f *forgetful) strike(round int, push func()) {
	f.t.Helper()
	way, turn := ways[round%len(ways)], turns[round/len(ways)%len(turns)]
	f.shared()
	push()
	tap := f.taps[round%2]
	if turn == "one stands still" {
		f.freeze(tap, f.taps[(round+1)%2], way)
	} else {
		f.lose(way)
	}
	if turn == "one leaves" {
		tap.end()
		tap.start()
	}
	f.done = append(f.done, way+", "+turn)
	for _, p := range f.all() {
		p.alive()
	}
}

// freeze has a tap stand still while the topic is lost, until the group has given its
// partitions to the other one, which knows nothing of them: they are held until it goes on.
func (f *forgetful) freeze(tap, other *process, way string) {
	f.t.Helper()
	tap.signal(syscall.SIGSTOP)
	f.lose(way)
	f.until("the other tap has all partitions and holds those of the one that stands still", settled, func() error {
		n, err := other.metric("sluice_tap_partitions ")
		held, err2 := other.metric("sluice_tap_held_partitions{")
		if err := errors.Join(err, err2); err != nil || n != partitions || held == 0 {
			return fmt.Errorf("%s has %d partitions and holds %d (%w)", other.name, n, held, err)
		}
		return nil
	})
	tap.signal(syscall.SIGCONT)
}

// shared waits until each tap reads some partitions and none is on its way from one to the
// other: of that one nobody knows anything.
func (f *forgetful) shared() {
	f.t.Helper()
	f.until("the taps share the partitions", settled, func() error {
		sum := 0
		for _, p := range f.taps {
			n, err := p.metric("sluice_tap_partitions ")
			if err == nil {
				err = p.ready()
			}
			if err != nil || n == 0 {
				return fmt.Errorf("%s has %d partitions (%w)", p.name, n, err)
			}
			sum += n
		}
		if sum != partitions {
			return fmt.Errorf("%d partitions are read of %d", sum, partitions)
		}
		return nil
	})
}

// lose loses all that is on the topic.
func (f *forgetful) lose(way string) {
	f.t.Helper()
	if err := f.waysOut(way); err != nil {
		f.fatalf("lose the profiles topic, %s: %v", way, err)
	}
}

func (f *forgetful) waysOut(way string) error {
	ctx := f.t.Context()
	if way == "cut" {
		policy := "compact,delete" // Kafka cuts no other
		if _, err := f.admin.AlterTopicConfigs(ctx, []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "cleanup.policy", Value: &policy}}, f.topic); err != nil {
			return err
		}
		return patiently(ctx, settled, func() error { // the policy reaches the broker a moment after it was taken
			ends, err := f.admin.ListEndOffsets(ctx, f.topic)
			if err != nil {
				return err
			}
			cut, err := f.admin.DeleteRecords(ctx, ends.Offsets())
			return errors.Join(err, cut.Error())
		})
	}
	listed, err := f.admin.ListTopics(ctx, f.topic)
	if err != nil {
		return err
	}
	if _, err := f.admin.DeleteTopics(ctx, f.topic); err != nil {
		return err
	}
	if way == "deleted" {
		return nil // whoever misses it makes it
	}
	compact := "compact"
	return patiently(ctx, settled, func() error {
		_, err := f.admin.CreateTopic(ctx, int32(len(listed[f.topic].Partitions)), 1, map[string]*string{"cleanup.policy": &compact}, f.topic)
		if again, look := f.admin.ListTopics(ctx, f.topic); look == nil && errors.Is(err, kerr.TopicAlreadyExists) && again[f.topic].ID != listed[f.topic].ID {
			return nil // a tap was faster
		}
		return err
	})
}

// metric returns the sum of the series whose line begins so.
func (p *process) metric(begin string) (sum int, err error) {
	resp, err := client.Get(*p.base.Load() + "/metrics")
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, begin) {
			n, err := strconv.Atoi(strings.TrimSpace(line[strings.LastIndexByte(line, ' '):]))
			if err != nil {
				return 0, err
			}
			sum += n
		}
	}
	return sum, nil
}

// TestProfilesLostFleetServices loses the profiles topic of two taps while windows are
// pushed: both run, one of them leaves just then and comes back, or stands still for longer
// than the group waits. Nothing is lost or doubled, and windows go on being judged.
func TestProfilesLostFleetServices(t *testing.T) {
	set := services.Start(t, "kafka", "redis", "postgres")
	f := startFleet(t, directly(set.Brokers(), set.Redis(), false, set.Database(t)))
	f.define()
	client, err := kgo.NewClient(kgo.SeedBrokers(set.Brokers()...))
	if err != nil {
		t.Fatal(fmt.Errorf("client of the admin: %w", err))
	}
	defer client.Close()
	lost := &forgetful{fleet: f, admin: kadm.NewClient(client), topic: f.topics + ".profiles"}
	began := time.Now()
	b := &battery{site: f.site, pollers: watch(t, f.site), rounds: len(ways) * len(turns), strike: lost.strike, reads: 100}
	b.run()
	t.Logf("the profiles topic was lost %d times in %s: %s", len(lost.done), time.Since(began).Round(time.Second), strings.Join(lost.done, "; "))
}
