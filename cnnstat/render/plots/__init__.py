"""Pictures with matplotlib, one plot a file; each makes a figure, ``style`` turns it into bytes."""
