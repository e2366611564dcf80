// Package dashboards holds what people watch Sluice with, as code: the catalog
// of its metrics, a Grafana dashboard, and Prometheus recording and alerting
// rules with their unit tests.
//
// Files compiles all of it; the result is committed under compiled, for
// Grafana and Prometheus to load as it is, and Export writes it elsewhere.
// Tests of the package hold every expression against the catalog, and Check
// holds the catalog against a live registry, so a metric that is renamed in a
// module cannot leave a panel or an alert empty.
//
// What a metric measures is for the module that exports it; which heading of
// docs/runbook.md answers an alert is tested here. Everything is pure but
// Export, and safe for concurrent use. Package dashboards imports nothing of
// this module, and Prometheus itself only in tests.
package dashboards

//go:generate go run ./compile compiled ../docs/reference/metrics.md
