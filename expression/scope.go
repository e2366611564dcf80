package expression

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/ext"

	"sluice/feature"
)

// MaxCost bounds one evaluation, in CEL's units of about one step or ten bytes of text
// each.
const MaxCost = 10_000

// language is what every expression may call: CEL with its optional values, numbers of
// different types compared as numbers, the libraries of mathematics and of strings that
// count what they cost, and the functions of this package.
var language = sync.OnceValues(func() (*cel.Env, error) {
	return cel.NewEnv(append(functions(), cel.CrossTypeNumericComparisons(true), cel.OptionalTypes(),
		ext.Math(ext.MathVersion(3)), ext.Strings(ext.StringsVersion(5)))...)
})

// scope is what the expressions of one view may name.
type scope struct {
	env   *cel.Env
	names []string
}

// newScope returns a scope of variables with these types.
func newScope(variables map[string]feature.Type) (*scope, error) {
	base, err := language()
	if err != nil {
		return nil, fmt.Errorf("language of expressions: %w", err)
	}
	names := slices.Sorted(maps.Keys(variables))
	options := make([]cel.EnvOption, len(names))
	for i, name := range names {
		options[i] = cel.Variable(name, celType(variables[name]))
	}
	env, err := base.Extend(options...)
	if err != nil {
		return nil, fmt.Errorf("declare %s: %w", strings.Join(names, ", "), err)
	}
	return &scope{env, names}, nil
}

func celType(t feature.Type) *cel.Type {
	if t.IsList() {
		return cel.ListType(celScalar(t.Elem()))
	}
	if t == feature.JSON || t == feature.Timestamp { // both take null as they are
		return celScalar(t)
	}
	return cel.NullableType(celScalar(t))
}

func celScalar(t feature.Type) *cel.Type {
	switch t {
	case feature.Int32, feature.Int64:
		return cel.IntType
	case feature.Float32, feature.Float64:
		return cel.DoubleType
	case feature.String:
		return cel.StringType
	case feature.Bytes:
		return cel.BytesType
	case feature.Bool:
		return cel.BoolType
	case feature.Timestamp:
		return cel.TimestampType
	}
	return cel.DynType
}

// compile returns the checked expression, or what is wrong with it.
func (s *scope) compile(source string) (*cel.Ast, *Fault) {
	ast, issues := s.env.Compile(source)
	if issues.Err() != nil {
		first := issues.Errors()[0]
		return nil, &Fault{Text: fmt.Sprintf("column %d: %s", first.Location.Column()+1, s.explain(first.Message, source, first.Location.Column()))}
	}
	return ast, nil
}

var (
	undeclared = regexp.MustCompile(`^undeclared reference to '([^']+)'`)
	ofMath     = regexp.MustCompile(`^math\.\w+`)
	nullable   = regexp.MustCompile(`wrapper\((\w+)\)`)
	mixed      = regexp.MustCompile(`applied to '\((?:double, int|int, double)\)'`)
)

// explain says what CEL's checker, about what begins at that place of source, means in
// the words of definitions, and what to do.
func (s *scope) explain(message, source string, at int) string {
	message = nullable.ReplaceAllString(strings.TrimSuffix(message, " (in container '')"), "$1")
	if m := undeclared.FindStringSubmatch(message); m != nil {
		name := m[1]
		if runes := []rune(source); name == "math" && at < len(runes) {
			name = ofMath.FindString(string(runes[at:]))
		}
		if near := feature.Nearest(name, slices.Concat(s.names, functionNames)); near != "" {
			return message + ": did you mean " + near + "?"
		}
	}
	if mixed.MatchString(message) {
		return message + ": write double(x) for the int, or int(x) for the double"
	}
	return message
}
