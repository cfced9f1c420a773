// Package fakeengine is an engine for tests: the test binary started again, as an HTTP
// server that misbehaves as it is told. Call [Main] first in TestMain.
//
//	p, err := engine.Start(ctx, fakeengine.Engine{}, fakeengine.Spec(t, "brood", "stubborn"), nil)
package fakeengine
