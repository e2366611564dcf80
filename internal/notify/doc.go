// Package notify tells people about incidents: a view that is blocked, held,
// rolled back, stale, frozen or blind, and its recovery.
//
// An incident is one Slack message, updated in place while it lasts; what
// happened in detail goes into the message's thread. Each channel has a queue of
// its own that sends at most one message a second; events of one incident that
// wait in it become one message. Without a token the same events go to the log.
//
// Open incidents are kept in memory: after a restart an incident that is still
// open gets a new message. The list of alerts is for the registry to keep. Names
// and texts of an event come from outside: they are escaped, and shown as plain
// text. The token is never logged. A Notifier is safe for concurrent use.
// Package notify imports feature only, and is the only one that imports slack-go.
package notify
