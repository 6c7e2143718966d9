package prometheus

import (
	"compress/gzip"
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rnnkit/rnnkit/models"
)

// start is the time of the first point that tests ask for.
var start = time.Unix(1_700_000_000, 250e6)

// minutes returns a query for n points.
func minutes(n int) Query {
	return Query{Expression: `rate(x{a="b"}[5m]) + 1`, Start: start, End: start.Add(time.Duration(n-1) * time.Minute), Step: time.Minute}
}

// testClient returns a client of a server that does what handle does.
func testClient(t *testing.T, c Config, handle http.HandlerFunc) *Client {
	t.Helper()
	server := httptest.NewServer(handle)
	t.Cleanup(server.Close)
	if c.URL == "" {
		c.URL = server.URL
	}
	client, err := NewClient(c)
	if err != nil {
		t.Fatal(err)
	}
	client.wait = time.Millisecond
	return client
}

// counting answers with the number of the step since the start as the value, and refuses
// what Prometheus refuses.
func counting(t *testing.T, asked *[]int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		number := func(key string) float64 {
			v, err := strconv.ParseFloat(r.FormValue(key), 64)
			if err != nil {
				t.Error(key, err)
			}
			return v
		}
		from, to, step := number("start"), number("end"), number("step")
		if n := (to - from) / step; r.URL.Path != "/prom/api/v1/query_range" || r.FormValue("query") != minutes(1).Expression || n > maxPoints {
			t.Errorf("%s: %g points are asked for", r.URL, n)
		}
		*asked = append(*asked, int((to-from)/step)+1)
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		defer z.Close()
		io.WriteString(z, head+`{"metric":{"a":"b"},"values":[`)
		for i := 0; from+float64(i)*step <= to; i++ {
			if i > 0 {
				io.WriteString(z, ",")
			}
			at := from + float64(i)*step
			fmt.Fprintf(z, `[%.3f,"%g"]`, at, (at-float64(start.UnixMilli())/1000)/60)
		}
		io.WriteString(z, "]}"+tail)
	}
}

func TestQueryRange(t *testing.T) {
	for _, test := range []struct {
		points int
		asked  []int
	}{{1, []int{1}}, {11_000, []int{11_000}}, {11_001, []int{11_000, 1}}, {25_000, []int{11_000, 11_000, 3000}}} {
		var asked []int
		server := httptest.NewServer(counting(t, &asked))
		client, err := NewClient(Config{URL: server.URL + "/prom/graph"})
		if err != nil {
			t.Fatal(err)
		}
		m, err := client.QueryRange(t.Context(), minutes(test.points))
		server.Close()
		if err != nil {
			t.Fatal(err)
		}
		s := m.Series[0]
		if len(m.Series) != 1 || len(s.Points) != test.points || !slices.Equal(asked, test.asked) {
			t.Errorf("%d points were asked for as %v, want %v; there are %d", test.points, asked, test.asked, len(s.Points))
		}
		for i, p := range s.Points {
			if want := (Point{start.UnixMilli() + int64(i)*60_000, float64(i)}); p != want {
				t.Fatalf("point %d is %v, want %v", i, p, want)
			}
		}
	}
}

// The steps of a part may last longer than a time.Duration.
func TestQueryRangeLongSteps(t *testing.T) {
	var asked []string
	client := testClient(t, Config{}, func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.FormValue("start")+" "+r.FormValue("end"))
		fmt.Fprint(w, head+up+tail)
	})
	month := 30 * 24 * time.Hour
	q := Query{Expression: "up", Start: time.Unix(1_700_000_000, 0), End: time.Unix(1_700_000_000, 0).Add(3*month + time.Hour), Step: month}
	if _, err := client.QueryRange(t.Context(), q); err != nil || !slices.Equal(asked, []string{"1700000000 1707776000"}) {
		t.Errorf("it asked for %q: %v", asked, err)
	}
}

// TestQueryRangeJoins has a series in some of the answers only, and others that have none.
func TestQueryRangeJoins(t *testing.T) {
	parts := 0
	client := testClient(t, Config{}, func(w http.ResponseWriter, r *http.Request) {
		if parts++; parts != 2 {
			fmt.Fprint(w, head+tail)
			return
		}
		fmt.Fprint(w, head+up+tail)
	})
	m, err := client.QueryRange(t.Context(), minutes(3*maxPoints))
	if err != nil || len(m.Series) != 1 || len(m.Series[0].Points) != 2 || parts != 3 {
		t.Errorf("it is %v, %v after %d parts", m, err, parts)
	}
	if _, err := client.QueryRange(t.Context(), minutes(1)); !errors.Is(err, ErrEmpty) {
		t.Errorf("the error is %v, want ErrEmpty", err)
	}
}

