package oci

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"oras.land/oras-go/v2/registry/remote/auth"
	"oras.land/oras-go/v2/registry/remote/credentials"
)

// A chain looks for the credentials of a registry in several places, in order, and
// remembers what it tried: that is what an error has to tell.
type chain struct {
	env func(string) string

	mu    sync.Mutex
	tried []string
	found bool
}

func newChain(env func(string) string) *chain { return &chain{env: env} }

// A place is where credentials of registries may be.
type place struct {
	name string
	open func() (credentials.Store, error)
}

func (c *chain) places() []place {
	fromFile := func(name, path string) place {
		return place{name, func() (credentials.Store, error) {
			if _, err := os.Stat(path); path == "" || err != nil {
				return nil, os.ErrNotExist
			}
			return credentials.NewStore(path, credentials.StoreOptions{})
		}}
	}
	in := func(dir string, names ...string) string {
		if dir == "" {
			return ""
		}
		return filepath.Join(append([]string{dir}, names...)...)
	}
	docker := fromFile("config.json in .docker of HOME", in(c.env("HOME"), ".docker", "config.json"))
	if dir := c.env("DOCKER_CONFIG"); dir != "" {
		docker = fromFile("config.json in DOCKER_CONFIG", in(dir, "config.json"))
	}
	return []place{
		{"DOCKER_AUTH_CONFIG", func() (credentials.Store, error) {
			text := c.env("DOCKER_AUTH_CONFIG")
			if text == "" {
				return nil, os.ErrNotExist
			}
			return credentials.NewMemoryStoreFromDockerConfig([]byte(text))
		}},
		fromFile("REGISTRY_AUTH_FILE", c.env("REGISTRY_AUTH_FILE")),
		docker,
		fromFile("containers/auth.json in XDG_RUNTIME_DIR", in(c.env("XDG_RUNTIME_DIR"), "containers", "auth.json")),
	}
}

// find implements auth.CredentialFunc: it returns none where no place knows the registry.
func (c *chain) find(ctx context.Context, hostport string) (auth.Credential, error) {
	var tried []string
	note := func(found bool) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.tried, c.found = tried, found
	}
	for _, p := range c.places() {
		store, err := p.open()
		if os.IsNotExist(err) {
			tried = append(tried, p.name+" (none)")
			continue
		}
		var cred auth.Credential
		if err == nil {
			cred, err = credentials.Credential(store)(ctx, hostport)
		}
		switch {
		case err != nil:
			tried = append(tried, p.name+" (failed)")
			note(false)
			return auth.EmptyCredential, &credentialsError{p.name}
		case cred != auth.EmptyCredential:
			tried = append(tried, p.name+" (used)")
			note(true)
			return cred, nil
		}
		tried = append(tried, p.name+" (does not know "+hostport+")")
	}
	note(false)
	return auth.EmptyCredential, nil
}

// seen words what was tried, and whether something was found.
func (c *chain) seen() (tried string, found bool) {
	if c == nil {
		return "nothing, because of anonymous@", false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return strings.Join(c.tried, ", "), c.found
}

// A credentialsError is about a place that cannot be read. Its cause stays out: it may
// repeat what stands there.
type credentialsError struct{ from string }

// Error implements error.
func (e *credentialsError) Error() string {
	return fmt.Sprintf("the credentials in %s cannot be read, or their helper fails", e.from)
}
