package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"sluice/feature"
)

type getCmd struct {
	connection
	View     string   `arg:"" help:"View."`
	Keys     []string `arg:"" help:"Keys, as NAME=VALUE; several join keys as a=1,b=2."`
	Features []string `help:"Only these features; computed ones are read if they are named." placeholder:"NAME"`
	Context  []string `help:"Values for computed features, as NAME=VALUE." placeholder:"NAME=VALUE" sep:"none"`
	Policy   string   `help:"What to do with stale rows: serve, flag, null, default or refuse." placeholder:"POLICY"`
}

// Help shows examples.
func (*getCmd) Help() string {
	return "Examples:\n  sluice get carrier_delays carrier=UA carrier=AA\n  sluice get trips pickup=JFK,hour=5 --features fare --format json\n  sluice get accounts user=u1 --features amount_z --context amount=120.5"
}

func (c *getCmd) Run(e *env) error {
	var view shownView
	switch err := c.describe(e.ctx, &view); {
	case err == nil:
	case isUnavailable(err):
		return c.undescribed(e)
	default:
		return err
	}
	request := map[string]any{}
	var keys []map[string]any
	for _, text := range c.Keys {
		key, err := parseKey(view.Entities, text)
		if err != nil {
			return fmt.Errorf("%w: %w", errUsage, err)
		}
		keys = append(keys, key)
	}
	request["keys"] = keys
	if len(c.Features) > 0 {
		request["features"] = c.Features
	}
	if c.Policy != "" {
		request["policy"] = c.Policy
	}
	if len(c.Context) > 0 {
		context, err := parseContext(view.Context, c.Context)
		if err != nil {
			return fmt.Errorf("%w: %w", errUsage, err)
		}
		request["context"] = context
	}
	return c.read(e, view, request)
}

// read asks for rows and prints them.
func (c *getCmd) read(e *env, view shownView, request map[string]any) error {
	var raw json.RawMessage
	if err := c.post(e.ctx, viewPath(c.View, "rows"), request, &raw); err != nil {
		return err
	}
	if c.Format == "json" {
		return printJSON(e.stdout, raw)
	}
	return c.print(e, view, raw)
}

// describeTime bounds the question what a view looks like: servers read features without
// the registry, which answers that, for a grace of 30 s.
const describeTime = 3 * time.Second

// describe asks what the view looks like.
func (c *getCmd) describe(ctx context.Context, view *shownView) error {
	ctx, cancel := context.WithTimeout(ctx, describeTime)
	defer cancel()
	return c.get(ctx, viewPath(c.View), view)
}

// isUnavailable reports whether a server cannot answer now, or not in time.
func isUnavailable(err error) bool {
	var answer *answerError
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &answer) && answer.Code == string(feature.CodeUnavailable)
}

// undescribed reads without knowing the types of the join keys, which the registry has:
// the server knows them, and says whether what it is sent is of them. Each key that could
// be a number or a truth value is sent as one and as a text, until all fit.
func (c *getCmd) undescribed(e *env) error {
	if len(c.Context) > 0 {
		return fmt.Errorf("read %s: the registry does not answer, which knows the types of --context: read without computed features, or ask again", c.View)
	}
	if _, err := fmt.Fprintln(e.stderr, "the registry does not answer; the server is asked for the rows as it knows them"); err != nil {
		return err
	}
	var err error
	for texts := range 1 << maxGuessed {
		var keys []map[string]any
		more := false
		for _, text := range c.Keys {
			key, either, parseErr := guessKey(text, texts)
			if parseErr != nil {
				return fmt.Errorf("%w: %w", errUsage, parseErr)
			}
			keys, more = append(keys, key), more || either > 0 && texts+1 < 1<<min(either, maxGuessed)
		}
		request := map[string]any{"keys": keys}
		if len(c.Features) > 0 {
			request["features"] = c.Features
		}
		if c.Policy != "" {
			request["policy"] = c.Policy
		}
		err = c.read(e, shownView{}, request)
		var answer *answerError
		if !more || !errors.As(err, &answer) || answer.Code != string(feature.CodeType) {
			return err
		}
	}
	return err
}

// maxGuessed bounds the join keys of which more than one type is tried.
const maxGuessed = 4

var pairStart = regexp.MustCompile(`(?:^|,)([a-z][a-z0-9_]{0,62})=`)

// guessKey reads NAME=VALUE pairs, parted by commas, of join keys whose types are not known.
// Of those that may be more than a text, of which there are either, the n-th is sent as one
// if bit n of texts is set.
func guessKey(text string, texts int) (key map[string]any, either int, err error) {
	at := pairStart.FindAllStringSubmatchIndex(text, -1)
	if len(at) == 0 || at[0][0] != 0 {
		return nil, 0, fmt.Errorf("key %q: want NAME=VALUE", text)
	}
	key = map[string]any{}
	for i, m := range at {
		end := len(text)
		if i+1 < len(at) {
			end = at[i+1][0]
		}
		name, value := text[m[2]:m[3]], text[m[1]:end]
		if key[name] != nil {
			return nil, 0, fmt.Errorf("key %q: %s is given twice", text, name)
		}
		key[name] = value
		typed := any(nil)
		if _, err := strconv.ParseInt(value, 10, 64); err == nil && json.Valid([]byte(value)) {
			typed = json.Number(value)
		} else if b, err := strconv.ParseBool(value); err == nil {
			typed = b
		}
		if typed == nil {
			continue
		}
		if texts>>either&1 == 0 {
			key[name] = typed
		}
		either++
	}
	return key, either, nil
}

