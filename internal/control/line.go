package control

import (
	"bytes"
	"encoding/json"
	"strconv"
	"time"
	"unicode/utf8"

	"sluice/feature"
)

// line is what the API reads of a line of JSON before it is appended: only what
// routes it. Whether it is a good write is for the tap to say.
type line struct {
	record Record
	at     time.Time // event time; zero if it has none that can be read
}

// readLine reads one line for view. On the default topic a line that has view and
// either key or values is a record as it stands there; every other one is a flat
// row, which a header marks as the view's. The field event_id goes to the header;
// only in a record of the default topic, which has no such field, is it taken out
// of the line. A line that is no object is appended as it is.
func readLine(view *feature.View, ownTopic bool, text []byte) line {
	l := line{record: Record{Value: text}}
	members, ok := objectMembers(text)
	envelope := !ownTopic && ok && members.has("view") && (members.has("key") || members.has("values"))
	if !envelope && !ownTopic {
		l.record.View = view.Name
	}
	if !ok {
		return l
	}
	l.record.EventID = textOf(members.value("event_id"))
	if envelope {
		l.record.Key = compact(members.value("key"))
		if textOf(members.value("view")) == view.Name {
			l.at = eventTime(members.value("event_time"))
		}
		if members.has("event_id") {
			l.record.Value = cut(text, members.find("event_id").whole)
		}
		return l
	}
	l.at = eventTime(members.value(view.Source.EventTime))
	l.record.Key = flatKey(view, members)
	return l
}

// flatKey returns the values of the join keys' columns; nil if one is missing.
func flatKey(view *feature.View, members object) []byte {
	var key []byte
	for _, e := range view.Entities {
		column := e.Name
		if mapped := view.Source.Map[e.Name]; mapped != "" {
			column = mapped
		}
		if !members.has(column) {
			return nil
		}
		key = append(append(key, compact(members.value(column))...), '\n')
	}
	return key
}

// cut returns text without a member. The bytes of the first one end behind the
// comma that follows it.
func cut(text []byte, at span) []byte {
	head, tail := text[:at.from], text[at.to:]
	if rest := bytes.TrimLeft(tail, " \t\r"); len(bytes.TrimSpace(head)) == 1 && len(rest) > 0 && rest[0] == ',' {
		tail = rest[1:]
	}
	return append(bytes.Clone(head), tail...)
}

func textOf(value []byte) string {
	if len(value) < 2 || value[0] != '"' {
		return ""
	}
	if inner := value[1 : len(value)-1]; bytes.IndexByte(inner, '\\') < 0 && utf8.Valid(inner) {
		return string(inner)
	}
	var text string
	if json.Unmarshal(value, &text) != nil {
		return ""
	}
	return text
}

// eventTime reads an event time as the tap does: RFC 3339, or whole Unix seconds;
// zero if it is neither, or outside the years of Unix nanoseconds.
func eventTime(value []byte) time.Time {
	at, err := time.Parse(time.RFC3339Nano, textOf(value))
	if err != nil {
		sec, err := strconv.ParseInt(string(value), 10, 64)
		if err != nil {
			return time.Time{}
		}
		at = time.Unix(sec, 0)
	}
	if at.Unix() < 0 || at.Year() >= 2262 {
		return time.Time{}
	}
	return at.UTC()
}

// compact returns JSON without white space, so that equal keys are equal bytes.
func compact(value []byte) []byte {
	if !bytes.ContainsAny(value, " \t\r\n") {
		return value
	}
	var b bytes.Buffer
	if json.Compact(&b, value) != nil {
		return nil
	}
	return b.Bytes()
}
