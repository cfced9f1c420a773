package cli

// Report opens report to tests.
var Report = report
