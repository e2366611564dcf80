package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"sluice/internal/definition"
	"sluice/internal/feast"
)

type importFeastCmd struct {
	Registry string `arg:"" name:"registry-file" help:"Registry file of Feast, such as registry.db: a serialized feast.core.Registry."`
	Project  string `help:"Project to import; not needed if the registry holds one." placeholder:"NAME"`
	Out      string `short:"o" help:"Folder for the definitions, which is made if it is not there: the file is called as the project. Without it they go to standard output." placeholder:"DIR"`
	Force    bool   `help:"Replace the file if it is there."`
	Strict   bool   `help:"Exit with 1 if something was left out."`
	Format   string `help:"text, or json for one JSON document with the definitions and what was left out and changed." enum:"text,json" default:"text"`
}

// Help shows examples.
func (*importFeastCmd) Help() string {
	return "No server is needed. Views, join keys, features with their types, ttl, sources and feature services become definitions. What has no counterpart is listed with the reason on standard error and as comments at the end of the file: on-demand views, which are pickled Python, join key maps, and types that Sluice does not have. A service that would lack a feature is left out whole. " +
		"A registry in SQL, on S3 or on GCS is copied to a file first." +
		"\n\nExamples:\n  sluice import feast feature_repo/data/registry.db -o features\n  sluice import feast registry.db --project driver_ranking -o features --strict\n  sluice import feast registry.db --format json"
}

// importedFeast is what --format json prints.
type importedFeast struct {
	Project     string       `json:"project"`
	File        string       `json:"file,omitempty"`
	Views       int          `json:"views"`
	Services    int          `json:"services"`
	LeftOut     []feast.Note `json:"left_out"`
	Changed     []feast.Note `json:"changed"`
	Definitions string       `json:"definitions"`
}

func (c *importFeastCmd) Run(e *env) error {
	r, err := c.read()
	if err != nil {
		return fmt.Errorf("read %s: %w", filepath.Base(c.Registry), err)
	}
	text := r.YAML()
	if len(r.Defs.Views) > 0 {
		// It is held against the rules that apply has, so that a mistake of ours shows here.
		if _, err := definition.Parse([]definition.File{{Name: "imported.yaml", Text: text}}); err != nil {
			return fmt.Errorf("the definitions that were made are wrong, which is a bug: %w", err)
		}
	}
	out := importedFeast{
		Project: r.Defs.Project, Views: len(r.Defs.Views), Services: len(r.Defs.Services), Definitions: text,
		LeftOut: append([]feast.Note{}, r.LeftOut...), Changed: append([]feast.Note{}, r.Changed...),
	}
	if c.Out != "" {
		if out.File, err = c.save(r.Defs.Project, text); err != nil {
			return err
		}
	}
	if err := c.print(e, &out); err != nil {
		return err
	}
	if len(r.Defs.Views) == 0 {
		return errors.New("nothing could be imported")
	}
	if n := len(r.LeftOut); c.Strict && n > 0 {
		return fmt.Errorf("%d parts were left out", n)
	}
	return nil
}

func (c *importFeastCmd) read() (*feast.Result, error) {
	file, err := os.Open(c.Registry)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, feast.MaxBytes+1))
	if err != nil {
		return nil, err
	}
	registry, err := feast.Decode(data)
	if err != nil {
		return nil, err
	}
	result, err := feast.Import(registry, c.Project)
	if errors.Is(err, feast.ErrProject) {
		return nil, fmt.Errorf("%w: --project: %w", errUsage, err)
	}
	return result, err
}

// save writes the definitions to a file of the folder that is not there yet.
func (c *importFeastCmd) save(project, text string) (string, error) {
	if err := os.MkdirAll(c.Out, 0o755); err != nil {
		return "", err
	}
	name, how := filepath.Join(c.Out, project+".yaml"), os.O_WRONLY|os.O_CREATE|os.O_EXCL
	if c.Force {
		how = os.O_WRONLY | os.O_CREATE | os.O_TRUNC
	}
	file, err := os.OpenFile(name, how, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return "", fmt.Errorf("%s is there already: --force replaces it", name)
	}
	if err != nil {
		return "", err
	}
	_, err = io.WriteString(file, text)
	return name, errors.Join(err, file.Close())
}

func (c *importFeastCmd) print(e *env, out *importedFeast) error {
	if c.Format == "json" {
		return printJSON(e.stdout, out)
	}
	for _, n := range out.LeftOut {
		fmt.Fprintf(e.stderr, "left out: %s\n", plain(n.String()))
	}
	for _, n := range out.Changed {
		fmt.Fprintf(e.stderr, "changed: %s\n", plain(n.String()))
	}
	if out.File == "" {
		_, err := io.WriteString(e.stdout, out.Definitions)
		return err
	}
	_, err := fmt.Fprintf(e.stdout, "%d views and %d services of project %s in %s; next: sluice plan -f %s\n", out.Views, out.Services, out.Project, out.File, c.Out)
	return err
}
