"""The AWS collectors."""
