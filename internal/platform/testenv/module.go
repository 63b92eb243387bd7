package testenv

import (
	"os"
	"path/filepath"
	"testing"
)

// Module tells where node is, and the folder of a package that tools/npm pins.
// When either is not here, the test is left as [Require] leaves it.
func Module(t testing.TB, name string) (node, folder string, ok bool) {
	t.Helper()
	if node, ok = Require(t, "node"); !ok {
		return "", "", false
	}
	folder = filepath.Join(filepath.Dir(Tools()), name)
	if _, err := os.Stat(folder); err == nil {
		return node, folder, true
	}
	if required("node") {
		t.Fatalf("%s is not here: npm ci --prefix tools/npm", name)
	}
	t.Logf("NOT TESTED: %s needs %s: npm ci --prefix tools/npm", t.Name(), name)
	return "", "", false
}
