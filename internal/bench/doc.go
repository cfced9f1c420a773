// Package bench measures whole programs as the operating system accounts for them, and puts
// the figures into tables. The benchmarks below it are programs; each is one command.
//
//	usage, err := bench.Run(ctx, []string{"curl", "-o", path, url}, nil)
//	fmt.Println(usage.Wall, usage.CPU, usage.RSS)
package bench
