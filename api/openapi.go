package api

import _ "embed"

//go:embed openapi.yaml
var openAPI []byte

// OpenAPI returns the OpenAPI 3.1 document of the HTTP surface, in YAML: every
// endpoint of the serve and all targets, with its schemas, examples and error form.
// The caller must not change it. A test holds it against a running platform.
func OpenAPI() []byte { return openAPI }
