package definition

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"sluice/feature"
)

// File is one file of definitions or rules: its name, with which problems are
// reported and against which `rules:` is resolved, and its text.
type File struct {
	Name string `json:"name"`
	Text string `json:"text"`
}

// Limits of what is read as definitions.
const (
	MaxFile  = 4 << 20 // bytes of one file
	MaxFiles = 1000
)

// Load reads the definitions in a folder, or in one file; see ReadDir and Parse.
func Load(name string) (feature.Definitions, error) {
	files, err := ReadDir(name)
	if err != nil {
		return feature.Definitions{}, err
	}
	return Parse(files)
}

// ReadDir reads the *.yaml and *.yml files directly in a folder, or the one file
// that name is, and the rules files that they name, which may lie elsewhere.
// File names have slashes and start with name. A folder without such a file is
// an error; a rules file that is missing is for Parse to report.
func ReadDir(name string) ([]File, error) {
	paths, err := list(name)
	if err != nil {
		return nil, fmt.Errorf("read definitions: %w", err)
	}
	var files []File
	for _, p := range paths {
		f, err := readFile(p)
		if err != nil {
			return nil, fmt.Errorf("read definitions: %w", err)
		}
		files = append(files, f)
	}
	for _, rulesName := range rulesNames(files) {
		if slices.ContainsFunc(files, func(f File) bool { return f.Name == rulesName }) {
			continue
		}
		f, err := readFile(filepath.FromSlash(rulesName))
		if os.IsNotExist(err) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read rules: %w", err)
		}
		files = append(files, f)
	}
	return files, nil
}

func list(name string) ([]string, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return []string{name}, nil
	}
	entries, err := os.ReadDir(name)
	if err != nil {
		return nil, err
	}
	var paths []string
	for _, e := range entries {
		if ext := filepath.Ext(e.Name()); !e.IsDir() && (ext == ".yaml" || ext == ".yml") {
			paths = append(paths, filepath.Join(name, e.Name()))
		}
	}
	switch {
	case len(paths) == 0:
		return nil, fmt.Errorf("%s: %w: no *.yaml file in it", name, fs.ErrNotExist)
	case len(paths) > MaxFiles:
		return nil, fmt.Errorf("%s: %d files, more than %d", name, len(paths), MaxFiles)
	}
	return paths, nil
}

func readFile(name string) (File, error) {
	info, err := os.Stat(name)
	if err != nil {
		return File{}, err
	}
	if info.Size() > MaxFile {
		return File{}, fmt.Errorf("%s: %d bytes, more than %d", name, info.Size(), MaxFile)
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return File{}, err
	}
	return File{Name: filepath.ToSlash(filepath.Clean(name)), Text: string(text)}, nil
}

// rulesNames returns the names of the rules files that files name, resolved.
func rulesNames(files []File) []string {
	var names []string
	for _, f := range files {
		docs, _, err := documents(f.Text)
		if err != nil {
			continue
		}
		for _, doc := range docs {
			if name := rulesOf(doc); name != "" {
				names = append(names, resolve(f.Name, name))
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// resolve returns the name of a file that base names.
func resolve(base, name string) string {
	if strings.HasPrefix(name, "/") {
		return path.Clean(name)
	}
	return path.Join(path.Dir(base), name)
}
