package flights

import "embed"

// Definitions holds the folder features: the demo's definitions and rules, as
// `sluice apply -f` takes them.
//
//go:embed features/*.yaml
var Definitions embed.FS
