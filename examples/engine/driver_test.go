package main

import (
	"os"
	"testing"

	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/engine/enginetest"
)

func TestMain(m *testing.M) {
	if len(os.Args) == 4 && os.Args[1] == serverArg {
		serve(os.Args[2], os.Args[3])
	}
	os.Exit(m.Run())
}

func TestConformance(t *testing.T) {
	t.Parallel()
	enginetest.Run(t, enginetest.Config{
		Engine: Parrot{},
		Spec:   engine.Spec{ModelID: "polly", Dir: "../quickstart/model"},
	})
}
