package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// TestReread loses how far the writes were read, and has them read again: what was read
// before is held until somebody says so, and then counted from the start of the log.
func TestReread(t *testing.T) {
	i := install(t, nil)
	dir := i.define()
	for minute := range 3 {
		i.push(dir, minute, 0, func(n int) float64 { return 10 + float64(n%7)/10 })
	}
	s := session{t}
	backup := filepath.Join(t.TempDir(), "sluice.bak")
	s.run(0, "backup "+backup+i.flags())
	total := func(want int) {
		t.Helper()
		eventually(t, func() error {
			var counts struct {
				Items []struct{ Received int }
			}
			if err := json.Unmarshal([]byte(apiText(t, "/api/v1/accounting")), &counts); err != nil {
				return err
			}
			sum := 0
			for _, c := range counts.Items {
				sum += c.Received
			}
			if sum != want {
				return fmt.Errorf("%d records were received, want %d", sum, want)
			}
			return nil
		})
	}
	total(300)
	i.stop()
	i.cfg.Kafka.Profiles = "sluice.profiles.lost" // one without anything
	i.start()
	flags := i.flags() + " --kafka.profiles=" + i.cfg.Kafka.Profiles
	eventually(t, func() error {
		_, out, _ := command(t, strings.Fields("doctor"+flags)...)
		for n := range i.cfg.Kafka.Partitions {
			if !strings.Contains(out, fmt.Sprintf("%s/%d", i.cfg.Kafka.Writes, n)) {
				return fmt.Errorf("partition %d is not said to be held: %s", n, out)
			}
		}
		return nil
	})
	s.run(2, "reread flights/0 --yes --reason drill"+flags, "!want TOPIC/PARTITION")
	s.run(2, fmt.Sprintf("reread %s/%d --yes --reason drill", i.cfg.Kafka.Writes, i.cfg.Kafka.Partitions)+flags, "!want TOPIC/PARTITION")
	s.run(2, "reread sluice.writes/0 --reason drill"+flags, "!say --yes")
	var all []string
	for n := range i.cfg.Kafka.Partitions {
		all = append(all, fmt.Sprintf("%s/%d", i.cfg.Kafka.Writes, n))
	}
	s.run(0, "reread "+strings.Join(all, " ")+" --yes --reason drill"+flags, "read from the start of the log")
	total(300)
	s.run(1, "reread sluice.writes/0 --yes --reason drill"+flags, "!say --force")
	s.run(0, "audit", "reread", "drill")
	i.stop()

	i.cfg.Kafka.Profiles = "sluice.profiles.again" // and this time there is a backup
	s.run(0, "restore "+backup+" --force --yes --reason drill"+i.flags()+" --kafka.profiles="+i.cfg.Kafka.Profiles, "taps go on from the backup")
	i.start()
	total(300)
	i.push(dir, 3, 0, func(n int) float64 { return 10 + float64(n%7)/10 })
	total(400)
}
