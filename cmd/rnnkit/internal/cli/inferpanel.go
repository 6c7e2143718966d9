package cli

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rnnkit/rnnkit/cmd/rnnkit/internal/picture"
	"github.com/rnnkit/rnnkit/datasets"
	"github.com/rnnkit/rnnkit/infer"
	"github.com/rnnkit/rnnkit/models"
)

// maxContexts is how many series are forecast at once.
const maxContexts = 1024

// forecastPanel prints the forecasts of a direct forecaster for the series of the table on
// standard input.
func (o *inferOptions) forecastPanel(ctx context.Context, model *infer.Model) error {
	forecaster, err := infer.NewForecaster(model)
	if err != nil {
		return fmt.Errorf("%s: %w", o.model, err)
	}
	meta := model.Metadata()
	o.greet()
	roles := rolesOf(meta.Forecast)
	if o.column != "" {
		if roles.Targets, err = listed("column", o.column); err != nil {
			return err
		}
	}
	panel, err := o.readPanelFile("-", roles)
	if err != nil {
		return err
	}
	o.noteUnseen(panel, meta)
	steps := cmp.Or(o.steps, o.horizon, meta.Horizon)
	table := newForecastTable(o.Out, panel, meta.Spec.Direct.Levels(), false)
	var notes forecastNotes
	for first := 0; first < len(panel.Series); first += maxContexts {
		contexts := contextsOf(panel, first, min(first+maxContexts, len(panel.Series)))
		forecasts, err := forecaster.ForecastContexts(ctx, contexts, steps)
		if err != nil {
			return fmt.Errorf("%s: %w", o.model, inPanel(err, panel, first))
		}
		for i, f := range forecasts {
			notes.add(f)
			if err := table.print(forecastLines{series: first + i, origin: panel.Series[first+i].Len(), Forecast: f}); err != nil {
				return err
			}
		}
		if first == 0 && o.plot != "" {
			if err := o.drawForecasts(panel, forecasts, meta.Forecast.Season); err != nil {
				return err
			}
		}
	}
	notes.tell(o.streams, meta, len(panel.Series))
	return nil
}

// rolesOf returns the roles of the columns that a model was trained on. The calendar is
// computed by package infer.
func rolesOf(f *models.Forecasting) datasets.Roles {
	r := datasets.Roles{
		Time: f.Time, Series: f.Series, Targets: f.Targets, Past: f.Past, Static: f.Static,
		Future: f.Future[:len(f.Future)-len(f.Calendar)], Missing: f.Missing, Frequency: f.Frequency, Wide: f.Wide,
	}
	if r.Wide {
		r.Targets = nil
	}
	for _, c := range f.Categories {
		r.Categories = append(r.Categories, c.Name)
	}
	return r
}

// contextsOf returns what is known of series of a panel.
func contextsOf(panel *datasets.Panel, from, to int) (list []infer.Context) {
	for i := from; i < to; i++ {
		s := &panel.Series[i]
		c := infer.Context{Targets: s.Targets, Past: s.Past, Future: s.Future, Static: s.Static, Categories: s.Categories}
		if !s.Start.IsZero() {
			c.Last = panel.Time(i, s.Len()-1)
		}
		list = append(list, c)
	}
	return list
}

// inPanel returns an error of ForecastContexts with the name of the series in place of its
// index among those from first on.
func inPanel(err error, panel *datasets.Panel, first int) error {
	var index int
	field, ok := err.(*models.FieldError)
	if !ok {
		return err
	}
	if n, _ := fmt.Sscanf(field.Field, "list[%d]", &index); n == 0 {
		return inData(err)
	}
	_, rest, _ := strings.Cut(field.Field, "].")
	place := columnOf(rest, panel)
	if row, ok := rowOf(rest); ok {
		place += ", " + panelRow(panel, first+index, row)
	}
	if name := panel.Series[first+index].Name; name != "" {
		place = fmt.Sprintf("series %.40q, %s", name, place)
	}
	want := field.Want
	if _, short := field.Value.(models.Length); short && strings.HasPrefix(rest, "Future") {
		want += fmt.Sprintf("; add a row for each step ahead, in which %q is empty", panel.Targets[0])
	}
	return &models.FieldError{Field: place, Value: field.Value, Want: want, Err: field.Err}
}

// rowOf returns the second index of a path such as Future[1][30].
func rowOf(path string) (row int, ok bool) {
	_, rest, found := strings.Cut(path, "][")
	row, err := strconv.Atoi(strings.TrimSuffix(rest, "]"))
	return row, found && err == nil
}

// panelRow names a row of a series by its time, or by its number where there are no times.
func panelRow(panel *datasets.Panel, series, row int) string {
	if panel.Frequency.Count == 0 {
		return fmt.Sprintf("row %d", row+1)
	}
	return panel.FormatTime(panel.Time(series, row))
}

