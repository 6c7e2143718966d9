package report

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/rnnkit/rnnkit/internal/testenv"
)

// look returns what is wrong with the page as it is laid out.
const look = `(() => {
	const wrong = [];
	if (document.documentElement.scrollWidth > innerWidth)
		wrong.push("the page is " + document.documentElement.scrollWidth + " wide in a window of " + innerWidth);
	const pictures = document.querySelectorAll("svg[role=img]");
	if (pictures.length != 13) wrong.push("there are " + pictures.length + " pictures");
	for (const svg of pictures) {
		const name = svg.getAttribute("aria-label"), outer = svg.getBoundingClientRect();
		if (!name) wrong.push("a picture has no label");
		if (outer.width < 120 || outer.height < 70) wrong.push(name + ": it is " + outer.width + " by " + outer.height);
		const inside = (part, what) => {
			const r = part.getBoundingClientRect();
			if (r.width + r.height == 0 || r.left < outer.left - 1 || r.right > outer.right + 1 || r.top < outer.top - 1 || r.bottom > outer.bottom + 1)
				wrong.push(name + ": " + what + " is not inside");
			return r;
		};
		const lines = [...svg.querySelectorAll("path.line, path.band")].filter(l => !l.classList.contains("timed"));
		for (const line of lines)
			if (inside(line, line.getAttribute("class")).width < outer.width / 2) wrong.push(name + ": a line is short");
		if (lines.length == 0 && svg.querySelectorAll(".step").length != 50) wrong.push(name + ": it is empty");
		for (const step of svg.querySelectorAll(".step")) inside(step, "a step");
		const texts = [...svg.querySelectorAll("text")].filter(t => getComputedStyle(t).display != "none").map(t => [t.textContent, inside(t, t.textContent)]);
		for (const [a, p] of texts) for (const [b, q] of texts)
			if (a < b && p.left < q.right && q.left < p.right && p.top + 2 < q.bottom && q.top + 2 < p.bottom) wrong.push(name + ": " + a + " lies on " + b);
		for (const [a, p] of texts) if (p.height < 10) wrong.push(name + ": " + a + " is " + p.height + " high");
	}
	for (const [selector, why] of [
		["table:not(:has(th[scope]))", "a table without heads"],
		["section:not([aria-labelledby])", "a section without a name"],
		["input:not(label input)", "a control without a label"],
	])
		if (document.querySelector(selector)) wrong.push(why);
	return wrong;
})()`

// TestBrowser looks at the page in Chromium.
func TestBrowser(t *testing.T) {
	ctx, seen := browse(t)
	path := filepath.Join(t.TempDir(), "index.html")
	if err := WriteFile(path, threeSeeds()); err != nil {
		t.Fatal(err)
	}
	papers := map[string]bool{}
	for _, width := range []int64{360, 800, 1280} {
		for _, scheme := range []string{"light", "dark"} {
			media := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}}
			if _, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, media); err != nil {
				t.Fatal(err)
			}
			if err := chromedp.Do(ctx, chromedp.EmulateViewport(width, 800), chromedp.Navigate("file://"+path)); err != nil {
				t.Fatal(err)
			}
			for _, wrong := range evaluate[[]string](ctx, t, look) {
				t.Errorf("%d wide, %s: %s", width, scheme, wrong)
			}
			papers[evaluate[string](ctx, t, `getComputedStyle(document.body).backgroundColor`)] = true
			slide(ctx, t)
		}
	}
	if len(papers) != 2 {
		t.Errorf("light and dark have the backgrounds %v", papers)
	}
	for _, s := range *seen {
		if s != "requests file://"+path {
			t.Errorf("the page %s", s)
		}
	}
	if len(*seen) != 6 {
		t.Errorf("%d pages were loaded: %q", len(*seen), *seen)
	}
}

// slide moves the slider with the keyboard.
func slide(ctx context.Context, t *testing.T) {
	t.Helper()
	const where = `(step => [...document.querySelectorAll(".orbit svg")].map(svg => {
		const marker = svg.querySelector(".marker").getBoundingClientRect(), at = svg.querySelectorAll(".step")[step].getBoundingClientRect();
		return Math.hypot((marker.left + marker.right - at.left - at.right) / 2, (marker.top + marker.bottom - at.top - at.bottom) / 2);
	}))`
	marked := func(step int) {
		t.Helper()
		off := evaluate[[]float64](ctx, t, fmt.Sprintf("%s(%d)", where, step-1))
		if len(off) != 2 || !(off[0] < 0.5 && off[1] < 0.5) {
			t.Errorf("the markers are %v off step %d", off, step)
		}
		if says := evaluate[string](ctx, t, `document.querySelector("output").value`); !strings.HasPrefix(says, fmt.Sprintf("step %d of 50: ", step)) {
			t.Errorf("at step %d the page says %q", step, says)
		}
	}
	marked(1)
	if err := chromedp.Do(ctx, chromedp.Focus(".orbit input"), chromedp.KeyEvent(kb.ArrowRight), chromedp.KeyEvent(kb.ArrowRight)); err != nil {
		t.Fatal(err)
	}
	marked(3)
	if err := chromedp.Do(ctx, chromedp.KeyEvent(kb.End)); err != nil {
		t.Fatal(err)
	}
	marked(50)

	const middle = `(r => [(r.left + r.right) / 2, (r.top + r.bottom) / 2])(document.querySelector(".orbit input").getBoundingClientRect())`
	at := evaluate[[]float64](ctx, t, middle)
	if err := chromedp.Do(ctx, chromedp.MouseEvent(chromedp.MousePressed, at[0], at[1], chromedp.ButtonLeft)); err != nil {
		t.Fatal(err)
	}
	step := evaluate[int](ctx, t, `+document.querySelector(".orbit input").value`)
	if step < 24 || step > 27 {
		t.Errorf("a mouse in the middle of the slider moves it to step %d", step)
	}
	marked(step) // before the button is released
}

func evaluate[T any](ctx context.Context, t *testing.T, script string) T {
	t.Helper()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](script))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// browse starts Chromium and returns its context, and what its pages ask for and
// complain about.
func browse(t *testing.T) (context.Context, *[]string) {
	t.Helper()
	browser := testenv.Chromium(t)
	seen := new([]string)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	// The page is our own, and a sandbox cannot be had as root.
	ctx, cancel = chromedp.NewContext(ctx, chromedp.WithAllocatorOptions(chromedp.ExecPath(browser), chromedp.NoSandbox))
	t.Cleanup(cancel)
	err := chromedp.Listen(ctx, func(event any) {
		switch e := event.(type) {
		case *network.EventRequestWillBeSent:
			*seen = append(*seen, "requests "+e.Request.URL)
		case *runtime.EventConsoleAPICalled:
			*seen = append(*seen, fmt.Sprintf("writes to the console: %s", e.Type))
		case *runtime.EventExceptionThrown:
			*seen = append(*seen, "throws: "+e.ExceptionDetails.Text)
		case *log.EventEntryAdded:
			*seen = append(*seen, "has in its log: "+e.Entry.Text)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return ctx, seen
}
