package tap

import (
	"errors"
	"fmt"
	"time"
)

// Topics names what Sluice keeps on the log.
type Topics struct {
	Writes      string `yaml:"writes"`       // default topic of feature writes
	Profiles    string `yaml:"profiles"`     // compacted: partial profiles and progress
	DeadLetters string `yaml:"dead_letters"` // records that were not accepted
	Partitions  int32  `yaml:"partitions"`   // of topics that Sluice creates
}

// DefaultTopics returns the names that the reference page documents.
func DefaultTopics() Topics {
	return Topics{Writes: "sluice.writes", Profiles: "sluice.profiles", DeadLetters: "sluice.dead", Partitions: 4}
}

// Validate returns every problem of t, joined, each with its key and value.
func (t Topics) Validate() error {
	var errs []error
	for key, name := range map[string]string{"writes": t.Writes, "profiles": t.Profiles, "dead_letters": t.DeadLetters} {
		if name == "" || len(name) > 249 {
			errs = append(errs, fmt.Errorf("%s: %q is no topic name", key, name))
		}
	}
	if t.Writes == t.Profiles || t.Writes == t.DeadLetters || t.Profiles == t.DeadLetters {
		errs = append(errs, fmt.Errorf("writes, profiles, dead_letters: %q, %q, %q are not three topics", t.Writes, t.Profiles, t.DeadLetters))
	}
	if t.Partitions < 1 {
		errs = append(errs, fmt.Errorf("partitions: %d is not positive", t.Partitions))
	}
	return errors.Join(errs...)
}

// Config says how the tap reads the log.
type Config struct {
	Group      string        `yaml:"group"`       // consumer group; one group is one set of profiles
	Checkpoint time.Duration `yaml:"checkpoint"`  // longest time between two checkpoints while records come
	MaxRecord  int           `yaml:"max_record"`  // bytes; a larger record is dead-lettered
	Ahead      time.Duration `yaml:"ahead"`       // how far event times may lie ahead of the clock
	DedupeIDs  int           `yaml:"dedupe_ids"`  // event ids remembered per partition
	StageRows  int           `yaml:"stage_rows"`  // rows a window holds back before it stages them
	StageBytes int           `yaml:"stage_bytes"` // about what the rows that a process holds back take; each of its partitions stages them once they take its share
	FetchBytes int32         `yaml:"fetch_bytes"` // about what the records that a process fetches take in memory; each of its partitions has its share, of 256 KiB to 1 MiB a fetch
	Poll       time.Duration `yaml:"poll"`        // how often idleness, the clock and definitions are looked at
	Session    time.Duration `yaml:"session"`     // silence after which a group member has lost its partitions
}

// DefaultConfig returns the configuration that the reference page documents.
func DefaultConfig() Config {
	return Config{
		Group: "sluice", Checkpoint: 5 * time.Second, MaxRecord: 1 << 20, Ahead: 5 * time.Minute, DedupeIDs: 1 << 17,
		StageRows: 50_000, StageBytes: 4 << 20, FetchBytes: 2 << 20, Poll: 100 * time.Millisecond, Session: 10 * time.Second,
	}
}

// Validate returns every problem of c, joined, each with its key and value.
func (c Config) Validate() error {
	var errs []error
	if c.Group == "" {
		errs = append(errs, errors.New("group: empty"))
	}
	for _, d := range []struct {
		key   string
		value time.Duration
	}{{"checkpoint", c.Checkpoint}, {"ahead", c.Ahead}, {"poll", c.Poll}, {"session", c.Session}} {
		if d.value <= 0 {
			errs = append(errs, fmt.Errorf("%s: %s is not positive", d.key, d.value))
		}
	}
	for _, n := range []struct {
		key   string
		value int
	}{{"max_record", c.MaxRecord}, {"dedupe_ids", c.DedupeIDs}, {"stage_rows", c.StageRows}, {"stage_bytes", c.StageBytes}, {"fetch_bytes", int(c.FetchBytes)}} {
		if n.value < 1 {
			errs = append(errs, fmt.Errorf("%s: %d is not positive", n.key, n.value))
		}
	}
	return errors.Join(errs...)
}
