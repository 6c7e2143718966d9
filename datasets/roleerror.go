package datasets

import (
	"fmt"
	"strings"
)

// RoleError is what the error of a table wraps if columns need a role that only a person
// can give: several columns of numbers may be the Targets, or a column that no role names
// seems to tell Series apart.
type RoleError struct {
	Role    string   // the field of Roles that is to name some of the Columns
	Columns []string // the names of columns that may have the role, or their numbers
	Problem string   // what is wrong
	Else    string   // what to do if none of the Columns has the role; may be empty
}

func (e *RoleError) Error() string {
	advice := "say which in Roles." + e.Role
	if e.Else != "" {
		advice += "; else " + e.Else
	}
	return e.Problem + "; " + advice
}

// untoldTargets is the error of a table with several columns that may be targets.
func untoldTargets(columns []*Column) error {
	e := &RoleError{Role: "Targets", Else: "set Roles.Wide if each is a series of its own", Problem: fmt.Sprintf("%d columns of numbers may be what is to be forecast: %s", len(columns), list(columns))}
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = c.Name
		e.Columns = append(e.Columns, c.reference())
	}
	if nameTimes(names) {
		return fmt.Errorf("the times are in the header, %.40q and %d more; turn the table, so that each time has a line of its own", names[0], len(names)-1)
	}
	return e
}

// nameTimes reports whether names of columns are times, or months.
func nameTimes(names []string) bool {
	if len(names) < 3 {
		return false
	}
	answers, _ := readTimes(names, len(names))
	return len(answers) > 0 || monthNumbers(names) != nil
}

// reference returns the name of a column if that can be typed in a list, and otherwise its
// number.
func (c *Column) reference() string {
	if c.Name == "" || strings.ContainsAny(c.Name, ",\"'`$\\!") {
		return fmt.Sprint(c.Number)
	}
	return c.Name
}
