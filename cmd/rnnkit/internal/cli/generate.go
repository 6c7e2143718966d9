package cli

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rnnkit/rnnkit/infer"
	"github.com/rnnkit/rnnkit/models"
)

type generateOptions struct {
	*streams
	engineFlags
	infer.GenerateOptions
	prompt string
	greedy bool

	flags *pflag.FlagSet
}

const generateLong = `Write the characters that follow the prompt, each as soon as it is known, to
standard output, and at their end a line end. The model reads all of the prompt,
whose characters must be among those that it was trained on. With no prompt the
first character is drawn, each with the same probability.

The same seed gives the same text. Ctrl-C ends it.`

const generateExample = `  rnnkit generate chars.onnx --prompt "Twinkle, " --length 200
  rnnkit generate chars.onnx --prompt "Twinkle, " --temperature 0.7 --top-p 0.9 --seed 4
  rnnkit generate chars.onnx --prompt "Twinkle, " --greedy`

func newGenerateCmd(s *streams) *cobra.Command {
	return newVerbCmd(&generateOptions{streams: s}, &cobra.Command{
		Use:     "generate MODEL.onnx --prompt TEXT",
		Short:   "Write what follows a text",
		Long:    generateLong,
		Example: generateExample,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usagef("give the prompt as --prompt %q", args[1])
			}
			return oneModel("rnnkit generate MODEL.onnx --prompt TEXT")(nil, args)
		},
	})
}

func (o *generateOptions) addFlags(flags *pflag.FlagSet) {
	o.flags = flags
	flags.StringVar(&o.prompt, "prompt", "", "the text to go on from")
	flags.IntVar(&o.Length, "length", 200, "how many characters")
	flags.Float64Var(&o.Temperature, "temperature", 1, "below 1 the likely becomes likelier, above 1 less so; 0 is --greedy")
	flags.IntVar(&o.TopK, "top-k", 0, "draw from this many of the likeliest characters; 0 for all")
	flags.Float64Var(&o.TopP, "top-p", 1, "draw from the likeliest characters that have this share of the probability together")
	flags.Uint64Var(&o.Seed, "seed", 0, "seed of what is drawn")
	flags.BoolVar(&o.greedy, "greedy", false, "draw nothing: always take the likeliest character")
	o.add(flags)
}

// validate checks the flags. With --greedy there is no temperature to set.
func (o *generateOptions) validate() error {
	switch {
	case o.Length == 0:
		return usagef("--length is 0: it must be 1 or more")
	case o.TopP == 0:
		return usagef("--top-p is 0: it must be more than 0 and at most 1")
	case o.greedy && o.flags.Changed("temperature"):
		return usagef("--greedy takes the likeliest character at any --temperature: give one of the two")
	case o.greedy:
		o.Temperature = 0
	}
	if err := withFieldFlag(o.GenerateOptions.Validate(), func(field string) string { return generateFlags[field] }); err != nil {
		return usageError{err}
	}
	return o.engineFlags.validate()
}

// generateFlags has the flags that set the fields of infer.GenerateOptions.
var generateFlags = map[string]string{"Length": "--length", "Temperature": "--temperature", "TopK": "--top-k", "TopP": "--top-p"}

func (o *generateOptions) run(ctx context.Context, args []string) error {
	path := args[0]
	model, err := o.open(ctx, path, o.Err)
	if err != nil {
		return err
	}
	defer model.Close()
	generator, err := infer.NewGenerator(model)
	var other *infer.TaskError
	switch {
	case errors.As(err, &other) && other.Task != "":
		return usagef("%s does not generate, it is for task %q: use rnnkit infer %s", path, other.Task, path)
	case err != nil:
		return fmt.Errorf("%s: %w", path, err)
	}
	ctx, stop := untilSignal(ctx)
	defer stop()
	err = o.write(generator.Generate(ctx, o.prompt, o.GenerateOptions))
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("%s: %w", path, o.inPrompt(err))
	}
	return nil // Ctrl-C is how one ends a text
}

// inPrompt returns err with the place of a character of the prompt as people count, if it
// is about one.
func (o *generateOptions) inPrompt(err error) error {
	var field *models.FieldError
	var at int
	if !errors.As(err, &field) {
		return err
	}
	if n, _ := fmt.Sscanf(field.Field, "prompt[%d]", &at); n != 1 {
		return err
	}
	r, size := utf8.DecodeRuneInString(o.prompt[at:])
	character := fmt.Sprintf("%q (%U)", r, r)
	if r == utf8.RuneError && size == 1 {
		character = fmt.Sprintf("the byte %#x", o.prompt[at])
	}
	position := utf8.RuneCountInString(o.prompt[:at]) + 1
	return fmt.Errorf("character %d of the prompt is %s: it must be %s", position, character, field.Want)
}

// write prints characters as they come, and a line end after those that did.
func (o *generateOptions) write(characters iter.Seq2[rune, error]) error {
	end := ""
	for r, err := range characters {
		if err == nil {
			_, err = fmt.Fprint(o.Out, string(r))
			end = "\n"
		}
		if err != nil {
			fmt.Fprint(o.Out, end)
			return err
		}
	}
	_, err := fmt.Fprint(o.Out, end)
	return err
}
