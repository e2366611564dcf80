package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"sluice/feature"
	"sluice/materialize"
)

// actionFlags is what the commands that change a view share.
type actionFlags struct {
	connection
	View         string  `arg:"" help:"View."`
	Version      uint64  `help:"Version that it is about." placeholder:"N"`
	Reason       string  `help:"Why, for the audit log." placeholder:"TEXT"`
	By           string  `help:"Who does it, where the server knows no tokens." env:"USER" placeholder:"NAME"`
	IfGeneration *uint64 `name:"if-generation" help:"Only if the view has this generation." placeholder:"N"`
}

func (c *actionFlags) request() map[string]any {
	request := map[string]any{"version": c.Version, "by": c.By, "reason": c.Reason}
	if c.IfGeneration != nil {
		request["if_generation"] = *c.IfGeneration
	}
	return request
}

// needsVersion refuses a command that names no version.
func (c *actionFlags) needsVersion() error {
	if c.Version == 0 {
		return fmt.Errorf("%w: --version is missing: `sluice versions %s` lists them", errUsage, c.View)
	}
	return nil
}

// needsReason refuses a command that says no reason.
func (c *actionFlags) needsReason() error {
	if strings.TrimSpace(c.Reason) == "" {
		return fmt.Errorf("%w: --reason is missing: say why, for the audit log", errUsage)
	}
	return nil
}

// act does an action of the API and prints what is visible then.
func (c *actionFlags) act(e *env, name string, request map[string]any) error {
	var raw json.RawMessage
	if err := c.post(e.ctx, viewPath(c.View, "actions", name), request, &raw); err != nil {
		return err
	}
	if c.Format == "json" {
		return printJSON(e.stdout, raw)
	}
	var result materialize.Result
	if err := json.Unmarshal(raw, &result); err != nil {
		return fmt.Errorf("answer of %s: %w", name, err)
	}
	_, err := fmt.Fprintf(e.stdout, "%s %s: done, generation %d, %s\n", name, c.View, result.Generation, visibleText(result.Visible))
	return err
}

func visibleText(visible []feature.Version) string {
	if len(visible) == 0 {
		return "no version above the floor is visible"
	}
	return "visible above the floor: " + strings.Trim(fmt.Sprint(visible), "[]")
}

// decide is act for what needs a version and a reason.
func (c *actionFlags) decide(e *env, name string, request map[string]any) error {
	if err := c.needsVersion(); err != nil {
		return err
	}
	if err := c.needsReason(); err != nil {
		return err
	}
	return c.act(e, name, request)
}

type approveCmd struct {
	actionFlags
	AsNormal bool `name:"as-normal" help:"Also admit the window to the baseline."`
}

// Help shows examples.
func (*approveCmd) Help() string {
	return "A rejected version is staged again from the log as a new version.\n\nExamples:\n  sluice approve carrier_delays --version 12 --reason 'storm, the delays are real'"
}

func (c *approveCmd) Run(e *env) error {
	request := c.request()
	request["as_normal"] = c.AsNormal
	return c.decide(e, "approve", request)
}

type rejectCmd struct{ actionFlags }

// Help shows examples.
func (*rejectCmd) Help() string {
	return "Examples:\n  sluice reject carrier_delays --version 12 --reason 'the producer sent seconds'"
}

func (c *rejectCmd) Run(e *env) error { return c.decide(e, "reject", c.request()) }

type rollbackCmd struct{ actionFlags }

// Help shows examples.
func (*rollbackCmd) Help() string {
	return "--version is the one taken out; other visible versions stay.\n\nExamples:\n  sluice rollback carrier_delays --version 12 --reason 'origin is wrong'"
}

func (c *rollbackCmd) Run(e *env) error { return c.decide(e, "rollback", c.request()) }

type freezeCmd struct{ actionFlags }

// Help shows examples.
func (*freezeCmd) Help() string {
	return "What is visible stays; every decision is hold until the view is thawed.\n\nExamples:\n  sluice freeze carrier_delays --reason 'migration of the producer'"
}

func (c *freezeCmd) Run(e *env) error { return c.act(e, "freeze", c.request()) }

type thawCmd struct{ actionFlags }

// Help shows examples.
func (*thawCmd) Help() string {
	return "Examples:\n  sluice thaw carrier_delays --reason 'migration done'"
}

func (c *thawCmd) Run(e *env) error { return c.act(e, "thaw", c.request()) }

type falseAlarmCmd struct{ actionFlags }

// Help shows an example.
func (*falseAlarmCmd) Help() string {
	return "What is visible stays as it is: `sluice rules backtest` and `sluice rules ladder` count the version's alarms as false from then on. To publish a rejected version, approve it.\n\nExamples:\n  sluice false-alarm payments --version 12 --reason 'campaign of the sales team'"
}

func (c *falseAlarmCmd) Run(e *env) error { return c.decide(e, "false_alarm", c.request()) }
