package client

import (
	"context"
	"encoding/json"
	"net/http"
	"time"
)

// File is a file of definitions in YAML.
type File struct {
	Name string `json:"name"` // in messages
	Text string `json:"text"`
}

// Definitions is what Plan and Apply take.
type Definitions struct {
	Files []File `json:"files"`
	// Whole says that what is in force and not in Files is to go; else it stays.
	Whole bool `json:"-"`
	// AllowRemove lets Apply take out views that hold rows.
	AllowRemove bool   `json:"allow_remove,omitempty"`
	Reason      string `json:"reason,omitempty"`
}

// Change is one thing that definitions change.
type Change struct {
	Op       string   `json:"op"` // add, change or remove
	Kind     string   `json:"kind"`
	Name     string   `json:"name"`
	Fields   []string `json:"fields"`
	Breaking bool     `json:"breaking"`
	Affects  []string `json:"affects"` // services
}

// Applied is what definitions change, and the generation that they are in force with; 0
// if they were only planned.
type Applied struct {
	Digest     string   `json:"digest"`
	Generation uint64   `json:"generation"`
	Changes    []Change `json:"changes"`
}

// Plan says what definitions would change. The error is invalid_argument and names file
// and line of everything that is wrong.
func (c *Client) Plan(ctx context.Context, definitions Definitions) (*Applied, error) {
	return c.define(ctx, "/api/v1/plan", definitions)
}

// Apply puts definitions in force; doing so again changes nothing.
func (c *Client) Apply(ctx context.Context, definitions Definitions) (*Applied, error) {
	return c.define(ctx, "/api/v1/apply", definitions)
}

// defineTime is what definitions take beyond an ordinary call: topics are made.
const defineTime = time.Minute

func (c *Client) define(ctx context.Context, path string, d Definitions) (*Applied, error) {
	if len(d.Files) == 0 {
		return nil, invalid("give at least one file", "there are no definitions")
	}
	body, err := json.Marshal(struct {
		Definitions
		Add bool `json:"add"`
	}{d, !d.Whole})
	if err != nil {
		return nil, invalid("", "definitions: %v", err)
	}
	out := &Applied{}
	if err := c.do(ctx, call{method: http.MethodPost, path: path, body: body, wait: defineTime}, out); err != nil {
		return nil, err
	}
	return out, nil
}
