package client_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"sluice/client"
)

// Reads one entity of a view.
func Example() {
	ctx := context.Background()
	c, err := client.Dial(client.Config{}) // SLUICE_SERVER and SLUICE_GRPC name the server
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	row, err := c.Row(ctx, client.Request{View: "payments", Features: []string{"visits", "last"}, Keys: []client.Key{{"user": "u5"}}})
	if err != nil {
		log.Fatal(err)
	}
	visits, err := client.Get[int64](row, "visits")
	if err != nil {
		log.Fatal(err)
	}
	last, err := client.Get[[]float64](row, "last")
	if err != nil {
		log.Fatal(err)
	}
	from := row.Provenance("visits")
	fmt.Println(visits, last, row.EventTime("visits").Format(time.RFC3339))
	fmt.Println("version", from.Version, "stale", from.Stale, from.Verdict != "")
	// Output:
	// 5 [5 0.5] 2026-11-01T00:45:05Z
	// version 10 stale false true
}

// Reads the features of a service, some of an entity that is not there.
func ExampleClient_Rows() {
	ctx := context.Background()
	c, err := client.Dial(client.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	rows, err := c.Rows(ctx, client.Request{Service: "fraud", Keys: []client.Key{{"user": "u1"}, {"user": "nobody"}}, Policy: client.PolicyFlag})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(rows.Columns)
	for _, row := range rows.All() {
		amount, err := client.Or(row, "payments:amount", -1.0)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(row.Key["user"], row.Status("payments:amount"), amount > 0)
	}
	// Output:
	// [payments:amount spend:amount]
	// u1 PRESENT true
	// nobody NOT_FOUND false
}

// Reads more entities than one request takes.
func ExampleClient_Stream() {
	ctx := context.Background()
	c, err := client.Dial(client.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	keys := make([]client.Key, 2500)
	for i := range keys {
		keys[i] = client.Key{"user": fmt.Sprintf("u%d", i)}
	}
	for part, err := range c.Stream(ctx, client.Request{View: "payments", Features: []string{"visits"}, Keys: keys}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(len(part.Rows), "rows from", part.Rows[0].Key["user"])
	}
	// Output:
	// 1000 rows from u0
	// 1000 rows from u1000
	// 500 rows from u2000
}

// Says what is wrong, and what to do.
func ExampleError() {
	c, err := client.Dial(client.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	_, err = c.Row(context.Background(), client.Request{View: "paymets", Keys: []client.Key{{"user": "u1"}}})
	var e *client.Error
	if errors.As(err, &e) {
		fmt.Println(e.Code)
		fmt.Println(e.Hint)
	}
	// Output:
	// unknown_view
	// did you mean payments?
}

// Sends a window of cents to a view of euros, which nobody sees; approves it by mistake,
// and takes it back.
func ExampleClient_Act() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c, err := client.Dial(client.Config{Keep: client.Keep{Rows: 1000, LastGood: 5 * time.Minute}})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	_, after, err := c.Verdicts(ctx, "spend", "") // the place behind what was judged so far
	if err != nil {
		log.Fatal(err)
	}
	pushed, err := c.Push(ctx, "spend", nextWindow("spend", 100))
	if err != nil {
		log.Fatal(err)
	}
	if err := c.Watermark(ctx, "spend", pushed.Windows[0].End.Add(10*time.Second)); err != nil {
		log.Fatal(err)
	}
	verdict, _, err := c.WaitVerdict(ctx, "spend", after)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(pushed.Sent, verdict.State, verdict.Decision, verdict.Reasons[0].Feature)

	acted, err := c.Act(ctx, client.Action{Kind: client.Approve, View: "spend", Version: verdict.Version, Reason: "looks like a sale", By: "eve"})
	if err != nil {
		log.Fatal(err)
	}
	shown := acted.Visible[len(acted.Visible)-1]
	acted, err = c.Act(ctx, client.Action{Kind: client.Rollback, View: "spend", Version: shown, Reason: "amounts are cents", By: "eve", IfGeneration: acted.Generation})
	if err != nil {
		log.Fatal(err)
	}
	versions, err := c.Versions(ctx, "spend")
	if err != nil {
		log.Fatal(err)
	}
	for _, v := range versions.Items[len(versions.Items)-2:] {
		fmt.Println(v.Kind, v.State)
	}
	fmt.Println(acted.Generation == versions.Generation)
	// Output:
	// 200 fail reject amount
	// window rejected
	// approved rolled_back
	// true
}
