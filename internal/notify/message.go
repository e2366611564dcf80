package notify

import (
	"fmt"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/slack-go/slack"
	"github.com/slack-go/slack/slackutilsx"

	"sluice/feature"
)

const (
	maxHeader  = 150  // characters, Slack's limit
	maxSection = 2900 // characters; Slack allows 3000 a section and about 13,200 a message
	digestOver = 5    // reasons; with more, a message is a digest and its thread has them all
)

// message is what one call to Slack says: blocks, and the plain text that
// notifications show instead.
type message struct {
	text   string
	blocks []slack.Block
}

// summary returns the message of an incident, as the newest of some events leaves it.
func summary(news []Event, baseURL string) message {
	e := news[len(news)-1]
	head := cut(e.headline(), maxHeader)
	blocks := []slack.Block{
		slack.NewHeaderBlock(plain(head)),
		slack.NewSectionBlock(plain(cut(strings.TrimSpace(e.Text+"\n"+e.effect()), maxSection)), nil, nil),
	}
	if reasons := digest(e.Reasons); reasons != "" && !e.Resolved {
		blocks = append(blocks, slack.NewSectionBlock(plain(reasons), nil, nil))
	}
	if origin := origin(e, news[0].ID, baseURL); origin != "" {
		blocks = append(blocks, slack.NewContextBlock("", slack.NewTextBlockObject(slack.MarkdownType, origin, false, false)))
	}
	return message{text: head + ". " + e.effect(), blocks: blocks}
}

// digest lists the reasons, and above digestOver only how many there are and
// the first of them.
func digest(reasons []string) string {
	if len(reasons) <= digestOver {
		return list(reasons)
	}
	first := fmt.Sprintf("%d features, the first %d of them:\n", len(reasons), digestOver)
	return cut(first+list(reasons[:digestOver]), maxSection)
}

// detail returns what one event adds to its incident's thread.
func detail(e Event) string {
	parts := []string{e.headline(), e.Text}
	if e.Window != (feature.Window{}) {
		parts = append(parts, "Window "+span(e.Window))
	}
	if e.Verdict != "" {
		parts = append(parts, "Verdict "+e.Verdict)
	}
	if len(e.Reasons) > 0 {
		parts = append(parts, list(e.Reasons))
	}
	text := cut(strings.Join(parts, "\n"), maxSection-100)
	if e.ID != "" {
		text += cut("\nNotice "+e.ID+", recorded "+e.At.UTC().Format(time.RFC3339), 100)
	}
	return text
}

// thread returns the reply that holds the details of several events, with as
// many sections as Slack takes, and says how many events were left out.
func thread(news []Event) message {
	var details []string
	for _, e := range news[:min(len(news), maxDetails)] {
		details = append(details, detail(e))
	}
	if more := len(news) - len(details); more > 0 {
		details = append(details, fmt.Sprintf("and %d events more", more))
	}
	m := message{text: cut(details[0], maxHeader)}
	for _, d := range details {
		m.blocks = append(m.blocks, slack.NewSectionBlock(plain(d), nil, nil))
	}
	return m
}

// origin returns the line of small print: window, verdict, and the id by which a message
// that came twice is known.
func origin(e Event, id, baseURL string) string {
	var parts []string
	if e.Window != (feature.Window{}) {
		parts = append(parts, "window "+span(e.Window))
	}
	switch {
	case e.Verdict != "" && baseURL != "":
		link := strings.TrimSuffix(baseURL, "/") + "/api/v1/verdicts/" + url.PathEscape(e.Verdict)
		parts = append(parts, "<"+slackutilsx.EscapeMessage(link)+"|verdict "+slackutilsx.EscapeMessage(e.Verdict)+">")
	case e.Verdict != "":
		parts = append(parts, "verdict "+slackutilsx.EscapeMessage(e.Verdict))
	}
	if id != "" {
		parts = append(parts, "notice "+slackutilsx.EscapeMessage(id))
	}
	return strings.Join(parts, " · ")
}

func list(reasons []string) string {
	var b strings.Builder
	for _, r := range reasons {
		b.WriteString("• " + strings.ReplaceAll(r, "\n", " ") + "\n")
	}
	return cut(strings.TrimSpace(b.String()), maxSection)
}

func span(w feature.Window) string {
	return w.Start.UTC().Format(time.RFC3339) + " to " + w.End.UTC().Format(time.RFC3339)
}

// plain returns text that Slack shows as it is: no links, mentions or emoji.
func plain(text string) *slack.TextBlockObject {
	return slack.NewTextBlockObject(slack.PlainTextType, text, false, false)
}

// cut shortens text to at most n characters.
func cut(text string, n int) string {
	if utf8.RuneCountInString(text) <= n {
		return text
	}
	return string([]rune(text)[:n-1]) + "…"
}
