package replay

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"sluice/feature"
	"sluice/quality/sketch"
	"sluice/store/tabular"
)

// mostNoted is how many files or columns a note names.
const mostNoted = 3

// some names the first of many names.
func some(names []string) string {
	text := strings.Join(names[:min(len(names), mostNoted)], ", ")
	if more := len(names) - mostNoted; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// judgeable reports whether a file is one by its name; skipped, whether it is one of those that
// programs leave beside their data, of which nobody wants to be told.
func judgeable(e os.DirEntry) (ok, skipped bool) {
	name := e.Name()
	if strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") && filepath.Ext(name) == "" {
		return false, true
	}
	switch strings.ToLower(filepath.Ext(name)) {
	case ".parquet", ".csv", ".jsonl", ".ndjson":
		return !e.IsDir(), false
	}
	return false, false
}

// passedOver says which entries of the folder are no windows; empty if there are none.
func passedOver(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return fmt.Sprintf("passed over, since only .parquet, .csv, .jsonl and .ndjson files are read: %s", some(names))
}

// noteKinds says where the files of history do not agree about a column: a text among numbers
// has all of them judged as texts, and where the column is not there its rows are nulls.
func (r *Replay) noteKinds(read [][]tabular.Kind) (notes []string) {
	for _, f := range r.view.Features {
		types, absent, present := map[feature.Type][]string{}, []string(nil), 0
		for i, file := range read {
			at := slices.IndexFunc(file, func(k tabular.Kind) bool { return k.Name == f.Name })
			if at < 0 {
				if len(file) > 0 {
					absent = append(absent, r.files[i])
				}
				continue
			}
			present++
			if t, ok := file[at].Type(); ok {
				types[t] = append(types[t], r.files[i])
			}
		}
		if len(types) > 1 {
			notes = append(notes, fmt.Sprintf("%s is %s in history: all of it is judged as %s", f.Name, typesIn(types), f.Type))
		}
		if len(absent) > 0 && present > len(absent) {
			notes = append(notes, fmt.Sprintf("%s is not in %s of history: null there", f.Name, some(absent)))
		}
	}
	return notes
}

// typesIn says in how many files a column is of which type, most files first, and names the files
// of all types but the first.
func typesIn(types map[feature.Type][]string) string {
	var all []feature.Type
	for t := range types {
		all = append(all, t)
	}
	slices.SortFunc(all, func(a, b feature.Type) int {
		return cmp.Or(cmp.Compare(len(types[b]), len(types[a])), cmp.Compare(a.String(), b.String()))
	})
	var parts []string
	for i, t := range all {
		text := fmt.Sprintf("%s in %d file%s", t, len(types[t]), map[bool]string{true: "", false: "s"}[len(types[t]) == 1])
		if i > 0 {
			text += " (" + some(types[t]) + ")"
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, " and ")
}

// noteEmpty says which files of history have no rows.
func (r *Replay) noteEmpty(profiles []*sketch.Profile) (notes []string) {
	var empty []string
	for i, p := range profiles {
		if p.Total() == 0 {
			empty = append(empty, r.files[i])
		}
	}
	if len(empty) > 0 {
		notes = append(notes, fmt.Sprintf("without rows in history: %s", some(empty)))
	}
	return notes
}
