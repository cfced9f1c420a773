package chat_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/spinup-llm/spinup/engine/reference/internal/chat"
	"github.com/spinup-llm/spinup/engine/reference/internal/jinja"
	"github.com/stretchr/testify/require"
)

func TestStrftime(t *testing.T) {
	t.Parallel()
	now := time.Date(2031, 3, 5, 14, 7, 9, 0, time.UTC)
	cases := map[string]string{
		"%d %b %Y": "05 Mar 2031", "%Y-%m-%d": "2031-03-05", "%B %d, %Y": "March 05, 2031", "%-d.%-m.%y": "5.3.31",
		"%A %a %H:%M:%S": "Wednesday Wed 14:07:09", "%I %p %j %%": "02 PM 064 %", "%F %T": "2031-03-05 14:07:09", "plain": "plain",
	}
	for format, want := range cases {
		template, err := chat.Parse("{{ strftime_now('"+format+"') }}", chat.Tokens{})
		require.NoError(t, err)
		got, err := template.Render(chat.Input{Messages: json.RawMessage("[]"), Now: now})
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	for _, format := range []string{"%Q", "%", "%-"} {
		template, err := chat.Parse("{{ strftime_now('"+format+"') }}", chat.Tokens{})
		require.NoError(t, err)
		_, err = template.Render(chat.Input{Messages: json.RawMessage("[]"), Now: now})
		require.ErrorContains(t, err, "not supported")
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	_, err := chat.Parse("{% if %}", chat.Tokens{})
	require.Error(t, err)

	template, err := chat.Parse("{{ raise_exception('System role not supported') }}", chat.Tokens{})
	require.NoError(t, err)
	_, err = template.Render(chat.Input{Messages: json.RawMessage("[]")})
	raised, ok := errors.AsType[*jinja.Raised](err)
	require.True(t, ok)
	require.Equal(t, "System role not supported", raised.Message)

	_, err = template.Render(chat.Input{Messages: json.RawMessage("[")})
	require.ErrorContains(t, err, "messages")
	_, err = template.Render(chat.Input{Messages: json.RawMessage("[]"), Tools: json.RawMessage("{")})
	require.ErrorContains(t, err, "tools")
}

func Example() {
	template, err := chat.Parse("{{ bos_token }}{% for m in messages %}[{{ m.role }}] {{ m.content }}\n{% endfor %}[assistant]", chat.Tokens{BOS: "<s>"})
	if err != nil {
		fmt.Println(err)
		return
	}
	prompt, err := template.Render(chat.Input{Messages: json.RawMessage(`[{"role": "user", "content": "Hi"}]`)})
	fmt.Println(prompt, err)
	// Output:
	// <s>[user] Hi
	// [assistant] <nil>
}
