package feast

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"sluice/feature"
)

// YAML writes the definitions as a file that a person reads, mends and applies. What
// was left out or changed stands at its end as comments.
func (r *Result) YAML() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# imported from project %s of a Feast registry: read it, then: sluice plan -f DIR\nproject: %s\n", shown(r.Project), name(r.Defs.Project))
	if len(r.Defs.Entities) > 0 {
		b.WriteString("entities:\n")
	}
	for _, e := range r.Defs.Entities {
		fmt.Fprintf(&b, "  - {name: %s, type: %s}\n", name(e.Name), e.Type)
	}
	if len(r.Defs.Views) > 0 {
		b.WriteString("views:\n")
	}
	for i := range r.Defs.Views {
		writeView(&b, &r.Defs.Views[i])
	}
	if len(r.Defs.Services) > 0 {
		b.WriteString("services:\n")
	}
	for _, s := range r.Defs.Services {
		fmt.Fprintf(&b, "  - {name: %s, features: %s}\n", name(s.Name), inline(s.Features))
	}
	writeNotes(&b, "left out", r.LeftOut)
	writeNotes(&b, "changed", r.Changed)
	return b.String()
}

func writeNotes(b *strings.Builder, what string, notes []Note) {
	if len(notes) > 0 {
		fmt.Fprintf(b, "# %s:\n", what)
	}
	for _, n := range notes {
		text := strconv.QuoteToGraphic(n.String())
		fmt.Fprintf(b, "#   %s\n", strings.ReplaceAll(text[1:len(text)-1], `\"`, `"`))
	}
}

func writeView(b *strings.Builder, v *feature.View) {
	var keys []string
	for _, e := range v.Entities {
		keys = append(keys, name(e.Name))
	}
	fmt.Fprintf(b, "  - name: %s\n    entities: [%s]\n", name(v.Name), strings.Join(keys, ", "))
	if v.Group != "" {
		fmt.Fprintf(b, "    group: %s\n", name(v.Group))
	}
	for _, line := range [][2]string{{"owner", v.Owner}, {"description", v.Description}} {
		if line[1] != "" {
			fmt.Fprintf(b, "    %s: %s\n", line[0], inline(line[1]))
		}
	}
	if len(v.Tags) > 0 {
		fmt.Fprintf(b, "    tags: %s\n", inlineMap(v.Tags))
	}
	writeSource(b, v.Source)
	if v.TTL > 0 {
		fmt.Fprintf(b, "    ttl: %s\n", v.TTL)
	}
	b.WriteString("    features:\n")
	for _, f := range v.Features {
		description := ""
		if f.NotFinite != "" {
			description = ", not_finite: " + name(f.NotFinite)
		}
		if f.Description != "" {
			description += ", description: " + inline(f.Description)
		}
		fmt.Fprintf(b, "      - {name: %s, type: %s%s}\n", name(f.Name), f.Type, description)
	}
}

func writeSource(b *strings.Builder, s feature.Source) {
	var parts []string
	if s.Topic != "" {
		parts = append(parts, "topic: "+inline(s.Topic), "format: json")
	}
	if s.EventTime != "" {
		parts = append(parts, "event_time: "+inline(s.EventTime))
	}
	if len(s.Map) > 0 {
		parts = append(parts, "map: "+inlineMap(s.Map))
	}
	if len(parts) > 0 {
		fmt.Fprintf(b, "    source: {%s}\n", strings.Join(parts, ", "))
	}
}

// words are names that YAML reads as something else.
var words = []string{"null", "true", "false", "yes", "no", "on", "off", "y", "n"}

// name writes a valid name.
func name(text string) string {
	if slices.Contains(words, text) {
		return inline(text)
	}
	return text
}

// inlineMap writes valid names and their texts.
func inlineMap(m map[string]string) string {
	var parts []string
	for _, key := range slices.Sorted(maps.Keys(m)) {
		parts = append(parts, inline(key)+": "+inline(m[key]))
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

// inline writes v as JSON, which is YAML too; what is not printable is escaped.
func inline(v any) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return `""` // texts and lists of them can be encoded
	}
	var out strings.Builder
	for _, r := range strings.TrimSpace(b.String()) {
		if strconv.IsPrint(r) {
			out.WriteRune(r)
		} else if r > 0xffff {
			fmt.Fprintf(&out, `\U%08x`, r)
		} else {
			fmt.Fprintf(&out, `\u%04x`, r)
		}
	}
	return out.String()
}
