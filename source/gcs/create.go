package gcs

import (
	"context"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"net/http"

	"cloud.google.com/go/storage"
	"github.com/spinup-llm/spinup/source"
)

const opCreate = "source.Create"

// writeScope is what Create needs. Tokens for everything else cannot write.
const writeScope = "https://www.googleapis.com/auth/devstorage.read_write"

var _ source.Creator = (*bucket)(nil)

// Create implements source.Creator, on the condition that there is no such object. The service
// checks the bytes against a CRC32C that is computed here first.
func (b *bucket) Create(ctx context.Context, f source.File, content io.ReadSeeker) error {
	if err := source.CheckPath(f.Path); err != nil {
		return err
	}
	w, err := b.writer()
	if err != nil {
		return err
	}
	name := b.loc.Under() + f.Path
	err = w.upload(ctx, name, content)
	if statusOf(err) == http.StatusPreconditionFailed {
		return fmt.Errorf("%s %s: %w", opCreate, b.loc.At(name), fs.ErrExist)
	}
	if err != nil {
		return w.explain(ctx, creating(b.loc, name), err, nil)
	}
	return nil
}

// upload stores content whole or, also when ctx ends, not at all.
func (b *bucket) upload(ctx context.Context, name string, content io.ReadSeeker) error {
	sum := crc32.New(crc32.MakeTable(crc32.Castagnoli))
	if _, err := io.Copy(sum, content); err != nil {
		return err
	}
	if _, err := content.Seek(0, io.SeekStart); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	to := b.lists.Object(name).If(storage.Conditions{DoesNotExist: true}).NewWriter(ctx)
	to.CRC32C, to.SendCRC32C = sum.Sum32(), true
	if _, err := io.Copy(to, content); err != nil {
		cancel() // or Close would store what has come so far
		_ = to.Close()
		return err
	}
	return to.Close()
}

func creating(l location, name string) request {
	return request{op: opCreate, target: l.At(name), permission: "storage.objects.create", resource: "gs://" + l.Bucket, role: "Storage Object Creator"}
}
