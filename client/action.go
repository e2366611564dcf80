package client

import (
	"context"
	"encoding/json"
	"net/http"
)

// Kind is what a person decides.
type Kind string

// The actions.
const (
	Approve  Kind = "approve"  // show a version that was held or rejected
	Reject   Kind = "reject"   // close a version that is held
	Rollback Kind = "rollback" // take a version out of what readers see
	Freeze   Kind = "freeze"   // publish nothing until Thaw
	Thaw     Kind = "thaw"
)

// Action is a decision about a view.
type Action struct {
	Kind    Kind   `json:"-"`
	View    string `json:"-"`
	Version uint64 `json:"version"` // not of Freeze and Thaw
	Reason  string `json:"reason"`
	By      string `json:"by,omitempty"` // who; with tokens the server knows
	// IfGeneration lets it happen only if the view is still of this generation: else it
	// is a conflict. 0: whatever it is.
	IfGeneration uint64 `json:"if_generation,omitempty"`
}

// Acted is what readers see after an action.
type Acted struct {
	Generation uint64   `json:"generation"`
	Visible    []uint64 `json:"visible"`
	Audit      string   `json:"audit"`
}

// Act does what an action says. It is sent again only if it cannot have arrived: after
// another error that is unavailable look at Versions before trying again.
func (c *Client) Act(ctx context.Context, action Action) (*Acted, error) {
	switch action.Kind {
	case Approve, Reject, Rollback, Freeze, Thaw:
	default:
		return nil, invalid("approve, reject, rollback, freeze and thaw are", "%q is no action", action.Kind)
	}
	if action.View == "" {
		return nil, invalid("name one", "the action has no view")
	}
	body, err := json.Marshal(action)
	if err != nil {
		return nil, invalid("", "action: %v", err)
	}
	out := &Acted{}
	// Also one whose answer was lost may have changed what readers see.
	defer c.kept.forget(action.View)
	call := call{method: http.MethodPost, path: viewPath(action.View, "actions/"+string(action.Kind)), body: body, once: true}
	if err := c.do(ctx, call, out); err != nil {
		return nil, err
	}
	return out, nil
}
