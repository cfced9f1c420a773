package main

import (
	"math"
	"time"
)

// serviceTime is how long a replica works on a request.
const serviceTime = 4 * time.Second

// traffic is a rate of requests over time.
type traffic struct {
	name string
	long time.Duration
	rate func(at time.Duration) float64 // requests per second
}

func traffics() []traffic {
	const day = 24 * time.Hour
	return []traffic{
		{"step", 2 * time.Hour, func(at time.Duration) float64 {
			if at < 10*time.Minute || at > time.Hour {
				return 20
			}
			return 2000
		}},
		{"bursts", 6 * time.Hour, func(at time.Duration) float64 { // two minutes of every twenty
			if at%(20*time.Minute) < 2*time.Minute {
				return 1500
			}
			return 50
		}},
		{"diurnal", day, func(at time.Duration) float64 { // most in the afternoon, and the steps of the hours
			wave := 1 - math.Cos(2*math.Pi*float64(at-3*time.Hour)/float64(day))
			ripple := 1 + 0.2*math.Sin(2*math.Pi*float64(at)/float64(time.Hour))
			return 20 + 1800*wave*ripple
		}},
	}
}
