package feast

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	feastcore "sluice/api/feast/core"
)

// Limits of a registry file.
const (
	MaxBytes = 64 << 20
	maxDepth = 32 // messages within messages
)

var (
	// ErrCorrupt is an error that bytes are no registry of Feast.
	ErrCorrupt = errors.New("no registry of Feast")
	// ErrProject is an error that a registry does not have the project wanted.
	ErrProject = errors.New("project")
)

// Decode reads a registry file: a serialized feast.core.Registry of up to MaxBytes.
// The error is ErrCorrupt.
func Decode(data []byte) (*feastcore.Registry, error) {
	if len(data) > MaxBytes {
		return nil, fmt.Errorf("%w: more than %d bytes", ErrCorrupt, MaxBytes)
	}
	if strings.HasPrefix(string(data), "SQLite format 3\x00") {
		return nil, fmt.Errorf("%w: a SQLite database; an SQL registry is written to a file by Feast: `feast registry-dump` shows what it holds, and `feast apply` with a registry of type file writes one", ErrCorrupt)
	}
	var r feastcore.Registry
	if err := (proto.UnmarshalOptions{RecursionLimit: maxDepth}).Unmarshal(data, &r); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	if len(Projects(&r)) == 0 {
		return nil, fmt.Errorf("%w: it names no project", ErrCorrupt)
	}
	return &r, nil
}

// Projects returns the names of the projects that own something, sorted.
func Projects(r *feastcore.Registry) []string {
	seen := map[string]bool{}
	for _, p := range r.GetProjects() {
		seen[p.GetSpec().GetName()] = true
	}
	for _, e := range r.GetEntities() {
		seen[e.GetSpec().GetProject()] = true
	}
	for _, v := range r.GetFeatureViews() {
		seen[v.GetSpec().GetProject()] = true
	}
	for _, s := range r.GetFeatureServices() {
		seen[s.GetSpec().GetProject()] = true
	}
	for _, v := range r.GetStreamFeatureViews() {
		seen[v.GetSpec().GetProject()] = true
	}
	var out []string
	for name := range seen {
		if name != "" {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// choose returns the project of that name, or the only one if name is empty.
func choose(r *feastcore.Registry, name string) (string, error) {
	projects := Projects(r)
	switch {
	case name == "" && len(projects) == 1:
		return projects[0], nil
	case name == "":
		return "", fmt.Errorf("%w: the registry holds %d, say which: %.500q", ErrProject, len(projects), projects)
	case !slices.Contains(projects, name):
		return "", fmt.Errorf("%w %.64q is not in the registry, which holds %.500q", ErrProject, name, projects)
	}
	return name, nil
}
