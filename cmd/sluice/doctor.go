package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"sluice/cmd/sluice/app"
	"sluice/internal/admin"
)

type doctorCmd struct {
	connection
	ConfigFile string      `name:"config.file" help:"Configuration of the installation, which is checked as well; without it everything is embedded." placeholder:"FILE"`
	Config     configFlags `embed:""`
}

// Help shows examples.
func (*doctorCmd) Help() string {
	return "It looks at the configuration, the data folder and its disk, the brokers, Redis and PostgreSQL that the configuration names, and asks the server. Nothing is changed. " +
		"Flags override the file, as those of `sluice run` do: give the same. It exits with 1 if something is wrong.\n\nExamples:\n  sluice doctor\n  sluice doctor --data=/var/lib/sluice\n  sluice doctor --server http://sluice.example.com:6566 -config.file=sluice.yaml"
}

// finding is what one check found.
type finding struct {
	Check string `json:"check"`
	OK    bool   `json:"ok"`
	Text  string `json:"text"`
	Do    string `json:"do"` // what to do; empty if it is well
}

var errUnwell = errors.New("something is wrong")

func (c *doctorCmd) Run(e *env) error {
	findings := append(c.local(e.ctx, e.set), c.server(e.ctx)...)
	bad := 0
	for _, f := range findings {
		if !f.OK {
			bad++
		}
	}
	if c.Format == "json" {
		if err := printJSON(e.stdout, map[string]any{"ok": bad == 0, "checks": findings}); err != nil {
			return err
		}
	} else {
		var rows [][]string
		for _, f := range findings {
			rows = append(rows, []string{map[bool]string{true: "ok", false: "BAD"}[f.OK], f.Check, f.Text, f.Do})
		}
		if err := table(e.stdout, "STATE CHECK FOUND DO", rows); err != nil {
			return err
		}
	}
	if bad > 0 {
		return fmt.Errorf("%d of %d checks: %w", bad, len(findings), errUnwell)
	}
	return nil
}

// local checks the configuration, the folder of data and its disk, and the servers that
// the configuration names, all from this machine.
func (c *doctorCmd) local(ctx context.Context, set map[string]bool) []finding {
	cfg, err := loadConfig(c.ConfigFile, &c.Config, set)
	if err == nil {
		err = validate(cfg, "all")
	}
	name, with := "defaults", "the flags of `sluice doctor`"
	if c.ConfigFile != "" {
		name, with = c.ConfigFile, "-config.file="+c.ConfigFile+" and its flags"
	}
	if err != nil {
		return []finding{{"configuration", false, name + ": " + oneLine(err), "mend it: `sluice config check` with " + with + " lists every problem"}}
	}
	findings := []finding{{Check: "configuration", OK: true, Text: name}}
	findings = append(findings, dataFolder(cfg)...)
	for _, f := range app.Inspect(ctx, cfg) {
		findings = append(findings, finding(f))
	}
	return findings
}

// dataFolder checks that the folder of what is embedded can be written.
func dataFolder(cfg app.Config) (findings []finding) {
	if _, err := os.Stat(cfg.Data); errors.Is(err, os.ErrNotExist) {
		return append(findings, finding{"data folder", true, cfg.Data + " is made at the first run", ""})
	}
	probe, err := os.CreateTemp(cfg.Data, ".doctor-*")
	if err != nil {
		return append(findings, finding{"data folder", false, oneLine(err), "let this user write to " + cfg.Data + ", or set data to another folder"})
	}
	err = errors.Join(probe.Close(), os.Remove(probe.Name()))
	if err != nil {
		return append(findings, finding{"data folder", false, oneLine(err), "remove " + filepath.Join(cfg.Data, ".doctor-*")})
	}
	return append(findings, finding{"data folder", true, cfg.Data + " can be written", ""})
}

// status is the server's own checks.
type status struct {
	Version string `json:"version"`
	Target  string `json:"target"`
	Clock   struct {
		Now time.Time `json:"now"`
		Set bool      `json:"set"`
	} `json:"clock"`
	Checks []struct {
		Name string `json:"name"`
		OK   bool   `json:"ok"`
		Text string `json:"text"`
	} `json:"checks"`
}

// maxSkew is how far a wall clock may be from this machine's.
const maxSkew = time.Minute

// server checks the server that the flags name.
func (c *doctorCmd) server(ctx context.Context) []finding {
	ready, err := c.ready(ctx)
	if err != nil {
		return []finding{{"server", false, oneLine(err), "start one with `sluice run`, or name another with --server"}}
	}
	findings := []finding{{"server", true, c.Server + " answers", ""}, ready}
	var s status
	if err := c.get(ctx, "/api/v1/status", &s); err != nil {
		do := "see the server's log"
		var answer *answerError
		if errors.As(err, &answer) && answer.Hint != "" {
			do = answer.Hint
		}
		return append(findings, finding{"status", false, oneLine(err), do})
	}
	findings = append(findings, versionFinding(s.Version), clockFinding(&s, time.Now()))
	for _, check := range s.Checks {
		if check.Name == ready.Check { // asked already, without a token
			continue
		}
		f := finding{Check: check.Name, OK: check.OK, Text: check.Text}
		if !check.OK {
			f.Do = "mend it on the server's side: its log says more"
		}
		findings = append(findings, f)
	}
	return findings
}

// ready asks /ready, which says why not.
func (c *doctorCmd) ready(ctx context.Context) (finding, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTime)
	defer cancel()
	req, err := c.request(ctx, http.MethodGet, "/ready", nil)
	if err != nil {
		return finding{}, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return finding{}, unreachable(c.Server, err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 4096))
	if err != nil {
		return finding{}, fmt.Errorf("read /ready: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		return finding{"ready", false, strings.TrimSpace(string(text)), "wait until it has caught up; if it does not, see the server's log"}, nil
	}
	return finding{"ready", true, "ready", ""}, nil
}

func versionFinding(server string) finding {
	own := admin.ReadBuild(release).Version
	if server != own {
		return finding{"version", false, fmt.Sprintf("the server is %s, this program is %s", server, own), "use the same version on both sides"}
	}
	return finding{"version", true, own, ""}
}

func clockFinding(s *status, now time.Time) finding {
	if !s.Clock.Set {
		return finding{"clock", true, "manual, not set yet: nothing is late or in the future", ""}
	}
	if skew := s.Clock.Now.Sub(now).Abs(); skew > maxSkew {
		return finding{"clock", false, fmt.Sprintf("the server's is %s, %s from this machine's", when(s.Clock.Now), skew.Round(time.Second)),
			"a manual clock is moved with POST /api/v1/clock; otherwise set both machines' time"}
	}
	return finding{"clock", true, when(s.Clock.Now), ""}
}

// oneLine shows an error in a table.
func oneLine(err error) string { return strings.Join(problemLines(err), "; ") }

// problemLines returns the lines of an error; empty for nil.
func problemLines(err error) []string {
	if err == nil {
		return []string{}
	}
	return strings.Split(err.Error(), "\n")
}
