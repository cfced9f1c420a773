package lifecycle

import "errors"

// A Kind classifies an error by what the operator can do about it. A Kind is itself an
// error, so that it can be the target of errors.Is: errors.Is(err, lifecycle.Gated).
type Kind uint8

// Kinds of errors. New kinds are added at the end only.
const (
	Unknown         Kind = iota
	Invalid              // the configuration or an argument is wrong
	NotFound             // no such repository, bucket, prefix or revision
	MissingFile          // the repository exists but a required file does not
	Unauthenticated      // no credentials, or they are not accepted
	AccessDenied         // credentials are fine, permission is missing
	Gated                // the licence has to be accepted on the hub
	WrongRegion          // the bucket lives elsewhere
	Corrupt              // size or digest differ from the manifest
	Throttled            // the service asks to slow down
	Unavailable          // network or service failure; worth a retry
	NoSpace              // disk, RAM or GPU memory is too small
	NoCapacity           // no node with that accelerator
	EngineFailed         // the engine exited or refused to start
	Timeout              // a stage took longer than it may
	Canceled             // the caller gave up
)

var kindNames = [...]string{
	Unknown: "unknown", Invalid: "invalid", NotFound: "not found", MissingFile: "missing file",
	Unauthenticated: "unauthenticated", AccessDenied: "access denied", Gated: "gated",
	WrongRegion: "wrong region", Corrupt: "corrupt", Throttled: "throttled",
	Unavailable: "unavailable", NoSpace: "no space", NoCapacity: "no capacity",
	EngineFailed: "engine failed", Timeout: "timeout", Canceled: "canceled",
}

// String returns the kind in lower-case words.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return kindNames[Unknown]
}

// Error makes a Kind usable as the target of errors.Is.
func (k Kind) Error() string { return k.String() }

// Temporary reports whether trying again, unchanged, can succeed.
func (k Kind) Temporary() bool { return k == Throttled || k == Unavailable }

// KindOf returns the kind of the first Error in err's tree, else Unknown.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return Unknown
}