// columnOf returns the name of a column of a Context given by a path such as Future[1].
func columnOf(path string, panel *datasets.Panel) string {
	var index int
	for role, names := range map[string][]string{"Targets": panel.Targets, "Past": panel.Past, "Future": panel.Future, "Static": panel.Static, "Categories": panel.Categories} {
		if n, _ := fmt.Sscanf(path, role+"[%d]", &index); n == 1 && index < len(names) {
			return fmt.Sprintf("column %.40q", names[index])
		}
	}
	return path
}

// noteUnseen says what the model has not learned: categories that were not there, and
// values so small that it takes none of their logarithms.
func (o *inferOptions) noteUnseen(panel *datasets.Panel, meta *models.Metadata) {
	for i, c := range meta.Forecast.Categories {
		for _, s := range panel.Series {
			if v := s.Categories[i]; !slices.Contains(c.Values, v) {
				fmt.Fprintf(o.Err, "note: the model has not learned %s %.40q, of series %.40q for instance: it forecasts as for any other\n", printable(c.Name), v, s.Name)
				break
			}
		}
	}
	floor := meta.LogFloor()
	for _, s := range panel.Series {
		for i, values := range s.Targets {
			last := values[max(0, len(values)-meta.Window):]
			if k := slices.IndexFunc(last, func(v float64) bool { return v < floor }); floor > 0 && k >= 0 {
				fmt.Fprintf(o.Err, "note: the model reads logarithms, of %g or more: it takes smaller values for that, such as %g of %q; train it with --log off, or on such series\n", floor, last[k], cmp.Or(s.Name, panel.Targets[i]))
				return
			}
		}
	}
}

// forecastNotes counts what a person should know about forecasts.
type forecastNotes struct{ padded, beyond int }

func (n *forecastNotes) add(f *infer.Forecast) {
	if f.Padding > 0 {
		n.padded++
	}
	n.beyond = max(n.beyond, f.Beyond)
}

func (n *forecastNotes) tell(s *streams, meta *models.Metadata, series int) {
	if n.padded > 0 {
		fmt.Fprintf(s.Err, "note: %d of %d series have fewer rows than the %d that the model looks back; it forecasts from those there are\n", n.padded, series, meta.Window)
	}
	if len(meta.Forecast.Widths) == 0 && len(meta.Spec.Direct.Quantiles) > 1 {
		fmt.Fprintln(s.Err, "note: the intervals are not calibrated, since the series that the model learned from are too short for it: they may hold fewer values than they claim")
	}
	if n.beyond > 0 {
		fmt.Fprintf(s.Err, "note: the model reaches %d steps ahead; the %d after that are forecast from forecasts, and their intervals are wider\n", meta.Horizon, n.beyond)
	}
}

// maxDrawnForecasts is how many forecasts a picture has room for.
const maxDrawnForecasts = 6

// drawForecasts draws the forecasts of the targets of the first series.
func (o *inferOptions) drawForecasts(panel *datasets.Panel, forecasts []*infer.Forecast, season int) error {
	var all picture.Forecasts
	targets := len(panel.Targets)
	drawn := min(len(forecasts), max(1, maxDrawnForecasts/targets))
	for series, f := range forecasts[:drawn] {
		for target := range min(targets, maxDrawnForecasts) {
			all.List = append(all.List, pictureOf(panel, f, series, target, season))
		}
	}
	if all.Title = all.List[0].Name; len(all.List) > 1 {
		all.Title = fmt.Sprintf("%d steps ahead", len(forecasts[0].Median[0]))
	}
	if drawn < len(panel.Series) || targets > maxDrawnForecasts {
		fmt.Fprintf(o.Err, "note: --plot draws the first %d of %d forecasts\n", len(all.List), len(panel.Series)*targets)
	}
	return all.Write(o.plot)
}

// pictureOf returns the picture of the forecast of a target of a series, with some seasons
// before it.
func pictureOf(panel *datasets.Panel, f *infer.Forecast, series, target, season int) picture.Forecast {
	s := &panel.Series[series]
	p := picture.Forecast{
		Name: panel.Targets[target], Values: s.Targets[target], First: s.Len(), Predictions: f.Median[target],
		Origins: []int{s.Len()}, History: max(30, 3*season, 3*len(f.Median[target])),
	}
	switch {
	case panel.Wide:
		p.Name = s.Name
	case s.Name != "":
		p.Name += ", " + s.Name
	}
	for i := range f.Levels {
		p.Bands = append(p.Bands, picture.Band{Name: percentOf(f.Levels[i]) + "% interval", Low: f.Low[i][target], High: f.High[i][target]})
	}
	if panel.Frequency.Count > 0 {
		p.Time = func(row int) time.Time { return panel.Time(series, row) }
	}
	return p
}
