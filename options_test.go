package spinup_test

import (
	"testing"
	"time"

	"github.com/spinup-llm/spinup"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/replica"
	"github.com/stretchr/testify/require"
)

func TestNegativeOptionsAreRefused(t *testing.T) {
	t.Parallel()
	cfg := func() *spinup.LLMConfig {
		return &spinup.LLMConfig{LLMEngine: "reference", ModelLoadingConfig: spinup.ModelLoadingConfig{ModelID: "m"}}
	}
	for name, o := range map[string]*spinup.Options{
		"Gateway.MaxBody":     {Gateway: replica.GatewayOptions{MaxBody: -1, Bodies: 1}},
		"Gateway.Bodies":      {Gateway: replica.GatewayOptions{Bodies: -1}},
		"Gateway.BodyWithin":  {Gateway: replica.GatewayOptions{BodyWithin: -1}},
		"Gateway.WriteWithin": {Gateway: replica.GatewayOptions{WriteWithin: -1}},
		"Limits.Ongoing":      {Limits: replica.Limits{Ongoing: -1}},
		"Limits.Request":      {Limits: replica.Limits{Request: -1}},
		"Drain":               {Drain: -1},
		"SleepAfter":          {SleepAfter: -1},
		"Standbys":            {Standbys: -1},
		"StageLimits[check]":  {StageLimits: map[lifecycle.Stage]time.Duration{lifecycle.StageCheck: -1}},
	} {
		_, err := spinup.New(o, cfg())
		require.ErrorIs(t, err, lifecycle.Invalid, name)
		require.ErrorContains(t, err, "Options."+name)
		require.ErrorContains(t, err, "leave it out")
	}
	_, err := spinup.New(&spinup.Options{Gateway: replica.GatewayOptions{MaxBody: -1, Bodies: -1}}, cfg())
	require.ErrorContains(t, err, "Options.Gateway.MaxBody")
	require.ErrorContains(t, err, "Options.Gateway.Bodies", "all at once")
	_, err = spinup.New(&spinup.Options{Limits: replica.Limits{Waiting: -1, WaitingFor: -1, Stall: -1}}, cfg())
	require.NoError(t, err, "these say what it means")
}
