// Package driver holds what drivers of engines have in common: how a program is found, and
// the values of engine_kwargs.
package driver
