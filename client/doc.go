// Package client reads features with their provenance from a Sluice server, writes rows
// that are judged before anybody sees them, and acts on what was judged.
//
//	c, err := client.Dial(client.Config{}) // a server on this machine; SLUICE_SERVER, SLUICE_GRPC and SLUICE_TOKEN name another
//	if err != nil {
//		return err
//	}
//	defer c.Close()
//	row, err := c.Row(ctx, client.Request{View: "payments", Keys: []client.Key{{"user": "u1"}}})
//	if err != nil {
//		return err
//	}
//	amount, err := client.Or(row, "amount", 0.0)
//	trusted := !row.Provenance("amount").Stale
//
// Reads go over gRPC, the rest over HTTP. Every call has a deadline, and is tried again
// if the server could not be reached or shed it, within a budget that all calls share;
// never after a client's mistake. Errors are *Error, with the code of the contract and
// what to do. Config.Keep keeps rows to save calls, and to answer, marked stale, when no
// server does. Config.Batch sends concurrent reads of single keys as one.
//
// Push sends rows, Seal closes their windows and Judged waits for what is decided of them;
// Plan and Apply take definitions; Views, Versions, Windows, Verdicts, DeadLetters, Alerts
// and Audits ask.
//
// Everything is safe for concurrent use. Package client imports the generated messages
// of api only.
package client
