// Package driver holds what drivers of engines have in common: how a program is found, the
// values of engine_kwargs, and metrics.
package driver
