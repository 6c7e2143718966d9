package cli

import "github.com/rnnkit/rnnkit/cmd/rnnkit/internal/picture"

// checkPicture returns a usageError for a flag with the path of a picture whose
// ending is not one.
func checkPicture(flag, path string) error {
	if err := picture.CheckName(path); err != nil {
		return usagef("%s is %w", flag, err)
	}
	return nil
}

// draw writes a picture of the last rows and their predictions to path.
func (f *forecast) draw(path string) error {
	return picture.Forecast{Name: f.name, Values: f.series, Predictions: f.predictions, First: f.first}.Write(path)
}
