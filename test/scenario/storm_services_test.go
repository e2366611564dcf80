//go:build services

package scenario

import (
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"sluice/test/services"
)

var stormTime = flag.Duration("battery.storm", 25*time.Second, "how long taps join and leave")

const (
	stormTaps  = 3
	stormPace  = 2 * time.Second // from one change of the group to the next
	stormCrash = 6               // one in so many changes is a crash: the group waits 10 s for a member that died
	stormWiden = 5               // every so many windows the topic gets a further partition
	stormWide  = 4               // and so many at most
)

// storm lets taps join and leave the consumer group all the time, and raises the
// number of partitions meanwhile.
type storm struct {
	*fleet
	battery *battery
	client  *kgo.Client
	admin   *kadm.Client
	rng     *rand.Rand
	ends    time.Time

	away  map[*process]string // taps that are gone, by how they went
	done  map[string]int
	wider int // partitions that were added
}

// blow changes the group until a window is judged.
func (s *storm) blow(round int, push func()) {
	s.t.Helper()
	if round%stormWiden == 0 && s.wider < stormWide {
		s.widen()
	}
	push()
	for began := time.Now(); ; {
		s.change()
		if s.judgedAlready(s.battery.window) {
			break
		}
		if time.Since(began) > settled {
			s.fatalf("window %d is not judged after %s of the storm, %v so far: %s", s.battery.window, settled, s.done, s.holdup())
		}
	}
	if time.Now().After(s.ends) {
		s.calm()
		s.battery.rounds = round + 1
	}
}

// change lets a tap go, or come back, and waits for the time of the next one.
func (s *storm) change() {
	s.t.Helper()
	next := time.Now().Add(stormPace)
	p := s.taps[s.rng.IntN(len(s.taps))]
	for s.away[p] == "" && len(s.away) == len(s.taps)-1 { // one is always there
		p = s.taps[s.rng.IntN(len(s.taps))]
	}
	if s.away[p] != "" {
		s.back(p)
	} else {
		s.leave(p)
	}
	time.Sleep(time.Until(next))
}

func (s *storm) changes() (n int) {
	for _, of := range s.done {
		n += of
	}
	return n
}

func (s *storm) leave(p *process) {
	how := "stop"
	if s.changes()%stormCrash == 0 {
		how = []string{"kill", "freeze"}[s.rng.IntN(2)]
	}
	switch how {
	case "stop":
		p.end()
	case "kill":
		p.kill()
	case "freeze":
		p.signal(syscall.SIGSTOP)
	}
	s.away[p] = how
	s.done[how]++
}

func (s *storm) back(p *process) {
	s.t.Helper()
	if s.away[p] == "freeze" {
		p.signal(syscall.SIGCONT)
	} else {
		p.start()
	}
	delete(s.away, p)
	s.done["join"]++
}

// calm brings all taps back.
func (s *storm) calm() {
	s.t.Helper()
	for _, p := range s.taps {
		if s.away[p] != "" {
			s.back(p)
		}
	}
}

// widen adds a partition to the topic of writes. The servers learn of it by a
// watermark, if the broker lists it by then: a window that is pushed again goes to the
// partitions of the first time, which alone know its event ids.
func (s *storm) widen() {
	s.t.Helper()
	topic := s.topics + ".writes"
	listed, err := s.admin.ListTopics(s.t.Context(), topic)
	if err != nil {
		s.t.Fatal(err)
	}
	want := len(listed[topic].Partitions) + 1
	answer, err := s.admin.UpdatePartitions(s.t.Context(), want, topic)
	if err == nil {
		err = answer.Error()
	}
	if err != nil {
		s.t.Fatalf("add a partition to %s: %v", topic, err)
	}
	s.wider++
	s.until("the broker lists the partition", 10*time.Second, func() error { return s.lists(topic, want) })
	for n, d := range s.doors {
		s.until(fmt.Sprintf("door %d knows the partition", n), 10*time.Second, func() error {
			return post(*d.Load()+"/api/v1/views/payments/watermark", map[string]any{"watermark": windowStart(s.battery.window)}, nil)
		})
	}
}

// lists returns an error unless the broker says that the topic has that many partitions. It
// does so a little after it was told to add one.
func (s *storm) lists(topic string, want int) error {
	req, asked := kmsg.NewPtrMetadataRequest(), kmsg.NewMetadataRequestTopic()
	asked.Topic = kmsg.StringPtr(topic)
	req.Topics = append(req.Topics, asked)
	resp, err := req.RequestWith(s.t.Context(), s.client)
	if err != nil {
		return err
	}
	if n := len(resp.Topics[0].Partitions); n != want {
		return fmt.Errorf("%d partitions of %s are listed, want %d", n, topic, want)
	}
	return nil
}

func (s *storm) judgedAlready(i int) bool {
	var list struct{ Items []window }
	err := s.get("/api/v1/views/payments/windows?start="+windowStart(i).Format(time.RFC3339), &list)
	return err == nil && slices.ContainsFunc(list.Items, func(w window) bool { return w.State == "judged" })
}

// holdup says what a window that is not judged may be waiting for.
func (s *storm) holdup() string {
	var windows any
	first := s.get("/api/v1/views/payments/windows", &windows)
	groups, second := s.admin.DescribeGroups(s.t.Context(), s.topics)
	group := groups[s.topics]
	text := fmt.Sprintf("windows %v (%v); group %s (%v)", windows, first, group.State, second)
	for p, how := range s.away {
		text += fmt.Sprintf("\n  %s is away by %s", p.name, how)
	}
	for _, m := range group.Members {
		assigned, _ := m.Assigned.AsConsumer()
		text += fmt.Sprintf("\n  member %s: %+v", m.MemberID, assigned)
	}
	return text
}

// report says what was done, and fails the test if that was too little.
func (s *storm) report() {
	changes := s.changes()
	if least := int(*stormTime / stormPace / 2); changes < least || s.wider == 0 {
		s.t.Errorf("%d changes of the group, want %d; %d partitions added: the run is void", changes, least, s.wider)
	}
	s.t.Logf("%d changes of the group: %v; %d partitions added", changes, s.done, s.wider)
}

// TestStormServices has taps join and leave every two seconds, by stop, kill and
// freeze, while windows are pushed and the topic grows. Windows go on being judged,
// and nothing is lost or counted twice.
func TestStormServices(t *testing.T) {
	set := services.Start(t, "kafka", "redis", "postgres")
	f := startTaps(t, directly(set.Brokers(), set.Redis(), false, set.Database(t)), stormTaps)
	f.define()
	client, err := kgo.NewClient(kgo.SeedBrokers(set.Brokers()...))
	if err != nil {
		t.Fatal(fmt.Errorf("client of the admin: %w", err))
	}
	defer client.Close()
	s := &storm{
		fleet: f, client: client, admin: kadm.NewClient(client), rng: random(t), ends: time.Now().Add(*stormTime),
		away: map[*process]string{}, done: map[string]int{},
	}
	s.battery = &battery{site: f.site, pollers: watch(t, f.site), rounds: math.MaxInt, strike: s.blow, reads: int64(*stormTime / time.Second * 5)}
	s.battery.run()
	s.report()
}
