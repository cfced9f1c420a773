package reference_test

import (
	"os"
	"testing"

	"github.com/spinup-llm/spinup/engine/reference"
	"go.uber.org/goleak"
)

// withoutMain makes a test binary a host that forgot to call Main.
const withoutMain = "REFERENCE_TEST_WITHOUT_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(withoutMain) == "" {
		reference.Main()
	}
	goleak.VerifyTestMain(m)
}
