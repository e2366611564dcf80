package main

import (
	"cmp"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"sluice/feature"
	"sluice/internal/control"
)

type deadlettersCmd struct {
	List   deadlettersListCmd   `cmd:"" help:"List records that were not accepted, and why."`
	Show   deadlettersShowCmd   `cmd:"" help:"Show one of them with its bytes, and what to do."`
	Replay deadlettersReplayCmd `cmd:"" help:"Send them again to the topic that they came from, after mending."`
}

type deadlettersListCmd struct {
	listFlags
	View   string `help:"Only of this view." placeholder:"VIEW"`
	Reason string `help:"Only for this reason, such as decode, type or expect." placeholder:"CODE"`
	Kind   string `help:"Only quarantined (read, and not usable) or dead_lettered (not readable) ones." placeholder:"KIND"`
	Since  string `help:"Only those refused then or later: a time, or how long ago." placeholder:"1h"`
	After  string `help:"Only those behind this cursor, the next of an answer." placeholder:"CURSOR"`
}

// Help shows examples.
func (*deadlettersListCmd) Help() string {
	return "Examples:\n  sluice deadletters list\n  sluice deadletters list --view carrier_delays --reason expect\n  sluice deadletters list --kind dead_lettered --since 2h --limit 20"
}

func (c *deadlettersListCmd) Run(e *env) error {
	since, err := sinceTime(c.Since, time.Now())
	if err != nil {
		return err
	}
	if err := checkKind(c.Kind); err != nil {
		return err
	}
	query := url.Values{}
	for key, value := range map[string]string{"view": c.View, "reason": c.Reason, "kind": c.Kind, "after": c.After} {
		if value != "" {
			query.Set(key, value)
		}
	}
	if !since.IsZero() {
		query.Set("since", since.Format(time.RFC3339Nano))
	}
	return show(e, &c.listFlags, "/api/v1/deadletters", query, "RECORD AT KIND REASON VIEW FEATURE TEXT", func(d control.DeadLetter) []string {
		return []string{recordOf(&d), when(d.At), d.Kind, string(d.Reason), d.View, d.Feature, d.Text}
	})
}

func recordOf(d *control.DeadLetter) string {
	return control.LetterPlace{Topic: d.Topic, Partition: d.Partition, Offset: d.Offset}.String()
}

// sinceTime reads a time, or a duration before now; the zero time if text is empty.
func sinceTime(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		return now.Add(-ago).UTC(), nil
	}
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return time.Time{}, fmt.Errorf("%w: --since %q: want an RFC 3339 time, such as 2024-01-01T05:00:00Z, or how long ago, such as 1h", errUsage, text)
	}
	return at.UTC(), nil
}

func checkKind(kind string) error {
	if kind != "" && kind != "quarantined" && kind != "dead_lettered" {
		return fmt.Errorf("%w: --kind %q: want quarantined or dead_lettered", errUsage, kind)
	}
	return nil
}

type deadlettersShowCmd struct {
	connection
	Record string `arg:"" help:"Record, as list names it: TOPIC/PARTITION/OFFSET."`
}

// Help shows examples.
func (*deadlettersShowCmd) Help() string {
	return "Bytes that are no text are shown in hexadecimal.\n\nExamples:\n  sluice deadletters show sluice.writes/0/1234"
}

// shownLetter is a dead letter with where it was sent again.
type shownLetter struct {
	control.DeadLetter
	Replays []string `json:"replays"`
}

func (c *deadlettersShowCmd) Run(e *env) error {
	path, err := recordPath(c.Record)
	if err != nil {
		return err
	}
	var raw json.RawMessage
	if err := c.get(e.ctx, "/api/v1/deadletters/"+path, &raw); err != nil {
		return err
	}
	if c.Format == "json" {
		return printJSON(e.stdout, raw)
	}
	var d shownLetter
	if err := json.Unmarshal(raw, &d); err != nil {
		return fmt.Errorf("answer about the dead letter: %w", err)
	}
	return d.print(e.stdout)
}

// recordPath checks a record's name and makes a path of it.
func recordPath(record string) (string, error) {
	parts := strings.Split(record, "/")
	if len(parts) != 3 {
		return "", fmt.Errorf("%w: record %q: want TOPIC/PARTITION/OFFSET", errUsage, record)
	}
	for i := range parts {
		parts[i] = url.PathEscape(parts[i])
	}
	return strings.Join(parts, "/"), nil
}

func (d *shownLetter) print(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s for %s, read at %s\nview %s, feature %s: %s\n", plain(recordOf(&d.DeadLetter)), plain(d.Kind), plain(string(d.Reason)), when(d.At),
		plain(cmp.Or(d.View, "-")), plain(cmp.Or(d.Feature, "-")), plain(d.Text))
	fmt.Fprintf(&b, "Do: %s\n", remedy(d.Reason))
	for _, to := range d.Replays {
		fmt.Fprintf(&b, "It was sent again as %s.\n", plain(to))
	}
	switch {
	case d.Masked == "withheld":
		b.WriteString("It holds a payment card number, so that its value is not shown; it is in the topic, as long as the log keeps it, and replay sends that.\n")
	case d.Masked != "":
		b.WriteString("Payment card numbers are shown as asterisks; replay sends the record itself, as long as the log keeps it.\n")
	}
	if len(d.Bytes) < d.Size && d.Masked != "withheld" {
		fmt.Fprintf(&b, "The first %d of %d bytes; the rest is in the topic, as long as the log keeps it:\n", len(d.Bytes), d.Size)
	}
	b.WriteString(safeBytes(d.Bytes))
	_, err := io.WriteString(w, b.String())
	return err
}

// safeBytes shows bytes of a stranger on a terminal: text with control characters
// escaped, everything else in hexadecimal.
func safeBytes(b []byte) string {
	if !utf8.Valid(b) {
		return hex.Dump(b)
	}
	return plain(string(b)) + "\n"
}

// remedy says what to do about records that are refused for a reason, before they are
// replayed.
func remedy(reason feature.Code) string {
	switch reason {
	case feature.CodeDecode:
		return "the record cannot be read: mend the producer and send it anew; a replay of the same bytes is refused again"
	case feature.CodeType:
		return "mend the producer, or change the feature's type in the definition, apply it, and replay"
	case feature.CodeExpect:
		return "if the value is right, widen `expect` in the definition, apply it, and replay; else mend the producer and send it anew"
	case feature.CodeFuture:
		return "compare the producer's clock with the server's; replay once the event time is no longer ahead"
	case feature.CodeUnknownView:
		return "apply the view's definition, or correct the name in the producer; then replay"
	case feature.CodeUnknownFeature:
		return "add the feature to the definition and apply it, or leave it out in the producer; then replay"
	case feature.CodeTooLarge:
		return "make the record smaller and send it anew; a replay of the same bytes is refused again"
	case feature.CodeInvalidArgument:
		return "a part of the record is missing or wrong: mend the producer and send it anew, or correct the definition, apply it, and replay"
	}
	return "see what the text says; once it is mended, `sluice deadletters replay` sends the record again"
}
