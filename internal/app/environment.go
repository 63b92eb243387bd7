package app

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"reflect"
	"strings"

	"github.com/joho/godotenv"
)

// secretSettings are the variables that may be in a file of their own.
func secretSettings(t reflect.Type, envPrefix string) (names []string) {
	for f := range t.Fields() {
		if _, embedded := f.Tag.Lookup("embed"); embedded {
			names = append(names, secretSettings(f.Type, envPrefix+f.Tag.Get("envprefix"))...)
		} else if f.Type == reflect.TypeFor[Secret]() {
			names = append(names, envPrefix+f.Tag.Get("env"))
		}
	}
	return names
}

// loadEnvironment reads the file .env, which never overrides what the
// environment says, and the files that secrets are in.
func loadEnvironment() error {
	if err := godotenv.Load(); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read .env: %w", err)
	}
	for _, name := range secretSettings(reflect.TypeFor[Config](), "") {
		path := os.Getenv(name + "_FILE")
		if path == "" {
			continue
		}
		if os.Getenv(name) != "" {
			return fmt.Errorf("both %s and %s_FILE are set; keep one", name, name)
		}
		secret, err := os.ReadFile(path)
		if err != nil {
			return fmt.Errorf("%s_FILE: %w", name, err)
		}
		if err := os.Setenv(name, strings.TrimSpace(string(secret))); err != nil {
			return fmt.Errorf("%s_FILE: %w", name, err)
		}
	}
	return nil
}
