// Package sourcetest is the conformance suite of source drivers: what download relies on,
// as tests. A driver passes it against a real service where there is one.
//
//	func TestConformance(t *testing.T) {
//		sourcetest.Run(t, sourcetest.Harness{New: func(t testing.TB) sourcetest.Repo { … }})
//	}
package sourcetest
