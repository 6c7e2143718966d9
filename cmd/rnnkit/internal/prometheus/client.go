package prometheus

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/rnnkit/rnnkit/models"
)

// Config says how a server is reached. Files hold one line each.
type Config struct {
	URL string // such as http://localhost:9090, with the path below which the API lies

	BearerTokenFile    string // read for each request, since tokens are renewed
	User, PasswordFile string // of basic authentication, likewise

	CAFile            string // certificates that are trusted, in PEM; "" for those of the system
	CertFile, KeyFile string // the client's own, in PEM
	Insecure          bool   // any certificate of the server is trusted

	Timeout time.Duration // of a request; 0 is 2 minutes, the limit that Prometheus itself has by default
}

// Client asks a server. It is safe for concurrent use.
type Client struct {
	config Config
	base   *url.URL
	http   http.Client
	limit  int64         // bytes of an answer
	wait   time.Duration // before the first retry
}

const (
	maxPoints      = 11_000 // of a series in an answer; Prometheus refuses to give more
	maxAnswer      = 1 << 30
	retries        = 3
	defaultTimeout = 2 * time.Minute
)

// NewClient returns a Client. The error is a *models.FieldError of a field of the Config.
func NewClient(c Config) (*Client, error) {
	base, err := url.Parse(c.URL)
	if err != nil || base.Scheme != "http" && base.Scheme != "https" || base.Host == "" {
		return nil, &models.FieldError{Field: "URL", Value: c.URL, Want: "the address of Prometheus, such as http://localhost:9090", Err: err}
	}
	switch {
	case base.RawQuery != "" || base.Fragment != "":
		return nil, &models.FieldError{Field: "URL", Value: base.Redacted(), Want: "the address of Prometheus alone, without ? and #"}
	case c.Timeout < 0:
		return nil, &models.FieldError{Field: "Timeout", Value: c.Timeout, Want: "more than 0"}
	case c.BearerTokenFile != "" && (c.User != "" || base.User != nil):
		return nil, &models.FieldError{Field: "BearerTokenFile", Value: c.BearerTokenFile, Want: "left out where a user is given"}
	case (c.User == "") != (c.PasswordFile == ""):
		return nil, &models.FieldError{Field: "PasswordFile", Value: c.PasswordFile, Want: "given together with a user"}
	}
	base.Path = strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(base.Path, "/"), "/graph"), "/api/v1")
	c.Timeout = cmp.Or(c.Timeout, defaultTimeout)
	transport := http.DefaultTransport.(*http.Transport).Clone()
	if transport.TLSClientConfig, err = c.tls(); err != nil {
		return nil, err
	}
	return &Client{config: c, base: base, http: http.Client{Transport: transport}, limit: maxAnswer, wait: time.Second / 2}, nil
}

// tls returns how connections are encrypted.
func (c *Config) tls() (*tls.Config, error) {
	t := &tls.Config{InsecureSkipVerify: c.Insecure}
	if c.CAFile != "" {
		pem, err := os.ReadFile(c.CAFile)
		t.RootCAs = x509.NewCertPool()
		if err != nil || !t.RootCAs.AppendCertsFromPEM(pem) {
			return nil, &models.FieldError{Field: "CAFile", Value: c.CAFile, Want: "a file of certificates in PEM", Err: err}
		}
	}
	if c.CertFile != "" || c.KeyFile != "" {
		own, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile)
		if err != nil {
			return nil, &models.FieldError{Field: "CertFile", Value: c.CertFile, Want: "a certificate in PEM whose key the key file holds: " + err.Error(), Err: err}
		}
		t.Certificates = []tls.Certificate{own}
	}
	return t, nil
}

// Query is a range query: the values of an expression at Start and then each Step, up to
// End. A Step is at least a millisecond.
type Query struct {
	Expression string // in PromQL
	Start, End time.Time
	Step       time.Duration
}

// Align returns the last time up to t that lies whole steps after the beginning of 1970.
func Align(t time.Time, step time.Duration) time.Time {
	ms := t.UnixMilli()
	return time.UnixMilli(ms - ms%step.Milliseconds())
}

