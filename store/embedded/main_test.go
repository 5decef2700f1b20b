package embedded_test

import (
	"os"
	"testing"

	"outcry/internal/testenv"
)

func TestMain(m *testing.M) {
	testenv.MaybeRunEngine()
	code := m.Run()
	testenv.StopSharedEngine()
	os.Exit(code)
}
