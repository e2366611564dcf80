package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"sluice/internal/definition"
)

// definitionFlags is what plan and apply share.
type definitionFlags struct {
	connection
	Dir string `short:"f" name:"file" help:"Folder with definitions, or one file." default:"features" placeholder:"DIR"`
}

type planCmd struct {
	definitionFlags
}

// Help shows examples.
func (*planCmd) Help() string {
	return "Nothing is changed.\n\nExamples:\n  sluice plan -f features\n  sluice plan -f features --format json"
}

func (c *planCmd) Run(e *env) error {
	files, err := c.read()
	if err != nil {
		return err
	}
	var plan definition.Changes
	if err := c.post(e.ctx, "/api/v1/plan", map[string]any{"files": files}, &plan); err != nil {
		return err
	}
	if c.Format == "json" {
		return printJSON(e.stdout, plan)
	}
	if err := printChanges(e.stdout, plan.Changes); err != nil {
		return err
	}
	if slices.ContainsFunc(plan.Changes, func(c definition.Change) bool { return c.RemovesView() }) {
		_, err = fmt.Fprintln(e.stdout, "views are removed: apply takes this only with --allow-remove")
	}
	return err
}

// read reads the definitions and says what is wrong with them before a server is
// asked, which judges them again.
func (c *definitionFlags) read() ([]definition.File, error) {
	files, err := definition.ReadDir(c.Dir)
	if err != nil {
		return nil, err
	}
	_, err = definition.Parse(files)
	return files, err
}

func printChanges(w io.Writer, changes []definition.Change) error {
	if len(changes) == 0 {
		_, err := fmt.Fprintln(w, "nothing would change")
		return err
	}
	var rows [][]string
	for _, c := range changes {
		breaking := ""
		if c.Breaking {
			breaking = "breaking"
		}
		rows = append(rows, []string{c.Op, c.Kind, c.Name, strings.Join(c.Fields, ","), breaking, strings.Join(c.Affects, ",")})
	}
	if err := table(w, "OP KIND NAME FIELDS BREAKING AFFECTS", rows); err != nil {
		return err
	}
	return printRemovals(w, changes)
}

// printRemovals says what goes out of service with the views that are removed.
func printRemovals(w io.Writer, changes []definition.Change) error {
	for i := range changes {
		c := &changes[i]
		if !c.RemovesView() || c.Removes == nil {
			continue
		}
		if _, err := fmt.Fprintf(w, "view %s is no longer judged and served: versions %d, rows %d, served version %d\n", plain(c.Name), c.Removes.Versions, c.Removes.Rows, c.Removes.ServedVersion); err != nil {
			return err
		}
	}
	return nil
}

type applyCmd struct {
	definitionFlags
	By           string  `help:"Who does it, where the server knows no tokens." env:"USER" placeholder:"NAME"`
	Reason       string  `help:"Why, for the audit log." placeholder:"TEXT"`
	IfGeneration *uint64 `name:"if-generation" help:"Only if the definitions in force have this generation." placeholder:"N"`
	AllowRemove  bool    `name:"allow-remove" help:"Remove the views that the definitions no longer have; without it that is refused."`
}

// Help shows examples.
func (*applyCmd) Help() string {
	return "All of it is put in force in one step, or nothing. What is in force and no longer in the files is removed; views only with --allow-remove, as they are then no longer judged and served." +
		"\n\nExamples:\n  sluice apply -f features\n  sluice apply -f features --reason 'one more feature for the fraud model'\n  sluice apply -f features --allow-remove --if-generation 7 --reason 'trips are not read any more'"
}

func (c *applyCmd) Run(e *env) error {
	files, err := c.read()
	if err != nil {
		return err
	}
	request := map[string]any{"files": files, "by": c.By, "reason": c.Reason}
	if c.AllowRemove {
		request["allow_remove"] = true
	}
	if c.IfGeneration != nil {
		request["if_generation"] = *c.IfGeneration
	}
	var answer struct {
		Applied    bool                `json:"applied"`
		Digest     string              `json:"digest"`
		Generation uint64              `json:"generation"`
		Changes    []definition.Change `json:"changes"`
	}
	if err := c.post(e.ctx, "/api/v1/apply", request, &answer); err != nil {
		return err
	}
	if c.Format == "json" {
		return printJSON(e.stdout, answer)
	}
	if len(answer.Changes) > 0 {
		if err := printChanges(e.stdout, answer.Changes); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintf(e.stdout, "in force with generation %d, digest %s\n", answer.Generation, answer.Digest)
	return err
}