// QueryRange returns the answer to a query of any length: it asks for as many points at a
// time as the server gives. What fails for a reason that may pass is tried four times.
//
// The error names the server. It wraps an *[Error] if the server gave a reason, and
// [ErrEmpty] if there is no series.
func (c *Client) QueryRange(ctx context.Context, q Query) (*Matrix, error) {
	all := &Matrix{}
	last := q.End.Sub(q.Start) / q.Step
	for first := time.Duration(0); first <= last; first += maxPoints {
		part := q
		part.Start, part.End = q.Start.Add(first*q.Step), q.Start.Add(min(first+maxPoints-1, last)*q.Step)
		m, err := c.patiently(ctx, part)
		if err != nil {
			return nil, c.errorf("%w", err)
		}
		all.add(m)
	}
	if err := all.finish(); err != nil {
		return nil, c.errorf("%w", err)
	}
	return all, nil
}

// errorf returns an error about the server.
func (c *Client) errorf(format string, args ...any) error {
	return fmt.Errorf("%s: %w", c.base.Redacted(), fmt.Errorf(format, args...))
}

// patiently asks again after a while if that may help.
func (c *Client) patiently(ctx context.Context, q Query) (*Matrix, error) {
	wait := c.wait
	for tries := 1; ; tries++ {
		m, err := c.ask(ctx, q)
		if !MayPass(err) {
			return m, err
		}
		if tries > retries {
			return nil, fmt.Errorf("%w (after %d tries)", err, tries)
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(wait):
			wait *= 2
		}
	}
}

// passing is an error whose reason may pass.
type passing struct{ error }

func (p *passing) Unwrap() error { return p.error }

// ask asks once.
func (c *Client) ask(ctx context.Context, q Query) (*Matrix, error) {
	within, cancel := context.WithTimeout(ctx, c.config.Timeout)
	defer cancel()
	m, err := c.get(within, q)
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case within.Err() != nil && err != nil:
		return nil, fmt.Errorf("no answer within %v; ask for less at a time, or wait longer", c.config.Timeout)
	}
	return m, err
}

// get sends a query and reads the answer.
func (c *Client) get(ctx context.Context, q Query) (*Matrix, error) {
	request, err := c.request(ctx, q)
	if err != nil {
		return nil, err
	}
	response, err := c.http.Do(request)
	if err != nil {
		return nil, connectionError(err)
	}
	defer response.Body.Close()
	body := &limited{left: c.limit, from: response.Body}
	if response.StatusCode != http.StatusOK {
		return nil, refusal(response, body)
	}
	return readAnswer(request, response, body)
}

// readAnswer reads the body of an answer.
func readAnswer(request *http.Request, response *http.Response, body *limited) (*Matrix, error) {
	head := make([]byte, 512)
	n, _ := io.ReadFull(body, head) // the error comes again
	if head = head[:n]; isPage(response, head) {
		return nil, errPage(request, response, head)
	}
	m := &Matrix{}
	err := m.decode(io.MultiReader(bytes.NewReader(head), body))
	switch {
	case body.err == errTooLarge:
		return nil, errTooLarge
	case body.err != nil:
		return nil, &passing{body.err}
	case errors.Is(err, io.ErrUnexpectedEOF):
		return nil, &passing{err}
	}
	return m, err
}

// request returns the request of a query.
func (c *Client) request(ctx context.Context, q Query) (*http.Request, error) {
	address := c.base.JoinPath("api/v1/query_range")
	address.RawQuery = url.Values{
		"query": {q.Expression}, "start": {seconds(q.Start)}, "end": {seconds(q.End)},
		"step": {strconv.FormatFloat(q.Step.Seconds(), 'f', -1, 64)},
	}.Encode()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address.String(), nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("User-Agent", "rnnkit")
	return request, c.authorize(request)
}

// authorize adds the token or the password to a request.
func (c *Client) authorize(request *http.Request) error {
	path := cmp.Or(c.config.BearerTokenFile, c.config.PasswordFile)
	if path == "" {
		return nil
	}
	word, err := secret(path)
	if err != nil {
		return err
	}
	if c.config.User != "" {
		request.SetBasicAuth(c.config.User, word)
	} else {
		request.Header.Set("Authorization", "Bearer "+word)
	}
	return nil
}

