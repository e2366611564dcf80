package feastregistry

import (
	"sync"

	"google.golang.org/grpc"

	feastcore "sluice/api/feast/core"
	registrypb "sluice/api/feast/registry"
	"sluice/feature"
	"sluice/internal/feast"
)

// InForce returns the definitions in force and their generation. What it returns is
// not changed.
type InForce func() (*feature.Definitions, uint64)

// Server is the service.
type Server struct {
	registrypb.UnimplementedRegistryServerServer
	inForce InForce

	mu         sync.Mutex
	generation uint64
	registry   *feastcore.Registry // nil: none was made yet
}

// New returns a service that answers what inForce returns.
func New(inForce InForce) *Server { return &Server{inForce: inForce} }

// Register registers the service.
func (s *Server) Register(to grpc.ServiceRegistrar) { registrypb.RegisterRegistryServerServer(to, s) }

// current returns the registry of what is in force. It is made once a generation, and
// not changed.
func (s *Server) current() *feastcore.Registry {
	defs, generation := s.inForce()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.registry == nil || s.generation != generation {
		s.registry, s.generation = feast.Export(defs, generation), generation
	}
	return s.registry
}

// of returns the registry if it is of that project, and an empty one else.
func (s *Server) of(project string) *feastcore.Registry {
	if r := s.current(); project == r.Projects[0].Spec.Name {
		return r
	}
	return &feastcore.Registry{}
}
