// Package rnnkit trains recurrent models (RNN, LSTM, GRU) on a program's own data and
// exports each as one ONNX file, which any ONNX runtime can run. It is pure Go.
//
// # Train
//
// There are four kinds of models:
//
//   - [NewForecaster] forecasts series of a [github.com/rnnkit/rnnkit/datasets.Panel], a whole horizon at once and
//     with intervals. Its [ForecasterOptions] come from [DefaultForecasterOptions], and what
//     they leave open follows from the data. [Backtest] tells how good it would have been.
//   - [NewStepForecaster] forecasts the next values of one or more series step by step,
//     with a state that can go on. Its [StepForecasterOptions] come from
//     [DefaultStepForecasterOptions].
//   - [NewClassifier] tells the label of a sequence. Its [ClassifierOptions] come from
//     [DefaultClassifierOptions].
//   - [NewGenerator] tells the next character of a text. Its [GeneratorOptions] come from
//     [DefaultGeneratorOptions].
//
// Each returns a [Job] from the data and the options.
//
// Everything else follows from the data: the sizes of the model's input and output, the
// scale of the values, the vocabulary, the labels. [Job.Train] trains the model, exports
// it, and checks that the file answers as the trainer does:
//
//	job, err := rnnkit.NewClassifier(sequences, labels, rnnkit.DefaultClassifierOptions())
//	if err != nil {
//		return err
//	}
//	result, err := job.Train(ctx)
//	if err != nil {
//		return err
//	}
//	fmt.Println(result.Summary) // accuracy 0.9667 on 30 sequences, where always "up" is right for 0.3667
//	return result.WriteFile("gestures.onnx")
//
// Options are plain fields, and a task's options have only the fields that the task has.
// A value that does not fit the task or the data is refused before anything is trained,
// by a [github.com/rnnkit/rnnkit/models.FieldError] with the name of the field and what it
// must be.
//
// Package [github.com/rnnkit/rnnkit/datasets] reads such data from files: ReadColumn and
// ReadTable the columns of a CSV file, ReadText a text, and ReadSequences labelled
// sequences, for [NewSequenceClassifier].
//
// # Run
//
// A service that only runs models imports package [github.com/rnnkit/rnnkit/infer], and
// links no trainer:
//
//	m, err := infer.Open("gestures.onnx")
//	if err != nil {
//		return err
//	}
//	c, err := infer.NewClassifier(m)
//
// infer.NewForecaster and infer.NewGenerator do so for the other tasks, and Model.Step
// runs any of them one step at a time, with a state that can be saved.
//
// # Go on training
//
// export.ReadFile reads a file that rnnkit wrote as a model again. As [Options.Start] it
// goes on training, with its own scales, vocabulary and labels:
//
//	o := rnnkit.DefaultClassifierOptions()
//	o.Start, err = export.ReadFile("gestures.onnx")
//
// # Below
//
// Package models says what a model is, trainer trains one on any source of examples,
// export writes it, and infer runs it. A program whose examples or task this package does
// not know uses these packages directly. The command rnnkit (cmd/rnnkit) does from a shell
// what this package does from Go.
package rnnkit
