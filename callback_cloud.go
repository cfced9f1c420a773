package spinup

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spinup-llm/spinup/download"
	"github.com/spinup-llm/spinup/lifecycle"
	"golang.org/x/sync/errgroup"
)

const cloudDownloader = "CloudDownloader"

// CloudDownloader copies folders in buckets or single objects to local paths while the model
// is fetched, for example a torch.compile cache; all paths at once, resumed and verified
// like a model. It is registered under its short name and under the name that it has in Ray.
//
// A path is a URI and where it goes. Of a folder, or a whole bucket, the files below it go
// below the local path. A single object becomes the local path itself, or is put into it
// under its own name when the local path ends in "/" or is a directory already.
type CloudDownloader struct {
	NopCallback
	Paths [][2]string `yaml:"paths"` // (uri, local path)
}

func buildCloudDownloader(c CloudDownloader) (Callback, error) { return &c, nil }

// cloudSchemes are those that Ray's CloudDownloader takes.
var cloudSchemes = []string{"s3://", "gs://", "abfss://", "azure://"}

// Validate reports paths whose URI is not a bucket's, or that write to the same place.
func (c *CloudDownloader) Validate() error {
	var errs []error
	fail := func(path, hint, message string) {
		errs = append(errs, &lifecycle.Error{
			Op: cloudDownloader, Kind: lifecycle.Invalid, Target: path, Err: errors.New(message), Hint: hint,
		})
	}
	if len(c.Paths) == 0 {
		fail("paths", `write [["s3://BUCKET/FOLDER", "/local/folder"]]`, "paths are required")
	}
	targets := map[string]int{}
	for i, p := range c.Paths {
		at := fmt.Sprintf("paths[%d]", i)
		if scheme, rest, _ := strings.Cut(p[0], "://"); !isCloud(p[0]) {
			fail(at+"[0]", "begin it with one of "+strings.Join(cloudSchemes, ", "), "it is no URI of a bucket")
		} else if rest == "" || rest[0] == '/' {
			fail(at+"[0]", "write "+scheme+"://BUCKET/FOLDER", "it names no bucket")
		}
		if p[1] == "" {
			fail(at+"[1]", "give the local path to write to", "it is empty")
		} else if first, ok := targets[p[1]]; ok {
			fail(at+"[1]", "choose another path", fmt.Sprintf("it is the same as in paths[%d]", first))
		} else {
			targets[p[1]] = i
		}
	}
	return errors.Join(errs...)
}

func isCloud(uri string) bool {
	for _, scheme := range cloudSchemes {
		if strings.HasPrefix(uri, scheme) {
			return true
		}
	}
	return false
}

// Independent implements Independent: the model's download need not wait.
func (c *CloudDownloader) Independent() bool { return true }

// OnBeforeDownloadModelFilesDistributed implements Callback. When one path fails, the others
// are given up; what has arrived is used by the next try.
func (c *CloudDownloader) OnBeforeDownloadModelFilesDistributed(ctx context.Context, s *ReplicaState) error {
	g, ctx := errgroup.WithContext(ctx)
	for i, p := range c.Paths {
		g.Go(func() error {
			report := onChange(func(d download.Progress) { Progress(ctx, d.BytesDone, d.Bytes, waiting(d)) })
			if err := copyTo(ctx, s, p[0], p[1], report); err != nil {
				return fmt.Errorf("paths[%d]: %w", i, err)
			}
			return nil
		})
	}
	return g.Wait()
}
