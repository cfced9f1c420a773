// Package memory says how much memory an engine on this machine may use.
package memory
