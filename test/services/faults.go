package services

import (
	"context"
	"fmt"
)

// Node is one process of a service.
type Node struct {
	Service string `json:"service"`
	Name    string `json:"node"`
	Addr    string `json:"addr"` // host:port for clients
	PID     int    `json:"pid"`
	Up      bool   `json:"up"` // false once it was killed or died
}

// Nodes returns the nodes of all services in the set, also dead ones.
func (s *Set) Nodes(ctx context.Context) ([]Node, error) {
	var nodes []Node
	return nodes, s.tool.json(ctx, &nodes, "status", "--json")
}

// Kill ends a node with SIGKILL, with all its processes, and returns when they
// are gone; Up starts it again on its data. An empty node is the service's first.
// The error is ErrShared if the set is not this process's alone.
func (s *Set) Kill(ctx context.Context, service, node string) error {
	return s.fault(ctx, "kill", service, node)
}

// Pause stops a node with SIGSTOP: its connections stay open and nothing answers.
// Errors are those of Kill.
func (s *Set) Pause(ctx context.Context, service, node string) error {
	return s.fault(ctx, "pause", service, node)
}

// Resume lets a paused node go on. Errors are those of Kill.
func (s *Set) Resume(ctx context.Context, service, node string) error {
	return s.fault(ctx, "resume", service, node)
}

func (s *Set) fault(ctx context.Context, verb, service, node string) error {
	if s.shared {
		return fmt.Errorf("services: %s %s: %w", verb, service, ErrShared)
	}
	args := []string{verb, service}
	if node != "" {
		args = append(args, node)
	}
	_, err := s.tool.run(ctx, args...)
	return err
}
