// Package configs holds the configuration that Outcry comes with, so that the
// binary works without any file beside it. The same files, copied and edited,
// are what an operator configures it with.
package configs

import "embed"

// Files holds the YAML files of this folder, by name: "issues.yaml".
//
//go:embed *.yaml
var Files embed.FS
