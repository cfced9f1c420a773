package azure

import (
	"context"
	"errors"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/service"
	"github.com/spinup-llm/spinup/internal/nearest"
	"github.com/spinup-llm/spinup/lifecycle"
)

// maxNear bounds how many names are compared: one page.
const maxNear = 1000

// nothing is the error for a folder without files. It names what is nearest.
func (f *folder) nothing(ctx context.Context) error {
	e := &lifecycle.Error{Op: opResolve, Kind: lifecycle.NotFound, Target: f.loc.String(), Hint: form}
	e.Err = errors.New("no blob lies under that prefix")
	if f.loc.prefix == "" {
		e.Err = errors.New("the container is empty")
	}
	dir, hint := nearest.Above(f.loc.prefix, func(dir string) []string { return f.children(ctx, dir) })
	if hint != "" {
		e.Hint = "in " + f.loc.at(dir) + " " + hint + "; " + form
	}
	return e
}

// children returns the names in a folder, those of the first page.
func (f *folder) children(ctx context.Context, dir string) (names []string) {
	prefix := location{prefix: dir}.under()
	pages := f.container.NewListBlobsHierarchyPager("/", &container.ListBlobsHierarchyOptions{Prefix: &prefix, MaxResults: new(int32(maxNear))})
	page, err := pages.NextPage(policy.WithRetryOptions(ctx, policy.RetryOptions{MaxRetries: -1}))
	if err != nil || page.Segment == nil {
		return nil
	}
	add := func(name *string) {
		if word := strings.Trim(strings.TrimPrefix(deref(name), prefix), "/"); word != "" {
			names = append(names, word)
		}
	}
	for _, p := range page.Segment.BlobPrefixes {
		add(p.Name)
	}
	for _, b := range page.Segment.BlobItems {
		add(b.Name)
	}
	return names
}

// otherContainers words which containers are near, where their owner may list them.
func (f *folder) otherContainers(ctx context.Context) string {
	if f.set.anonymous() {
		return ""
	}
	pages := f.account.NewListContainersPager(&service.ListContainersOptions{MaxResults: new(int32(maxNear))})
	page, err := pages.NextPage(policy.WithRetryOptions(ctx, policy.RetryOptions{MaxRetries: -1}))
	if err != nil {
		return ""
	}
	var names []string
	for _, c := range page.ContainerItems {
		names = append(names, deref(c.Name))
	}
	return nearest.Hint(f.loc.container, names)
}
