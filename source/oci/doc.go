// Package oci is the driver for models in registries of containers: artifacts whose layers
// are files, as ModelPack and "oras push" make them.
//
//	mux.Handle("oci", oci.Opener(nil))
//	src, err := mux.Open(ctx, "oci://ghcr.io/org/llama:v1")
//	src, err = mux.Open(ctx, "oci://ghcr.io/org/llama@sha256:9f86d0…")      // pinned
//	src, err = mux.Open(ctx, "oci://anonymous@registry.example/llama:v1") // without credentials
//
// Without a tag, latest is meant. It is a module of its own, so that only programs that use
// it carry the client.
//
// # Artifacts
//
// Each layer is one file. Its path is the layer's annotation org.cncf.model.filepath (of
// ModelPack) or org.opencontainers.image.title. Layers of ModelPack have to be raw: packed
// ones (tar, with or without compression) cannot be read by range, nor be checked file by
// file, and are refused with the command that makes raw ones. An index is followed where it
// lists one artifact.
//
// # Settings
//
// Credentials are looked up through [source.OpenOptions.Getenv] alone, so that the env_vars
// of one model reach neither another one nor the process. The first of these that knows the
// registry is used, and a registry that none knows is asked for an anonymous token:
//
//  1. DOCKER_AUTH_CONFIG, which holds what such a file would
//  2. the file that REGISTRY_AUTH_FILE names
//  3. config.json in DOCKER_CONFIG, else in .docker of HOME
//  4. containers/auth.json in XDG_RUNTIME_DIR
//
// Credential helpers that a file names are run with the environment of the process. Where
// the registry asks for a token, credentials go to the service of tokens that it names, over
// TLS unless the registry is without; blobs are read from where the registry redirects to,
// which gets neither. A registry on loopback is spoken to over plain HTTP.
//
// # Digests
//
// The Revision is the digest of the manifest, which is computed, not believed. A file's
// Version and Digest are its layer's: what is read never changes. A digest that is no sha256 is not
// verified.
//
// # Errors
//
// As package source says; a wrong tag or repository comes with the nearest that exist, where
// the registry lists them. Manifests are asked for three times, blobs once: download knows
// better how to go on.
//
// # Telemetry
//
// None of its own.
package oci
