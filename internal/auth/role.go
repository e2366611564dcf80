package auth

import "fmt"

// Role is what a token may do; each role may do what the ones below it may.
type Role uint8

// The roles, lowest first. The zero Role is none.
const (
	Reader   Role = iota + 1 // read rows, definitions, verdicts
	Writer                   // also push rows
	Operator                 // also apply, approve, roll back, freeze, set the clock
)

var roleNames = [...]string{Reader: "reader", Writer: "writer", Operator: "operator"}

// String returns the word of the tokens file.
func (r Role) String() string {
	if r < Reader || r > Operator {
		return fmt.Sprintf("role(%d)", uint8(r))
	}
	return roleNames[r]
}

// ParseRole is the inverse of String.
func ParseRole(name string) (Role, error) {
	for r := Reader; r <= Operator; r++ {
		if roleNames[r] == name {
			return r, nil
		}
	}
	return 0, fmt.Errorf("role %.64q: want reader, writer or operator", name)
}
