package trainer

import (
	"github.com/rnnkit/rnnkit/internal/kernels"
	"github.com/rnnkit/rnnkit/models"
)

// categories is the block that writes the embeddings of the categories of each series to
// the last columns of every step.
type categories[T models.Float] struct {
	unpacked
	sizes  []models.Category
	tables [][]T // of each category, [size, embedding]

	numbers []int64 // [batch, categories]
	x       value[T]
}

func (c *categories[T]) share() block[T] { return &categories[T]{sizes: c.sizes, tables: c.tables} }

func (c *categories[T]) forward(x value[T], _ bool) value[T] {
	c.x = x
	for t := range x.steps.Time {
		c.each(x.steps.At(t), c.tables, func(columns, embedding []T) { copy(columns, embedding) })
	}
	return x
}

func (c *categories[T]) backward(grads *models.Params[T]) {
	for t := range c.x.grad.Time {
		c.each(c.x.grad.At(t), grads.Categories, func(columns, embedding []T) { kernels.AddScaled(embedding, 1, columns) })
	}
}

// each calls do with the columns of each category in each row of a step, and the row of
// the category's table.
func (c *categories[T]) each(step kernels.Matrix[T], tables [][]T, do func(columns, embedding []T)) {
	for b := range step.Rows {
		row := step.Row(b)
		for i := len(c.sizes) - 1; i >= 0; i-- {
			n := c.sizes[i].Embedding
			number := int(c.numbers[b*len(c.sizes)+i])
			do(row[len(row)-n:], tables[i][number*n:][:n])
			row = row[:len(row)-n]
		}
	}
}
