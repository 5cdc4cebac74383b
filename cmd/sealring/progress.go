package main

import (
	"fmt"
	"io"
	"time"
)

const (
	progressAfter = 2 * time.Second        // work that is shorter shows none
	progressEvery = 200 * time.Millisecond // at most
)

// progress draws how far work has come on one line of a terminal. A nil progress draws
// nothing.
type progress struct {
	w     io.Writer
	now   func() time.Time
	total int64 // -1 if it is not known
	unit  func(int64) string

	start, drawn time.Time
	visible      bool
}

// newProgress returns a progress of work on total things, which unit prints, or nil if
// nobody would see it.
func (p *process) newProgress(total int64, unit func(int64) string) *progress {
	if !p.terminal(p.stderr) {
		return nil
	}
	return &progress{w: p.stderr, now: time.Now, total: total, unit: unit, start: time.Now()}
}

// at says that so much is done.
func (g *progress) at(done int64) {
	if g == nil {
		return
	}
	now := g.now()
	elapsed := now.Sub(g.start)
	if elapsed < progressAfter || now.Sub(g.drawn) < progressEvery {
		return
	}
	g.drawn, g.visible = now, true
	speed := g.unit(int64(float64(done)/elapsed.Seconds())) + "/s"
	if g.total <= 0 {
		fmt.Fprintf(g.w, "\r\033[K%s, %s", g.unit(done), speed)
		return
	}
	left := time.Duration(0)
	if done > 0 {
		left = time.Duration(float64(elapsed) * float64(g.total-done) / float64(done)).Round(time.Second)
	}
	fmt.Fprintf(g.w, "\r\033[K%3d%% %s %s of %s, %s, %v left",
		100*done/g.total, bar(done, g.total), g.unit(done), g.unit(g.total), speed, max(left, 0))
}

// bar draws done of total as a bar.
func bar(done, total int64) string {
	const width = 24
	full := int(min(max(done*width/total, 0), width))
	b := make([]byte, 0, width+2)
	b = append(b, '[')
	for i := range width {
		if i < full {
			b = append(b, '=')
		} else {
			b = append(b, ' ')
		}
	}
	return string(append(b, ']'))
}

// end takes the line away.
func (g *progress) end() {
	if g != nil && g.visible {
		fmt.Fprint(g.w, "\r\033[K")
	}
}

// reader returns r, whose reading g shows.
func (g *progress) reader(r io.Reader) io.Reader {
	if g == nil {
		return r
	}
	return &countedReader{r: r, g: g}
}

type countedReader struct {
	r    io.Reader
	g    *progress
	done int64
}

func (c *countedReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.done += int64(n)
	c.g.at(c.done)
	return n, err
}

// byteUnit prints a number of bytes.
func byteUnit(n int64) string {
	const unit = 1024
	if n < unit {
		return fmt.Sprintf("%d B", n)
	}
	value, prefix := float64(n)/unit, 0
	for value >= unit && prefix < 5 {
		value /= unit
		prefix++
	}
	return fmt.Sprintf("%.1f %ciB", value, "KMGTPE"[prefix])
}

// countUnit prints a number of things with a name.
func countUnit(name string) func(int64) string {
	return func(n int64) string { return fmt.Sprintf("%d %s", n, name) }
}
