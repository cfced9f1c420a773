package main

import (
	"context"
	"errors"

	"cloud.google.com/go/storage"
	"cloud.google.com/go/storage/transfermanager"
)

// gcsWorkers is how many parts are fetched at the same time; by default it is half of the cores.
const gcsWorkers = 16

// gcsFolder fetches all objects below prefix from STORAGE_EMULATOR_HOST.
func gcsFolder(ctx context.Context, bucket, prefix, dir string) error {
	client, err := storage.NewClient(ctx, storage.WithJSONReads(), storage.WithDisabledClientMetrics())
	if err != nil {
		return err
	}
	d, err := transfermanager.NewDownloader(client, transfermanager.WithWorkers(gcsWorkers))
	if err != nil {
		return err
	}
	err = d.DownloadDirectory(ctx, &transfermanager.DownloadDirectoryInput{
		Bucket: bucket, LocalDirectory: dir, Prefix: prefix, StripPrefix: prefix,
		OnObjectDownload: func(*transfermanager.DownloadOutput) {}, // without one it panics
	})
	results, waitErr := d.WaitAndClose()
	err = errors.Join(err, waitErr)
	for _, r := range results {
		err = errors.Join(err, r.Err)
	}
	return err
}
