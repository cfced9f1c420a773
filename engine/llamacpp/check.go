package llamacpp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/spinup-llm/spinup/engine"
	"github.com/spinup-llm/spinup/internal/driver"
	"github.com/spinup-llm/spinup/internal/gguf"
	"github.com/spinup-llm/spinup/internal/memory"
	"github.com/spinup-llm/spinup/lifecycle"
	"github.com/spinup-llm/spinup/source"
)

// checkDir chooses the model's files in spec.Dir and reads their headers.
func checkDir(spec engine.Spec) error {
	if spec.Weights != nil {
		return invalid("load_format", "llama-server cannot stream weights", "leave load_format out")
	}
	if info, err := os.Stat(spec.Dir); err != nil || !info.IsDir() {
		return &lifecycle.Error{
			Op: "llamacpp.Check", Kind: lifecycle.NotFound, Target: spec.Dir, Err: errors.New("there is no such folder"),
			Hint: "give the folder that holds the GGUF file",
		}
	}
	files, err := choose(listing(spec.Dir), spec)
	if err != nil {
		return err
	}
	var size int64
	var errs []error
	for _, name := range files {
		n, err := checkFile(filepath.Join(spec.Dir, filepath.FromSlash(name)))
		size += n
		errs = append(errs, err)
	}
	for _, name := range companionsOf(spec) {
		if _, err := fs.Stat(os.DirFS(spec.Dir), name); err != nil {
			errs = append(errs, missing(spec, name, err, "engine_kwargs names it"))
		}
	}
	return errors.Join(append(errs, fits(spec, size))...)
}

// checkFile reads the header of a file, and returns the file's size.
func checkFile(name string) (int64, error) {
	f, err := os.Open(name) //nolint:gosec // a file of the model
	if err != nil {
		return 0, &lifecycle.Error{
			Op: "llamacpp.Check", Kind: lifecycle.KindOf(err), Target: name, Err: err, Hint: "make the file readable for this user",
		}
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), checkHeader(name, f, info.Size())
}

func checkHeader(name string, r io.Reader, size int64) error {
	h, err := gguf.Read(r, size)
	_, part, total, _ := split(name)
	no, count := uint64(part), uint64(total) //nolint:gosec // five digits each
	switch {
	case lifecycle.KindOf(err) != lifecycle.Unknown: // the source failed, not the file
		return err
	case err != nil:
	case count == 1 && h.Uint("split.count") > 1:
		err = fmt.Errorf("it is one of %d files of a model, and was renamed", h.Uint("split.count"))
	case count > 1 && (h.Uint("split.count") != count || h.Uint("split.no")+1 != no):
		err = fmt.Errorf("it says that it is file %d of %d", h.Uint("split.no")+1, h.Uint("split.count"))
	case no == 1 && h.Architecture() == "":
		err = errors.New("it names no general.architecture: it holds no model")
	}
	if err == nil {
		return nil
	}
	hint := "upload or download that file again"
	if strings.Contains(err.Error(), "LFS") {
		hint = "fetch the real file with: git lfs pull"
	}
	return &lifecycle.Error{Op: "llamacpp.Check", Kind: lifecycle.Corrupt, Target: name, Err: err, Hint: hint}
}

// checkFiles is checkHeader for files that are elsewhere. Those that are no GGUF come along. A
// source that fails ends it: the next file would wait for it as long again.
func checkFiles(ctx context.Context, src source.Source, m *source.Manifest) error {
	var errs []error
	for _, f := range m.Files {
		if path.Ext(f.Path) != ".gguf" {
			continue
		}
		err := source.Read(ctx, src, f, 0, -1, func(r io.Reader) error {
			return checkHeader(strings.TrimSuffix(m.URI, "/")+"/"+f.Path, r, f.Size)
		})
		if lifecycle.KindOf(err).Temporary() {
			return err
		}
		errs = append(errs, err)
	}
	if err := lifecycle.FromContext(ctx, "llamacpp.Check", m.URI); err != nil {
		return err
	}
	return errors.Join(errs...)
}

// fits refuses weights that the machine's memory cannot hold, where they go there. Who asks
// for a load_mode knows that mapped weights may be larger, and slow.
func fits(spec engine.Spec, size int64) error {
	limit := memory.Limit()
	if len(spec.Devices) > 0 || driver.Plain(spec.Kwargs["load_mode"]) != nil || limit == 0 || size <= limit {
		return nil
	}
	return &lifecycle.Error{
		Op: "llamacpp.Check", Kind: lifecycle.NoSpace, Target: spec.Dir,
		Err: fmt.Errorf("the weights need %.1f GB of memory, and there are %.1f", float64(size)/1e9, float64(limit)/1e9),
		Hint: "take a smaller quantisation, or a machine with more memory; load_mode: mmap reads from disk what does not fit, " +
			"which is slow",
	}
}