// parseKey reads NAME=VALUE pairs, parted by commas, into JSON values of the join
// keys' types. A comma belongs to a value unless a join key and = follow it.
func parseKey(entities []feature.Entity, text string) (map[string]any, error) {
	key := map[string]any{}
	for _, part := range splitKey(entities, text) {
		name, value, ok := strings.Cut(part, "=")
		at := slices.IndexFunc(entities, func(e feature.Entity) bool { return e.Name == name })
		if !ok || at < 0 {
			return nil, fmt.Errorf("key %q: want %s", text, keyForm(entities))
		}
		if key[name] != nil {
			return nil, fmt.Errorf("key %q: %s is given twice", text, name)
		}
		typed, err := keyValue(entities[at], value)
		if err != nil {
			return nil, fmt.Errorf("key %q: %w", text, err)
		}
		key[name] = typed
	}
	if len(key) != len(entities) {
		return nil, fmt.Errorf("key %q: want %s", text, keyForm(entities))
	}
	return key, nil
}

func splitKey(entities []feature.Entity, text string) (parts []string) {
	for part := range strings.SplitSeq(text, ",") {
		starts := slices.ContainsFunc(entities, func(e feature.Entity) bool { return strings.HasPrefix(part, e.Name+"=") })
		if n := len(parts); n > 0 && !starts {
			parts[n-1] += "," + part
			continue
		}
		parts = append(parts, part)
	}
	return parts
}

func keyForm(entities []feature.Entity) string {
	var form []string
	for _, e := range entities {
		form = append(form, e.Name+"="+strings.ToUpper(e.Type.String()))
	}
	return strings.Join(form, ",")
}

func keyValue(e feature.Entity, text string) (any, error) {
	switch e.Type {
	case feature.Int32, feature.Int64:
		bits := 64
		if e.Type == feature.Int32 {
			bits = 32
		}
		if _, err := strconv.ParseInt(text, 10, bits); err != nil {
			return nil, fmt.Errorf("%s: %q is no %s", e.Name, text, e.Type)
		}
		return json.Number(text), nil
	case feature.Bool:
		value, err := strconv.ParseBool(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %q is no bool", e.Name, text)
		}
		return value, nil
	}
	return text, nil
}

// parseContext reads NAME=VALUE pairs into JSON values of the types that the view
// declares: texts, bytes and times as they stand, the others as JSON.
func parseContext(types map[string]feature.Type, pairs []string) (map[string]any, error) {
	context := map[string]any{}
	for _, pair := range pairs {
		name, text, ok := strings.Cut(pair, "=")
		if _, twice := context[name]; !ok || twice {
			return nil, fmt.Errorf("context %q: want NAME=VALUE, each name once", pair)
		}
		switch t := types[name]; t {
		case feature.String, feature.Bytes, feature.Timestamp, 0: // 0: for the server to refuse
			context[name] = text
		default:
			if !json.Valid([]byte(text)) && !(t.Float() && slices.Contains([]string{"NaN", "Infinity", "-Infinity"}, text)) {
				return nil, fmt.Errorf("context %s: %q is no %s", name, text, t)
			}
			if context[name] = json.RawMessage(text); !json.Valid([]byte(text)) {
				context[name] = text
			}
		}
	}
	return context, nil
}

// rowsAnswer is the contract's answer to a read.
type rowsAnswer struct {
	Rows []struct {
		Key        map[string]json.RawMessage `json:"key"`
		Values     map[string]json.RawMessage `json:"values"`
		Statuses   map[string]string          `json:"statuses"`
		EventTimes map[string]string          `json:"event_times"`
	} `json:"rows"`
	Provenance struct {
		Version    feature.Version `json:"version"`
		Verdict    string          `json:"verdict"`
		Generation uint64          `json:"generation"`
		AgeSeconds float64         `json:"age_seconds"`
		Stale      bool            `json:"stale"`
		Fallback   string          `json:"fallback"`
	} `json:"provenance"`
}

func (c *getCmd) print(e *env, view shownView, raw json.RawMessage) error {
	var answer rowsAnswer
	if err := json.Unmarshal(raw, &answer); err != nil {
		return fmt.Errorf("answer about rows: %w", err)
	}
	names := c.Features
	if len(names) == 0 {
		for _, f := range view.Features {
			names = append(names, f.Name)
		}
		if len(names) == 0 && len(answer.Rows) > 0 { // what the view looks like is not known
			names = slices.Sorted(maps.Keys(answer.Rows[0].Values))
		}
	}
	var rows [][]string
	for _, r := range answer.Rows {
		var key []string
		for _, entity := range view.Entities {
			key = append(key, entity.Name+"="+string(r.Key[entity.Name]))
		}
		if len(view.Entities) == 0 {
			for _, name := range slices.Sorted(maps.Keys(r.Key)) {
				key = append(key, name+"="+string(r.Key[name]))
			}
		}
		for _, name := range names {
			rows = append(rows, []string{strings.Join(key, ","), name, string(r.Values[name]), r.Statuses[name], r.EventTimes[name]})
		}
	}
	if err := table(e.stdout, "KEY FEATURE VALUE STATUS EVENT_TIME", rows); err != nil {
		return err
	}
	p := answer.Provenance
	stale := ""
	if p.Stale {
		stale = ", stale"
	}
	if p.Fallback != "" {
		stale += ", fallback: " + plain(p.Fallback)
	}
	_, err := fmt.Fprintf(e.stdout, "version %d, verdict %s, generation %d, age %.0f s%s\n", p.Version, plain(p.Verdict), p.Generation, p.AgeSeconds, stale)
	return err
}
