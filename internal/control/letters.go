package control

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"sluice/feature"
)

// DeadLetter is a record that was not accepted, as the contract shows it.
type DeadLetter struct {
	Topic     string       `json:"topic"`
	Partition int32        `json:"partition"`
	Offset    int64        `json:"offset"`
	At        time.Time    `json:"at"`
	Received  time.Time    `json:"received_at,omitzero"` // when the broker appended the record or, where its topic does not say, when it was sent
	Kind      string       `json:"kind"`                 // quarantined | dead_lettered
	Reason    feature.Code `json:"reason"`
	View      string       `json:"view"`
	Feature   string       `json:"feature"`
	Text      string       `json:"text"`
	Bytes     []byte       `json:"bytes"`
	Size      int          `json:"size"`             // of the record; more than there are Bytes if the letter was cut
	Masked    string       `json:"masked,omitempty"` // digits: payment card numbers are asterisks; withheld: the value is left out
}

// LetterFilter chooses among dead letters. Empty fields choose all.
type LetterFilter struct {
	View   string       `json:"view"`
	Kind   string       `json:"kind"`
	Reason feature.Code `json:"reason"`
	Since  time.Time    `json:"since"` // refused then or later
}

// check refuses a kind or a reason that there is not, of which a list would be empty as if
// all was well.
func (f *LetterFilter) check() error {
	switch f.Kind {
	case "", "quarantined", "dead_lettered":
	default:
		return invalid("want quarantined or dead_lettered", "kind %s", clip(f.Kind))
	}
	if codes := feature.LetterCodes(); f.Reason != "" && !slices.Contains(codes, f.Reason) {
		return invalid("want "+oneOf(codes), "reason %s", clip(string(f.Reason)))
	}
	return nil
}