func TestQueryRangeFails(t *testing.T) {
	answer := func(status int, kind, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", kind)
			w.WriteHeader(status)
			io.WriteString(w, body)
		}
	}
	const jsonType, page = "application/json", "<!DOCTYPE html>\n<TITLE>\n Log in </TITLE>"
	for _, test := range []struct {
		handle http.HandlerFunc
		tries  int
		want   string
	}{
		{answer(422, jsonType, `{"status":"error","errorType":"execution","error":"many-to-many"}`), 1, "422 Unprocessable Entity: Prometheus answered with an error: execution: many-to-many"},
		{answer(400, jsonType, `{"status":"error","errorType":"bad_data","error":"1:4: parse error"}`), 1, "400 Bad Request: Prometheus answered with an error: bad_data: 1:4: parse error"},
		{answer(200, jsonType, `{"status":"error","errorType":"execution","error":"slow"}`), 1, "execution: slow"},
		{answer(503, jsonType, `{"status":"error","errorType":"timeout","error":"query timed out"}`), 4, "503 Service Unavailable: Prometheus answered with an error: timeout: query timed out (after 4 tries)"},
		{answer(502, "text/html", page), 4, `502 Bad Gateway, with a page of HTML "Log in" (after 4 tries)`},
		{answer(429, "text/plain", "slow down\n"), 4, `429 Too Many Requests: "slow down"`},
		{answer(401, "text/plain", ""), 1, "401 Unauthorized (give a token, or a user and a password, that the server knows)"},
		{answer(404, "text/plain", "404 page not found\n"), 1, `404 Not Found (give the address of Prometheus with the path below which its API lies): "404 page not found"`},
		{answer(200, "text/html", page), 1, `a page of HTML "Log in", where an answer of Prometheus should be`},
		{answer(200, jsonType, "<html>"), 1, "a page of HTML, where"},
		{answer(200, jsonType, ""), 1, "the answer is empty"},
		{answer(204, jsonType, ""), 1, "204 No Content"},
		{answer(200, jsonType, `{"ok":true}`), 1, "no answer of Prometheus to a query"},
		{answer(200, jsonType, head+up), 4, "cut off"},
		{answer(200, jsonType, head+up+strings.Repeat(" ", 5000)+tail), 1, "the answer is too large"},
		{answer(200, jsonType, head+`{"metric":{},"histograms":[]}`+tail), 1, "a native histogram"},
		{func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "5000")
			io.WriteString(w, head+up)
		}, 4, "the answer is cut off"},
		{func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			io.WriteString(w, head)
		}, 4, "gzip"},
		{func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) }, 4, "EOF (after 4 tries)"},
		{func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path+"/x", http.StatusFound) }, 11, "stopped after 10 redirects"},
	} {
		var tries atomic.Int64
		client := testClient(t, Config{}, func(w http.ResponseWriter, r *http.Request) {
			tries.Add(1)
			test.handle(w, r)
		})
		client.limit = 4000
		m, err := client.QueryRange(t.Context(), minutes(3))
		if err == nil || !strings.Contains(err.Error(), test.want) || !strings.HasPrefix(err.Error(), client.base.String()+": ") {
			t.Errorf("it is %v, the error %v, want %q", m, err, test.want)
		}
		if n := int(tries.Load()); n != test.tries && test.tries < 11 {
			t.Errorf("%q: it was asked %d times, want %d", test.want, n, test.tries)
		}
	}
}

func TestQueryRangeRedirected(t *testing.T) {
	login := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			t.Error("another server gets the password")
		}
		io.WriteString(w, "<html><title>Log in</title>")
	}))
	defer login.Close()
	other := strings.Replace(login.URL, "127.0.0.1", "localhost", 1)
	client := testClient(t, Config{User: "u", PasswordFile: writeFile(t, "secret\n")}, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other+"/login", http.StatusFound)
	})
	_, err := client.QueryRange(t.Context(), minutes(1))
	if want := `a page of HTML "Log in" from ` + other + "/login, to which it was redirected"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("the error is %v, want %q", err, want)
	}
}

func TestQueryRangeRetries(t *testing.T) {
	tries := 0
	client := testClient(t, Config{}, func(w http.ResponseWriter, r *http.Request) {
		switch tries++; tries {
		case 1:
			w.WriteHeader(500)
		case 2:
			io.WriteString(w, head+`{"metric":{},"values":[[1,"7"]]}`)
		case 3:
			panic(http.ErrAbortHandler)
		default:
			io.WriteString(w, head+up+tail)
		}
	})
	m, err := client.QueryRange(t.Context(), minutes(1))
	if err != nil || len(m.Series) != 1 || len(m.Series[0].Points) != 2 || tries != 4 {
		t.Errorf("it is %v, %v after %d tries: half an answer counts for nothing", m, err, tries)
	}
}

