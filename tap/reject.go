package tap

import (
	"fmt"
	"strconv"
	"unicode/utf8"

	"sluice/feature"
	"sluice/quality"
)

// What became of a record that was not accepted. A quarantined one could be read
// but may not be used; a dead-lettered one could not be read.
const (
	Quarantined  = "quarantined"
	DeadLettered = "dead_lettered"
)

// maxMessage is the length of a message about a record in bytes.
const maxMessage = 256

// rejection says why a record is not accepted for a view.
type rejection struct {
	kind    string
	reason  feature.Code
	view    string
	feature string
	text    string
	card    bool // a value that must be a token is a payment card number
	size    int  // bytes of the record, at least, where its value is not known

	poison *poison // what it did to the tap; nil: nothing
}

func dead(reason feature.Code, view, feature, format string, args ...any) *rejection {
	return &rejection{kind: DeadLettered, reason: reason, view: view, feature: feature, text: message(view, feature, fmt.Sprintf(format, args...))}
}

func quarantine(reason feature.Code, view, feature, format string, args ...any) *rejection {
	return &rejection{kind: Quarantined, reason: reason, view: view, feature: feature, text: message(view, feature, fmt.Sprintf(format, args...))}
}

// worse returns the rejection that stands for both: one that could not be read
// comes before one that may not be used, and the first before later ones.
func worse(a, b *rejection) *rejection {
	if a == nil || b != nil && a.kind == Quarantined && b.kind == DeadLettered {
		return b
	}
	return a
}

// message puts the view and the feature in front of text, escaped and cut, and with
// payment card numbers masked.
func message(view, feature, text string) string {
	switch {
	case view != "" && feature != "":
		text = "view " + view + ", feature " + feature + ": " + text
	case view != "":
		text = "view " + view + ": " + text
	}
	text, _ = quality.MaskCards(text)
	return clip(text)
}

// clip escapes what is not printable and cuts the text to maxMessage bytes.
func clip(text string) string {
	var room [16]byte // for one rune, such as '\U0010ffff'
	out := make([]byte, 0, min(len(text), maxMessage))
	for _, r := range text {
		quoted := strconv.AppendQuoteRune(room[:0], r)
		quoted = quoted[1 : len(quoted)-1]
		if r == '\'' || r == '\\' {
			quoted = utf8.AppendRune(room[:0], r)
		}
		if len(out)+len(quoted) > maxMessage {
			break
		}
		out = append(out, quoted...)
	}
	return string(out)
}