// oneOf lists codes as words to choose from.
func oneOf(codes []feature.Code) string {
	words := make([]string, len(codes))
	for i, c := range codes {
		words[i] = string(c)
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

// LetterPlace names a record of the log.
type LetterPlace struct {
	Topic     string
	Partition int32
	Offset    int64
}

// Replay says which dead letters are sent again.
type Replay struct {
	Select  LetterFilter
	Records []LetterPlace // only these; empty: all that Select chooses
	After   string        // the cursor of the answer before
	Limit   int
	Again   bool // also what was sent again before
	DryRun  bool
	By      string
	// Before is called once it is known which letters are sent, and before any is; with an
	// error none is. Nil, and where none is sent: nobody is asked.
	Before func(ctx context.Context, letters []ReplayedLetter) error
}

// ReplayedLetter is what became of one of them.
type ReplayedLetter struct {
	Record  string       `json:"record"` // TOPIC/PARTITION/OFFSET
	View    string       `json:"view"`
	Reason  feature.Code `json:"reason"`
	Outcome string       `json:"outcome"` // replayed | already | failed
	To      string       `json:"to"`      // where the record stands now; empty in a dry run
	Text    string       `json:"text"`
}

// Letters is the dead letters of the log; package tap provides what it takes. A cursor
// that is none gives a *feature.Error.
type Letters interface {
	List(ctx context.Context, filter LetterFilter, after string, limit int) (items []DeadLetter, next string, err error)
	// Find returns the letter of a record and where it was sent again;
	// feature.ErrNotFound if there is none.
	Find(ctx context.Context, at LetterPlace) (letter DeadLetter, replays []LetterPlace, err error)
	// Replay sends letters again, in one transaction; after an error they may have been sent.
	Replay(ctx context.Context, r Replay) (letters []ReplayedLetter, next string, err error)
}

// String returns the place as topic/partition/offset.
func (p LetterPlace) String() string { return fmt.Sprintf("%s/%d/%d", p.Topic, p.Partition, p.Offset) }

const recordHint = "name it as topic/partition/offset"

// parsePlace reads the three parts of a place.
func parsePlace(topic, partition, offset string) (LetterPlace, error) {
	p, err := strconv.ParseInt(partition, 10, 32)
	if err != nil || p < 0 {
		return LetterPlace{}, invalid(recordHint, "partition %s", clip(partition))
	}
	o, err := strconv.ParseInt(offset, 10, 64)
	if err != nil || o < 0 {
		return LetterPlace{}, invalid(recordHint, "offset %s", clip(offset))
	}
	return LetterPlace{topic, int32(p), o}, nil
}

// deadLetters lists what was not accepted.
func (a *API) deadLetters(r *http.Request) (any, error) {
	limit, err := limitOf(r)
	if err != nil {
		return nil, err
	}
	since, err := timeOf(r, "since")
	if err != nil {
		return nil, err
	}
	query := r.URL.Query()
	filter := LetterFilter{View: query.Get("view"), Kind: query.Get("kind"), Reason: feature.Code(query.Get("reason")), Since: since}
	if err := filter.check(); err != nil {
		return nil, err
	}
	items, next, err := a.deps.Letters.List(r.Context(), filter, query.Get("after"), limit)
	if err != nil {
		return nil, fmt.Errorf("list dead letters: %w", err)
	}
	return listOf(items, next), nil
}

// deadLetter answers the dead letter of one record of the log.
func (a *API) deadLetter(r *http.Request) (any, error) {
	at, err := parsePlace(r.PathValue("topic"), r.PathValue("partition"), r.PathValue("offset"))
	if err != nil {
		return nil, err
	}
	letter, replays, err := a.deps.Letters.Find(r.Context(), at)
	if errors.Is(err, feature.ErrNotFound) {
		return nil, notFound("dead letter", at.String(), "`sluice deadletters list` lists them")
	}
	if err != nil {
		return nil, err
	}
	answer := struct {
		DeadLetter
		Replays []string `json:"replays"` // the records that it was sent again as
	}{letter, []string{}}
	for _, p := range replays {
		answer.Replays = append(answer.Replays, p.String())
	}
	return answer, nil
}

// maxReplay is how many letters one request replays at most.
const maxReplay = 1000

type replayRequest struct {
	Select  LetterFilter `json:"select"`
	Records []string     `json:"records"` // TOPIC/PARTITION/OFFSET; empty: all that select chooses
	All     bool         `json:"all"`     // stands for an empty select
	By      string       `json:"by"`      // where there is no token
	Reason  string       `json:"reason"`
	Again   bool         `json:"again"`
	DryRun  bool         `json:"dry_run"`
	After   string       `json:"after"`
	Limit   int          `json:"limit"`
}

type replayAnswer struct {
	Replayed int              `json:"replayed"`
	Already  int              `json:"already"`
	Failed   int              `json:"failed"`
	Audit    string           `json:"audit"` // empty if nothing was sent
	Items    []ReplayedLetter `json:"items"`
	Next     string           `json:"next"`
}

// replayLetters sends dead letters again to the topics that they came from, at most
// maxReplay a request. Who does it, and why, is noted before: nothing is sent of which the
// audit log does not say so.
func (a *API) replayLetters(r *http.Request) (any, error) {
	var req replayRequest
	if err := decode(r, maxBody, &req); err != nil {
		return nil, err
	}
	if err := req.Select.check(); err != nil {
		return nil, err
	}
	replay, err := req.replay(r)
	if err != nil {
		return nil, err
	}
	var answer replayAnswer
	if !req.DryRun {
		replay.Before = func(ctx context.Context, letters []ReplayedLetter) (err error) {
			answer.Audit, err = a.auditReplay(ctx, &replay, req.Reason, letters)
			return err
		}
	}
	items, next, err := a.deps.Letters.Replay(r.Context(), replay)
	if err != nil {
		if answer.Audit != "" {
			a.auditBroken(context.WithoutCancel(r.Context()), &replay, answer.Audit)
		}
		return nil, fmt.Errorf("replay dead letters: %w", err)
	}
	answer.Items, answer.Next = items, next
	if items == nil {
		answer.Items = []ReplayedLetter{}
	}
	for _, l := range items {
		switch l.Outcome {
		case "replayed":
			answer.Replayed++
		case "already":
			answer.Already++
		default:
			answer.Failed++
		}
	}
	return answer, nil
}

// replay checks a request.
func (q *replayRequest) replay(r *http.Request) (Replay, error) {
	out := Replay{Select: q.Select, After: q.After, Limit: q.Limit, Again: q.Again, DryRun: q.DryRun, By: by(r, q.By)}
	switch {
	case !q.DryRun && strings.TrimSpace(q.Reason) == "":
		return out, invalid("say why, for the audit log", "reason is missing")
	case len(q.Records) > maxReplay || q.Limit < 0 || q.Limit > maxReplay:
		return out, &feature.Error{Code: feature.CodeLimit, Message: fmt.Sprintf("more than %d letters in one request", maxReplay), Hint: "replay them in parts"}
	case len(q.Records) == 0 && q.Select == (LetterFilter{}) && !q.All:
		return out, invalid("name `records`, choose with `select`, or send `all`", "nothing is chosen")
	}
	if out.Limit == 0 {
		out.Limit = maxReplay
	}
	for _, text := range q.Records {
		parts := strings.Split(text, "/")
		if len(parts) != 3 {
			return out, invalid(recordHint, "record %s", clip(text))
		}
		at, err := parsePlace(parts[0], parts[1], parts[2])
		if err != nil {
			return out, err
		}
		out.Records = append(out.Records, at)
	}
	return out, nil
}

// auditReplay writes the audit row of letters that are about to be sent.
func (a *API) auditReplay(ctx context.Context, q *Replay, reason string, letters []ReplayedLetter) (string, error) {
	sent := make([]string, len(letters))
	for i, l := range letters {
		sent[i] = l.Record
	}
	after, err := json.Marshal(map[string]any{"replayed": sent, "again": q.Again})
	if err != nil {
		return "", fmt.Errorf("encode audit row: %w", err)
	}
	now, _ := a.deps.Clock.Now()
	row := feature.Audit{ID: auditID(time.Now()), At: now.UTC(), By: q.By, Action: "replay", View: q.Select.View, Reason: reason, After: after}
	if err := a.deps.Registry.WriteAudit(ctx, row); err != nil {
		return "", fmt.Errorf("nothing was sent: %w", err)
	}
	return row.ID, nil
}

// auditBroken notes behind the audit row of a replay that nobody knows what became of it. If
// that cannot be noted either, the row stands for what was asked.
func (a *API) auditBroken(ctx context.Context, q *Replay, row string) {
	now, _ := a.deps.Clock.Now()
	err := a.deps.Registry.WriteAudit(ctx, feature.Audit{ID: auditID(time.Now()), At: now.UTC(), By: q.By, Action: "replay_failed", View: q.Select.View,
		Reason: "replay " + row + " broke off: the marks on the dead-letter topic say whether its letters were sent"})
	if err != nil {
		a.deps.Logger.Warn("a replay of dead letters broke off, and the audit row that says so could not be written", "audit", row, "by", q.By, "err", err)
	}
}

// auditID returns an id that sorts by time, as those of the registry do.
func auditID(now time.Time) string {
	var tail [4]byte
	rand.Read(tail[:]) // never fails
	return fmt.Sprintf("%016x%s", now.UnixNano(), hex.EncodeToString(tail[:]))
}
