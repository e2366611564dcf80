package serving

import (
	"context"
	"fmt"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	sluicev1 "sluice/api/sluice/v1"
)

// BenchmarkComputed is what computed columns cost a request of the platform's own form,
// without a transport: two stored columns, and the same with one or three that are
// computed of them and of the request's context.
func BenchmarkComputed(b *testing.B) {
	columns := []string{"accounts:mean", "accounts:country", "accounts:excess", "accounts:abroad", "accounts:log_amount"}
	for _, entities := range []int{1, 100} {
		for _, computed := range []int{0, 1, 3} {
			b.Run(fmt.Sprintf("entities=%d/computed=%d", entities, computed), func(b *testing.B) {
				f := computedFixture(b, func(c *Config, _ *Deps) { c.Grace = time.Hour })
				ids, amounts := make([]string, entities), make([]float64, entities)
				for i := range ids {
					ids[i], amounts[i] = fmt.Sprintf("b%d", i), float64(i)
					f.write(b, "accounts", 1, ago(time.Minute), user(ids[i]), float(float64(i)), values[2], values[4])
				}
				request := ownRequest(columnsOf{"user_id": texts(ids...)}, sluicev1.Policy_POLICY_SERVE, columns[:2+computed]...)
				if computed > 0 {
					request.Context = columnsOf{"amount": doubles(amounts...), "merchant": texts("DE")}
				}
				in, err := proto.Marshal(request)
				if err != nil {
					b.Fatal(err)
				}
				b.ReportAllocs()
				for b.Loop() {
					buffer, err := f.readWire(context.Background(), in, true)
					if err != nil {
						b.Fatal(err)
					}
					buffer.Free()
				}
			})
		}
	}
}
