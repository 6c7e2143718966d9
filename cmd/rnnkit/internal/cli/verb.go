package cli

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rnnkit/rnnkit/models"
)

// verb is what a command does. Each has a file, or a few, that begins with its
// options, the constructor of its command, its flags and its run function.
type verb interface {
	// addFlags adds the flags that set the options of the verb.
	addFlags(*pflag.FlagSet)

	// validate returns a usageError for flags that cannot be used.
	validate() error

	// run does the work. args are what the command line has beside the flags.
	run(ctx context.Context, args []string) error
}

// newVerbCmd returns cmd with the flags of v, which it runs.
func newVerbCmd(v verb, cmd *cobra.Command) *cobra.Command {
	cmd.Flags().SortFlags = false
	v.addFlags(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := v.validate(); err != nil {
			return err
		}
		return v.run(cmd.Context(), args)
	}
	return cmd
}

// oneModel asks for one argument, the model, and shows how it is given.
func oneModel(usage string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) != 1 {
			return usagef("name one model: %s", usage)
		}
		return nil
	}
}

// modelAndData asks for one argument, the model, and shows that data come on
// standard input.
func modelAndData(verb string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		switch len(args) {
		case 0:
			return usagef("name the model: rnnkit %s MODEL.onnx < series.csv", verb)
		case 1:
			return nil
		}
		return usagef("give the data on standard input: rnnkit %s %s < %s", verb, args[0], args[1])
	}
}

// inData returns the FieldError in err with the place in the data as people count, from 1,
// or with the flag, if infer returned it for the rows, the sequences or the steps. Other
// errors it returns as they are.
func inData(err error) error {
	var field *models.FieldError
	if !errors.As(err, &field) {
		return err
	}
	argument, indices, _ := strings.Cut(field.Field, "[")
	words := argumentWords[argument]
	if words == nil {
		return err
	}
	place := words[0]
	if indices != "" {
		place = placeOf(strings.Split(strings.TrimSuffix(indices, "]"), "]["), words[1:])
	}
	inPlace := *field
	inPlace.Field = place
	return &inPlace
}

// placeOf returns a place in the data such as "row 5, column 1", given indices from 0 and
// what each counts.
func placeOf(indices, words []string) string {
	places := make([]string, len(indices))
	for i, text := range indices {
		index, _ := strconv.Atoi(text)
		places[i] = fmt.Sprintf("%s %d", words[i], index+1)
	}
	return strings.Join(places, ", ")
}

// argumentWords has what people call an argument of infer, and what each of its indices
// counts.
var argumentWords = map[string][]string{
	"rows":      {"the data", "row", "column"},
	"sequences": {"the data", "row", "step", "feature"},
	"steps":     {"--steps"},
}

// withFieldFlag returns the FieldError in err with the flag that sets the field, which
// flagOf returns for the field's name without an index, or "" if there is none. Other
// errors it returns as they are.
func withFieldFlag(err error, flagOf func(field string) string) error {
	var field *models.FieldError
	if !errors.As(err, &field) {
		return err
	}
	name, _, _ := strings.Cut(field.Field, "[")
	if flag := flagOf(name); flag != "" {
		return &models.FieldError{Field: flag, Value: field.Value, Want: field.Want, Err: field.Err}
	}
	return err
}
