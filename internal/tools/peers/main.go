package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/feature/s3/manager"
	"github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"golang.org/x/sync/errgroup"
)

// objects is how many are fetched at the same time.
const objects = 4

// get writes an object to w.
type get func(ctx context.Context, w io.WriterAt, bucket, key string) error

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	with := flag.String("with", "manager", "manager, transfermanager or gcs")
	anonymous := flag.Bool("anonymous", false, "sign nothing")
	flag.Parse()
	if flag.NArg() != 3 {
		return errors.New("usage: sdkget [-anonymous] -with manager|transfermanager|gcs BUCKET PREFIX DIR")
	}
	bucket, prefix, dir := flag.Arg(0), strings.TrimSuffix(flag.Arg(1), "/")+"/", flag.Arg(2)
	if *with == "gcs" {
		return gcsFolder(ctx, bucket, prefix, dir)
	}
	client, err := newClient(ctx, *anonymous)
	if err != nil {
		return err
	}
	var fetch get
	switch *with {
	case "manager":
		fetch = useManager(client)
	case "transfermanager":
		fetch = useTransferManager(client)
	default:
		return fmt.Errorf("there is no %q", *with)
	}
	return folder(ctx, client, fetch, bucket, prefix, dir)
}

func newClient(ctx context.Context, anonymous bool) (*s3.Client, error) {
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, err
	}
	return s3.NewFromConfig(cfg, func(o *s3.Options) {
		o.UsePathStyle = true
		if anonymous {
			o.Credentials = aws.AnonymousCredentials{}
		}
	}), nil
}

func useManager(client *s3.Client) get {
	m := manager.NewDownloader(client) //nolint:staticcheck // it is what is compared
	return func(ctx context.Context, w io.WriterAt, bucket, key string) error {
		_, err := m.Download(ctx, w, &s3.GetObjectInput{Bucket: &bucket, Key: &key}) //nolint:staticcheck // see above
		return err
	}
}

func useTransferManager(client *s3.Client) get {
	m := transfermanager.New(client, func(o *transfermanager.Options) {
		o.DisableChecksumValidation = true // AWS_RESPONSE_CHECKSUM_VALIDATION does not reach it
	})
	return func(ctx context.Context, w io.WriterAt, bucket, key string) error {
		_, err := m.DownloadObject(ctx, &transfermanager.DownloadObjectInput{Bucket: &bucket, Key: &key, WriterAt: w})
		return err
	}
}

// folder fetches all objects below prefix.
func folder(ctx context.Context, client *s3.Client, fetch get, bucket, prefix, dir string) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(objects)
	pages := s3.NewListObjectsV2Paginator(client, &s3.ListObjectsV2Input{Bucket: &bucket, Prefix: &prefix})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return errors.Join(err, group.Wait())
		}
		for _, object := range page.Contents {
			key := aws.ToString(object.Key)
			path := filepath.Join(dir, filepath.FromSlash(strings.TrimPrefix(key, prefix)))
			group.Go(func() error { return one(ctx, fetch, bucket, key, path) })
		}
	}
	return group.Wait()
}

func one(ctx context.Context, fetch get, bucket, key, path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(fetch(ctx, f, bucket, key), f.Close())
}
