package serving

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sluice/feature"
	"sluice/serving/jsonform"
	"sluice/serving/refusal"
)

// push answers POST /push; the push source is the view's name.
func (s *Server) push(ctx context.Context, in asked, body, dst []byte) ([]byte, error) {
	return dst, noPushSource(s.pushBody(ctx, in, body, "push_source_name"))
}

// writeToOnlineStore answers POST /write-to-online-store, which does the same.
func (s *Server) writeToOnlineStore(ctx context.Context, in asked, body, dst []byte) ([]byte, error) {
	return append(dst, "null"...), s.pushBody(ctx, in, body, "feature_view_name")
}

func (s *Server) pushBody(ctx context.Context, in asked, body []byte, viewMember string) error {
	backfill, err := declaredHTTP(in)
	if err != nil {
		return err
	}
	name, to, df, err := parsePush(body, viewMember)
	if err != nil {
		return err
	}
	if err := checkTo(to); err != nil {
		return refusal.At("to", err)
	}
	t, err := jsonTable(df)
	if err != nil {
		return refusal.At("df", err)
	}
	if err := s.pushTable(ctx, name, t, backfill); err != nil {
		return refusal.At("df", err)
	}
	return nil
}

// checkTo refuses what cannot be done: there is one log, which feeds both stores.
func checkTo(to string) error {
	switch to {
	case "", "online", "online_and_offline":
		return nil
	}
	return refusal.Invalid("want online or online_and_offline", "a push to %s is not possible", refusal.Quoted(to))
}

// pushTable appends the rows of t to the topic of the view of that name, declared to be of
// long ago if backfill is set.
func (s *Server) pushTable(ctx context.Context, name string, t *table, backfill bool) error {
	if s.deps.Push == nil {
		return refusal.Of(feature.CodeUnavailable, "push to a server that runs a tap", "this server takes no pushes")
	}
	snap, _, err := s.take()
	if err != nil {
		return err
	}
	v, err := snap.catalog.view(name)
	if err != nil {
		return err
	}
	if t.rows == 0 {
		return refusal.Invalid("give at least one row", "there are no rows")
	}
	columns, err := v.columns(t.names)
	if err != nil {
		return err
	}
	if err := s.checkColumns(v, columns); err != nil {
		return err
	}
	records, err := v.records(t, columns)
	if err != nil {
		return err
	}
	for i := range records {
		records[i].Backfill = backfill
	}
	err = s.deps.Push(ctx, &v.View, records)
	var known *feature.Error
	switch {
	case err == nil || errors.As(err, &known):
		return err
	case ctx.Err() != nil:
		return fmt.Errorf("push to %s: %w", v.Name, ctx.Err())
	}
	p := refusal.Of(feature.CodeUnavailable, "push again with the same rows", "the log did not take the rows of view %s", v.Name)
	return fmt.Errorf("%w: %w", p, err)
}

// checkColumns refuses columns that are none of v's, or says once a second in the log
// that they are passed over.
func (s *Server) checkColumns(v *view, c columns) error {
	err := c.known(v)
	if err == nil || s.config.Feast.Columns != "ignore" {
		return err
	}
	now, last := time.Now().UnixNano(), s.columnLogged.Load()
	if now-last >= int64(time.Second) && s.columnLogged.CompareAndSwap(last, now) {
		s.deps.Log.Warn("columns of a push are none of the view's and are passed over, as feast.columns says", "view", v.Name, "columns", c.rest[:min(len(c.rest), 20)])
	}
	return nil
}

// parsePush takes a push body apart: the view, where to, and the object df.
func parsePush(body []byte, viewMember string) (name, to string, df []byte, err error) {
	if !jsonform.WellFormed(body) {
		return "", "", nil, refusal.At("body", jsonform.Malformed(body, "send JSON in UTF-8"))
	}
	if body = jsonform.Trimmed(body); body[0] != '{' {
		return "", "", nil, refusal.At("body", refusal.Invalid("send an object", "the body is %s", jsonform.Kind(body)))
	}
	text := func(member string, value []byte) (string, error) {
		if value[0] != '"' {
			return "", refusal.At(member, refusal.Invalid("send a string", "%s is %s", member, jsonform.Kind(value)))
		}
		return jsonform.Text(value), nil
	}
	for key, value := range jsonform.Members(body) {
		switch jsonform.Text(key) {
		case viewMember:
			name, err = text(viewMember, value)
		case "to":
			to, err = text("to", value)
		case "df":
			df = value
		}
		if err != nil {
			return "", "", nil, err
		}
	}
	if name == "" {
		return "", "", nil, refusal.At(viewMember, refusal.Invalid("give the name of a view", "%s is missing", viewMember))
	}
	if df == nil || df[0] != '{' {
		return "", "", nil, refusal.At("df", refusal.Invalid(`give {"column":[...]}`, "df is no object of columns"))
	}
	return name, to, df, nil
}

// jsonTable returns an object of columns of equal length as a table.
func jsonTable(df []byte) (*table, error) {
	t := &table{}
	var cells [][][]byte
	for key, value := range jsonform.Members(df) {
		name := jsonform.Text(key)
		if value[0] != '[' {
			return nil, refusal.Invalid("give one value a row", "column %s is %s, not a list", refusal.Quoted(name), jsonform.Kind(value))
		}
		var column [][]byte
		for _, cell := range jsonform.Elements(value) {
			column = append(column, cell)
		}
		if len(cells) > 0 && len(column) != len(cells[0]) {
			return nil, refusal.Invalid("give one value a row", "column %s has %d values, %s has %d", refusal.Quoted(name), len(column), refusal.Quoted(t.names[0]), len(cells[0]))
		}
		for _, other := range t.names {
			if other == name {
				return nil, refusal.Invalid("name each column once", "column %s is given twice", refusal.Quoted(name))
			}
		}
		t.names, cells, t.rows = append(t.names, name), append(cells, column), len(column)
	}
	t.value = func(column, row int, typ feature.Type) (feature.Value, error) {
		if cell := cells[column][row]; typ == feature.JSON && cell[0] == '"' {
			return jsonFromText(jsonform.Text(cell))
		}
		return jsonform.ValueOf(typ, cells[column][row])
	}
	t.moment = func(column, row int) (time.Time, error) {
		cell := cells[column][row]
		if cell[0] != '"' {
			return time.Time{}, fmt.Errorf("%s is no event time; write RFC 3339", jsonform.Kind(cell))
		}
		return momentOf(jsonform.Text(cell))
	}
	return t, nil
}

// jsonFromText reads a string in a column of type json: as Feast has it, the text of
// a JSON value, and not a JSON string.
func jsonFromText(text string) (feature.Value, error) {
	raw := []byte(text)
	if !jsonform.WellFormed(raw) {
		return feature.Null, fmt.Errorf("%s is the text of no JSON value", refusal.Quoted(text))
	}
	if raw = jsonform.Trimmed(raw); string(raw) == "null" {
		return feature.Null, nil
	}
	return jsonform.JSONOf(raw)
}
