// Package enginetest is the suite that an engine driver has to pass.
//
//	func TestConformance(t *testing.T) {
//		enginetest.Run(t, enginetest.Config{
//			Engine:  mine.Engine{},
//			Spec:    engine.Spec{ModelID: "m", Dir: "testdata/model"},
//			Bad:     map[string]engine.Spec{"no such format": {Dir: "testdata/gguf"}},
//			Outputs: os.DirFS("testdata/logs"),
//		})
//	}
//
// It holds a driver to what package engine promises of it: Check refuses in words that
// help, Command is pure and complete and keeps secrets out of the argument list, the parser
// takes whatever comes, a preload can become the engine, files are chosen once and for all, and
// adapters come and go.
// Where the engine can run, it is also started, asked, stopped, interrupted and killed;
// nothing of it may be left.
package enginetest
