package admission

import "fmt"

// Priority is the order in which requests are let in under overload: the higher
// first, the lower shed first.
type Priority uint8

// The priorities, highest first.
const (
	Critical Priority = iota
	Default
	Sheddable
	Priorities // how many there are
)

var priorityNames = [Priorities]string{"critical", "default", "sheddable"}

// String returns the word that definitions and headers use.
func (p Priority) String() string {
	if p >= Priorities {
		return fmt.Sprintf("priority(%d)", uint8(p))
	}
	return priorityNames[p]
}

// ParsePriority is the inverse of String. Empty is Default.
func ParsePriority(name string) (Priority, error) {
	if name == "" {
		return Default, nil
	}
	for p, known := range priorityNames {
		if name == known {
			return Priority(p), nil
		}
	}
	return Default, fmt.Errorf("priority %.64q: want critical, default or sheddable", name)
}
