package arch

// module is the path of this module, with a slash.
const module = "sluice/"

// allowed names, for each folder, the folders of this module that it may import.
// A folder includes those below it, down to the next that is listed. A new
// arrow is a change to this table, and the review is about that line.
var allowed = map[string][]string{
	"feature":        {},
	"api":            {},
	"dashboards":     {},
	"freshness":      {"feature"},
	"quality/sketch": {"feature"},
	"expression":     {"feature"},
	"quality":        {"feature", "quality/sketch", "expression"},
	"drift":          {"feature", "quality/sketch", "drift/binned", "drift/forest", "internal/wire"},
	"drift/binned":   {},
	"drift/forest":   {"internal/wire"},
	"drift/sample":   {},
	"rules":          {"feature", "quality/sketch"},
	"tap":            {"feature", "quality", "quality/sketch"},
	"store":          {"feature", "quality/sketch"},
	"materialize":    {"feature", "quality/sketch", "rules"},
	"serving":        {"feature", "expression", "api", "internal/auth", "internal/admission", "internal/h1", "internal/h2", "serving/refusal", "serving/jsonform", "serving/wireform", "serving/push", "serving/readership"},

	"serving/refusal":       {"feature"},
	"serving/jsonform":      {"feature", "serving/refusal"},
	"serving/push":          {"feature", "api", "serving/refusal", "serving/jsonform"},
	"serving/readership":    {"feature"},
	"serving/wireform":      {"feature", "api", "serving/refusal", "serving/jsonform"},
	"serving/feastregistry": {"feature", "api", "internal/feast"},

	"internal/admin":          {"feature"},
	"internal/admission":      {},
	"internal/h1":             {"internal/connections", "internal/workers"},
	"internal/h2":             {"internal/connections", "internal/workers"},
	"internal/connections":    {},
	"internal/wire":           {},
	"internal/workers":        {},
	"internal/arch":           {},
	"internal/auth":           {"feature"},
	"internal/backtest":       {"feature", "rules"},
	"internal/backup":         {"feature"},
	"internal/comparison":     {"feature", "quality", "quality/sketch", "drift", "drift/binned", "drift/sample", "store"},
	"internal/control":        {"feature", "rules", "materialize", "quality/sketch", "internal/auth", "internal/definition", "internal/backtest"},
	"internal/definition":     {"feature", "expression", "rules", "quality"},
	"internal/feast":          {"feature", "api"},
	"internal/flights":        {"feature"},
	"internal/frames":         {},
	"internal/court":          {"feature", "quality/sketch", "drift", "rules", "internal/judge", "materialize"},
	"internal/judge":          {"feature", "quality/sketch", "quality", "drift", "freshness", "rules"},
	"internal/probe":          {},
	"internal/reconciliation": {"feature"},
	"internal/rehearsal":      {"feature", "quality", "quality/sketch", "rules", "internal/court", "internal/definition", "materialize", "store"},
	"internal/replay":         {"feature", "quality/sketch", "drift", "rules", "internal/judge", "store"},
	"internal/suite":          {"feature"},
	"internal/load":           {"api"},
	"internal/notify":         {"feature", "rules"},

	"client":  {"api"},
	"clients": {"feature", "api"},
	"cmd":     {anything},
	"test":    {}, // scenarios and the services they run on; test files are free
}

// anything, as an arrow's end, is every folder but cmd.
const anything = "*"

// owners names, for an outside module, the folders that may import it. Tests
// and modules that are not listed are free.
var owners = map[string][]string{
	"github.com/twmb/franz-go":         {"tap"},
	"github.com/cockroachdb/pebble":    {"store"},
	"github.com/parquet-go/parquet-go": {"store"},
	"github.com/pressly/goose":         {"store"},
	"github.com/redis/go-redis":        {"store"},
	"github.com/jackc/pgx":             {"store", "test"},
	"modernc.org/sqlite":               {"store"},
	"database/sql":                     {"store"},
	"google.golang.org/grpc":           {"serving", "internal/h2", "serving/feastregistry", "api", "cmd", "client", "clients"},
	"github.com/slack-go/slack":        {"internal/notify"},
	"gonum.org/v1/gonum":               {"drift"},
	"cel.dev/cel-go":                   {"expression"},
	"net/http/pprof":                   {"internal/admin"},
	"github.com/alecthomas/kong":       {"cmd"},
	"golang.org/x/term":                {"cmd"},
	"github.com/bufbuild/protocompile": {"api"},

	// For tests, and for the suites that tests share.
	"github.com/prometheus/prometheus": {},
	"pgregory.net/rapid":               {"store/storetest"},
	"testing":                          {"store/storetest", "test"},
}

// nounless are names that say nothing about what a file or package is for.
var nounless = []string{
	"base", "common", "constants", "core", "helper", "helpers", "impl", "interfaces", "lib", "misc", "models", "pkg", "shared", "stuff", "util", "utils",
}

// skipped are folders that hold no packages of the product.
var skipped = []string{"testdata", "node_modules", "bin"}