// seconds writes a time in seconds since 1970, to the millisecond.
func seconds(t time.Time) string {
	return strconv.FormatFloat(float64(t.UnixMilli())/1000, 'f', -1, 64)
}

// secret returns the line that a file holds.
func secret(path string) (string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("cannot read the token or the password: %w", err)
	}
	line := strings.TrimSpace(string(text))
	if line == "" || strings.ContainsAny(line, "\r\n") {
		return "", fmt.Errorf("%s must hold one line, a token or a password", path)
	}
	return line, nil
}

// connectionError is the error of a request that got no answer. Certificates do not mend
// themselves.
func connectionError(err error) error {
	if failed := (*url.Error)(nil); errors.As(err, &failed) {
		err = failed.Err
	}
	if errors.As(err, new(*tls.CertificateVerificationError)) {
		return fmt.Errorf("%w; give the certificate of its authority", err)
	}
	return &passing{err}
}

// refusal is the error of an answer with another status than 200.
func refusal(response *http.Response, body io.Reader) error {
	head, _ := io.ReadAll(io.LimitReader(body, 1<<16))
	err := fmt.Errorf("%s%s", response.Status, adviceOn(response.StatusCode))
	failure := (*Error)(nil)
	switch {
	case errors.As((&Matrix{}).decode(bytes.NewReader(head)), &failure):
		err = fmt.Errorf("%s: %w", response.Status, failure)
	case isPage(response, head):
		err = fmt.Errorf("%w, with a page of HTML%s", err, titleOf(head))
	case len(head) > 0:
		err = fmt.Errorf("%w: %.200q", err, strings.TrimSpace(string(head)))
	}
	if response.StatusCode >= 500 || response.StatusCode == http.StatusTooManyRequests {
		return &passing{err}
	}
	return err
}

// adviceOn says what to do about a status.
func adviceOn(status int) string {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return " (give a token, or a user and a password, that the server knows)"
	case http.StatusNotFound:
		return " (give the address of Prometheus with the path below which its API lies)"
	}
	return ""
}

// isPage reports whether an answer that begins with head is a page of HTML.
func isPage(response *http.Response, head []byte) bool {
	return strings.HasPrefix(response.Header.Get("Content-Type"), "text/html") || bytes.HasPrefix(bytes.TrimSpace(head), []byte("<"))
}

// errPage is the error of a page of HTML, to which the request may have been redirected.
func errPage(request *http.Request, response *http.Response, head []byte) error {
	from := ""
	if to := response.Request.URL; to.Host != request.URL.Host || to.Path != request.URL.Path {
		from = " from " + to.Redacted() + ", to which it was redirected"
	}
	return fmt.Errorf("a page of HTML%s%s, where an answer of Prometheus should be; give its address, and a token or a user where it asks for one", titleOf(head), from)
}

var title = regexp.MustCompile(`(?is)<title[^>]*>\s*(.*?)\s*</title>`)

// titleOf returns the title of a page in quotes, after a space, or "".
func titleOf(page []byte) string {
	if found := title.FindSubmatch(page); found != nil {
		return fmt.Sprintf(" %.80q", found[1])
	}
	return ""
}

// limited reads an answer up to a limit, and keeps the error that ended it.
type limited struct {
	left int64
	from io.Reader
	err  error
}

var errTooLarge = errors.New("the answer is too large; ask for fewer series, or longer steps")

func (l *limited) Read(p []byte) (int, error) {
	if l.left <= 0 {
		l.err = errTooLarge
	}
	if l.err != nil {
		return 0, l.err
	}
	n, err := l.from.Read(p[:min(int64(len(p)), l.left)])
	l.left -= int64(n)
	if err != nil && err != io.EOF {
		l.err = fmt.Errorf("the answer is cut off: %w", err)
		err = l.err
	}
	return n, err
}

// MayPass reports whether an error of QueryRange has a reason that may pass by itself: the
// server is not there, or overloaded, or its answer was cut off.
func MayPass(err error) bool { return errors.As(err, new(*passing)) }
