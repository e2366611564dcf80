package feature

import (
	"encoding/json"
	"errors"
	"time"
)

// What a registry answers. Callers test with errors.Is.
var (
	ErrConflict = errors.New("conflict") // somebody else changed it first; nothing was changed
	ErrNotFound = errors.New("not found")
	ErrSealed   = errors.New("sealed")  // the window's version takes no more rows
	ErrFenced   = errors.New("fenced")  // a newer owner is in charge; stop
	ErrExpired  = errors.New("expired") // the log no longer holds it

	ErrUnavailable = errors.New("not available")                                                  // it does not answer now; nothing was changed
	ErrFull        = errors.New("the disk is full")                                               // of the registry; with ErrUnavailable
	ErrUncertain   = errors.New("connection lost during a commit that may have been carried out") // as a whole or not at all: who wants to know reads again
)

// Commit is one decision: everything it changes, in one transaction. It is
// refused with ErrConflict, and changes nothing, unless the view's vector has
// generation IfGeneration, no verdict id exists already, no window of the
// verdicts was judged before, and no partition that Seal counted idle has left.
type Commit struct {
	View         ViewID
	IfGeneration uint64
	Owner        string // with Epoch: refused with ErrFenced unless it is the owner's current one
	Epoch        uint64

	Vector      *Vector // nil: unchanged; else stored with the next generation
	Seal        *Seal
	Versions    []VersionInfo // stored whole
	Verdicts    []VerdictRow
	Blobs       map[string][]byte // by hex SHA-256
	Audit       []Audit
	Alerts      []Alert
	Resolve     []string // ids of alerts that end at Now
	Notices     []Notice // what people are told of it
	History     []HistoryRow
	DropHistory []time.Time // window starts
	Layouts     []LayoutRow
	Baseline    *BaselineRow
	Memory      []byte // the gate's own state of the view; nil: unchanged
	Now         time.Time
}

// Seal names the partitions that were counted idle, as topic/partition, with how
// often each had left idleness.
type Seal struct {
	Idle map[string]uint64
}

// VerdictRow is a verdict with what it can be recomputed from.
type VerdictRow struct {
	ID       string
	Kind     string // window | probation | freshness | served | parity
	Window   Window
	Version  Version
	State    string
	Decision string
	At       time.Time
	Body     []byte // the contract's JSON
	Case     []byte // what it was computed from; names blobs
	Record   []byte // what the rules read; kept apart, see RecordRow. Listed verdicts lack it
}

// Decided is what tells a verdict from those that nobody looks into.
type Decided struct {
	Seq   int64 // rises in the order of the commits
	ID    string
	Kind  string
	State string
}

// RecordRow is what the rules read when a verdict was made, with what became of it.
type RecordRow struct {
	Seq      int64 // rises in the order of the commits
	View     ViewID
	Verdict  string
	Kind     string
	Version  Version
	Window   Window
	State    string
	Decision string
	Body     []byte // package rules reads it
}

// Audit is one line of who did what and why, as the contract shows it.
type Audit struct {
	ID      string          `json:"id"`
	At      time.Time       `json:"at"`
	By      string          `json:"by"`
	Action  string          `json:"action"`
	View    string          `json:"view"`
	Version Version         `json:"version"`
	Reason  string          `json:"reason"`
	Before  json.RawMessage `json:"before"`
	After   json.RawMessage `json:"after"`
}

// Alert is something a person should know, as the contract shows it.
type Alert struct {
	ID         string     `json:"id"`
	At         time.Time  `json:"at"`
	Kind       string     `json:"kind"` // fail | rollback | stale | frozen | hold | recovered | blind
	View       string     `json:"view"`
	Version    Version    `json:"version"`
	Verdict    string     `json:"verdict"`
	Text       string     `json:"text"`
	ResolvedAt *time.Time `json:"resolved_at"`
}

// Notice is what people are told of a commit. It is stored with it, and forgotten once
// they were told.
type Notice struct {
	ID       string    `json:"-"` // the registry's; the same however often it is told
	At       time.Time `json:"-"` // when it was stored, by the machine's clock
	Alert    Alert     `json:"alert"`
	Window   Window    `json:"window"`
	Reasons  []string  `json:"reasons,omitempty"`
	Served   Version   `json:"served"` // the newest that readers get from then on; 0: none
	Resolved bool      `json:"resolved,omitempty"`
}

// HistoryRow is a window that may serve as baseline: its profile under a layout.
type HistoryRow struct {
	Window  Window
	Version Version
	Layout  string
	Profile []byte
	Normal  bool   // admitted by a person
	Summary []byte // small, for display; kept longer than the profile
}

// LayoutRow is an immutable layout and the first window start it applies to.
type LayoutRow struct {
	Digest string
	From   time.Time
	Body   []byte
}

// BaselineRow is a decision about a view's baseline. The decisions of a view are
// numbered from 1 in their order.
type BaselineRow struct {
	Kind    string // pinned | accepted | dataset | reverted; reference: what the gate pins beside a trailing history, no decision about it
	Undoes  int    `json:",omitempty"` // reverted: number of the decision that it takes back
	Version Version
	From    time.Time // accepted: history starts here; pinned: it ends with this window
	Layout  string
	By      string
	Reason  string
	At      time.Time
	Body    []byte // accepted: what it replaced; dataset: its windows; reference: itself; for package materialize to read
}
