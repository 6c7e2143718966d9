package cli

import (
	"context"
	"fmt"
	"iter"
	"math"

	"github.com/spf13/cobra"

	"github.com/rnnkit/rnnkit/infer"
	"github.com/rnnkit/rnnkit/models"
)

type generateOptions struct {
	*streams
	engineFlags
	infer.GenerateOptions
	prompt string
	greedy bool
}

func newGenerateCmd(s *streams) *cobra.Command {
	o := &generateOptions{streams: s}
	cmd := &cobra.Command{
		Use:   "generate MODEL.onnx --prompt TEXT",
		Short: "Write what follows a text",
		Long: `Write the characters that follow the prompt, each as soon as it is known, to
standard output, and at their end a line end. The model reads all of the prompt,
whose characters must be among those that it was trained on. With no prompt the
first character is drawn, each with the same probability.

The same seed gives the same text. Ctrl-C ends it.`,
		Example: `  rnnkit generate chars.onnx --prompt "Twinkle, " --length 200
  rnnkit generate chars.onnx --prompt "Twinkle, " --temperature 0.7 --top-p 0.9 --seed 4
  rnnkit generate chars.onnx --prompt "Twinkle, " --greedy`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			switch len(args) {
			case 0:
				return usagef("name the model: rnnkit generate MODEL.onnx --prompt TEXT")
			case 1:
			default:
				return usagef("give the prompt as --prompt %q", args[1])
			}
			if err := o.validate(cmd.Flags().Changed("temperature")); err != nil {
				return err
			}
			return o.run(cmd.Context(), args[0])
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&o.prompt, "prompt", "", "the text to go on from")
	flags.IntVar(&o.Length, "length", 200, "how many characters")
	flags.Float64Var(&o.Temperature, "temperature", 1, "below 1 the likely becomes likelier, above 1 less so; 0 is --greedy")
	flags.IntVar(&o.TopK, "top-k", 0, "draw from this many of the likeliest characters; 0 for all")
	flags.Float64Var(&o.TopP, "top-p", 1, "draw from the likeliest characters that have this share of the probability together")
	flags.Uint64Var(&o.Seed, "seed", 0, "seed of what is drawn")
	flags.BoolVar(&o.greedy, "greedy", false, "draw nothing: always take the likeliest character")
	o.add(flags)
	return cmd
}

// validate checks the flags. With --greedy there is no temperature to set.
func (o *generateOptions) validate(temperature bool) error {
	switch {
	case o.Length < 1:
		return usagef("--length is %d: it must be 1 or more", o.Length)
	case !(o.Temperature >= 0) || math.IsInf(o.Temperature, 0):
		return usagef("--temperature is %g: it must be 0 or more", o.Temperature)
	case o.TopK < 0:
		return usagef("--top-k is %d: it must be 0 or more", o.TopK)
	case !(o.TopP > 0 && o.TopP <= 1):
		return usagef("--top-p is %g: it must be more than 0 and at most 1", o.TopP)
	case o.greedy && temperature:
		return usagef("--greedy takes the likeliest character at any --temperature: give one of the two")
	}
	if o.greedy {
		o.Temperature = 0
	}
	return o.engineFlags.validate()
}

func (o *generateOptions) run(ctx context.Context, path string) error {
	model, err := o.open(ctx, path, o.Err)
	if err != nil {
		return err
	}
	defer model.Close()
	if meta := model.Metadata(); meta != nil && meta.Task != models.Generate {
		return usagef("%s does not generate, it is for task %q: use rnnkit infer %s", path, meta.Task, path)
	}
	generator, err := infer.NewGenerator(model)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	ctx, stop := untilSignal(ctx)
	defer stop()
	err = o.write(generator.Generate(ctx, o.prompt, o.GenerateOptions))
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil // Ctrl-C is how one ends a text
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
