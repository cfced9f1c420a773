package hub

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"

	"github.com/spinup-llm/spinup/source"
)

// keptVersion is the form of the listings that huggingface_hub keeps since 2.0.
const keptVersion = 1

var sha256Hex = regexp.MustCompile(`^[0-9a-f]{64}$`)

// A listing has all files of a commit, whichever of them are wanted.
type listing []entry

// An entry is one line of a tree, as the hub writes it.
type entry struct {
	Type string `json:"type"`
	OID  string `json:"oid"`
	Size int64  `json:"size"`
	Path string `json:"path"`
	LFS  *lfs   `json:"lfs"`
	Xet  string `json:"xetHash"`
}

// lfs is what LFS stores in place of git.
type lfs struct {
	OID  string `json:"oid"`
	Size int64  `json:"size"`
}

// valid reports whether the entry has the digest of its file.
func (e entry) valid() bool {
	if e.LFS != nil {
		return sha256Hex.MatchString(e.LFS.OID)
	}
	return commitID.MatchString(e.OID)
}

// file makes a file of the entry: LFS names it by SHA-256, git by the SHA-1 of its blob.
func (e entry) file() source.File {
	if e.LFS != nil {
		return source.File{
			Path: e.Path, Size: e.LFS.Size, Version: e.LFS.OID, Digest: source.Digest{Algorithm: "sha256", Hex: e.LFS.OID},
		}
	}
	return source.File{Path: e.Path, Size: e.Size, Version: e.OID, Digest: source.Digest{Algorithm: "git-sha1", Hex: e.OID}}
}

func (l listing) files() []source.File {
	files := make([]source.File, 0, len(l))
	for _, e := range l {
		files = append(files, e.file())
	}
	return files
}

// optional are the files that Python's loaders ask the hub for before they believe that a
// model has none.
var optional = []string{
	"adapter_config.json", "added_tokens.json", "chat_template.jinja", "chat_template.json", "custom_generate/generate.py",
	"generation_config.json", "merges.txt", "preprocessor_config.json", "processor_config.json", "special_tokens_map.json",
	"tokenizer.json", "tokenizer.model", "video_preprocessor_config.json", "vocab.json",
}

// absent returns the optional files that are not there.
func (l listing) absent() []string {
	return slices.DeleteFunc(slices.Clone(optional), func(name string) bool {
		return slices.ContainsFunc(l, func(e entry) bool { return e.Path == name })
	})
}

// A kept listing is the form that the tools of the hub keep beside snapshots.
type kept struct {
	Version int                 `json:"format_version"`
	Files   map[string]keptFile `json:"files"`
}

type keptFile struct {
	Size    int64  `json:"size"`
	Blob    string `json:"blob_id"`
	SHA256  string `json:"lfs_sha256,omitempty"`
	LFSSize *int64 `json:"lfs_size,omitempty"`
	Xet     string `json:"xet_hash,omitempty"`
}

// kept writes the listing as the tools do. Hashes that they would not believe are left out.
func (l listing) kept() ([]byte, error) {
	k := kept{Version: keptVersion, Files: map[string]keptFile{}}
	for _, e := range l {
		f := keptFile{Size: e.Size, Blob: e.OID}
		if e.LFS != nil {
			f.SHA256, f.LFSSize = e.LFS.OID, &e.LFS.Size
		}
		if sha256Hex.MatchString(e.Xet) {
			f.Xet = e.Xet
		}
		k.Files[e.Path] = f
	}
	return json.MarshalIndent(k, "", " ")
}

// parseKept reads what kept, or one of the tools, wrote.
func parseKept(data []byte) (listing, error) {
	var k kept
	if err := json.Unmarshal(data, &k); err != nil {
		return nil, err
	}
	if k.Version != keptVersion || len(k.Files) > maxFiles {
		return nil, errors.New("the listing has another form")
	}
	var l listing
	for _, name := range slices.Sorted(maps.Keys(k.Files)) {
		f := k.Files[name]
		e := entry{Type: "file", OID: f.Blob, Size: f.Size, Path: name, Xet: f.Xet}
		if f.SHA256 != "" {
			e.LFS = &lfs{OID: f.SHA256, Size: f.Size}
		}
		if !e.valid() {
			return nil, fmt.Errorf("its file %s has no digest", name)
		}
		l = append(l, e)
	}
	return l, nil
}

// readKept returns the listing of a commit in the folder of its model, or nil. A commit
// never changes, and neither does its listing; one that is damaged counts as none.
func readKept(dir, sha string) listing {
	if dir == "" {
		return nil
	}
	for _, folder := range []string{"trees", source.HubListings} {
		data, err := os.ReadFile(filepath.Join(dir, folder, sha+".json")) //nolint:gosec // sha is a commit
		if err != nil {
			continue
		}
		if l, err := parseKept(data); err == nil && len(l) > 0 {
			return l
		}
	}
	return nil
}
