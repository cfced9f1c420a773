package local

import (
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/spinup-llm/spinup/internal/nearest"
	"github.com/spinup-llm/spinup/lifecycle"
)

// notFound names what exists in the last folder of the path that does.
func (d *Dir) notFound() error {
	e := &lifecycle.Error{
		Op: opResolve, Kind: lifecycle.NotFound, Target: d.path, Err: errors.New("there is no such directory"),
		Hint: "give the folder with config.json in it",
	}
	for dir := d.path; filepath.Dir(dir) != dir; dir = filepath.Dir(dir) {
		entries, err := os.ReadDir(filepath.Dir(dir))
		if err != nil {
			continue
		}
		var names []string
		for _, entry := range entries {
			if !strings.HasPrefix(entry.Name(), ".") && !entry.Type().IsRegular() {
				names = append(names, entry.Name())
			}
		}
		if hint := nearest.Hint(filepath.Base(dir), names); hint != "" {
			e.Hint = "in " + filepath.Dir(dir) + " " + hint
		}
		break
	}
	return e
}
