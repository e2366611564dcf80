package storetest

import (
	"context"
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"golang.org/x/sync/errgroup"

	"sluice/feature"
)

const (
	linearClients = 5
	linearOps     = 8 // of each client in a history
	linearListed  = 6 // versions that a vector may list
)

// Linearizable tests, in as many histories as asked for, that several clients of
// two openings see one vector: whatever reads and changes of it overlap, there is an
// order of them, each within its own time, in which one after the other would have
// given the same answers.
//
// Source: A. Athalye, Porcupine, after Herlihy and Wing, Linearizability: a
// correctness condition for concurrent objects, TOPLAS 12(3), 1990.
func Linearizable(t *testing.T, histories int, open func(t testing.TB, dir string) RegistryStore) {
	r := &reg{t: t, dir: t.TempDir(), openAt: open}
	r.RegistryStore = open(t, r.dir)
	defer r.close()
	view := r.view(feature.Gated)
	infos := r.opened(view, linearListed)
	for i := range infos {
		infos[i].Step, infos[i].State = feature.StepDecided, feature.StateVisible
	}
	r.apply(feature.Commit{View: view.ID, Versions: infos, Now: day})
	stores := []RegistryStore{r.RegistryStore, r.second()}
	applied, refused := 0, 0
	for seed := range histories {
		work := clients{view: view.ID, stores: stores, started: time.Now(), seed: uint64(seed)}
		initial := r.vector(view.ID)
		operations, err := work.record(t.Context(), initial)
		if err != nil {
			t.Fatalf("history of seed %d: %v", seed, err)
		}
		if result := porcupine.CheckOperationsTimeout(vectorModel(initial), operations, time.Minute); result != porcupine.Ok {
			for _, o := range operations {
				t.Logf("client %d, %d to %d: %+v gave %+v", o.ClientId, o.Call, o.Return, o.Input, o.Output)
			}
			t.Fatalf("history of seed %d is not linearizable: %s", seed, result)
		}
		for _, o := range operations {
			if out := o.Output.(vectorOutput); out.applied {
				applied++
			} else if out.refused {
				refused++
			}
		}
	}
	t.Logf("%d histories, %d changes carried out, %d refused", histories, applied, refused)
	if applied < histories || refused < histories {
		t.Errorf("too few changes were carried out or refused for this to prove anything")
	}
}

// vectorInput is one operation on a vector: a read, of one or of all, or a change at
// a generation. A change without next changes something else of the view.
type vectorInput struct {
	read, all bool
	at        uint64
	next      *feature.Vector
}

// vectorOutput is what it gave: the vector in force after it, and how a change went.
type vectorOutput struct {
	vector           feature.Vector
	applied, refused bool
}

// vectorModel is a vector that one client at a time has.
func vectorModel(initial feature.Vector) porcupine.Model {
	return porcupine.Model{
		Init: func() any { return initial },
		Step: func(state, input, output any) (bool, any) {
			in, out, v := input.(vectorInput), output.(vectorOutput), state.(feature.Vector)
			if !in.read && in.at == v.Generation {
				if in.next != nil {
					next := *in.next
					next.Generation = v.Generation + 1
					v = next
				}
				return out.applied && same(out.vector, v), v
			}
			return out.refused == !in.read && !out.applied && same(out.vector, v), v
		},
		Equal: func(a, b any) bool { return same(a.(feature.Vector), b.(feature.Vector)) },
	}
}

func same(v, w feature.Vector) bool { return v.Generation == w.Generation && v.Equal(w) }

// clients make a history.
type clients struct {
	view    feature.ViewID
	stores  []RegistryStore
	started time.Time
	seed    uint64
}

// record lets the clients work at once and returns what they did.
func (c *clients) record(ctx context.Context, initial feature.Vector) ([]porcupine.Operation, error) {
	group, ctx := errgroup.WithContext(ctx)
	done := make([][]porcupine.Operation, linearClients)
	for client := range linearClients {
		group.Go(func() error {
			rng := rand.New(rand.NewPCG(c.seed, uint64(client)))
			store, last := c.stores[client%len(c.stores)], initial
			for range linearOps {
				in := c.choose(rng, last)
				op := porcupine.Operation{ClientId: client, Input: in, Call: int64(time.Since(c.started))}
				out, err := c.carryOut(ctx, store, in)
				if err != nil {
					return err
				}
				op.Output, op.Return = out, int64(time.Since(c.started))
				done[client] = append(done[client], op)
				last = out.vector
			}
			return nil
		})
	}
	err := group.Wait()
	var all []porcupine.Operation
	for _, ops := range done {
		all = append(all, ops...)
	}
	return all, err
}

// choose picks an operation for a client that last saw a vector: a change is mostly
// at its generation, at times at the one before or after.
func (c *clients) choose(rng *rand.Rand, last feature.Vector) vectorInput {
	switch rng.IntN(8) {
	case 0, 1:
		return vectorInput{read: true}
	case 2:
		return vectorInput{read: true, all: true}
	case 3:
		return vectorInput{at: last.Generation}
	}
	next := feature.Vector{Frozen: rng.IntN(2) == 0, Refuse: rng.IntN(2) == 0}
	for _, i := range rng.Perm(linearListed)[:rng.IntN(feature.MaxVisible+1)] {
		next, _ = next.With(feature.Version(i + 1))
	}
	return vectorInput{at: last.Generation + []uint64{0, 0, 0, 0, 1, ^uint64(0)}[rng.IntN(6)], next: &next}
}

func (c *clients) carryOut(ctx context.Context, store RegistryStore, in vectorInput) (out vectorOutput, err error) {
	switch {
	case in.all:
		vectors, err := store.Vectors(ctx)
		return vectorOutput{vector: vectors[c.view]}, err
	case in.read:
		v, err := store.Vector(ctx, c.view)
		return vectorOutput{vector: v}, err
	}
	commit := feature.Commit{View: c.view, IfGeneration: in.at, Vector: in.next, Now: day}
	if in.next != nil {
		commit.Audit = []feature.Audit{why("swap")}
	} else {
		commit.Memory = []byte{1}
	}
	out.vector, err = store.Apply(ctx, commit)
	out.applied, out.refused = err == nil, errors.Is(err, feature.ErrConflict)
	if out.refused {
		err = nil
	}
	return out, err
}
