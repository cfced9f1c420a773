package download_test

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/spinup-llm/spinup/download"
)

func ExamplePruneHub() {
	dir, err := os.MkdirTemp("", "hub") // hub.CacheDir(os.Getenv) is the one in use
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	err = download.PruneHub(context.Background(), dir, 500e9, 30*24*time.Hour)
	fmt.Println(err)
	// Output: <nil>
}
