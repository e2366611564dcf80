package client

import (
	"context"
	"net/http"
	"time"
)

// Versions is a view's versions. Readers see those that are Visible, and those up to
// Floor that are not dead.
type Versions struct {
	View       string    `json:"view"`
	Generation uint64    `json:"generation"`
	Floor      uint64    `json:"floor"`
	Visible    []uint64  `json:"visible"`
	Frozen     bool      `json:"frozen"`
	Items      []Version `json:"items"` // rising
}

// Version is one version of a view.
type Version struct {
	Version    uint64    `json:"version"`
	Kind       string    `json:"kind"` // window, batch or approved
	Window     Window    `json:"window"`
	State      string    `json:"state"` // staged, held, visible, rejected, rolled_back or expired
	Rows       uint64    `json:"rows"`
	Bytes      uint64    `json:"bytes"`
	Digest     string    `json:"digest"`
	Verdict    string    `json:"verdict"`
	DecidedBy  string    `json:"decided_by"`
	Reason     string    `json:"reason"`
	DecidedAt  time.Time `json:"decided_at"`
	ApprovedOf uint64    `json:"approved_of"`
}

// Versions returns a view's versions. The generation is that of the first page, so an
// Action with it fails if anything was decided since.
func (c *Client) Versions(ctx context.Context, view string) (*Versions, error) {
	var all *Versions
	for after := ""; ; {
		var page struct {
			Versions
			Next string `json:"next"`
		}
		if err := c.do(ctx, call{method: http.MethodGet, path: viewPath(view, "versions"), query: listed(after)}, &page); err != nil {
			return nil, err
		}
		if all == nil {
			all = &page.Versions
		} else {
			all.Items = append(all.Items, page.Items...)
		}
		if after = page.Next; after == "" {
			return all, nil
		}
	}
}