func TestQueryRangeSlow(t *testing.T) {
	var asked atomic.Int32
	slow := func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		io.WriteString(w, head)
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}
	client := testClient(t, Config{Timeout: 20 * time.Millisecond}, slow)
	_, err := client.QueryRange(t.Context(), minutes(1))
	if want := "no answer within 20ms"; err == nil || !strings.Contains(err.Error(), want) || asked.Load() != 1 {
		t.Errorf("the error is %v after %d tries, want %q", err, asked.Load(), want)
	}
	cause := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(20*time.Millisecond, func() { cancel(cause) })
	if _, err := testClient(t, Config{}, slow).QueryRange(ctx, minutes(1)); !errors.Is(err, cause) {
		t.Errorf("the error is %v, want %v", err, cause)
	}
}

func TestQueryRangeWithoutServer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	client, err := NewClient(Config{URL: "http://" + l.Addr().String()})
	if err != nil {
		t.Fatal(err)
	}
	client.wait = time.Millisecond
	if _, err := client.QueryRange(t.Context(), minutes(1)); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("the error is %v", err)
	}
}

func writeFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestAuthorization(t *testing.T) {
	token := writeFile(t, "abc\n")
	var have string
	handle := func(w http.ResponseWriter, r *http.Request) {
		have = r.Header.Get("Authorization")
		io.WriteString(w, head+up+tail)
	}
	for want, c := range map[string]Config{
		"Bearer abc":     {BearerTokenFile: token},
		"Basic dTphYmM=": {User: "u", PasswordFile: token},
		"Basic dTpwJTox": {URL: "http://u:p%25%3A1@"},
		"":               {},
	} {
		server := httptest.NewServer(http.HandlerFunc(handle))
		if c.URL == "" {
			c.URL = server.URL
		} else {
			c.URL += server.Listener.Addr().String()
		}
		client, err := NewClient(c)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := client.QueryRange(t.Context(), minutes(1)); err != nil || have != want {
			t.Errorf("the server gets %q, want %q: %v", have, want, err)
		}
		server.Close()
	}
	client := testClient(t, Config{BearerTokenFile: token}, handle)
	for _, text := range []string{"new", "", "a\nb"} {
		os.WriteFile(token, []byte(text), 0o600)
		_, err := client.QueryRange(t.Context(), minutes(1))
		if (err == nil) != (text == "new") || err == nil && have != "Bearer new" || err != nil && !strings.Contains(err.Error(), "must hold one line") {
			t.Errorf("the server gets %q of %q: %v", have, text, err)
		}
	}
}

func TestTLS(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, head+up+tail) }))
	defer server.Close()
	server.Config.ErrorLog = nil
	ca := writeFile(t, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})))
	for _, test := range []struct {
		c    Config
		want string
	}{{Config{CAFile: ca}, ""}, {Config{Insecure: true}, ""}, {Config{}, "give the certificate of its authority"}} {
		test.c.URL = server.URL
		client, err := NewClient(test.c)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := client.QueryRange(t.Context(), minutes(1)); (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v: the error is %v, want %q", test.c, err, test.want)
		}
	}
}

func TestNewClientRefuses(t *testing.T) {
	const good = "http://localhost:9090"
	for _, test := range []struct {
		c     Config
		field string
	}{
		{Config{}, "URL"}, {Config{URL: "localhost:9090"}, "URL"}, {Config{URL: "ftp://x"}, "URL"}, {Config{URL: "http://"}, "URL"},
		{Config{URL: good + "/?g0.expr=up"}, "URL"}, {Config{URL: "http://[::1"}, "URL"}, {Config{URL: good, Timeout: -1}, "Timeout"},
		{Config{URL: good, User: "u"}, "PasswordFile"}, {Config{URL: good, PasswordFile: "p"}, "PasswordFile"},
		{Config{URL: good, User: "u", PasswordFile: "p", BearerTokenFile: "t"}, "BearerTokenFile"},
		{Config{URL: good, CAFile: "/nowhere"}, "CAFile"}, {Config{URL: good, CAFile: writeFile(t, "x")}, "CAFile"}, {Config{URL: good, CertFile: "/nowhere"}, "CertFile"},
	} {
		_, err := NewClient(test.c)
		if field, ok := errors.AsType[*models.FieldError](err); !ok || field.Field != test.field {
			t.Errorf("%+v: the error is %v, want one of %s", test.c, err, test.field)
		}
	}
}
