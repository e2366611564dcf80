//go:build !race

// Under the race detector pools lose what is in them.

package serving

import "testing"

// TestReadAllocates wants a read to allocate at most what the goal allows a whole request, of
// which the transport has a share: of 500 values that leaves nothing for each.
func TestReadAllocates(t *testing.T) {
	const most = 20
	f := benchServer(t)
	for _, entities := range []int{1, 100} {
		wire, text, i := benchWire(entities), benchJSON(entities), 0
		var out []byte
		for form, read := range map[string]func(){
			"gRPC": func() {
				buffer, err := f.readWire(t.Context(), wire[i%len(wire)], false)
				if err != nil {
					t.Fatal(err)
				}
				buffer.Free()
			},
			"HTTP": func() {
				q := newQuery()
				defer q.release()
				if err := f.readFeast(t.Context(), q, []byte(text[i%len(text)])); err != nil {
					t.Fatal(err)
				}
				out = q.appendFeastJSON(out[:0])
			},
		} {
			if n := testing.AllocsPerRun(100, func() { read(); i++ }); n > most {
				t.Errorf("%s, 5 features of %d entities: %g allocations, want %d at most", form, entities, n, most)
			} else {
				t.Logf("%s, 5 features of %d entities: %g allocations", form, entities, n)
			}
		}
	}
}
