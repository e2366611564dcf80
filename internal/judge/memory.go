package judge

import (
	"encoding/json"
	"fmt"
	"time"

	"sluice/rules"
)

// Memory is what a judge must remember of a view between two windows.
type Memory struct {
	Rules rules.Memory
	Since map[string]time.Time // by feature: the end of the window in which it last alarmed, while that matters; see sinceKey
}

const memoryFormat = 2

// memory is the JSON form of Memory. Its first form was that of rules.Memory, whose
// keys all hold a slash.
type memory struct {
	Format int                  `json:"format"`
	Rules  rules.Memory         `json:"rules,omitempty"`
	Since  map[string]time.Time `json:"since,omitempty"`
}

// MarshalJSON writes the memory.
func (m Memory) MarshalJSON() ([]byte, error) {
	return json.Marshal(memory{memoryFormat, m.Rules, m.Since})
}

// UnmarshalJSON reads a memory of either form; ErrCorrupt for anything else.
func (m *Memory) UnmarshalJSON(b []byte) error {
	var form struct {
		Format int `json:"format"`
	}
	if err := json.Unmarshal(b, &form); err != nil {
		return fmt.Errorf("decode memory: %w: %w", ErrCorrupt, err)
	}
	switch form.Format {
	case 0:
		*m = Memory{}
		if err := json.Unmarshal(b, &m.Rules); err != nil {
			return fmt.Errorf("decode memory: %w: %w", ErrCorrupt, err)
		}
	case memoryFormat:
		var all memory
		if err := json.Unmarshal(b, &all); err != nil {
			return fmt.Errorf("decode memory: %w: %w", ErrCorrupt, err)
		}
		*m = Memory{all.Rules, all.Since}
	default:
		return fmt.Errorf("decode memory of format %d: %w", form.Format, ErrCorrupt)
	}
	return nil
}

// Remember returns the memory after v, the verdict on c, whose window it takes to be
// the next in time. What alarmed starts anew.
func (c *Case) Remember(v *rules.Verdict) Memory {
	next := Memory{Rules: c.Memory.Next(c.Rules, v), Since: map[string]time.Time{}}
	for name, from := range c.Since {
		if c.matters(from) {
			next.Since[name] = from
		}
	}
	for _, r := range v.Reasons {
		if r.Outcome == rules.Failed || r.Outcome == rules.Warned {
			next.Since[sinceKey(&r)] = c.Window.End
		}
	}
	return next
}

// matters reports whether one of the windows that the next window is looked at with
// may start before from.
func (c *Case) matters(from time.Time) bool {
	slow := c.Slow == nil || from.After(c.Slow.Recent[0].Window.Start)
	return slow || c.Pinned != nil && from.After(c.Pinned.Recent[0].Window.Start)
}

// pinnedKey begins what is remembered of alarms against what is pinned; no feature's
// name does.
const pinnedKey = rules.Pinned + ":"

// sinceKey names what starts anew after a reason. What drifts away from what is pinned
// does so beside what history, which moves along, has to say.
func sinceKey(r *rules.Reason) string {
	if r.Method == rules.Pinned {
		return pinnedKey + r.Feature
	}
	return r.Feature
}
