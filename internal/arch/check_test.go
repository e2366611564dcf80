package arch

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// goFile is what the checks need of one file.
type goFile struct {
	path, folder string // folder: the entry of allowed that the file lies in; empty if none
	pkg, doc     string
	imports      []string
	calls        []string // receiver.method, where the receiver is a plain name
	test         bool
}

// check returns every offence in the tree, in the order of its files.
func check(tree fs.FS) ([]string, error) {
	files, err := read(tree)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, f := range files {
		out = append(out, placing(f)...)
		out = append(out, naming(f)...)
		if f.test {
			out = append(out, skipping(f)...)
		} else {
			out = append(out, importing(f)...)
		}
	}
	return append(out, describing(files)...), nil
}

// read parses every Go file of the tree.
func read(tree fs.FS) ([]goFile, error) {
	var files []goFile
	err := fs.WalkDir(tree, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && name != "." && (strings.HasPrefix(d.Name(), ".") || slices.Contains(skipped, d.Name())) {
			return fs.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(name, ".go") {
			return nil
		}
		f, err := parse(tree, name)
		files = append(files, f)
		return err
	})
	return files, err
}

func parse(tree fs.FS, name string) (goFile, error) {
	source, err := fs.ReadFile(tree, name)
	if err != nil {
		return goFile{}, err
	}
	parsed, err := parser.ParseFile(token.NewFileSet(), name, source, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return goFile{}, err
	}
	f := goFile{path: name, folder: folder(path.Dir(name)), pkg: parsed.Name.Name, test: strings.HasSuffix(name, "_test.go")}
	if parsed.Doc != nil {
		f.doc = parsed.Doc.Text()
	}
	for _, spec := range parsed.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return goFile{}, err
		}
		f.imports = append(f.imports, imported)
	}
	ast.Inspect(parsed, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok {
			if to, ok := call.Fun.(*ast.SelectorExpr); ok {
				if x, ok := to.X.(*ast.Ident); ok {
					f.calls = append(f.calls, x.Name+"."+to.Sel.Name)
				}
			}
		}
		return true
	})
	return f, nil
}

// folder returns the longest entry of allowed that dir is or lies in; empty if
// there is none.
func folder(dir string) string {
	for ; dir != "." && dir != "/"; dir = path.Dir(dir) {
		if _, ok := allowed[dir]; ok {
			return dir
		}
	}
	return ""
}

// placing wants every folder in the table.
func placing(f goFile) []string {
	if f.folder == "" {
		return []string{f.path + ": its folder is not in the table of arrows"}
	}
	return nil
}

// naming wants names that say what is in a file or package.
func naming(f goFile) []string {
	var out []string
	stem := strings.TrimSuffix(strings.TrimSuffix(path.Base(f.path), ".go"), "_test")
	// feature/types.go is about the types of features; elsewhere the word is a pile.
	if slices.Contains(nounless, stem) || stem == "types" && f.folder != "feature" {
		out = append(out, fmt.Sprintf("%s: a file named %s says nothing about its concept", f.path, stem))
	}
	if name := strings.TrimSuffix(f.pkg, "_test"); slices.Contains(nounless, name) || name == "types" && !generated(f) {
		out = append(out, fmt.Sprintf("%s: a package named %s is no noun of the domain", f.path, name))
	}
	return out
}

// generated reports whether a file is made from a .proto file, whose package
// others have named.
func generated(f goFile) bool { return strings.HasSuffix(f.path, ".pb.go") }

// skipping wants tests that run or fail.
func skipping(f goFile) []string {
	var out []string
	for _, call := range f.calls {
		receiver, method, _ := strings.Cut(call, ".")
		if slices.Contains([]string{"t", "b", "f", "tb"}, receiver) && slices.Contains([]string{"Skip", "Skipf", "SkipNow"}, method) {
			out = append(out, f.path+": a test that skips itself tests nothing")
		}
	}
	return out
}

// importing holds a file's imports against the tables.
func importing(f goFile) []string {
	var out []string
	for _, imported := range f.imports {
		if dir, ours := strings.CutPrefix(imported, module); ours {
			if to := folder(dir); !arrow(f.folder, to) {
				out = append(out, fmt.Sprintf("%s: %s may not import %s", f.path, f.folder, dir))
			}
			continue
		}
		for outside, may := range owners {
			if within(imported, outside) && !slices.ContainsFunc(may, func(dir string) bool { return within(path.Dir(f.path), dir) }) {
				out = append(out, fmt.Sprintf("%s: %s is for %s", f.path, imported, owner(may)))
			}
		}
	}
	return out
}

// arrow reports whether a file of folder from may import folder to.
func arrow(from, to string) bool {
	if from == to {
		return true
	}
	ends := allowed[from]
	return slices.Contains(ends, to) || slices.Contains(ends, anything) && to != "" && to != "cmd"
}

// within reports whether name is dir or lies in it.
func within(name, dir string) bool {
	return name == dir || strings.HasPrefix(name, dir+"/")
}

func owner(may []string) string {
	if len(may) == 0 {
		return "tests only"
	}
	return strings.Join(may, ", ") + " only"
}

// describing wants one package comment, in the form that go doc shows.
func describing(files []goFile) []string {
	docs, order := map[string][]string{}, []string{}
	names := map[string]string{}
	for _, f := range files {
		dir := path.Dir(f.path)
		if f.test {
			continue
		}
		if _, ok := docs[dir]; !ok {
			docs[dir], order = nil, append(order, dir)
		}
		names[dir] = f.pkg
		if f.doc != "" && !generated(f) {
			docs[dir] = append(docs[dir], f.doc)
		}
	}
	var out []string
	for _, dir := range order {
		want := "Package " + names[dir] + " "
		if names[dir] == "main" {
			want = "Command " + path.Base(dir) + " "
		}
		switch n := len(docs[dir]); {
		case n == 0 && !onlyGenerated(files, dir):
			out = append(out, dir+": package without a comment")
		case n > 1:
			out = append(out, fmt.Sprintf("%s: %d package comments, want one", dir, n))
		case n == 1 && !strings.HasPrefix(docs[dir][0], want):
			out = append(out, fmt.Sprintf("%s: package comment does not begin with %q", dir, want))
		}
	}
	return out
}

func onlyGenerated(files []goFile, dir string) bool {
	return !slices.ContainsFunc(files, func(f goFile) bool { return path.Dir(f.path) == dir && !f.test && !generated(f) })
}
