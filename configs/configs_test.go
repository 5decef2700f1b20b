package configs_test

import (
	"encoding/json"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// compose is what these tests look at in docker-compose.yml.
type compose struct {
	Services map[string]struct {
		Image       string         `yaml:"image"`
		Build       any            `yaml:"build"`
		Ports       []string       `yaml:"ports"`
		Volumes     []string       `yaml:"volumes"`
		Secrets     []string       `yaml:"secrets"`
		Healthcheck map[string]any `yaml:"healthcheck"`
		DependsOn   map[string]any `yaml:"depends_on"`
		SecurityOpt []string       `yaml:"security_opt"`
	} `yaml:"services"`
	Secrets map[string]struct {
		File string `yaml:"file"`
	} `yaml:"secrets"`
	Volumes map[string]any `yaml:"volumes"`
}

func readCompose(t *testing.T) compose {
	t.Helper()
	data, err := os.ReadFile("../docker-compose.yml")
	if err != nil {
		t.Fatal(err)
	}
	var c compose
	if err := yaml.Unmarshal(data, &c); err != nil {
		t.Fatal(err)
	}
	if len(c.Services) < 10 {
		t.Fatalf("only %d services were read", len(c.Services))
	}
	return c
}

// pinned is an image with a version of at least major and minor.
var pinned = regexp.MustCompile(`^[a-z0-9./-]+:v?\d+\.\d+[\w.-]*$`)

// TestComposeHolds keeps the promises that the comments of docker-compose.yml
// make: pinned images, health checks, nothing published beyond this host, every
// mounted file and every secret there.
func TestComposeHolds(t *testing.T) {
	c := readCompose(t)
	for name, s := range c.Services {
		if s.Build == nil && !pinned.MatchString(s.Image) {
			t.Errorf("%s: image %q is not pinned", name, s.Image)
		}
		if len(s.Healthcheck) == 0 {
			t.Errorf("%s: no health check", name)
		}
		if !slices.Contains(s.SecurityOpt, "no-new-privileges:true") {
			t.Errorf("%s: may gain privileges", name)
		}
		for _, p := range s.Ports {
			host, _, _ := strings.Cut(p, ":")
			if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
				t.Errorf("%s: port %s is published beyond the loopback interface", name, p)
			}
		}
		for _, v := range s.Volumes {
			source, _, _ := strings.Cut(v, ":")
			if !strings.HasPrefix(source, "./") {
				if _, ok := c.Volumes[source]; !ok {
					t.Errorf("%s: volume %s is not declared", name, source)
				}
			} else if _, err := os.Stat(filepath.Join("..", source)); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		for _, secret := range s.Secrets {
			if c.Secrets[secret].File == "" {
				t.Errorf("%s: secret %s is not declared", name, secret)
			}
		}
		for other := range s.DependsOn {
			if _, ok := c.Services[other]; !ok {
				t.Errorf("%s depends on %s, which is no service", name, other)
			}
		}
	}
}

// TestSecretsAreExplained: whoever follows the head of docker-compose.yml has
// made every secret.
func TestSecretsAreExplained(t *testing.T) {
	data, err := os.ReadFile("../docker-compose.yml")
	if err != nil {
		t.Fatal(err)
	}
	head, _, _ := strings.Cut(string(data), "\nname:")
	for name := range readCompose(t).Secrets {
		if !strings.Contains(head, name) {
			t.Errorf("the head does not say how to make %s", name)
		}
	}
}

// TestEveryFileParses reads each YAML and JSON file of this folder.
func TestEveryFileParses(t *testing.T) {
	n := 0
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		var into any
		switch filepath.Ext(path) {
		case ".yaml", ".yml":
			err = yaml.Unmarshal(data, &into)
		case ".json":
			err = json.Unmarshal(data, &into)
		default:
			return nil
		}
		if n++; err != nil {
			t.Errorf("%s: %v", path, err)
		}
		return nil
	})
	if err != nil || n < 10 {
		t.Errorf("%d files, %v", n, err)
	}
}

var metricName = regexp.MustCompile(`\boutcry_[a-z_]+`)

// TestRulesNameRealMetrics: a rule about a metric that no package has never
// fires. Names are composed in the sources of "outcry_PACKAGE_" and the rest.
func TestRulesNameRealMetrics(t *testing.T) {
	rules, err := os.ReadFile("prometheus/rules.yml")
	if err != nil {
		t.Fatal(err)
	}
	var sources strings.Builder
	err = filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Name() == "metrics.go" {
			data, err := os.ReadFile(path)
			sources.Write(data)
			return err
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	names := metricName.FindAllString(string(rules), -1)
	if len(names) < 8 {
		t.Fatalf("only %d metrics are named", len(names))
	}
	for _, name := range names {
		parts := strings.SplitN(name, "_", 3)
		whole := strings.Contains(sources.String(), `"`+name+`"`)
		composed := strings.Contains(sources.String(), `"outcry_`+parts[1]+`_"`) && strings.Contains(sources.String(), `"`+parts[2]+`"`)
		if !whole && !composed {
			t.Errorf("no package has a metric %s", name)
		}
	}
}
